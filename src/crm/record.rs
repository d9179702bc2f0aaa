//! What of ours is written into a CRM, in no CRM's words yet.

use serde_json::Value as Json;

use super::{Standing, Thing};
use crate::base::ids::ContactId;
use crate::base::signing::sha256_hex;
use crate::base::time::Timestamp;

/// One thing to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// Our id.
    pub own_id: String,
    /// Whom it is about, if it is about one person.
    pub about: Option<ContactId>,
    pub body: Body,
    /// Their fields, and what goes into them.
    pub fields: Vec<(String, Json)>,
    pub tells: Tells,
    /// Whether a contact goes back to an earlier stage than was told last.
    pub goes_back: bool,
}

/// What of a record is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    Everything,
    /// All but how it stands: nobody's move over there is undone.
    Rest,
    /// Only how it stands.
    Standing,
}

impl Tells {
    pub fn rest(self) -> bool {
        self != Self::Standing
    }

    pub fn standing(self) -> bool {
        self != Self::Rest
    }
}

/// What it is. Ids are those of the CRM.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    Company {
        name: String,
        domain: String,
    },
    Contact {
        email: String,
        first_name: Option<String>,
        last_name: Option<String>,
        /// The whole name, else the address.
        name: String,
        phone: Option<String>,
        company: Option<String>,
        owner: Option<String>,
        /// Our stage, and theirs for it.
        stage: Option<(String, String)>,
    },
    Deal {
        title: String,
        /// In whole units of the currency.
        value: Option<f64>,
        currency: String,
        company: Option<String>,
        /// Who has a part in it, whoever came first before the others.
        people: Vec<String>,
        owner: Option<String>,
        standing: Standing,
    },
    Activity {
        subject: String,
        starts_at: Timestamp,
        ends_at: Timestamp,
        state: CallState,
        /// Labels and what is said under them.
        note: Vec<(String, String)>,
        location: Option<String>,
        company: Option<String>,
        person: Option<String>,
        deal: Option<String>,
        owner: Option<String>,
    },
}

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallState {
    Ahead,
    Held,
    NoShow,
    Cancelled,
}

impl CallState {
    /// The word in texts and sources.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Held => "held",
            Self::NoShow => "no_show",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Record {
    pub fn new(own_id: String, about: Option<ContactId>, body: Body, fields: Vec<(String, Json)>) -> Self {
        Self { own_id, about, body, fields, tells: Tells::Everything, goes_back: false }
    }

    /// What kind of thing it is.
    pub fn thing(&self) -> Thing {
        match &self.body {
            Body::Company { .. } => Thing::Company,
            Body::Contact { .. } => Thing::Contact,
            Body::Deal { .. } => Thing::Deal,
            Body::Activity { .. } => Thing::Activity,
        }
    }

    /// How it stands with us, if there is anything to tell of that: a contact's stage, a deal's stage or end.
    pub fn standing(&self) -> Option<String> {
        match &self.body {
            Body::Contact { stage, .. } => stage.as_ref().map(|(own, _)| own.clone()),
            Body::Deal { standing: Standing::Open { stage: None }, .. } => None,
            Body::Deal { standing, .. } => Some(standing.word()),
            Body::Company { .. } | Body::Activity { .. } => None,
        }
    }

    /// A digest of all but how it stands, as it would be written, and of what it belongs to.
    pub fn digest(&self, written: impl FnOnce(&Self) -> Json) -> String {
        let rest = Self { tells: Tells::Rest, goes_back: false, ..self.clone() };
        sha256_hex(format!("{} {}", written(&rest), self.belongs_to().join(" ")))
    }

    /// The ids of what it belongs to: some CRMs are told of them apart.
    fn belongs_to(&self) -> Vec<&str> {
        let ids: Vec<Option<&String>> = match &self.body {
            Body::Company { .. } => Vec::new(),
            Body::Contact { company, .. } => vec![company.as_ref()],
            Body::Deal { company, people, .. } => people.iter().map(Some).chain([company.as_ref()]).collect(),
            Body::Activity { company, person, deal, .. } => {
                vec![company.as_ref(), person.as_ref(), deal.as_ref()]
            }
        };
        ids.into_iter().flatten().map(String::as_str).collect()
    }

    /// The mark by which an activity is found again: it stands at the end of its note.
    pub fn mark(&self) -> String {
        format!("Embudo {}", self.own_id)
    }
}

/// A note as plain lines.
pub(super) fn plain(note: &[(String, String)], mark: &str) -> String {
    let mut text = String::new();
    for (label, said) in note {
        text.push_str(&format!("{label}: {said}\n"));
    }
    text.push_str(mark);
    text
}

/// A note as HTML: what people said is text in it and nothing else.
pub(super) fn html(note: &[(String, String)], mark: &str) -> String {
    let mut text = String::new();
    for (label, said) in note {
        let (label, said) = (escaped(label), escaped(said));
        let said = match said.starts_with("https://") || said.starts_with("http://") {
            true if !said.contains(char::is_whitespace) => format!("<a href=\"{said}\">{said}</a>"),
            _ => said.replace('\n', "<br>"),
        };
        text.push_str(&format!("<p><strong>{label}</strong>: {said}</p>"));
    }
    text.push_str(&format!("<p>{}</p>", escaped(mark)));
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// An amount in whole units: the smallest unit is a hundredth, or what ISO 4217 says else.
pub(super) fn whole(amount: i64, currency: &str) -> f64 {
    let parts = match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 1.0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 1_000.0,
        _ => 100.0,
    };
    #[allow(clippy::cast_precision_loss, reason = "no deal has 2^53 cents")]
    let amount = amount as f64;
    amount / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_visitor_wrote_is_no_html_in_a_note() {
        let note = vec![
            ("Note".to_owned(), "<img src=x onerror=alert(1)>\n\"hi\"".to_owned()),
            ("Conversation".to_owned(), "https://e.example/console/inbox/1".to_owned()),
            ("Trick".to_owned(), "https://e.example/\" onclick=\"x".to_owned()),
        ];
        let text = html(&note, "Embudo 1");
        assert!(!text.contains("<img") && text.contains("&lt;img") && text.contains("<br>"));
        assert!(text.contains("<a href=\"https://e.example/console/inbox/1\">"));
        assert!(!text.contains("onclick=\"x"));
        assert!(plain(&note, "Embudo 1").ends_with("\nEmbudo 1"));
    }

    #[test]
    fn amounts_are_told_in_whole_units_of_their_currency() {
        assert_eq!(whole(123_450, "EUR"), 1_234.5);
        assert_eq!(whole(123_450, "JPY"), 123_450.0);
        assert_eq!(whole(123_450, "KWD"), 123.45);
    }
}
