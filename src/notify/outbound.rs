//! The one client for addresses that a person can set: it refuses to reach into private networks.
//!
//! A name is resolved by us, every answer is checked, and the connection goes to a checked address; redirects are not
//! followed; time and the size of the answer are bounded.

mod fetch;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, StatusCode, Url, redirect};
use serde_json::Value as Json;

pub(super) use self::fetch::{Call, Trouble};
use super::Error;

const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of a text that is fetched: a certificate has some thousand.
const MOST_TEXT: u64 = 64 * 1024;

/// The guarded client.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    guard: Arc<Guard>,
}

/// Which addresses may be reached.
#[derive(Debug, Default)]
struct Guard {
    /// Networks that are reached although they are private.
    allowed: Vec<(IpAddr, u8)>,
}

impl Outbound {
    /// A client that also reaches the networks in `allow` (CIDR).
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(allow: &[String]) -> Result<Self, String> {
        let allowed = allow
            .iter()
            .map(|text| {
                network(text).ok_or_else(|| format!("outbound.allow: `{text}` is not a network (CIDR)"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let guard = Arc::new(Guard { allowed });
        // The first call installs it; later ones find it there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder()
            .dns_resolver(Arc::new(Resolver(guard.clone())))
            .redirect(redirect::Policy::none())
            .timeout(PATIENCE)
            .no_proxy()
            .user_agent(concat!("Embudo/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, guard })
    }

    /// Fetches a small text from one of these hosts, by https only.
    ///
    /// # Errors
    /// As [`post_json`](Self::post_json).
    pub async fn get_text(&self, address: &str, is_host: fn(&str) -> bool) -> Result<String, Error> {
        let url = Url::parse(address).map_err(|_| Error::Refused("not an address".to_owned()))?;
        if url.scheme() != "https" || !url.host_str().is_some_and(is_host) {
            return Err(Error::Refused("the address is not one that is believed".to_owned()));
        }
        let sent = self.client.get(url).send().await;
        let answer = sent.map_err(|error| Error::Unreachable(without_address(&error)))?;
        if !answer.status().is_success() || answer.content_length().is_none_or(|length| length > MOST_TEXT) {
            return Err(Error::Refused(answer.status().to_string()));
        }
        answer.text().await.map_err(|error| Error::Unreachable(without_address(&error)))
    }

    /// Posts JSON; only a 2xx is success.
    ///
    /// # Errors
    /// [`Error::Refused`] for what will never work, [`Error::Deferred`] and [`Error::Unreachable`] for what may.
    pub async fn post_json(&self, address: &str, body: &Json) -> Result<(), Error> {
        let url = Url::parse(address).map_err(|_| Error::Refused("not an address".to_owned()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Refused("only http and https are reached".to_owned()));
        }
        // Literal addresses never pass through the resolver.
        let literal = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(url::Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(url::Host::Domain(_)) => None,
            None => return Err(Error::Refused("the address names no host".to_owned())),
        };
        if literal.is_some_and(|address| !self.guard.allows(address)) {
            return Err(Error::Refused("the address is private; outbound.allow can permit it".to_owned()));
        }
        let sent = self.client.post(url).json(body).send().await;
        let answer = sent.map_err(|error| Error::Unreachable(without_address(&error)))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(Error::Deferred(answer.status().to_string()))
            }
            status if status.is_server_error() => Err(Error::Deferred(status.to_string())),
            status => Err(Error::Refused(status.to_string())),
        }
    }
}

/// The address is the secret of many webhooks, so an error must not carry it into a log.
fn without_address(error: &reqwest::Error) -> String {
    use std::error::Error as _;
    let mut reason = "the request failed".to_owned();
    let mut cause = error.source();
    while let Some(inner) = cause {
        reason = inner.to_string();
        cause = inner.source();
    }
    reason
}

struct Resolver(Arc<Guard>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One forbidden answer is enough: whoever mixes them means no good.
            if found.is_empty() || found.iter().any(|address| !guard.allows(address.ip())) {
                return Err("the name leads to a private address; outbound.allow can permit it".into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv6() { 128 } else { 32 };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most))?;
    Some((address, bits))
}

impl Guard {
    fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|(network, bits)| contains(*network, *bits, address)) || is_public(address)
    }
}

fn contains(network: IpAddr, bits: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(bits);
            u32::from(network).checked_shr(shift) == u32::from(address).checked_shr(shift)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(bits);
            u128::from(network).checked_shr(shift) == u128::from(address).checked_shr(shift)
        }
        _ => false,
    }
}

/// Whether an address is one of the public internet (IANA's special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    const SPECIAL: &[(Ipv4Addr, u8)] = &[
        (Ipv4Addr::new(0, 0, 0, 0), 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 0, 2, 0), 24),
        (Ipv4Addr::new(192, 88, 99, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(198, 51, 100, 0), 24),
        (Ipv4Addr::new(203, 0, 113, 0), 24),
        (Ipv4Addr::new(224, 0, 0, 0), 3),
    ];
    !SPECIAL.iter().any(|(network, bits)| contains(IpAddr::V4(*network), *bits, IpAddr::V4(address)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    // Only 2000::/3 is handed out; inside it, documentation, benchmarking, 6to4 and Teredo hide other addresses.
    const SPECIAL: &[(Ipv6Addr, u8)] = &[
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
        (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
        (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    ];
    let given = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
    contains(IpAddr::V6(given.0), given.1, IpAddr::V6(address))
        && !SPECIAL.iter().any(|(network, bits)| contains(IpAddr::V6(*network), *bits, IpAddr::V6(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_spelling_of_a_private_address_is_reached() {
        let outbound = Outbound::new(&[]).expect("a client");
        for address in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://127.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::127.0.0.1]/",
            "http://10.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[fe80::1]/",
            "http://[fd00::1]/",
            "http://0.0.0.0/",
            "http://[2002:7f00:1::]/",
            "http://[64:ff9b::7f00:1]/",
            "http://100.64.0.1/",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "http://224.0.0.1/",
            "http://192.168.1.1:8443/",
        ] {
            let refused = outbound.post_json(address, &Json::Null).await;
            assert!(matches!(refused, Err(Error::Refused(_))), "{address}");
        }
        let by_name = outbound.post_json("http://localhost:9/", &Json::Null).await;
        assert!(matches!(by_name, Err(Error::Unreachable(why)) if why.contains("private")));
    }

    #[test]
    fn an_operator_can_permit_a_network() {
        let guard = Guard { allowed: vec![network("127.0.0.0/8").expect("a network")] };
        assert!(guard.allows("127.0.0.1".parse().expect("an address")));
        assert!(guard.allows("::ffff:127.0.0.1".parse().expect("an address")));
        assert!(!guard.allows("10.0.0.1".parse().expect("an address")));
        assert!(guard.allows("2a00:1450:4003::1".parse().expect("an address")));
    }
}
