//! `config/privacy.yaml`: for which purposes data of people are used, on which ground each of them rests (GDPR, article 6.1),
//! and who handles the data for the company (article 28).

use serde::Serialize;

use crate::base::diagnostic::Report;
use crate::base::language::Language;
use crate::base::localized::Localized;
use crate::base::yaml::{self, View};

/// What makes a use lawful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// She asked for it: article 6.1 b.
    Contract,
    /// The company's interest, which she can object to: article 6.1 f and 21.
    LegitimateInterest,
    /// She said yes, and can take it back: article 6.1 a and 7.
    Consent,
    /// The law demands it: article 6.1 c.
    LegalObligation,
}

impl Basis {
    const ALL: [Self; 4] = [Self::Contract, Self::LegitimateInterest, Self::Consent, Self::LegalObligation];

    /// The word in the file and in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::LegitimateInterest => "legitimate_interest",
            Self::Consent => "consent",
            Self::LegalObligation => "legal_obligation",
        }
    }
}

/// What data are used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    pub id: String,
    pub basis: Basis,
    pub name: Localized,
    pub text: Localized,
    /// The purposes of the ledger of consents under which somebody says yes or no to it.
    pub ledger: Vec<String>,
}

/// Who handles data for the company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    pub name: String,
    pub does: Localized,
    /// Where, if it was said: a country or a region, as it was written.
    pub country: Option<String>,
    /// What of the settings it is the proper name of: `mail`, `crm:NAME`, `hook:NAME`.
    pub instead_of: Vec<String>,
}

/// What the settings show to be in use, by the word that `instead_of` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    pub word: String,
    pub name: String,
    pub does: Localized,
}

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// Who is responsible, with an address.
    pub controller: Option<Localized>,
    pub purposes: Vec<Purpose>,
    pub processors: Vec<Processor>,
}

/// What is told of it, in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    pub controller: Option<String>,
    pub purposes: Vec<ToldPurpose>,
    pub processors: Vec<ToldProcessor>,
}

/// One purpose, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldPurpose {
    pub id: String,
    pub basis: Basis,
    pub name: String,
    pub text: String,
    pub ledger: Vec<String>,
}

/// One processor, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldProcessor {
    pub name: String,
    pub does: String,
    pub country: Option<String>,
}

impl Notice {
    /// Reads the file; everything that is wrong goes to the report.
    pub fn parse(path: &str, text: &str, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let controller = map.optional("controller").and_then(Localized::read);
        let mut purposes: Vec<Purpose> = Vec::new();
        for view in map.required("purposes").and_then(View::list).unwrap_or_default() {
            let Some(purpose) = purpose(view) else { continue };
            if purposes.iter().any(|known| known.id == purpose.id) {
                view.error("V101", format!("the purpose \"{}\" stands twice", purpose.id))
                    .hint("give one of them another id");
            }
            purposes.push(purpose);
        }
        let processors = map.optional("processors").and_then(View::list).unwrap_or_default();
        let processors = processors.into_iter().filter_map(processor).collect();
        map.finish();
        (!report.has_errors()).then_some(Self { controller, purposes, processors })
    }

    /// What is told of it, with what the settings show to be in use: what the file has a proper name for goes by that.
    pub fn told(&self, in_use: &[InUse], language: Language) -> Told {
        let is_named = |one: &InUse| self.processors.iter().any(|known| known.instead_of.contains(&one.word));
        let is_there = |known: &&Processor| {
            known.instead_of.is_empty()
                || known.instead_of.iter().any(|word| in_use.iter().any(|one| one.word == *word))
        };
        let own = self.processors.iter().filter(is_there).map(|known| ToldProcessor {
            name: known.name.clone(),
            does: known.does.get(language).to_owned(),
            country: known.country.clone(),
        });
        let found = in_use.iter().filter(|one| !is_named(one)).map(|one| ToldProcessor {
            name: one.name.clone(),
            does: one.does.get(language).to_owned(),
            country: None,
        });
        let purposes = self.purposes.iter().map(|purpose| ToldPurpose {
            id: purpose.id.clone(),
            basis: purpose.basis,
            name: purpose.name.get(language).to_owned(),
            text: purpose.text.get(language).to_owned(),
            ledger: purpose.ledger.clone(),
        });
        Told {
            controller: self.controller.as_ref().map(|text| text.get(language).to_owned()),
            purposes: purposes.collect(),
            processors: own.chain(found).collect(),
        }
    }

    /// On which ground what the ledger notes under a purpose rests; nothing if the file does not say.
    pub fn basis_of(&self, purpose: &str) -> Option<Basis> {
        let of = self.purposes.iter().find(|known| known.ledger.iter().any(|word| word == purpose));
        of.map(|known| known.basis)
    }
}

fn purpose(view: View<'_>) -> Option<Purpose> {
    let mut map = view.map()?;
    let id = map.required("id").and_then(|view| {
        let id = view.str()?;
        if yaml::is_name(&id) { Some(id) } else { view.wrong("a name of small letters, digits, `-` and `_`") }
    });
    let basis = map.required("basis").and_then(|view| {
        let word = view.one_of(&Basis::ALL.map(Basis::word))?;
        Basis::ALL.into_iter().find(|basis| basis.word() == word)
    });
    let name = map.required("name").and_then(Localized::read);
    let text = map.required("text").and_then(Localized::read);
    let ledger = map.optional("ledger").map(View::strings).unwrap_or_default();
    map.finish();
    if basis == Some(Basis::Consent) && ledger.is_empty() {
        view.report
            .warning(view.at(), "V102", "nobody can tell who has consented to this")
            .hint("ledger: [newsletter]: the purposes under which forms note the yes");
    }
    Some(Purpose { id: id?, basis: basis?, name: name?, text: text?, ledger })
}

fn processor(view: View<'_>) -> Option<Processor> {
    let mut map = view.map()?;
    let name = map.required("name").and_then(View::str);
    let does = map.required("does").and_then(Localized::read);
    let country = map.optional("country").and_then(View::str);
    let instead_of = map.optional("instead_of").map(View::list).unwrap_or_default().unwrap_or_default();
    let instead_of = instead_of.into_iter().filter_map(|view| {
        view.parsed("mail, crm:NAME or hook:NAME", |text| {
            let is_named = |kind: &str| text.strip_prefix(kind).is_some_and(|name| !name.is_empty());
            (text == "mail" || is_named("crm:") || is_named("hook:")).then(|| text.to_owned())
        })
    });
    let instead_of: Vec<String> = instead_of.collect();
    map.finish();
    Some(Processor { name: name?, does: does?, country, instead_of })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../config/privacy.yaml");

    #[test]
    fn what_is_in_use_is_told_and_goes_by_its_proper_name_where_the_file_has_one() {
        let report = Report::new();
        let text = SHIPPED.replace(
            "processors: []\n",
            "processors:\n  \
             - {name: Example Hosting, does: {en: Runs the server, es: Aloja el servidor}, country: DE}\n  \
             - {name: Pipedrive Inc., does: {en: Keeps deals, es: Guarda tratos}, country: US, instead_of: [crm:sales]}\n  \
             - {name: Nobody's Mail, does: {en: Sends, es: Envía}, instead_of: [mail]}\n",
        );
        let notice =
            Notice::parse("privacy.yaml", &text, &report).unwrap_or_else(|| panic!("{}", report.text()));
        assert!(report.is_clean(), "{}", report.text());
        let one = |word: &str, name: &str| InUse {
            word: word.to_owned(),
            name: name.to_owned(),
            does: Localized::new("Is told", "Se entera"),
        };
        let in_use = [one("crm:sales", "Pipedrive"), one("hook:team", "Slack")];
        let told = notice.told(&in_use, Language::Es);
        let names: Vec<&str> = told.processors.iter().map(|known| known.name.as_str()).collect();
        assert_eq!(names, ["Example Hosting", "Pipedrive Inc.", "Slack"], "nobody sends mails here");
        assert_eq!(
            (told.processors[2].does.as_str(), told.processors[0].country.as_deref()),
            ("Se entera", Some("DE"))
        );
        assert_eq!(told.purposes[0].name, "Responderte");
        assert_eq!(notice.basis_of("newsletter"), Some(Basis::Consent));
        assert_eq!(
            (notice.basis_of("profiling"), notice.basis_of("unheard")),
            (Some(Basis::LegitimateInterest), None)
        );
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let report = Report::new();
        let text = "purposes:\n  - {id: a, basis: concent, name: A, text: A}\n  - {id: b, basis: consent, name: B, text: B}\n  \
                    - {id: b, basis: contract, name: B, text: B}\nprocessors:\n  - {name: X, does: Y, instead_of: [post]}\n";
        assert!(Notice::parse("privacy.yaml", text, &report).is_none());
        let found: Vec<String> =
            report.diagnostics().iter().map(|d| format!("{}:{} {}", d.line, d.col, d.code)).collect();
        assert_eq!(found, ["2:20 Y004", "3:5 V102", "4:5 V101", "6:37 Y004"], "{}", report.text());
    }
}
