//! What else the DNS says of the sender: DKIM (RFC 6376), DMARC (RFC 7489), mail servers, names of addresses.

use std::net::IpAddr;

use super::names::{Asked, Names};
use super::{Finding, Sentence, State, said};
use crate::notify::dkim::Dkim;

/// The value of a tag of a record of the form `v=…; p=…`, without spaces.
fn tag(record: &str, name: &str) -> Option<String> {
    let mut tags = record.split(';').filter_map(|tag| tag.split_once('='));
    let value = tags.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?.1;
    Some(value.chars().filter(|c| !c.is_whitespace()).collect())
}

/// Whether our public keys are published.
pub(super) async fn dkim(names: &Names, dkim: &Result<Option<Dkim>, String>) -> Vec<Finding> {
    let dkim = match dkim {
        Ok(Some(dkim)) => dkim,
        Ok(None) => {
            let line = said!(
                "no key is set in [mail.dkim]; mails are signed only if the mail server does it by itself",
                "no hay ninguna clave en [mail.dkim]; los correos solo se firman si el servidor de correo lo hace por su cuenta"
            );
            let advice = said!(
                "make a key: embudo mail dkim --new FILE; leave it if the mail server signs for the domain of mail.from",
                "crea una clave: embudo mail dkim --new ARCHIVO; déjalo si el servidor de correo firma por el dominio de mail.from"
            );
            return vec![Finding::new("DKIM", State::Weak, line).advised(advice)];
        }
        Err(why) => return vec![Finding::new("DKIM", State::Wrong, why.clone())],
    };
    let mut found = Vec::new();
    for record in dkim.records() {
        let name = record.name.clone();
        let wrong = |why: Sentence| {
            Finding::new("DKIM", State::Wrong, why)
                .advised(said!("publish this record", "publica este registro"))
                .mended_by(&name, &record.value)
        };
        found.push(match names.texts(&name).await {
            Asked::Silent => Finding::unasked("DKIM", &name),
            Asked::Nothing => wrong(said!(
                "{name} has no record, so our signatures are not believed",
                "{name} no tiene registro, así que nadie cree nuestras firmas"
            )),
            Asked::Found(texts) => {
                let ours = tag(&record.value, "p");
                let theirs: Vec<Option<String>> = texts.iter().map(|text| tag(text, "p")).collect();
                if theirs.contains(&ours) {
                    Finding::new(
                        "DKIM",
                        State::Good,
                        said!(
                            "{name} has the key that mails are signed with",
                            "{name} tiene la clave con la que se firman los correos"
                        ),
                    )
                } else if theirs.iter().flatten().any(String::is_empty) {
                    wrong(said!("the key of {name} was taken back", "la clave de {name} se retiró"))
                } else {
                    wrong(said!(
                        "{name} has another key than the one that mails are signed with",
                        "{name} tiene otra clave que la que firma los correos"
                    ))
                }
            }
        });
    }
    found
}

/// A domain and those above it that somebody can own, the nearest first.
fn above(domain: &str) -> Vec<&str> {
    let mut all = vec![domain];
    let mut rest = domain;
    while let Some((_, parent)) = rest.split_once('.').filter(|(_, parent)| parent.contains('.')) {
        all.push(parent);
        rest = parent;
    }
    all
}

/// Whether one is the other, or stands below it.
fn is_aligned(one: &str, other: &str) -> bool {
    let below = |low: &str, high: &str| low == high || low.ends_with(&format!(".{high}"));
    below(one, other) || below(other, one)
}

/// What receivers are to do with mails that are not the domain's own.
pub(super) async fn dmarc(names: &Names, domain: &str, envelope: &str, is_signed: bool) -> Finding {
    let fresh = format!("v=DMARC1; p=none; rua=mailto:postmaster@{domain}");
    let name = format!("_dmarc.{domain}");
    let wrong = |why: Sentence| Finding::new("DMARC", State::Wrong, why).mended_by(&name, &fresh);
    for holder in above(domain) {
        let place = format!("_dmarc.{holder}");
        let found = match names.texts(&place).await {
            Asked::Silent => return Finding::unasked("DMARC", &place),
            Asked::Nothing => continue,
            Asked::Found(texts) => texts,
        };
        let is_ours = |text: &&String| tag(text, "v").is_some_and(|version| version == "DMARC1");
        let found: Vec<&String> = found.iter().filter(is_ours).collect();
        let record = match found.as_slice() {
            [] => continue,
            [record] => *record,
            several => {
                let count = several.len();
                let why = said!(
                    "{place} has {count} records, and receivers then believe none",
                    "{place} tiene {count} registros, y entonces nadie cree ninguno"
                );
                return wrong(why).advised(said!("leave one", "deja uno"));
            }
        };
        let policy = tag(record, "p").unwrap_or_default().to_ascii_lowercase();
        if !["none", "quarantine", "reject"].contains(&policy.as_str()) {
            return wrong(said!(
                "{place} says `p={policy}`, which is none of none, quarantine and reject",
                "{place} dice `p={policy}`, que no es none, quarantine ni reject"
            ))
            .advised(said!("publish this record", "publica este registro"));
        }
        if !is_aligned(domain, envelope) && !is_signed {
            let why = said!(
                "{place} is there, but neither the return path ({envelope}) nor a signature is of {domain}",
                "{place} existe, pero ni la dirección de retorno ({envelope}) ni una firma son de {domain}"
            );
            return Finding::new("DMARC", State::Wrong, why).advised(said!(
                "set a key in [mail.dkim], or let mail.bounces be an address of the domain of mail.from",
                "pon una clave en [mail.dkim], o que mail.bounces sea una dirección del dominio de mail.from"
            ));
        }
        let line = said!("{place} says p={policy}", "{place} dice p={policy}");
        return Finding::new("DMARC", State::Good, line);
    }
    wrong(said!(
        "{name} has no record; large providers want one of whoever sends letters",
        "{name} no tiene registro; los grandes proveedores lo exigen a quien envía boletines"
    ))
    .advised(said!(
        "publish this record, with an address that is read; raise p to quarantine once the reports are clean",
        "publica este registro, con una dirección que alguien lea; sube p a quarantine cuando los informes salgan limpios"
    ))
}

/// Whether mails to a domain arrive.
pub(super) async fn exchange(names: &Names, what: &'static str, domain: &str, without: State) -> Finding {
    let (lost, in_spanish) = match what {
        "bounces" => (
            "mails that come back are lost, and dead addresses are written to again and again",
            "los correos devueltos se pierden y se escribe una y otra vez a direcciones muertas",
        ),
        _ => ("nobody can answer our mails", "nadie puede contestar a nuestros correos"),
    };
    match names.exchanges(domain).await {
        Asked::Silent => Finding::unasked(what, domain),
        Asked::Found(hosts) if hosts.iter().all(String::is_empty) => {
            let why = said!("{domain} takes no mail: {lost}", "{domain} no acepta correo: {in_spanish}");
            Finding::new(what, State::Wrong, why).advised(said!(
                "give the domain an MX record with the host that takes its mail",
                "da al dominio un registro MX con el servidor que acepta su correo"
            ))
        }
        Asked::Found(hosts) => {
            let first = hosts.into_iter().next().unwrap_or_default();
            let line = said!("mails to {domain} go to {first}", "los correos para {domain} van a {first}");
            Finding::new(what, State::Good, line)
        }
        Asked::Nothing => {
            let why =
                said!("{domain} has no MX record: {lost}", "{domain} no tiene registro MX: {in_spanish}");
            Finding::new(what, without, why).advised(said!(
                "give it one: {domain}. IN MX 10 mail.{domain}.",
                "dale uno: {domain}. IN MX 10 mail.{domain}."
            ))
        }
    }
}

/// Whether the addresses of the mail server have names that lead back to them.
pub(super) async fn pointers(names: &Names, relay: Option<&str>, addresses: &[IpAddr]) -> Vec<Finding> {
    let Some(host) = relay else { return Vec::new() };
    if addresses.is_empty() {
        let line = said!(
            "from which address {host} sends is not seen from here",
            "desde qué dirección envía {host} no se ve desde aquí"
        );
        return vec![Finding::new("PTR", State::Unasked, line)];
    }
    let mut found = Vec::new();
    for address in addresses {
        let advice = said!(
            "whoever gave you {address} sets its name; it matters where {host} delivers mails itself",
            "quien te dio {address} pone su nombre; importa si {host} entrega los correos por sí mismo"
        );
        found.push(match names.pointers(*address).await {
            Asked::Silent => Finding::unasked("PTR", &address.to_string()),
            Asked::Nothing => {
                let why = said!("{address} ({host}) has no name", "{address} ({host}) no tiene nombre");
                Finding::new("PTR", State::Weak, why).advised(advice)
            }
            Asked::Found(called) => {
                let mut leads_back = None;
                for name in &called {
                    if let Asked::Found(known) = names.addresses(name).await
                        && known.contains(address)
                    {
                        leads_back = Some(name);
                    }
                }
                match leads_back {
                    Some(name) => Finding::new(
                        "PTR",
                        State::Good,
                        said!(
                            "{address} is {name}, and {name} is {address}",
                            "{address} es {name}, y {name} es {address}"
                        ),
                    ),
                    None => {
                        let called = called.join(", ");
                        Finding::new(
                            "PTR",
                            State::Weak,
                            said!(
                                "{address} is called {called}, which leads elsewhere",
                                "{address} se llama {called}, que lleva a otro sitio"
                            ),
                        )
                        .advised(advice)
                    }
                }
            }
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_wherever_they_stand_and_however_they_are_spaced() {
        let record = "v=DKIM1; k = rsa;p= MIIB IjAN ; t=s";
        assert_eq!(tag(record, "p").as_deref(), Some("MIIBIjAN"));
        assert_eq!(tag(record, "K").as_deref(), Some("rsa"));
        assert_eq!(tag(record, "h"), None);
    }

    #[test]
    fn a_domain_stands_below_those_that_somebody_can_own() {
        assert_eq!(
            above("mail.faro.example.org"),
            ["mail.faro.example.org", "faro.example.org", "example.org"]
        );
        assert_eq!(above("faro.example"), ["faro.example"]);
        assert!(
            is_aligned("mail.faro.example", "faro.example") && is_aligned("faro.example", "b.faro.example")
        );
        assert!(!is_aligned("faro.example", "notfaro.example"));
    }
}
