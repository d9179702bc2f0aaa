//! Writes a small file of countries, cities or networks in the MaxMind DB format, version 2.0: a binary search tree over the bits of IPv4 addresses,
//! the data it leads to, and a description of both.

use std::net::Ipv4Addr;
use std::path::Path;

/// A network and its country.
pub type Network = (Ipv4Addr, u8, &'static str);

/// When every file says it was built, in seconds: 2026-11-01.
const BUILT_AT_S: u32 = 1_793_491_200;

/// What a file knows of a network.
#[derive(Clone, Copy)]
pub enum Known {
    Country(&'static str),
    /// Country, region, city.
    #[allow(dead_code, reason = "the benches write countries only")]
    City(&'static str, &'static str, &'static str),
    /// Number and organisation of the autonomous system.
    #[allow(dead_code, reason = "the benches write countries only")]
    System(u32, &'static str),
}

impl Known {
    fn write(self, data: &mut Vec<u8>) {
        match self {
            Self::Country(code) => {
                map(data, 1);
                country(data, code);
            }
            Self::City(code, region, city) => {
                map(data, 3);
                country(data, code);
                text(data, "subdivisions");
                data.extend_from_slice(&[1, ARRAY]);
                map(data, 1);
                text(data, "iso_code");
                text(data, region);
                text(data, "city");
                map(data, 1);
                text(data, "names");
                map(data, 1);
                text(data, "en");
                text(data, city);
            }
            Self::System(number, name) => {
                map(data, 2);
                text(data, "autonomous_system_number");
                data.push((UINT32 << 5) | 4);
                data.extend_from_slice(&number.to_be_bytes());
                text(data, "autonomous_system_organization");
                text(data, name);
            }
        }
    }
}

fn country(data: &mut Vec<u8>, code: &str) {
    text(data, "country");
    map(data, 1);
    text(data, "iso_code");
    text(data, code);
}

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

/// Writes a file of countries; the networks may not overlap.
pub fn write(path: &Path, networks: &[Network]) {
    let networks: Vec<_> =
        networks.iter().map(|(address, bits, code)| (*address, *bits, Known::Country(code))).collect();
    write_known(path, "Embudo-Test-Country", &networks);
}

/// Writes a file that calls itself `kind`; the networks may not overlap.
pub fn write_known(path: &Path, kind: &str, networks: &[(Ipv4Addr, u8, Known)]) {
    let mut data = Vec::new();
    let mut nodes = vec![[Side::Nowhere; 2]];
    for (address, bits, known) in networks {
        let place = data.len();
        known.write(&mut data);
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
    text(&mut file, kind);
    text(&mut file, "languages");
    file.extend_from_slice(&[0, ARRAY]);
    text(&mut file, "description");
    map(&mut file, 0);
    text(&mut file, "build_epoch");
    // An extended type: uint64, of which four bytes are enough.
    file.extend_from_slice(&[4, 2]);
    file.extend_from_slice(&BUILT_AT_S.to_be_bytes());
    std::fs::write(path, file).expect("written");
}

/// The second byte of a list, which is an extended type.
const ARRAY: u8 = 4;
const UINT16: u8 = 5;
const UINT32: u8 = 6;

fn map(out: &mut Vec<u8>, pairs: u8) {
    out.push((7 << 5) | pairs);
}

fn text(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).expect("a short text");
    if length < 29 {
        out.push((2 << 5) | length);
    } else {
        out.extend_from_slice(&[(2 << 5) | 29, length - 29]);
    }
    out.extend_from_slice(text.as_bytes());
}
