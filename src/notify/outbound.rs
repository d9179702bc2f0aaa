//! The one client for addresses that a person can set: it refuses to reach into private networks.
//!
//! A name is resolved by us, every answer is checked, and the connection goes to a checked address: between the look and
//! the connection nothing is asked again, so a name that leads elsewhere a moment later (DNS rebinding) leads nowhere.
//! Redirects are not followed; time and the size of the answer are bounded. Outside of `outbound.allow` only https on the
//! ports 443, 8443 and 80 is spoken.

mod fetch;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode, Url, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use serde_json::Value as Json;

pub(super) use self::fetch::{Call, Trouble};
use super::Error;

const PATIENCE: Duration = Duration::from_secs(15);
/// No connection for this long is none.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read: a certificate has some thousand.
const MOST_TEXT: usize = 64 * 1024;
/// Where the public internet answers.
const PORTS: [u16; 3] = [443, 8443, 80];
/// Longest that a receiver may ask us to wait.
const WAIT_MOST_S: i64 = 24 * 60 * 60;

/// The guarded client.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    /// Reaches the networks of `outbound.allow` and nothing else: for other ports and for plain http.
    inner: Client,
    guard: Arc<Guard>,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// How long it asks us to wait (`Retry-After`), in milliseconds.
    pub wait_ms: Option<i64>,
    /// When its limit begins anew (`x-ratelimit-reset`, as seconds from now), in milliseconds.
    pub reset_ms: Option<i64>,
    /// As much as is read: 64 KiB, or what was asked for.
    pub body: String,
}

impl Answer {
    /// Whether it was taken; only a 2xx says so, a redirect does not.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A failure as an [`Error`]: what may succeed later and what never will.
    ///
    /// # Errors
    /// [`Error::Throttled`], [`Error::Deferred`] or [`Error::Refused`] unless it was taken.
    pub fn accepted(&self) -> Result<(), Error> {
        let why =
            StatusCode::from_u16(self.status).map_or_else(|_| self.status.to_string(), |s| s.to_string());
        match (self.status, self.wait_ms) {
            (200..300, _) => Ok(()),
            (429 | 502..=504, Some(wait_ms)) => Err(Error::Throttled { why, wait_ms }),
            (408 | 425 | 429 | 500..600, _) => Err(Error::Deferred(why)),
            _ => Err(Error::Refused(why)),
        }
    }
}

/// Asks for the addresses of a name.
type Lookup = dyn Fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Which addresses may be reached.
struct Guard {
    /// Networks that are reached although they are private.
    allowed: Vec<(IpAddr, u8)>,
    lookup: Box<Lookup>,
}

/// Whom the machine trusts. Reading its some hundred certificates takes longer than all else that a client needs, so that
/// it is done once.
static TRUST: LazyLock<Result<ClientConfig, String>> = LazyLock::new(|| {
    // The first one to install it wins; later ones find it there.
    drop(rustls::crypto::ring::default_provider().install_default());
    ClientConfig::with_platform_verifier().map_err(|error| error.to_string())
});

impl Outbound {
    /// A client that also reaches the networks in `allow` (CIDR).
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(allow: &[String]) -> Result<Self, String> {
        Self::asking(
            allow,
            Box::new(|name| {
                Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
            }),
        )
    }

    fn asking(allow: &[String], lookup: Box<Lookup>) -> Result<Self, String> {
        let allowed = allow
            .iter()
            .map(|text| {
                network(text).ok_or_else(|| format!("outbound.allow: `{text}` is not a network (CIDR)"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let guard = Arc::new(Guard { allowed, lookup });
        let tls = TRUST.as_ref().map_err(Clone::clone)?;
        let client = |only_allowed: bool| {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(Arc::new(Resolver { guard: guard.clone(), only_allowed }))
                .redirect(redirect::Policy::none())
                .timeout(PATIENCE)
                .connect_timeout(CONNECT_PATIENCE)
                .no_proxy()
                .user_agent(concat!("Embudo/", env!("CARGO_PKG_VERSION")))
                .build()
                .map_err(|error| error.to_string())
        };
        Ok(Self { client: client(false)?, inner: client(true)?, guard })
    }

    /// The client for an address, if it may be reached as far as the address itself tells.
    fn way(&self, address: &str) -> Result<(&Client, Url), Error> {
        let refused = |why: &str| Err(Error::Refused(why.to_owned()));
        let Ok(url) = Url::parse(address) else { return refused("not an address") };
        if !matches!(url.scheme(), "http" | "https") {
            return refused("only http and https are reached");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("the address holds a name or a password");
        }
        let is_ordinary =
            url.scheme() == "https" && url.port_or_known_default().is_some_and(|port| PORTS.contains(&port));
        // Literal addresses never pass through the resolver.
        let literal = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(url::Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(url::Host::Domain(_)) => None,
            None => return refused("the address names no host"),
        };
        if literal.is_some_and(|address| !self.guard.allows(address)) {
            return refused("the address is private; outbound.allow can permit it");
        }
        if literal.is_some_and(|address| !is_ordinary && !self.guard.permits(address)) {
            return refused(
                "only https on the ports 443, 8443 and 80 is reached; outbound.allow can permit more",
            );
        }
        Ok((if is_ordinary { &self.client } else { &self.inner }, url))
    }

    /// Whether an address may be reached as far as it itself tells; its name is asked when something is sent.
    ///
    /// # Errors
    /// [`Error::Refused`] with the reason.
    pub fn may_reach(&self, address: &str) -> Result<(), Error> {
        self.way(address).map(|_| ())
    }

    /// Fetches a small text from one of these hosts, by https only.
    ///
    /// # Errors
    /// As [`post_json`](Self::post_json).
    pub async fn get_text(&self, address: &str, is_host: fn(&str) -> bool) -> Result<String, Error> {
        let (client, url) = self.way(address)?;
        if url.scheme() != "https" || !url.host_str().is_some_and(is_host) {
            return Err(Error::Refused("the address is not one that is believed".to_owned()));
        }
        let sent = client.get(url).send().await;
        let answer = sent.map_err(|error| Error::Unreachable(without_address(&error)))?;
        let status = answer.status();
        let (body, is_whole) = start_of(answer, MOST_TEXT).await?;
        if !status.is_success() || !is_whole {
            return Err(Error::Refused(status.to_string()));
        }
        Ok(body)
    }

    /// Posts JSON; only a 2xx is success.
    ///
    /// # Errors
    /// [`Error::Refused`] for what will never work, [`Error::Throttled`], [`Error::Deferred`] and
    /// [`Error::Unreachable`] for what may.
    pub async fn post_json(&self, address: &str, body: &Json) -> Result<(), Error> {
        self.post(address, &[("content-type", "application/json".to_owned())], body.to_string().into_bytes())
            .await?
            .accepted()
    }

    /// Posts bytes with these headers and tells what was answered.
    ///
    /// # Errors
    /// [`Error::Refused`] if the address may not be reached, [`Error::Unreachable`] if nothing was answered.
    pub async fn post(
        &self,
        address: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Answer, Error> {
        // What it says is for people; that it stops in the middle changes nothing.
        self.answered("POST", address, headers, body, MOST_TEXT).await.map(|(answer, _)| answer)
    }

    /// Sends one request with these headers and tells what was answered, as a whole.
    ///
    /// # Errors
    /// [`Error::Refused`] if the address may not be reached, [`Error::Unreachable`] if nothing was answered, or not all of it
    /// came, or it has more than so many bytes: then nobody knows whether it was done.
    pub async fn ask(
        &self,
        method: &'static str,
        address: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        most_bytes: usize,
    ) -> Result<Answer, Error> {
        let (answer, is_whole) = self.answered(method, address, headers, body, most_bytes).await?;
        // A refusal is one, however much of its reason came.
        if is_whole || answer.status >= 400 {
            Ok(answer)
        } else {
            Err(Error::Unreachable("the answer broke off".to_owned()))
        }
    }

    /// The answer, and whether all of it came.
    async fn answered(
        &self,
        method: &'static str,
        address: &str,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
        most_bytes: usize,
    ) -> Result<(Answer, bool), Error> {
        let (client, url) = self.way(address)?;
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::Unwritable(format!("{method} is no method")))?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| Error::Unwritable(format!("the header {name} has an odd value")))?;
            map.insert(HeaderName::from_static(name), value);
        }
        let sent = client.request(method, url).headers(map).body(body).send().await;
        let answer = sent.map_err(|error| Error::Unreachable(without_address(&error)))?;
        let seconds = |value: &HeaderValue| value.to_str().ok()?.trim().parse::<i64>().ok();
        let wait = answer.headers().get(RETRY_AFTER).and_then(seconds);
        let wait_ms = wait.map(|seconds| seconds.clamp(0, WAIT_MOST_S) * 1_000);
        let reset = answer.headers().get("x-ratelimit-reset").and_then(seconds);
        // Some say a point in time instead.
        let reset_ms =
            reset.filter(|seconds| (0..=WAIT_MOST_S).contains(seconds)).map(|seconds| seconds * 1_000);
        let status = answer.status().as_u16();
        let (body, is_whole) = start_of(answer, most_bytes).await.unwrap_or_default();
        Ok((Answer { status, wait_ms, reset_ms, body }, is_whole))
    }
}

/// As much of an answer as is read, and whether that is all of it.
async fn start_of(mut answer: reqwest::Response, most_bytes: usize) -> Result<(String, bool), Error> {
    let mut read = Vec::new();
    while let Some(chunk) =
        answer.chunk().await.map_err(|error| Error::Unreachable(without_address(&error)))?
    {
        read.extend(chunk.iter().take(most_bytes.saturating_sub(read.len())));
        if read.len() >= most_bytes {
            return Ok((String::from_utf8_lossy(&read).into_owned(), false));
        }
    }
    Ok((String::from_utf8_lossy(&read).into_owned(), true))
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

struct Resolver {
    guard: Arc<Guard>,
    only_allowed: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, only_allowed) = (self.guard.clone(), self.only_allowed);
        Box::pin(async move {
            let found = (guard.lookup)(name.as_str().to_owned()).await?;
            // One forbidden answer is enough: whoever mixes them means no good.
            if found.is_empty() || found.iter().any(|address| !guard.allows(address.ip())) {
                return Err("the name leads to a private address; outbound.allow can permit it".into());
            }
            if only_allowed && found.iter().any(|address| !guard.permits(address.ip())) {
                let why =
                    "only https on the ports 443, 8443 and 80 is reached; outbound.allow can permit more";
                return Err(why.into());
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
        self.permits(address) || is_public(address.to_canonical())
    }

    /// Whether the operator has permitted it by name.
    fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allowed.iter().any(|(network, bits)| contains(*network, *bits, address))
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
pub(in crate::notify) fn is_public(address: IpAddr) -> bool {
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
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What nobody may talk us into reaching, each in a spelling that has slipped through some guard.
    const FORBIDDEN: &[&str] = &[
        "https://127.0.0.1/",
        "https://127.0.0.1:8443/",
        "https://127.0.0.1./",
        "https://127.1/",
        "https://127.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0x7f.0x0.0x0.0x1/",
        "https://017700000001/",
        "https://0177.0.0.01/",
        "https://%31%32%37.0.0.1/",
        "https://１２７.０.０.１/",
        "https://127。0。0。1/",
        "https://0/",
        "https://0.0.0.0/",
        "https://0.255.255.254/",
        "https://10.0.0.1/",
        "https://10.255.255.255/",
        "https://167772161/",
        "https://172.16.0.1/",
        "https://172.31.255.255/",
        "https://192.168.0.1/",
        "https://192.168.1.1:8443/",
        "https://0xc0a80001/",
        "https://100.64.0.1/",
        "https://100.127.255.255/",
        "https://169.254.169.254/latest/meta-data",
        "https://2852039166/",
        "https://0xa9fea9fe/",
        "https://192.0.0.1/",
        "https://192.0.2.1/",
        "https://192.88.99.1/",
        "https://198.18.0.1/",
        "https://198.19.255.255/",
        "https://198.51.100.1/",
        "https://203.0.113.1/",
        "https://224.0.0.1/",
        "https://239.255.255.255/",
        "https://240.0.0.1/",
        "https://255.255.255.255/",
        "https://[::]/",
        "https://[::1]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::ffff:0:127.0.0.1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[100::1]/",
        "https://[2001::1]/",
        "https://[2001:2::1]/",
        "https://[2001:10::1]/",
        "https://[2001:db8::1]/",
        "https://[2002:7f00:1::]/",
        "https://[3fff::1]/",
        "https://[5f00::1]/",
        "https://[fc00::1]/",
        "https://[fd00:ec2::254]/",
        "https://[fe80::1]/",
        "https://[fec0::1]/",
        "https://[ff02::1]/",
        "https://user@93.184.216.34/",
        "https://user:word@93.184.216.34/",
        "https://93.184.216.34@127.0.0.1/",
        "https://93.184.216.34:22/",
        "https://93.184.216.34:6379/",
        "http://93.184.216.34/",
        "http://93.184.216.34:443/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://93.184.216.34/",
        "dict://127.0.0.1:11211/",
        "https://",
        "https:///",
        "//127.0.0.1/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "",
    ];

    #[tokio::test]
    async fn no_spelling_of_a_forbidden_address_is_reached() {
        assert!(FORBIDDEN.len() >= 60);
        let outbound = Outbound::new(&[]).expect("a client");
        for address in FORBIDDEN {
            let refused = outbound.post_json(address, &Json::Null).await;
            assert!(matches!(refused, Err(Error::Refused(_))), "{address}: {refused:?}");
            let fetched = outbound.get_text(address, |_| true).await;
            assert!(matches!(fetched, Err(Error::Refused(_))), "{address}: {fetched:?}");
        }
        for name in ["https://localhost/", "https://LOCALHOST:8443/"] {
            let by_name = outbound.post_json(name, &Json::Null).await;
            assert!(matches!(by_name, Err(Error::Unreachable(why)) if why.contains("private")), "{name}");
        }
    }

    #[test]
    fn an_operator_can_permit_a_network() {
        let outbound = Outbound::new(&["127.0.0.0/8".to_owned()]).expect("a client");
        let guard = &outbound.guard;
        assert!(guard.allows("127.0.0.1".parse().expect("an address")));
        assert!(guard.allows("::ffff:127.0.0.1".parse().expect("an address")));
        assert!(!guard.allows("10.0.0.1".parse().expect("an address")));
        assert!(guard.allows("2a00:1450:4003::1".parse().expect("an address")));
        assert!(!guard.permits("2a00:1450:4003::1".parse().expect("an address")));
        assert!(Outbound::new(&["127.0.0.0/33".to_owned()]).is_err());
    }

    fn always(answers: &'static [&'static str]) -> Box<Lookup> {
        Box::new(move |_| {
            let found = answers.iter().map(|text| SocketAddr::new(text.parse().expect("an address"), 0));
            let found = found.collect();
            Box::pin(async move { Ok(found) })
        })
    }

    #[tokio::test]
    async fn one_private_answer_among_public_ones_is_enough_to_refuse_a_name() {
        for answers in [&["93.184.216.34", "127.0.0.1"][..], &["93.184.216.34", "::1"], &["fd00::1"], &[]] {
            let outbound = Outbound::asking(&[], always(answers)).expect("a client");
            let refused = outbound.post_json("https://hook.example/", &Json::Null).await;
            assert!(
                matches!(refused, Err(Error::Unreachable(why)) if why.contains("private")),
                "{answers:?}"
            );
        }
        // Public, but by plain http or on a port of something else.
        let outbound = Outbound::asking(&[], always(&["93.184.216.34"])).expect("a client");
        for address in ["http://hook.example/", "https://hook.example:22/"] {
            let refused = outbound.post_json(address, &Json::Null).await;
            assert!(matches!(refused, Err(Error::Unreachable(why)) if why.contains("ports")), "{address}");
        }
    }

    /// Answers every connection with these bytes and counts them.
    async fn listener(address: &str, answer: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let (port, seen) = (listener.local_addr().expect("bound").port(), Arc::new(AtomicUsize::new(0)));
        let counted = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut head = [0; 4_096];
                    drop(stream.read(&mut head).await);
                    drop(stream.write_all(&answer).await);
                });
            }
        });
        (port, seen)
    }

    const TAKEN: &[u8] = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_a_moment_later_never_gets_there() {
        let (port, outside) = listener("127.0.0.2:0", TAKEN.to_vec()).await;
        let (_, inside) = listener(&format!("127.0.0.1:{port}"), TAKEN.to_vec()).await;
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        // The time to live is over at once, and every other answer is the machine itself.
        let flips: Box<Lookup> = Box::new(move |_| {
            let is_even = counted.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
            let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, if is_even { 2 } else { 1 }));
            Box::pin(async move { Ok(vec![SocketAddr::new(address, 0)]) })
        });
        let outbound = Outbound::asking(&["127.0.0.2/32".to_owned()], flips).expect("a client");
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..1_000 {
            match outbound.post_json(&format!("http://hook.example:{port}/"), &Json::Null).await {
                Ok(()) => taken += 1,
                Err(Error::Unreachable(why)) if why.contains("private") => refused += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((taken, refused), (500, 500));
        assert_eq!(outside.load(Ordering::SeqCst), 500);
        assert_eq!(inside.load(Ordering::SeqCst), 0, "nothing inside was touched");
        assert_eq!(asked.load(Ordering::SeqCst), 1_000, "asked once for each connection, and not again");
    }

    fn local() -> Outbound {
        Outbound::new(&["127.0.0.0/8".to_owned()]).expect("a client")
    }

    #[tokio::test]
    async fn a_redirect_is_a_failure_and_is_not_followed() {
        let (inside, seen) = listener("127.0.0.1:0", TAKEN.to_vec()).await;
        let answer = format!(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inside}/\r\nconnection: close\r\n\r\n"
        );
        let (port, _) = listener("127.0.0.1:0", answer.into_bytes()).await;
        let refused = local().post_json(&format!("http://127.0.0.1:{port}/"), &Json::Null).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
        assert_eq!(seen.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn of_an_endless_answer_only_the_beginning_is_read() {
        let mut answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
        answer.extend(std::iter::repeat_n(b'x', 3 * MOST_TEXT));
        let (port, _) = listener("127.0.0.1:0", answer).await;
        let answer =
            local().post(&format!("http://127.0.0.1:{port}/"), &[], Vec::new()).await.expect("answered");
        assert_eq!((answer.status, answer.body.len()), (200, MOST_TEXT));
    }

    #[tokio::test]
    async fn whoever_asks_for_time_is_given_it() {
        let busy = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\nconnection: close\r\n\r\n".to_vec();
        let (port, _) = listener("127.0.0.1:0", busy).await;
        let later = local().post_json(&format!("http://127.0.0.1:{port}/"), &Json::Null).await;
        assert!(matches!(later, Err(Error::Throttled { wait_ms: 7_000, .. })), "{later:?}");
    }
}
