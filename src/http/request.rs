//! What every door wants to know of a request.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};

use crate::base::language::Language;

/// A header's text; empty if it is missing or not text.
pub fn header(request: &HttpRequest, name: HeaderName) -> &str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The browser's `Origin`, if it sent one.
pub fn origin(request: &HttpRequest) -> Option<&str> {
    Some(header(request, header::ORIGIN)).filter(|origin| !origin.is_empty())
}

/// Whether another site's page made the browser send this (Fetch Metadata). Old browsers do not say; what they send is
/// not held against them, because these doors go by a token in the address or by nothing at all.
pub fn is_cross_site(request: &HttpRequest) -> bool {
    header(request, HeaderName::from_static("sec-fetch-site")) == "cross-site"
}

/// The token of an `Authorization: Bearer …` header.
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    header(request, header::AUTHORIZATION)
        .strip_prefix("Bearer ")
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// The language asked for by `?lang=` or `?language=`, else by the browser.
pub fn language(request: &HttpRequest) -> Option<Language> {
    let asked = url::form_urlencoded::parse(request.query_string().as_bytes())
        .find(|(name, _)| name == "lang" || name == "language")
        .and_then(|(_, tag)| Language::of_tag(&tag));
    asked.or_else(|| Language::of_accept_language(header(request, header::ACCEPT_LANGUAGE)))
}

/// Networks whose word about the client's address is believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<(IpAddr, u8)>);

impl Proxies {
    /// Reads addresses and networks (`10.0.0.0/8`); what cannot be read is returned.
    pub fn read(texts: &[String]) -> (Self, Vec<String>) {
        let mut wrong = Vec::new();
        let networks = texts.iter().filter_map(|text| {
            let (address, bits) = text.split_once('/').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
            let address: Option<IpAddr> = address.parse().ok();
            let most = if address.is_some_and(|address| address.is_ipv6()) { 128 } else { 32 };
            let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most));
            let network = address.zip(bits);
            if network.is_none() {
                wrong.push(text.clone());
            }
            network
        });
        let networks = networks.collect();
        (Self(networks), wrong)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(network, bits)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(*bits);
                u32::from(*network).checked_shr(shift) == u32::from(address).checked_shr(shift)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(*bits);
                u128::from(*network).checked_shr(shift) == u128::from(address).checked_shr(shift)
            }
            _ => false,
        })
    }

    /// The client's address: the last one in `X-Forwarded-For` that no trusted proxy owns, if a trusted proxy asks.
    pub fn client(&self, request: &HttpRequest) -> IpAddr {
        let peer = request.peer_addr().map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.ip());
        if !self.trusts(peer) {
            return peer;
        }
        header(request, HeaderName::from_static("x-forwarded-for"))
            .rsplit(',')
            .filter_map(|text| text.trim().parse().ok())
            .find(|address| !self.trusts(*address))
            .unwrap_or(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn client(peer: &str, forwarded: &str, trusted: &[&str]) -> String {
        let (proxies, wrong) = Proxies::read(&trusted.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert!(wrong.is_empty());
        let request = TestRequest::default()
            .peer_addr(format!("{peer}:1").parse().expect("an address"))
            .insert_header(("x-forwarded-for", forwarded))
            .to_http_request();
        proxies.client(&request).to_string()
    }

    #[test]
    fn forwarded_addresses_are_believed_only_from_trusted_proxies() {
        assert_eq!(client("203.0.113.9", "198.51.100.1", &[]), "203.0.113.9");
        assert_eq!(client("127.0.0.1", "198.51.100.1", &["127.0.0.0/8"]), "198.51.100.1");
        assert_eq!(
            client("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", &["127.0.0.0/8", "10.0.0.0/8"]),
            "198.51.100.1"
        );
        assert_eq!(client("127.0.0.1", "nonsense", &["127.0.0.1"]), "127.0.0.1");
    }
}
