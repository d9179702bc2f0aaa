//! Web addresses as browsers write them, in one text with the places of its parts.
//!
//! Nearly every address that a browser reports is already in the form that the URL standard would bring it into. Such a
//! one is only looked over; all others go through `url`, and both ways lead to the same text.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use url::form_urlencoded::{self, Parse};
use url::{Position, Url};

/// The longest address that is read, in bytes.
pub const ADDRESS_MOST: usize = 2_048;
/// A host of this length or of labels of that is left to `url`.
const HOST_MOST: usize = 253;
const LABEL_MOST: usize = 63;

/// An http or https address with a host, normalised, without user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    host: (usize, usize),
    path: (usize, usize),
    /// Where the query ends; the end of the path if there is none.
    query_end: usize,
}

impl Address {
    /// Reads an address of at most [`ADDRESS_MOST`] bytes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > ADDRESS_MOST {
            return None;
        }
        looked_over(text).or_else(|| parsed(text))
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, as browsers write origins.
    pub fn origin(&self) -> &str {
        self.text.get(..self.path.0).unwrap_or_default()
    }

    /// The host in lower case; an address in brackets if it is one of IPv6.
    pub fn host(&self) -> &str {
        self.text.get(self.host.0..self.host.1).unwrap_or_default()
    }

    /// The path, which begins with a slash.
    pub fn path(&self) -> &str {
        self.text.get(self.path.0..self.path.1).unwrap_or_default()
    }

    /// What stands between `?` and `#`, if there is a `?`.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path.1..self.query_end)?.strip_prefix('?')
    }

    /// The query's names and values, decoded.
    pub fn query_pairs(&self) -> Parse<'_> {
        form_urlencoded::parse(self.query().unwrap_or_default().as_bytes())
    }

    /// Path and query without the parameters that `is_left_out` names.
    pub fn path_without(&self, is_left_out: impl Fn(&str) -> bool) -> String {
        if self.query().is_none() {
            return self.path().to_owned();
        }
        let kept: Vec<(Cow<'_, str>, Cow<'_, str>)> =
            self.query_pairs().filter(|(name, _)| !is_left_out(name)).collect();
        if kept.is_empty() {
            return self.path().to_owned();
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
        format!("{}?{query}", self.path())
    }
}

fn parsed(text: &str) -> Option<Address> {
    let mut url =
        Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    // Nobody's password belongs into a log.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some(Address {
        host: (url[..Position::BeforeHost].len(), url[..Position::AfterHost].len()),
        path: (url[..Position::BeforePath].len(), url[..Position::AfterPath].len()),
        query_end: url[..Position::AfterQuery].len(),
        text: url.into(),
    })
}

/// The address, if it is plainly in the normal form; none says nothing about it.
fn looked_over(text: &str) -> Option<Address> {
    let (start, own_port) = match text.as_bytes() {
        [b'h', b't', b't', b'p', b's', b':', b'/', b'/', ..] => (8, "443"),
        [b'h', b't', b't', b'p', b':', b'/', b'/', ..] => (7, "80"),
        _ => return None,
    };
    let slash = start + text.get(start..)?.find('/')?;
    let authority = text.get(start..slash)?;
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    if !is_plain_host(host) || port.is_some_and(|port| !is_plain_port(port, own_port)) {
        return None;
    }
    let bytes = text.as_bytes();
    let path_end = end_of(bytes, slash, PATH)?;
    let query_end = match bytes.get(path_end) {
        Some(b'?') => end_of(bytes, path_end + 1, QUERY)?,
        _ => path_end,
    };
    if bytes.get(query_end) == Some(&b'#') && end_of(bytes, query_end + 1, FRAGMENT)? != bytes.len() {
        return None;
    }
    let path = text.get(slash..path_end)?;
    // Segments of dots are resolved, also when the dots are encoded.
    if path.contains("/.") || path.contains("%2") {
        return None;
    }
    Some(Address {
        text: text.to_owned(),
        host: (start, start + host.len()),
        path: (slash, path_end),
        query_end,
    })
}

const PATH: u8 = 1;
const QUERY: u8 = 2;
const FRAGMENT: u8 = 4;
const ENDS_PATH: u8 = 8;
const ENDS_QUERY: u8 = 16;

/// In which parts an ASCII character stands for itself, and which part it ends.
static PLAIN: [u8; 256] = {
    let mut plain = [0; 256];
    let everywhere = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~!$&()*+,;=:@/%";
    let mut at = 0;
    while at < everywhere.len() {
        plain[everywhere[at] as usize] = PATH | QUERY | FRAGMENT;
        at += 1;
    }
    plain[b'?' as usize] = QUERY | FRAGMENT | ENDS_PATH;
    plain[b'#' as usize] = ENDS_PATH | ENDS_QUERY;
    plain
};

/// Where a part that begins at `from` ends, if all in it stands for itself.
fn end_of(bytes: &[u8], from: usize, part: u8) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let class = |byte: &u8| PLAIN.get(usize::from(*byte)).copied().unwrap_or(0);
    match rest.iter().position(|byte| class(byte) & part == 0) {
        None => Some(bytes.len()),
        Some(at) => {
            let ends = match part {
                PATH => ENDS_PATH,
                QUERY => ENDS_QUERY,
                _ => 0,
            };
            (class(rest.get(at)?) & ends != 0).then_some(from + at)
        }
    }
}

/// Whether a host is a name of plain labels, and not a number or a word of another script.
fn is_plain_host(host: &str) -> bool {
    const LENGTHS: RangeInclusive<usize> = 1..=LABEL_MOST;
    let is_plain_label = |label: &str| {
        LENGTHS.contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
            && !label.contains("--")
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= HOST_MOST
        && last.starts_with(|letter: char| letter.is_ascii_lowercase())
        && host.split('.').all(is_plain_label)
}

/// Whether a port is written as it would be, and is not the scheme's own, which would be left out.
fn is_plain_port(port: &str, own: &str) -> bool {
    port != own
        && (1..=4).contains(&port.len())
        && !port.starts_with('0')
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[&str] = &[
        "https://faro.example/",
        "http://localhost:8080/en/?page=2&utm_source=x#top",
        "https://www.faro.example/a/b.c/d%C3%B1e?q=1%202&r=a/b?c#?/x",
        "https://a-1.example:4430/?",
        "https://faro.example/#",
    ];
    const OTHERS: &[&str] = &[
        "https://faro.example",
        "HTTPS://FARO.example/",
        "https://faro.example:443/",
        "https://faro.example:0080/",
        "https://192.168.0.1/",
        "https://1.2.3/",
        "https://[::1]:8080/x?y#z",
        "https://user:word@faro.example/",
        "https://faro.example/a/../b",
        "https://faro.example/a/%2e%2E/b",
        "https://faro.example/.",
        "https://faro.example\\a",
        "https://faro.example/ñ?ñ#ñ",
        "https://faro.example/?it's",
        "https://xn--mnchen-3ya.example/",
        "https://ñandú.example/",
        " https://faro.example/\n",
        "https:faro.example/a",
    ];

    fn is_as_url_says(text: &str, address: &Address) {
        let url = Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut bare = url.clone();
        bare.set_username("").expect("a host");
        bare.set_password(None).expect("a host");
        assert_eq!(address.as_str(), bare.as_str());
        assert_eq!(address.origin(), url.origin().ascii_serialization());
        assert_eq!((address.host(), address.path()), (url.host_str().expect("a host"), url.path()));
        assert_eq!(address.query(), url.query());
    }

    #[test]
    fn plain_addresses_are_only_looked_over_and_all_are_as_the_standard_says() {
        for text in PLAIN {
            is_as_url_says(text, &looked_over(text).unwrap_or_else(|| panic!("{text} is plain")));
        }
        for text in OTHERS {
            assert_eq!(looked_over(text), None, "{text}");
            is_as_url_says(text, &Address::parse(text).unwrap_or_else(|| panic!("{text}")));
        }
        for text in ["", "javascript:alert(1)", "ftp://faro.example/", "https://", "https:///", "/en/"] {
            assert!(Address::parse(text).is_none_or(|address| !address.host().is_empty()), "{text}");
        }
        assert_eq!(Address::parse(&format!("https://faro.example/{}", "a".repeat(ADDRESS_MOST))), None);
    }

    #[test]
    fn what_marks_a_campaign_is_left_out_of_the_page() {
        let path =
            |text: &str| Address::parse(text).expect("an address").path_without(|name| name == "utm_source");
        assert_eq!(path("https://faro.example/en/"), "/en/");
        assert_eq!(path("https://faro.example/en/?"), "/en/");
        assert_eq!(path("https://faro.example/en/?utm_source=x#top"), "/en/");
        assert_eq!(path("https://faro.example/en/?utm_source=x&page=2"), "/en/?page=2");
    }

    proptest::proptest! {
        #[test]
        fn both_ways_lead_to_the_same_address(
            text in "https?://[a-z0-9.:@-]{0,12}[/a-zA-Z0-9.%2e\\\\?#'ñ~!$&()*+,;=: -]{0,24}"
        ) {
            if let Some(address) = looked_over(&text) {
                is_as_url_says(&text, &address);
            }
        }
    }
}
