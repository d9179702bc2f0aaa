//! Networks of addresses: what belongs to a list, and how closely an address is looked at.

use std::net::IpAddr;

/// All addresses that begin with the same bits (CIDR, RFC 4632).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv6() { 128 } else { 32 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most))?;
        Some(Self { address, bits })
    }

    /// Whether an address lies in it. One of IPv4 that is written as one of IPv6 is taken for what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.bits);
                u32::from(network).checked_shr(shift) == u32::from(address).checked_shr(shift)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.bits);
                u128::from(network).checked_shr(shift) == u128::from(address).checked_shr(shift)
            }
            _ => false,
        }
    }
}

/// Networks that have a name.
const NAMED: &[(&str, &[&str])] = &[
    ("loopback", &["127.0.0.0/8", "::1"]),
    ("private", &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]),
    // https://www.cloudflare.com/ips/
    (
        CLOUDFLARE,
        &[
            "173.245.48.0/20",
            "103.21.244.0/22",
            "103.22.200.0/22",
            "103.31.4.0/22",
            "141.101.64.0/18",
            "108.162.192.0/18",
            "190.93.240.0/20",
            "188.114.96.0/20",
            "197.234.240.0/22",
            "198.41.128.0/17",
            "162.158.0.0/15",
            "104.16.0.0/13",
            "104.24.0.0/14",
            "172.64.0.0/13",
            "131.0.72.0/22",
            "2400:cb00::/32",
            "2606:4700::/32",
            "2803:f800::/32",
            "2405:b500::/32",
            "2405:8100::/32",
            "2a06:98c0::/29",
            "2c0f:f248::/32",
        ],
    ),
    // https://api.fastly.com/public-ip-list
    (
        "fastly",
        &[
            "23.235.32.0/20",
            "43.249.72.0/22",
            "103.244.50.0/24",
            "103.245.222.0/23",
            "103.245.224.0/24",
            "104.156.80.0/20",
            "140.248.64.0/18",
            "140.248.128.0/17",
            "146.75.0.0/17",
            "151.101.0.0/16",
            "157.52.64.0/18",
            "167.82.0.0/17",
            "167.82.128.0/20",
            "167.82.160.0/20",
            "167.82.224.0/20",
            "172.111.64.0/18",
            "185.31.16.0/22",
            "199.27.72.0/21",
            "199.232.0.0/16",
            "2a04:4e40::/32",
            "2a04:4e42::/32",
        ],
    ),
];

/// The name of Cloudflare's networks.
pub const CLOUDFLARE: &str = "cloudflare";

/// A list of networks.
#[derive(Debug, Clone, Default)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// Reads addresses, networks and the names `loopback`, `private`, `cloudflare` and `fastly`; what cannot be read is
    /// returned.
    pub fn read(texts: &[String]) -> (Self, Vec<String>) {
        let (mut networks, mut wrong) = (Vec::new(), Vec::new());
        for text in texts {
            match NAMED.iter().find(|(name, _)| name == text) {
                Some((_, named)) => networks.extend(named.iter().filter_map(|text| Network::parse(text))),
                None => match Network::parse(text) {
                    Some(network) => networks.push(network),
                    None => wrong.push(text.clone()),
                },
            }
        }
        (Self(networks), wrong)
    }

    /// The networks of a name; none of one that is not known.
    pub fn named(name: &str) -> Self {
        Self::read(&[name.to_owned()]).0
    }

    /// The name of the networks that hold an address, if they have one.
    pub fn name_of(address: IpAddr) -> Option<&'static str> {
        NAMED.iter().map(|(name, _)| *name).find(|name| Self::named(name).contain(address))
    }

    /// Whether an address lies in one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// The network of an address as text: /24 for IPv4, /48 for IPv6. What is shown and digested is this and not the address.
pub fn network_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_begins_alike() {
        let holds = |network: &str, address: &str| {
            let network = Network::parse(network).expect("a network");
            network.contains(address.parse().expect("an address"))
        };
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:9::1") && !holds("2001:db8::/32", "2001:db9::1"));
        assert!(holds("127.0.0.1", "127.0.0.1") && !holds("127.0.0.1", "127.0.0.2"));
        assert!(holds("127.0.0.1", "::ffff:127.0.0.1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/x", "cloudflare"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_name_stands_for_networks_that_can_be_read() {
        for (name, networks) in NAMED {
            assert_eq!(Networks::named(name).0.len(), networks.len(), "{name}");
        }
        let texts = ["loopback", "cloudfare", "10.0.0.0/8", "10.0.0.0/40"].map(str::to_owned);
        let (networks, wrong) = Networks::read(&texts);
        assert_eq!(wrong, ["cloudfare", "10.0.0.0/40"]);
        assert!(networks.contain([127, 0, 0, 1].into()) && networks.contain([10, 9, 8, 7].into()));
        assert!(Networks::named(CLOUDFLARE).contain([104, 16, 1, 1].into()));
    }

    #[test]
    fn an_address_is_shown_as_its_network() {
        assert_eq!(network_of([203, 0, 113, 9].into()), "203.0.113.0/24");
        assert_eq!(network_of("2001:db8:7:8::9".parse().expect("an address")), "2001:db8:7::/48");
    }
}
