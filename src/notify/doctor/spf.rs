//! SPF: may the mail server send for the domain of the return path (RFC 7208)?

use std::net::IpAddr;

use super::names::{Asked, Names};
use super::{Finding, Sentence, State, said};
use crate::base::network::Network;

/// Questions that a receiver asks at most (RFC 7208, 4.6.4).
const ASKED_MOST: u32 = 10;

/// One term of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    All(char),
    Network(char, String),
    /// The addresses of a host: none names the domain itself.
    Host(char, Option<String>, Prefix),
    /// Those of a domain's mail servers.
    Exchange(char, Option<String>, Prefix),
    Include(char, String),
    Redirect(String),
    /// What cannot be worked out here: macros, `exists`, `ptr`.
    Other,
}

/// The lengths after a host, for IPv4 and IPv6.
type Prefix = (Option<String>, Option<String>);

/// The terms of a record.
fn terms(record: &str) -> Result<Vec<Term>, String> {
    record.split_ascii_whitespace().skip(1).map(term).collect()
}

fn term(text: &str) -> Result<Term, String> {
    let sign = text.chars().next().filter(|sign| "+-~?".contains(*sign));
    let bare = if sign.is_some() { text.get(1..).unwrap_or_default() } else { text };
    let sign = sign.unwrap_or('+');
    if bare.contains('%') {
        return Ok(Term::Other);
    }
    if let Some((name, value)) = bare.split_once('=') {
        return Ok(if name.eq_ignore_ascii_case("redirect") {
            Term::Redirect(value.to_owned())
        } else {
            Term::Other
        });
    }
    let end = bare.find([':', '/']).unwrap_or(bare.len());
    let (name, rest) = bare.split_at_checked(end).unwrap_or((bare, ""));
    let value = rest.strip_prefix(':').unwrap_or_default();
    let host = || {
        let (host, prefix) = match rest.find('/') {
            Some(at) => rest.split_at_checked(at).unwrap_or((rest, "")),
            None => (rest, ""),
        };
        let host = host.strip_prefix(':').filter(|host| !host.is_empty()).map(str::to_owned);
        let (four, six) = prefix.split_once("//").unwrap_or((prefix, ""));
        let length =
            |text: &str| Some(text.trim_start_matches('/').to_owned()).filter(|text| !text.is_empty());
        (host, (length(four), length(six)))
    };
    match name.to_ascii_lowercase().as_str() {
        "all" if rest.is_empty() => Ok(Term::All(sign)),
        "ip4" | "ip6" if Network::parse(value).is_some() => Ok(Term::Network(sign, value.to_owned())),
        "a" => {
            let (host, prefix) = host();
            Ok(Term::Host(sign, host, prefix))
        }
        "mx" => {
            let (host, prefix) = host();
            Ok(Term::Exchange(sign, host, prefix))
        }
        "include" if !value.is_empty() => Ok(Term::Include(sign, value.to_owned())),
        "exists" | "ptr" => Ok(Term::Other),
        _ => Err(text.chars().take(60).collect()),
    }
}

/// What a record says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// A term with this sign names it.
    Named(char),
    /// No term does.
    Unnamed,
    /// Somebody could not be asked, or it depends on more than the address.
    Open,
    /// The record cannot be used, and why.
    Broken(Sentence),
}

/// The one record of a domain.
async fn record_of(names: &Names, domain: &str) -> Asked<String> {
    match names.texts(domain).await {
        Asked::Found(texts) => {
            let is_spf = |text: &String| {
                let first = text.split_ascii_whitespace().next();
                first.is_some_and(|first| first.eq_ignore_ascii_case("v=spf1"))
            };
            let found: Vec<String> = texts.into_iter().filter(is_spf).collect();
            if found.is_empty() { Asked::Nothing } else { Asked::Found(found) }
        }
        Asked::Nothing => Asked::Nothing,
        Asked::Silent => Asked::Silent,
    }
}

/// What the records of a domain say of an address; `asked` counts the questions.
async fn verdict(names: &Names, domain: &str, address: IpAddr, asked: &mut u32) -> Verdict {
    let record = match record_of(names, domain).await {
        Asked::Found(found) => match found.as_slice() {
            [record] => record.clone(),
            _ => {
                return Verdict::Broken(said!(
                    "{domain} has several records",
                    "{domain} tiene varios registros"
                ));
            }
        },
        Asked::Nothing => {
            return Verdict::Broken(said!("{domain} has no record", "{domain} no tiene registro"));
        }
        Asked::Silent => return Verdict::Open,
    };
    let terms = match terms(&record) {
        Ok(terms) => terms,
        Err(term) => {
            let why = said!("`{term}` of {domain} is no term", "`{term}` de {domain} no es un término");
            return Verdict::Broken(why);
        }
    };
    let (mut is_open, mut redirect) = (false, None);
    for term in terms {
        if matches!(
            term,
            Term::Host(..) | Term::Exchange(..) | Term::Include(..) | Term::Redirect(_) | Term::Other
        ) {
            *asked += 1;
            if *asked > ASKED_MOST {
                return Verdict::Broken(said!(
                    "receivers ask at most {ASKED_MOST} times, and it takes more",
                    "quien recibe pregunta como mucho {ASKED_MOST} veces, y hacen falta más"
                ));
            }
        }
        let (sign, is_named) = match term {
            Term::All(sign) => (sign, Asked::Found(vec![true])),
            Term::Network(sign, network) => (sign, Asked::Found(vec![holds(&network, address)])),
            Term::Host(sign, host, prefix) => {
                (sign, among(names, host.as_deref().unwrap_or(domain), &prefix, address).await)
            }
            Term::Exchange(sign, host, prefix) => {
                let exchanges = names.exchanges(host.as_deref().unwrap_or(domain)).await;
                let mut found = Asked::Nothing;
                if let Asked::Found(hosts) = exchanges {
                    for host in hosts.iter().filter(|host| !host.is_empty()) {
                        match among(names, host, &prefix, address).await {
                            Asked::Found(named) if named.contains(&true) => found = Asked::Found(named),
                            Asked::Silent if found == Asked::Nothing => found = Asked::Silent,
                            Asked::Found(_) | Asked::Nothing | Asked::Silent => {}
                        }
                    }
                } else if exchanges == Asked::Silent {
                    found = Asked::Silent;
                }
                (sign, found)
            }
            Term::Include(sign, included) => {
                match Box::pin(verdict(names, &included, address, asked)).await {
                    Verdict::Named('+') => (sign, Asked::Found(vec![true])),
                    Verdict::Named(_) | Verdict::Unnamed => (sign, Asked::Found(vec![false])),
                    Verdict::Open => (sign, Asked::Silent),
                    Verdict::Broken(why) => return Verdict::Broken(why),
                }
            }
            Term::Redirect(to) => {
                redirect = Some(to);
                continue;
            }
            Term::Other => {
                is_open = true;
                continue;
            }
        };
        match is_named {
            Asked::Found(named) if named.contains(&true) => {
                return if is_open { Verdict::Open } else { Verdict::Named(sign) };
            }
            Asked::Silent => is_open = true,
            Asked::Found(_) | Asked::Nothing => {}
        }
    }
    match redirect {
        _ if is_open => Verdict::Open,
        Some(to) => Box::pin(verdict(names, &to, address, asked)).await,
        None => Verdict::Unnamed,
    }
}

/// Whether an address is one of a host's, or in the networks around them.
async fn among(names: &Names, host: &str, prefix: &Prefix, address: IpAddr) -> Asked<bool> {
    match names.addresses(host).await {
        Asked::Found(known) => Asked::Found(
            known
                .into_iter()
                .map(|known| {
                    let length = if known.is_ipv4() { &prefix.0 } else { &prefix.1 };
                    match length {
                        Some(length) => holds(&format!("{known}/{length}"), address),
                        None => known == address,
                    }
                })
                .collect(),
        ),
        Asked::Nothing => Asked::Nothing,
        Asked::Silent => Asked::Silent,
    }
}

fn holds(network: &str, address: IpAddr) -> bool {
    Network::parse(network).is_some_and(|network| network.contains(address))
}

/// Looks at the record of the domain of the return path.
pub(super) async fn look(names: &Names, domain: &str, relay: Option<&str>, addresses: &[IpAddr]) -> Finding {
    let senders = match (relay, addresses) {
        (Some(host), [_, ..]) if host.parse::<IpAddr>().is_err() => format!("a:{host}"),
        (_, [_, ..]) => {
            let word = |address: &IpAddr| format!("ip{}:{address}", if address.is_ipv4() { 4 } else { 6 });
            addresses.iter().map(word).collect::<Vec<_>>().join(" ")
        }
        (_, []) => "mx".to_owned(),
    };
    let fresh = format!("v=spf1 {senders} ~all");
    let wrong = |why: Sentence| Finding::new("SPF", State::Wrong, why);
    let record = match record_of(names, domain).await {
        Asked::Silent => return Finding::unasked("SPF", domain),
        Asked::Nothing => {
            return wrong(said!(
                "{domain} does not say who may send for it",
                "{domain} no dice quién puede enviar por él"
            ))
            .advised(said!(
                "publish a record; if a provider sends your mails, with the include: that it names",
                "publica un registro; si un proveedor envía tus correos, con el include: que te indique"
            ))
            .mended_by(domain, fresh);
        }
        Asked::Found(found) => match found.as_slice() {
            [record] => record.clone(),
            several => {
                let count = several.len();
                let why = said!(
                    "{domain} has {count} records, and receivers then believe none",
                    "{domain} tiene {count} registros, y entonces nadie cree ninguno"
                );
                return wrong(why).advised(said!("put what they say into one", "junta en uno lo que dicen"));
            }
        },
    };
    let own = match terms(&record) {
        Ok(terms) => terms,
        Err(term) => {
            let why = said!(
                "`{term}` in the record of {domain} is no term",
                "`{term}` en el registro de {domain} no es un término"
            );
            return wrong(why).advised(said!("take it out", "quítalo"));
        }
    };
    if own.contains(&Term::All('+')) {
        return wrong(said!(
            "the record of {domain} lets everybody send for it",
            "el registro de {domain} deja que cualquiera envíe por él"
        ))
        .advised(said!(
            "end it with ~all, or with -all once you are sure",
            "termínalo con ~all, o con -all cuando ya no haya dudas"
        ))
        .mended_by(domain, fresh);
    }
    let mut verdicts = Vec::new();
    for address in addresses {
        verdicts.push(verdict(names, domain, *address, &mut 0).await);
    }
    if let Some(Verdict::Broken(why)) = verdicts.iter().find(|verdict| matches!(verdict, Verdict::Broken(_)))
    {
        let Sentence { en, es } = why;
        return wrong(said!(
            "the record of {domain} cannot be used: {en}",
            "el registro de {domain} no se puede usar: {es}"
        ))
        .advised(said!("mend it, or leave terms away", "arréglalo, o quita términos"));
    }
    if verdicts.contains(&Verdict::Named('+')) {
        let host = relay.unwrap_or_default();
        let line = said!("{domain} lets {host} send for it", "{domain} deja que {host} envíe por él");
        return Finding::new("SPF", State::Good, line);
    }
    if verdicts.contains(&Verdict::Open) {
        let line = said!(
            "{domain} has a record; whether it names the mail server could not be asked",
            "{domain} tiene un registro; no se pudo preguntar si nombra al servidor de correo"
        );
        return Finding::new("SPF", State::Unasked, line);
    }
    if verdicts.is_empty() {
        let line = said!(
            "{domain} has a record; from where the mail server sends is not seen from here",
            "{domain} tiene un registro; desde dónde envía el servidor de correo no se ve desde aquí"
        );
        return Finding::new("SPF", State::Good, line);
    }
    let host = relay.unwrap_or_default();
    let line =
        said!("the record of {domain} does not name {host}", "el registro de {domain} no nombra a {host}");
    Finding::new("SPF", State::Weak, line)
        .advised(said!(
            "if {host} delivers your mails itself, add {senders}; if a provider sends from other addresses, add the \
             include: that it names",
            "si {host} entrega tus correos por sí mismo, añade {senders}; si un proveedor los envía desde otras \
             direcciones, añade el include: que te indique"
        ))
        .mended_by(domain, with(&record, &senders))
}

/// A record with more senders, before its end.
fn with(record: &str, senders: &str) -> String {
    let is_end = |word: &&str| {
        let bare = word.trim_start_matches(['+', '-', '~', '?']).to_ascii_lowercase();
        bare == "all" || bare.starts_with("redirect=")
    };
    let words: Vec<&str> = record.split_ascii_whitespace().collect();
    let at = words.iter().position(is_end).unwrap_or(words.len());
    let (before, after) = words.split_at_checked(at).unwrap_or((&words, &[]));
    [before, &[senders], after].concat().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_term_by_term() {
        let read = terms(
            "v=spf1 A mx:mail.example/24//64 ip4:192.0.2.0/24 -include:_spf.x.example ?all exp=why.example",
        )
        .expect("right");
        let host = Some("mail.example".to_owned());
        let prefix = (Some("24".to_owned()), Some("64".to_owned()));
        assert_eq!(
            read,
            [
                Term::Host('+', None, (None, None)),
                Term::Exchange('+', host, prefix),
                Term::Network('+', "192.0.2.0/24".to_owned()),
                Term::Include('-', "_spf.x.example".to_owned()),
                Term::All('?'),
                Term::Other,
            ]
        );
        assert_eq!(
            terms("v=spf1 redirect=_spf.x.example").expect("right"),
            [Term::Redirect("_spf.x.example".into())]
        );
        for wrong in ["v=spf1 ip4:no", "v=spf1 al", "v=spf1 include:", "v=spf1 all:x"] {
            assert!(terms(wrong).is_err(), "{wrong}");
        }
        // Bytes of several to a letter, where a sign is looked for.
        assert!(terms("v=spf1 ñ").is_err());
    }

    #[test]
    fn senders_are_added_before_the_end() {
        assert_eq!(with("v=spf1 mx ~all", "a:x.example"), "v=spf1 mx a:x.example ~all");
        assert_eq!(with("v=spf1 redirect=y.example", "mx"), "v=spf1 mx redirect=y.example");
        assert_eq!(with("v=spf1 mx", "a:x.example"), "v=spf1 mx a:x.example");
    }
}
