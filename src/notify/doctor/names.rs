//! Questions to the DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};

use crate::gates::screen::resolver;

/// How long an operator waits for one answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// What one question was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked<T> {
    Found(Vec<T>),
    /// There is no such name, or nothing of this kind there.
    Nothing,
    /// Nobody could say.
    Silent,
}

/// Who is asked; nobody if the system names no name server.
pub(super) struct Names(Option<TokioResolver>);

impl Names {
    pub(super) fn new(name_servers: &[SocketAddr]) -> Self {
        Self(resolver(name_servers, PATIENCE).ok())
    }

    /// The texts of a name, the strings of each put together.
    pub(super) async fn texts(&self, name: &str) -> Asked<String> {
        self.ask(name, RecordType::TXT, |data| match data {
            RData::TXT(text) => {
                Some(text.txt_data.iter().map(|part| String::from_utf8_lossy(part)).collect())
            }
            _ => None,
        })
        .await
    }

    /// The mail servers of a domain, the preferred first; the root for one that takes no mail (RFC 7505).
    pub(super) async fn exchanges(&self, domain: &str) -> Asked<String> {
        let asked = self
            .ask(domain, RecordType::MX, |data| match data {
                RData::MX(mx) => Some((mx.preference, bare(&mx.exchange.to_ascii()))),
                _ => None,
            })
            .await;
        match asked {
            Asked::Found(mut found) => {
                found.sort();
                Asked::Found(found.into_iter().map(|(_, host)| host).collect())
            }
            Asked::Nothing => Asked::Nothing,
            Asked::Silent => Asked::Silent,
        }
    }

    /// The addresses of a host.
    pub(super) async fn addresses(&self, host: &str) -> Asked<IpAddr> {
        let four = self
            .ask(host, RecordType::A, |data| match data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                _ => None,
            })
            .await;
        let six = self
            .ask(host, RecordType::AAAA, |data| match data {
                RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                _ => None,
            })
            .await;
        match (four, six) {
            (Asked::Found(mut four), Asked::Found(six)) => {
                four.extend(six);
                Asked::Found(four)
            }
            (Asked::Found(found), _) | (_, Asked::Found(found)) => Asked::Found(found),
            (Asked::Nothing, Asked::Nothing) => Asked::Nothing,
            (Asked::Silent, _) | (_, Asked::Silent) => Asked::Silent,
        }
    }

    /// What an address is called.
    pub(super) async fn pointers(&self, address: IpAddr) -> Asked<String> {
        self.ask(&reversed(address), RecordType::PTR, |data| match data {
            RData::PTR(name) => Some(bare(&name.to_ascii())),
            _ => None,
        })
        .await
    }

    async fn ask<T>(&self, name: &str, kind: RecordType, read: impl Fn(&RData) -> Option<T>) -> Asked<T> {
        let Some(resolver) = &self.0 else { return Asked::Silent };
        // The dot at the end: no search through the system's own domains.
        let name = format!("{}.", name.trim_end_matches('.'));
        match tokio::time::timeout(PATIENCE, resolver.lookup(name, kind)).await {
            Ok(Ok(found)) => {
                let records: Vec<T> =
                    found.answers().iter().filter_map(|record| read(&record.data)).collect();
                if records.is_empty() { Asked::Nothing } else { Asked::Found(records) }
            }
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => match none.response_code {
                ResponseCode::NXDomain | ResponseCode::NoError => Asked::Nothing,
                _ => Asked::Silent,
            },
            Ok(Err(_)) | Err(_) => Asked::Silent,
        }
    }
}

fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Under which name the name of an address stands (RFC 1035, 3.5; RFC 3596, 2.5).
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            let labels: String = nibbles.map(|nibble| format!("{nibble:x}.")).collect();
            format!("{labels}ip6.arpa")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_turned_round() {
        assert_eq!(reversed([192, 0, 2, 25].into()), "25.2.0.192.in-addr.arpa");
        let six = reversed("2001:db8::1".parse().expect("an address"));
        assert!(six.starts_with("1.0.0.0.0.0.") && six.ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"), "{six}");
        assert_eq!(six.matches('.').count(), 33);
    }
}
