//! What a rule of fit has read: each field with its value, and where that comes from.
//!
//! Points for a fact are only worth as much as whoever said it: "60 employees" typed by a stranger into a form is something
//! else than the same number written down by a colleague after a call.

use serde::Serialize;
use serde_json::Value;

use crate::base::expr::Context;
use crate::base::time::Timestamp;
use crate::base::trust::Trust;
use crate::{companies, contacts};

/// One field that a condition reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Known {
    /// As conditions name it, such as `contact.employees`.
    pub field: String,
    /// What it is, as text; empty if nobody knows.
    pub value: String,
    /// Whose it is.
    pub of: Whose,
    /// Who said it: `form`, `chat`, `console`, `import` …; nothing where nobody had to say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How much it is believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    /// Since when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Whose a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Nobody's yet: it is not known.
    Nobody,
    /// Her own: said by her, or about her.
    Person,
    /// The company's, where she has not said it herself: said by somebody who works there, or about it.
    Company,
    /// Read from her address.
    Address,
    /// Seen at her latest visit.
    Visit,
    /// What was sold to her company.
    Deals,
}

impl Whose {
    /// The word for it in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Person => "person",
            Self::Company => "company",
            Self::Address => "address",
            Self::Visit => "visit",
            Self::Deals => "deals",
        }
    }
}

/// What was said of somebody and of the company she works for; of each field the value that counts.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Of her.
    pub of_person: Vec<contacts::Field>,
    /// Of the company.
    pub of_company: Vec<companies::Field>,
}

/// Where the value of a field comes from; nothing for what is no fact (scores, happenings).
pub fn known(path: &str, values: &Context, said: &Said) -> Option<Known> {
    let (group, name) = path.split_once('.')?;
    if !["contact", "company", "bant"].contains(&group) {
        return None;
    }
    let value = match values.get(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) if n.as_f64() != Some(0.0) => n.to_string(),
        Some(Value::Bool(yes)) => yes.to_string(),
        _ => String::new(),
    };
    let bare = |of: Whose| Known {
        field: path.to_owned(),
        value: value.clone(),
        of,
        source: None,
        trust: None,
        at: None,
    };
    if value.is_empty() {
        return Some(bare(Whose::Nobody));
    }
    let person = |name: &str| {
        let field = said.of_person.iter().find(|field| field.name == name)?;
        (!field.value.trim().is_empty()).then(|| Known {
            source: Some(field.source.clone()),
            trust: Some(field.trust),
            at: Some(field.at),
            ..bare(Whose::Person)
        })
    };
    let company = |name: &str| {
        let field = said.of_company.iter().find(|field| field.name == name)?;
        Some(Known {
            source: Some(field.source.clone()),
            trust: Some(field.trust),
            at: Some(field.at),
            ..bare(Whose::Company)
        })
    };
    let found = match (group, name) {
        ("contact", "email_domain" | "corporate_email") | ("company", "domain") => bare(Whose::Address),
        ("company", "is_customer") => bare(Whose::Deals),
        ("company", name) => company(name).unwrap_or_else(|| bare(Whose::Company)),
        // Read out of the title unless they were given.
        ("contact", name @ ("seniority" | "department")) => {
            person(name).or_else(|| person("job_title")).unwrap_or_else(|| bare(Whose::Person))
        }
        ("contact", name @ ("employees" | "industry")) => {
            person(name).or_else(|| company(name)).unwrap_or_else(|| bare(Whose::Person))
        }
        ("contact", name @ ("country" | "region")) => person(name).unwrap_or_else(|| bare(Whose::Visit)),
        ("bant", slot) => person(path).or_else(|| person(slot)).unwrap_or_else(|| bare(Whose::Person)),
        (_, name) => person(name).unwrap_or_else(|| bare(Whose::Person)),
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said() -> Said {
        let person = |name: &str, value: &str, source: &str, trust: Trust| contacts::Field {
            name: name.to_owned(),
            value: value.to_owned(),
            source: source.to_owned(),
            trust,
            at: Timestamp(7),
            is_suggestion: false,
        };
        let company = |name: &str, value: &str| companies::Field {
            name: name.to_owned(),
            value: value.to_owned(),
            source: "form".to_owned(),
            trust: Trust::Claimed,
            contact: None,
            at: Timestamp(5),
        };
        Said {
            of_person: vec![person("job_title", "VP People", "console", Trust::Authenticated)],
            of_company: vec![company("employees", "60"), company("industry", "education")],
        }
    }

    fn told(path: &str, values: &Context) -> (String, Whose, Option<String>, Option<Trust>) {
        let known = known(path, values, &said()).expect("a fact");
        (known.value, known.of, known.source, known.trust)
    }

    #[test]
    fn each_field_says_whose_it_is_and_who_said_it() {
        let mut values = Context::new();
        values
            .set("contact.seniority", "vp")
            .set("contact.employees", 60)
            .set("contact.corporate_email", true)
            .set("contact.country", "ES")
            .set("company.employees", 60)
            .set("bant.budget", "");
        let text = |text: &str| text.to_owned();
        let console = (text("vp"), Whose::Person, Some(text("console")), Some(Trust::Authenticated));
        assert_eq!(told("contact.seniority", &values), console, "read out of the title");
        let claimed = (text("60"), Whose::Company, Some(text("form")), Some(Trust::Claimed));
        assert_eq!(told("contact.employees", &values), claimed, "a colleague said it");
        assert_eq!(told("company.employees", &values), claimed);
        assert_eq!(told("contact.corporate_email", &values), (text("true"), Whose::Address, None, None));
        assert_eq!(told("contact.country", &values), (text("ES"), Whose::Visit, None, None));
        assert_eq!(told("contact.industry", &values).1, Whose::Nobody, "stale facts are not known");
        assert_eq!(told("bant.budget", &values).1, Whose::Nobody);
        assert_eq!(known("engagement_points", &values, &said()), None);
    }
}
