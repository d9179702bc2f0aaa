//! `config/notify.yaml`: who hears of what.

use crate::base::diagnostic::Report;
use crate::base::secret::Secret;
use crate::base::yaml;

/// What a team's chat can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// A call is booked, moved or cancelled.
    Bookings,
    /// A visitor waits for a person.
    Handoffs,
    /// A contact goes to another role.
    Handovers,
    /// Nobody has responded, or taken somebody over, in time.
    Late,
}

/// What the people of the company can be told by mail, each of what is hers. The console tells them in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByMail {
    /// A contact is handed over to her.
    Handovers,
    /// She has something to do.
    Tasks,
    /// Nobody has responded, or taken somebody over, in time.
    Late,
}

/// Whoever comes into a state after the sale is asked why, by a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The state of the track after the sale.
    pub state: String,
    /// The form that asks.
    pub form: String,
}

/// A chat that is written to.
#[derive(Debug, Clone)]
pub struct Hook {
    pub name: String,
    /// The address is the secret.
    pub url: Secret,
    pub on: Vec<Fact>,
}

/// The file.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub hooks: Vec<Hook>,
    /// The form whose new leads are invited, and the webinar they are invited to.
    pub invitations: Vec<Invitation>,
    /// How long before a call people are reminded.
    pub remind_ms: Vec<i64>,
    /// What the people of the company are told by mail, too.
    pub by_mail: Vec<ByMail>,
    /// Who is asked by a form what became of it.
    pub surveys: Vec<Survey>,
}

/// Who sends this form is invited to this webinar, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub form: String,
    pub webinar: String,
}

impl Rules {
    /// Reads the file; everything that is wrong goes to the report.
    pub fn parse(path: &str, text: &str, report: &Report) -> Option<Self> {
        let doc = yaml::parse(path, text, report)?;
        let mut map = doc.view(report).map()?;
        let hooks = map.optional("hooks").and_then(yaml::View::list).unwrap_or_default();
        let invitations = map.optional("invitations").and_then(yaml::View::list).unwrap_or_default();
        let remind = map.optional("remind_before_call").and_then(yaml::View::list).unwrap_or_default();
        let by_mail = map.optional("mail_team").map(yaml::View::list);
        let surveys = map.optional("surveys").and_then(yaml::View::list).unwrap_or_default();
        map.finish();
        // Whoever says nothing is told of everything that is hers.
        let by_mail = match by_mail {
            Some(list) => list.unwrap_or_default().into_iter().filter_map(by_mail_of).collect(),
            None => vec![ByMail::Handovers, ByMail::Tasks, ByMail::Late],
        };
        let rules = Self {
            by_mail,
            surveys: surveys.into_iter().filter_map(survey).collect(),
            hooks: hooks.into_iter().filter_map(hook).collect(),
            invitations: invitations.into_iter().filter_map(invitation).collect(),
            remind_ms: remind.into_iter().filter_map(yaml::View::duration_ms).collect(),
        };
        (!report.has_errors()).then_some(rules)
    }
}

fn hook(view: yaml::View<'_>) -> Option<Hook> {
    let mut map = view.map()?;
    let name = map.required("name").and_then(yaml::View::str);
    let address = map.required("url");
    let on = map.required("on").and_then(yaml::View::list).unwrap_or_default();
    map.finish();
    let on = on
        .into_iter()
        .filter_map(|view| {
            Some(match view.one_of(&["bookings", "handoffs", "handovers", "late"])? {
                "bookings" => Fact::Bookings,
                "handovers" => Fact::Handovers,
                "late" => Fact::Late,
                _ => Fact::Handoffs,
            })
        })
        .collect();
    let url = address?.parsed("an http or https address", |text| {
        url::Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .map(|_| text.to_owned())
    })?;
    Some(Hook { name: name?, url: Secret::new(url), on })
}

fn by_mail_of(view: yaml::View<'_>) -> Option<ByMail> {
    Some(match view.one_of(&["handovers", "tasks", "late"])? {
        "handovers" => ByMail::Handovers,
        "tasks" => ByMail::Tasks,
        _ => ByMail::Late,
    })
}

fn survey(view: yaml::View<'_>) -> Option<Survey> {
    let mut map = view.map()?;
    let state = map.required("state").and_then(yaml::View::str);
    let form = map.required("form").and_then(yaml::View::str);
    map.finish();
    Some(Survey { state: state?, form: form? })
}

fn invitation(view: yaml::View<'_>) -> Option<Invitation> {
    let mut map = view.map()?;
    let form = map.required("form").and_then(yaml::View::str);
    let webinar = map.required("webinar").and_then(yaml::View::str);
    map.finish();
    Some(Invitation { form: form?, webinar: webinar? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_file_is_valid() {
        let report = Report::new();
        let text = include_str!("../../config/notify.yaml");
        let rules = Rules::parse("config/notify.yaml", text, &report);
        assert!(report.is_clean(), "{}", report.text());
        assert_eq!(rules.map(|rules| rules.remind_ms), Some(vec![86_400_000, 3_600_000]));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let report = Report::new();
        let text = "hooks:\n  - name: x\n    url: ftp://x\n    on: [bookngs]\nremind: [1h]\n";
        assert!(Rules::parse("notify.yaml", text, &report).is_none());
        let told = report.text();
        assert!(
            told.contains("notify.yaml:3:")
                && told.contains("notify.yaml:4:")
                && told.contains("notify.yaml:5:"),
            "{told}"
        );
    }
}
