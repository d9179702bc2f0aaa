//! Whose address a request comes from. A header that says so is believed only from proxies that the settings name.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;

use crate::base::network::{CLOUDFLARE, Networks};
use crate::config;

/// Where Cloudflare writes the visitor's address. (Fastly's own header passes on what a visitor made up, so
/// `X-Forwarded-For` is read from there.)
const OF_CLOUDFLARE: HeaderName = HeaderName::from_static("cf-connecting-ip");
/// The header of RFC 7239, which has a form of its own.
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// Headers that proxies are known to add, for whoever looks where addresses come from.
pub const KNOWN: [&str; 8] = [
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "true-client-ip",
    "x-client-ip",
    "via",
];

/// Networks whose word about the client's address is believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    trusted: Networks,
    headers: Vec<HeaderName>,
    /// Its header is believed from its own networks only: other proxies may pass on a forged one.
    cloudflare: Option<Networks>,
}

/// Why an address is the client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Whoever connected is no trusted proxy.
    Peer,
    /// A trusted proxy said so in this header.
    Header(HeaderName),
    /// A trusted proxy connected and did not say for whom.
    Silent,
}

/// Whom a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Who connected.
    pub peer: IpAddr,
    /// Who asks.
    pub address: IpAddr,
    pub rule: Rule,
}

impl Proxies {
    /// Reads the settings.
    ///
    /// # Errors
    /// What is no network, name or header.
    pub fn read(settings: &config::Server) -> Result<Self, Vec<String>> {
        let (trusted, mut wrong) = Networks::read(&settings.trusted_proxies);
        let mut headers = Vec::new();
        for text in &settings.client_address_header {
            match text.parse::<HeaderName>() {
                Ok(name) => headers.push(name),
                Err(_) => wrong.push(text.clone()),
            }
        }
        let names_cloudflare = settings.trusted_proxies.iter().any(|text| text == CLOUDFLARE);
        let cloudflare = names_cloudflare.then(|| Networks::named(CLOUDFLARE));
        if wrong.is_empty() { Ok(Self { trusted, headers, cloudflare }) } else { Err(wrong) }
    }

    /// The client's address.
    pub fn client(&self, request: &HttpRequest) -> IpAddr {
        self.decide(request).address
    }

    /// The client's address, and how it was found: the last one in a header that no trusted proxy owns, if a trusted
    /// proxy asks.
    pub fn decide(&self, request: &HttpRequest) -> Client {
        let peer = request.peer_addr().map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.ip().to_canonical());
        if !self.trusted.contain(peer) {
            return Client { peer, address: peer, rule: Rule::Peer };
        }
        let from_cloudflare = self.cloudflare.as_ref().is_some_and(|networks| networks.contain(peer));
        let headers =
            from_cloudflare.then_some(OF_CLOUDFLARE).into_iter().chain(self.headers.iter().cloned());
        for name in headers {
            if let Some(address) = self.told(request, &name) {
                return Client { peer, address, rule: Rule::Header(name) };
            }
        }
        Client { peer, address: peer, rule: Rule::Silent }
    }

    /// The last address of a header that is not a trusted proxy's. What stands before one that cannot be read was
    /// written by somebody else.
    fn told(&self, request: &HttpRequest, name: &HeaderName) -> Option<IpAddr> {
        let values: Vec<&str> =
            request.headers().get_all(name).filter_map(|value| value.to_str().ok()).collect();
        let items = values.iter().rev().flat_map(|value| value.rsplit(','));
        for item in items {
            let item = if *name == FORWARDED { of_forwarded(item)? } else { item };
            let address = address_of(item)?;
            if !self.trusted.contain(address) {
                return Some(address);
            }
        }
        None
    }
}

/// The `for` of one element of a `Forwarded` header.
fn of_forwarded(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    })
}

/// An address as proxies write it: plain, in quotes or brackets, with or without a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn proxies(trusted: &[&str], headers: &[&str]) -> Result<Proxies, Vec<String>> {
        let mut settings = config::Config::load(None, std::iter::empty()).expect("the default").server;
        settings.trusted_proxies = trusted.iter().map(|text| (*text).to_owned()).collect();
        settings.client_address_header = headers.iter().map(|text| (*text).to_owned()).collect();
        Proxies::read(&settings)
    }

    fn found(peer: &str, sent: &[(&str, &str)], trusted: &[&str], headers: &[&str]) -> (String, Rule) {
        let peer: IpAddr = peer.parse().expect("an address");
        let mut request = TestRequest::default().peer_addr(SocketAddr::new(peer, 1));
        for pair in sent {
            request = request.append_header(*pair);
        }
        let client = proxies(trusted, headers).expect("read").decide(&request.to_http_request());
        (client.address.to_string(), client.rule)
    }

    #[test]
    fn forwarded_addresses_are_believed_only_from_trusted_proxies() {
        let xff = |peer: &str, forwarded: &str, trusted: &[&str]| {
            found(peer, &[("x-forwarded-for", forwarded)], trusted, &["x-forwarded-for"]).0
        };
        assert_eq!(xff("203.0.113.9", "198.51.100.1", &[]), "203.0.113.9");
        assert_eq!(xff("203.0.113.9", "198.51.100.1", &["loopback", "private", "cloudflare"]), "203.0.113.9");
        assert_eq!(xff("127.0.0.1", "198.51.100.1", &["127.0.0.0/8"]), "198.51.100.1");
        assert_eq!(xff("127.0.0.1", "198.51.100.1", &["loopback"]), "198.51.100.1");
        assert_eq!(
            xff("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", &["loopback", "private"]),
            "198.51.100.1"
        );
        assert_eq!(xff("127.0.0.1", "nonsense", &["127.0.0.1"]), "127.0.0.1");
        assert_eq!(xff("127.0.0.1", "6.6.6.6, unknown", &["loopback"]), "127.0.0.1");
        assert_eq!(xff("127.0.0.1", "198.51.100.1:4711", &["loopback"]), "198.51.100.1");
        assert_eq!(xff("::1", "[2001:db8::7]:80", &["loopback"]), "2001:db8::7");
    }

    #[test]
    fn a_line_that_the_visitor_sent_along_does_not_win() {
        let sent = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "198.51.100.1")];
        assert_eq!(found("127.0.0.1", &sent, &["loopback"], &["x-forwarded-for"]).0, "198.51.100.1");
    }

    #[test]
    fn cloudflares_header_is_believed_from_cloudflare_alone() {
        let sent = [("cf-connecting-ip", "198.51.100.1"), ("x-forwarded-for", "198.51.100.2, 104.16.0.1")];
        let by = |peer| found(peer, &sent, &["loopback", "cloudflare"], &["x-forwarded-for"]);
        assert_eq!(by("104.16.0.9"), ("198.51.100.1".to_owned(), Rule::Header(OF_CLOUDFLARE)));
        let through_nginx = Rule::Header(HeaderName::from_static("x-forwarded-for"));
        assert_eq!(by("127.0.0.1"), ("198.51.100.2".to_owned(), through_nginx));
        assert_eq!(by("203.0.113.9"), ("203.0.113.9".to_owned(), Rule::Peer));
        assert_eq!(found("104.16.0.9", &[], &["cloudflare"], &["x-forwarded-for"]).1, Rule::Silent);
    }

    #[test]
    fn the_headers_are_asked_in_their_order() {
        let sent = [
            ("x-real-ip", "198.51.100.1"),
            ("forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:1\";proto=https"),
        ];
        let by = |headers: &[&str]| found("127.0.0.1", &sent, &["loopback"], headers).0;
        assert_eq!(by(&["x-real-ip", "forwarded"]), "198.51.100.1");
        assert_eq!(by(&["forwarded", "x-real-ip"]), "2001:db8::7");
        assert_eq!(by(&["x-forwarded-for", "x-real-ip"]), "198.51.100.1");
        assert_eq!(by(&[]), "127.0.0.1");
    }

    #[test]
    fn what_is_no_network_or_header_is_named() {
        assert_eq!(
            proxies(&["cloudfare"], &["x forwarded"]).expect_err("wrong"),
            ["cloudfare", "x forwarded"]
        );
    }
}
