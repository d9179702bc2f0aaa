//! `config/notify.yaml`: who hears of what.

use super::alerts::{self, Alert, Quiet, Whom};
use super::channels::console::{KINDS, ON_SITE};
use super::hooks::{self, Hook};
use crate::base::diagnostic::Report;
use crate::base::time::HOUR_MS;
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
    /// A mail about a call of hers did not reach whoever booked it.
    Undelivered,
}

/// What browsers are told if the file says nothing of it.
const PUSHED: &[&str] = &[
    "booking_cancelled",
    "booking_confirmed",
    "booking_given_away",
    "booking_mail_failed",
    "booking_passed_on",
    "booking_rescheduled",
    "booking_withdrawn",
    "calendar_stale",
    ON_SITE,
    "handoff_passed_on",
    "handoff_requested",
    "handover_given",
    "question_left",
    "rep_mail_failed",
    "task_given",
];

/// Whoever comes into a state after the sale is asked why, by a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The state of the track after the sale.
    pub state: String,
    /// The form that asks.
    pub form: String,
}

/// Whose coming to the site is told, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnSite {
    /// To the owner of a contact.
    pub owners: bool,
    /// Domains of the companies that are told of whoever owns the contact.
    pub accounts: Vec<String>,
    /// Who else hears of those.
    pub to: Vec<Whom>,
    /// Of one contact once within this time.
    pub every_ms: i64,
}

impl Default for OnSite {
    fn default() -> Self {
        Self { owners: false, accounts: Vec::new(), to: Vec::new(), every_ms: 4 * HOUR_MS }
    }
}

impl OnSite {
    /// Whether a company is one of the named ones.
    pub fn names(&self, domain: &str) -> bool {
        self.accounts.iter().any(|account| account.eq_ignore_ascii_case(domain))
    }
}

/// The file.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub hooks: Vec<Hook>,
    /// Who else hears of what stands in the console.
    pub alerts: Vec<Alert>,
    /// When people are let be.
    pub quiet: Quiet,
    /// Whose coming to the site is told.
    pub on_site: OnSite,
    /// The form whose new leads are invited, and the webinar they are invited to.
    pub invitations: Vec<Invitation>,
    /// How long before a call people are reminded.
    pub remind_ms: Vec<i64>,
    /// What the people of the company are told by mail, too.
    pub by_mail: Vec<ByMail>,
    /// The lines that also go to the browsers of whom they are for.
    pub pushed: Vec<&'static str>,
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
        let pushed = map.optional("push").map(yaml::View::list);
        let surveys = map.optional("surveys").and_then(yaml::View::list).unwrap_or_default();
        let hooks: Vec<Hook> = hooks.into_iter().filter_map(hooks::hook).collect();
        let rules = map.optional("rules").and_then(yaml::View::list).unwrap_or_default();
        let names: Vec<&str> =
            hooks.iter().filter(|hook| !hook.is_webhook()).map(|hook| hook.name.as_str()).collect();
        let alerts = rules.into_iter().filter_map(|view| alerts::alert(view, &names)).collect();
        let quiet = map.optional("quiet").and_then(alerts::quiet).unwrap_or_default();
        let on_site = map.optional("on_site").and_then(on_site).unwrap_or_default();
        map.finish();
        // Whoever says nothing is told of everything that is hers.
        let by_mail = match by_mail {
            Some(list) => list.unwrap_or_default().into_iter().filter_map(by_mail_of).collect(),
            None => vec![ByMail::Handovers, ByMail::Tasks, ByMail::Late, ByMail::Undelivered],
        };
        // Whoever switched it on in her browser wants to hear what cannot wait.
        let pushed = match pushed {
            Some(list) => {
                list.unwrap_or_default().into_iter().filter_map(|view| view.one_of(KINDS)).collect()
            }
            None => PUSHED.to_vec(),
        };
        let rules = Self {
            by_mail,
            pushed,
            surveys: surveys.into_iter().filter_map(survey).collect(),
            hooks,
            alerts,
            quiet,
            on_site,
            invitations: invitations.into_iter().filter_map(invitation).collect(),
            remind_ms: remind.into_iter().filter_map(yaml::View::duration_ms).collect(),
        };
        (!report.has_errors()).then_some(rules)
    }

    /// The hook of a name.
    pub fn hook(&self, name: &str) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.name == name)
    }
}

fn by_mail_of(view: yaml::View<'_>) -> Option<ByMail> {
    Some(match view.one_of(&["handovers", "tasks", "late", "undelivered"])? {
        "handovers" => ByMail::Handovers,
        "tasks" => ByMail::Tasks,
        "late" => ByMail::Late,
        _ => ByMail::Undelivered,
    })
}

fn on_site(view: yaml::View<'_>) -> Option<OnSite> {
    let otherwise = OnSite::default();
    let mut map = view.map()?;
    let owners = map.optional("owners").and_then(yaml::View::bool).unwrap_or(otherwise.owners);
    let accounts = map.optional("accounts").map(yaml::View::one_or_more).unwrap_or_default();
    let to = map.optional("to").map(yaml::View::one_or_more).unwrap_or_default();
    let every_ms = map.optional("every").and_then(yaml::View::duration_ms).unwrap_or(otherwise.every_ms);
    map.finish();
    let domain = |view: yaml::View<'_>| {
        view.parsed("a domain such as faro.example", |text| {
            let is_domain = text.contains('.')
                && text.split('.').all(|label| !label.is_empty())
                && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
            is_domain.then(|| text.to_lowercase())
        })
    };
    let accounts: Vec<String> = accounts.into_iter().filter_map(domain).collect();
    let to: Vec<Whom> = to.into_iter().filter_map(alerts::whom).collect();
    Some(OnSite { owners, accounts, to, every_ms })
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

    fn codes(text: &str) -> Vec<String> {
        let report = Report::new();
        let read = Rules::parse("notify.yaml", text, &report);
        assert_eq!(read.is_none(), report.has_errors());
        report.diagnostics().iter().map(|d| format!("{}:{} {}", d.line, d.col, d.code)).collect()
    }

    #[test]
    fn every_way_of_writing_to_others_can_be_written_down() {
        let text = "\
hooks:
  - {name: sales, url: \"https://hooks.slack.example/x\", on: [bookings]}
  - {name: room, kind: teams, url: \"https://flows.example/x?sig=y\", on: [late]}
  - {name: guild, kind: discord, url: \"https://discord.example/x\", on: [handoffs]}
  - {name: phone, kind: telegram, token: \"123456:AAAAAAAAAAAAAAAAAAAAAAAAAA\", chat: \"-100123\", on: [handovers]}
  - name: crm
    kind: webhook
    url: https://crm.example/hook
    secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]
    people: true
    on: [booking_confirmed, stage_changed]
rules:
  - {on: [booking_confirmed], to: [\"role:ae\", ana@faro.example], by: [mail, console]}
  - {on: [task_given], to: [theirs], by: [mail], digest: daily}
  - {on: [handover_late], by: [guild]}
  - {on: [sla_breached], to: [theirs], by: [push]}
push: [handoff_requested]
quiet: {hours: \"20:00-08:00\", zone: Europe/Madrid, through: [handoff_requested]}
on_site: {owners: true, accounts: [Olmos.example], to: [\"role:sdr\"], every: 1d}
";
        assert_eq!(codes(text), Vec::<String>::new());
        let rules = Rules::parse("n", text, &Report::new()).expect("right");
        assert!(
            rules.on_site.owners && rules.on_site.names("olmos.example") && !rules.on_site.names("example")
        );
        let ways: Vec<&str> = rules.hooks.iter().map(|hook| hook.way.word()).collect();
        assert_eq!(ways, ["slack", "teams", "discord", "telegram", "webhook"]);
        assert!(
            rules.hook("crm").is_some_and(|hook| hook.is_told("stage_changed") && !hook.is_told("deal_won"))
        );
        assert!(!format!("{rules:?}").contains("MfKQ") && !format!("{rules:?}").contains("hooks.slack"));
    }

    #[test]
    fn a_mistake_is_told_where_it_stands_and_says_no_secret() {
        let webhook = "hooks:\n  - {name: x, kind: webhook, url: \"https://x.example/\", on: [deal_won]";
        assert_eq!(codes(&format!("{webhook}}}\n")), ["2:5 N106", "2:5 Y005"]);
        assert_eq!(codes(&format!("{webhook}, secrets: [hunter2]}}\n")), ["2:5 N106", "2:83 Y004"]);
        let unset = webhook.replace("\"https://x.example/\"", "env:EMBUDO_NO_SUCH_VARIABLE");
        assert!(
            codes(&format!("{unset}, secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]}}\n"))[0]
                .ends_with("N107")
        );
        assert_eq!(codes("rules:\n  - {on: [task_givn], to: [theirs], by: [mail]}\n"), ["2:11 Y004"]);
        assert_eq!(codes("rules:\n  - {on: [task_given], to: [nobody], by: [mail]}\n"), ["2:29 Y004"]);
        assert_eq!(codes("rules:\n  - {on: [task_given], to: [theirs], by: [sales]}\n"), ["2:43 N105"]);
        assert_eq!(codes("quiet: {hours: \"20-08\"}\n"), ["1:16 Y004"]);
        assert_eq!(codes("push: [task_givn]\n"), ["1:8 Y004"]);
        assert_eq!(codes("on_site: {accounts: [faro], to: [nobody]}\n"), ["1:22 Y004", "1:34 Y004"]);
        let report = Report::new();
        Rules::parse("n", &format!("{webhook}, secrets: [hunter2]}}\n"), &report);
        assert!(report.diagnostics().iter().all(|found| !found.message.contains("hunter2")));
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
