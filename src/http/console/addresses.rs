//! Where visitors' addresses come from: what arrived with this very request, which rule decided, and what to set.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::frame::Reader;
use crate::base::network::{Networks, network_of};
use crate::base::time::Timestamp;
use crate::http::error::Problem;
use crate::http::proxies::{Client, KNOWN, Rule};
use crate::http::request::Proxies;

/// `GET /console/addresses`.
pub async fn show(
    reader: Reader,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let client = proxies.decide(&request);
    let headers: Vec<(&str, String)> =
        KNOWN.iter().filter_map(|name| Some((*name, shown(request.headers(), name)?))).collect();
    let app = &reader.app;
    let verdict = verdict(&client, !headers.is_empty(), app.own_origin());
    let databases = app.collector.geo().in_use().into_iter().map(|file| {
        let built_at = file.built_at.and_then(|at| jiff::Timestamp::try_from(at).ok());
        json!({
            "path": file.path.display().to_string(),
            "kind": file.kind,
            "built_at": built_at.map(Timestamp::from_jiff),
        })
    });
    let body = json!({
        "peer": network_of(client.peer),
        "address": network_of(client.address),
        "rule": match &client.rule {
            Rule::Peer => "peer",
            Rule::Header(_) => "header",
            Rule::Silent => "silent",
        },
        "header": match &client.rule {
            Rule::Header(name) => name.as_str(),
            Rule::Peer | Rule::Silent => "",
        },
        "verdict": verdict,
        "tone": if matches!(verdict, "told" | "direct") { "good" } else { "warn" },
        "settings": settings(verdict, &client, &headers),
        "headers": headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>(),
        "public_url": app.own_origin(),
        "sites": app.sites.all().map(|site| json!({ "name": site.name, "origins": site.origins })).collect::<Vec<_>>(),
        "databases": databases.collect::<Vec<_>>(),
    });
    reader.page("console/addresses", body).await
}

/// What to say about it: `told` (a trusted proxy said so), `silent` (it did not), `untrusted` (somebody who is not trusted
/// says so), `hidden` (there must be a proxy, and it says nothing), `direct`.
fn verdict(client: &Client, has_headers: bool, public_url: &str) -> &'static str {
    let is_near = Networks::name_of(client.peer).is_some();
    let is_served_here = url::Url::parse(public_url).ok().is_some_and(|url| {
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_matches(['[', ']']).parse();
        host == "localhost" || address.is_ok_and(|address| Networks::name_of(address).is_some())
    });
    match client.rule {
        Rule::Header(_) => "told",
        Rule::Silent => "silent",
        Rule::Peer if has_headers => "untrusted",
        Rule::Peer if is_near && !is_served_here => "hidden",
        Rule::Peer => "direct",
    }
}

/// Lines for the settings that would help.
fn settings(verdict: &str, client: &Client, headers: &[(&str, String)]) -> Option<String> {
    if !matches!(verdict, "untrusted" | "hidden") {
        return None;
    }
    // An address that has no name may be a visitor's who made the header up; it is not written out here.
    let proxy = Networks::name_of(client.peer).unwrap_or("ADDRESS OF THE PROXY");
    let mut lines = format!("[server]\ntrusted_proxies = [\"{proxy}\"]");
    let can_tell = |name: &&str| headers.iter().any(|(known, _)| known == name);
    if let Some(name) = ["x-forwarded-for", "forwarded", "x-real-ip"].iter().find(|name| can_tell(name))
        && *name != "x-forwarded-for"
    {
        lines.push_str(&format!("\nclient_address_header = [\"{name}\"]"));
    }
    Some(lines)
}

/// What a header says, with networks for addresses; none if it did not come.
fn shown(headers: &HeaderMap, name: &str) -> Option<String> {
    if !headers.contains_key(name) {
        return None;
    }
    let values = headers.get_all(name).filter_map(|value| value.to_str().ok());
    let items = values.flat_map(|value| value.split(',')).take(8);
    let items: Vec<String> =
        items.map(|item| address_in(item).map_or_else(|| "…".to_owned(), network_of)).collect();
    Some(items.join(", "))
}

/// The address in a list's item, also as `for=` of `Forwarded` (RFC 7239) with quotes and a port.
fn address_in(item: &str) -> Option<IpAddr> {
    let said = item.split(';').map(str::trim).find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    let text = said.unwrap_or(item).trim().trim_matches('"');
    let bare = text.trim_start_matches('[').split(']').next().unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_says_whether_a_proxy_is_believed() {
        let client = |peer: &str, rule| {
            let peer = peer.parse().expect("an address");
            Client { peer, address: peer, rule }
        };
        let public = "https://embudo.example";
        assert_eq!(verdict(&client("203.0.113.9", Rule::Peer), false, public), "direct");
        assert_eq!(verdict(&client("203.0.113.9", Rule::Peer), true, public), "untrusted");
        assert_eq!(verdict(&client("127.0.0.1", Rule::Peer), false, public), "hidden");
        assert_eq!(verdict(&client("127.0.0.1", Rule::Peer), false, "http://127.0.0.1:8080"), "direct");
        assert_eq!(verdict(&client("127.0.0.1", Rule::Silent), false, public), "silent");
    }

    #[test]
    fn an_address_is_found_however_a_proxy_writes_it() {
        for text in [
            "203.0.113.9",
            " 203.0.113.9:4711 ",
            "for=203.0.113.9;proto=https",
            "proto=http; For=\"203.0.113.9:80\"",
        ] {
            assert_eq!(address_in(text), Some([203, 0, 113, 9].into()), "{text}");
        }
        let six = "2001:db8::1".parse().ok();
        assert_eq!([address_in("for=\"[2001:db8::1]:80\""), address_in("2001:db8::1")], [six, six]);
        assert_eq!([address_in("for=unknown"), address_in("_hidden"), address_in("")], [None; 3]);
    }

    #[test]
    fn the_lines_name_the_proxy_and_its_header() {
        let near = Client { peer: [10, 0, 0, 2].into(), address: [10, 0, 0, 2].into(), rule: Rule::Peer };
        let sent = [("x-real-ip", String::new())];
        let lines = settings("untrusted", &near, &sent).expect("lines");
        assert_eq!(
            lines,
            "[server]\ntrusted_proxies = [\"private\"]\nclient_address_header = [\"x-real-ip\"]"
        );
        assert_eq!(settings("told", &near, &sent), None);
    }
}
