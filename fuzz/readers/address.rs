// What must hold for any address that a person sets: whatever it is written like, nothing of our own network is reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use embudo::bookings::calendars;
use embudo::notify::Outbound;
use url::{Host, Url};

static OUTBOUND: LazyLock<Outbound> = LazyLock::new(|| Outbound::new(&[]).expect("a client"));

/// Asks whether an address may be reached. Tells 1 if it may.
pub fn read(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    if let Some(feed) = calendars::address(&text) {
        assert!(
            matches!(feed.scheme(), "http" | "https")
                && feed.username().is_empty()
                && feed.password().is_none()
        );
    }
    if OUTBOUND.may_reach(&text).is_err() {
        return 0;
    }
    let url = Url::parse(&text).expect("what may be reached is an address");
    assert!(
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    );
    match url.host().expect("a host") {
        Host::Ipv4(address) => assert!(!is_ours(IpAddr::V4(address)), "{text}"),
        Host::Ipv6(address) => assert!(!is_ours(IpAddr::V6(address)), "{text}"),
        Host::Domain(name) => assert!(name.parse::<IpAddr>().is_err(), "{text}"),
    }
    1
}

/// Addresses that lead into one's own network, by a list of its own (RFC 6890), so that one list checks the other.
fn is_ours(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_ours_v4(v4),
        IpAddr::V6(v6) => is_ours_v6(v6),
    }
}

fn is_ours_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_broadcast()
        || a == 0
        || (a == 100 && (64..128).contains(&b))
}

fn is_ours_v6(v6: Ipv6Addr) -> bool {
    let [first, second, ..] = v6.segments();
    let embedded = v6.to_ipv4_mapped().or_else(|| {
        // NAT64 and 6to4 carry an address of the older kind.
        let [.., c, d] = v6.segments();
        let last = Ipv4Addr::from((u32::from(c) << 16) | u32::from(d));
        match (first, second) {
            (0x64, 0xff9b) => Some(last),
            (0x2002, _) => Some(Ipv4Addr::from((u32::from(second) << 16) | u32::from(v6.segments()[2]))),
            _ => None,
        }
    });
    v6.is_loopback()
        || v6.is_unspecified()
        || v6.is_multicast()
        || first & 0xfe00 == 0xfc00
        || first & 0xffc0 == 0xfe80
        || embedded.is_some_and(is_ours_v4)
}
