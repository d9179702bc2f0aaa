//! Writes a small country file in the MaxMind DB format, version 2.0: a binary search tree over the bits of IPv4 addresses,
//! the data it leads to, and a description of both.

use std::net::Ipv4Addr;
use std::path::Path;

/// A network and its country.
pub type Network = (Ipv4Addr, u8, &'static str);

const MARK: &[u8] = b"\xab\xcd\xefMaxMind.com";
/// The zeros between the tree and the data.
const GAP: usize = 16;

/// Where one side of a node leads.
#[derive(Clone, Copy)]
enum Side {
    Nowhere,
    Node(usize),
    Data(usize),
}

/// Writes the file; the networks may not overlap.
pub fn write(path: &Path, networks: &[Network]) {
    let mut data = Vec::new();
    let mut nodes = vec![[Side::Nowhere; 2]];
    for (address, bits, country) in networks {
        let place = data.len();
        map(&mut data, 1);
        text(&mut data, "country");
        map(&mut data, 1);
        text(&mut data, "iso_code");
        text(&mut data, country);
        let mut node = 0;
        for depth in 0..*bits {
            let side = usize::try_from((u32::from(*address) >> (31 - depth)) & 1).expect("a bit");
            if depth + 1 == *bits {
                nodes[node][side] = Side::Data(place);
            } else if let Side::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Side::Nowhere; 2]);
                nodes[node][side] = Side::Node(nodes.len() - 1);
                node = nodes.len() - 1;
            }
        }
    }
    let mut file = Vec::new();
    for side in nodes.iter().flatten() {
        let record = match side {
            Side::Nowhere => nodes.len(),
            Side::Node(node) => *node,
            Side::Data(place) => nodes.len() + GAP + place,
        };
        file.extend_from_slice(&u32::try_from(record).expect("a small file").to_be_bytes()[1..]);
    }
    file.extend_from_slice(&[0; GAP]);
    file.extend_from_slice(&data);
    file.extend_from_slice(MARK);
    map(&mut file, 9);
    for (name, size, value) in [
        ("node_count", UINT32, nodes.len()),
        ("record_size", UINT16, 24),
        ("ip_version", UINT16, 4),
        ("binary_format_major_version", UINT16, 2),
        ("binary_format_minor_version", UINT16, 0),
    ] {
        text(&mut file, name);
        file.push((size << 5) | 4);
        file.extend_from_slice(&u32::try_from(value).expect("a small file").to_be_bytes());
        if size == UINT16 {
            // Two bytes are enough for it.
            let at = file.len() - 5;
            file.splice(at..at + 3, [(UINT16 << 5) | 2]);
        }
    }
    text(&mut file, "database_type");
    text(&mut file, "Embudo-Test-Country");
    text(&mut file, "languages");
    file.extend_from_slice(&[0, 4]);
    text(&mut file, "description");
    map(&mut file, 0);
    text(&mut file, "build_epoch");
    // An extended type (uint64) of no bytes: 0.
    file.extend_from_slice(&[0, 2]);
    std::fs::write(path, file).expect("written");
}

const UINT16: u8 = 5;
const UINT32: u8 = 6;

fn map(out: &mut Vec<u8>, pairs: u8) {
    out.push((7 << 5) | pairs);
}

fn text(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).expect("a short text");
    assert!(length < 29, "{text} would need a longer length");
    out.push((2 << 5) | length);
    out.extend_from_slice(text.as_bytes());
}
