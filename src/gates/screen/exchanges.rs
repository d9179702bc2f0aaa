//! Whether a mail server takes mail for a domain: `MX` records (RFC 5321, section 5.1), `A` and `AAAA` in their absence,
//! and the null `MX` that says no (RFC 7505).
//!
//! It fails open: whoever cannot be asked within two seconds is believed. What was learnt holds for a day.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};
use quick_cache::sync::Cache;

use crate::base::time::{DAY_MS, Timestamp};

/// How long a visitor waits for an answer at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many domains are remembered.
const REMEMBERED: usize = 20_000;

/// The mail servers of domains.
pub struct Exchanges {
    resolver: TokioResolver,
    known: Cache<String, (bool, Timestamp)>,
}

/// What one question was answered with.
enum Answer {
    Records(Vec<RData>),
    /// The domain is there and has none.
    None,
    /// There is no such domain.
    NoDomain,
}

impl Exchanges {
    /// Asks these name servers; none: those of the system.
    ///
    /// # Errors
    /// A sentence if the system does not say which name servers to ask.
    pub fn new(name_servers: &[SocketAddr]) -> Result<Self, String> {
        Ok(Self { resolver: resolver(name_servers, PATIENCE)?, known: Cache::new(REMEMBERED) })
    }

    /// Whether mail to a domain has somewhere to go, as far as can be learnt in time.
    pub async fn take_mail(&self, domain: &str, now: Timestamp) -> bool {
        if let Some((takes, until)) = self.known.get(domain)
            && now < until
        {
            return takes;
        }
        match tokio::time::timeout(PATIENCE, self.learn(domain)).await {
            Ok(Some(takes)) => {
                self.known.insert(domain.to_owned(), (takes, now.plus_ms(DAY_MS)));
                takes
            }
            Ok(None) | Err(_) => true,
        }
    }

    /// Nothing if nobody could say.
    async fn learn(&self, domain: &str) -> Option<bool> {
        // The dot at the end: no search through the system's own domains.
        let name = format!("{domain}.");
        match self.ask(&name, RecordType::MX).await? {
            Answer::NoDomain => Some(false),
            Answer::Records(records) => {
                let mut exchanges = records.iter().filter_map(|record| match record {
                    RData::MX(mx) => Some(&mx.exchange),
                    _ => None,
                });
                Some(exchanges.any(|exchange| !exchange.is_root()))
            }
            Answer::None => {
                for kind in [RecordType::A, RecordType::AAAA] {
                    if let Answer::Records(_) = self.ask(&name, kind).await? {
                        return Some(true);
                    }
                }
                Some(false)
            }
        }
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Option<Answer> {
        match self.resolver.lookup(name, kind).await {
            Ok(found) => {
                let of_kind = found.answers().iter().filter(|record| record.record_type() == kind);
                let records: Vec<RData> = of_kind.map(|record| record.data.clone()).collect();
                Some(if records.is_empty() { Answer::None } else { Answer::Records(records) })
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
                ResponseCode::NXDomain => Some(Answer::NoDomain),
                ResponseCode::NoError => Some(Answer::None),
                _ => None,
            },
            Err(_) => None,
        }
    }
}

/// Whoever asks these name servers, or those of the system if there are none; it remembers nothing.
///
/// # Errors
/// A sentence if the system does not say which name servers to ask.
pub fn resolver(name_servers: &[SocketAddr], patience: Duration) -> Result<TokioResolver, String> {
    let mut builder = if name_servers.is_empty() {
        TokioResolver::builder_tokio()
            .map_err(|error| format!("the system names no name server that can be asked: {error}"))?
    } else {
        let servers = name_servers.iter().map(server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = patience;
    options.attempts = 1;
    // What is remembered is remembered by whoever asks, for as long as is said there.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().map_err(|error| format!("names cannot be looked up: {error}"))
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let mut connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections.into())
}
