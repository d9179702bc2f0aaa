//! Settings: what is set up once and looked at now and then. One line of [`GROUPS`] leads to each page.

pub mod account;
pub mod accounts;
pub mod health;
pub mod keys;
pub mod mail;
pub mod retention;
pub mod sites;

use actix_web::HttpResponse;
use serde_json::{Value as Json, json};

use super::frame::Reader;
use crate::accounts::May;
use crate::base::time::Timestamp;
use crate::http::error::Problem;
use crate::privacy::audit::{self, By, What};
use crate::storage;
use crate::storage::db::Tx;

/// A page of the index: its word in the texts (`settings.page.WORD`), its icon, its address, who may see it.
struct Entry(&'static str, &'static str, &'static str, May);

/// The index, group by group (`settings.group.WORD`).
const GROUPS: &[(&str, &[Entry])] = &[
    (
        "you",
        &[
            Entry("account", "person", "/console/account", May::Look),
            Entry("notifications", "bell", "/console/notifications", May::Look),
            Entry("calendars", "calendar", "/console/calendars", May::SetOutcome),
        ],
    ),
    (
        "team",
        &[
            Entry("accounts", "people", "/console/accounts", May::Admit),
            Entry("absences", "calendar", "/console/team", May::Look),
            Entry("replies", "chat", "/console/replies", May::Look),
        ],
    ),
    (
        "website",
        &[
            Entry("sites", "content", "/console/sites", May::Operate),
            Entry("addresses", "company", "/console/addresses", May::Operate),
            Entry("traffic", "traffic", "/console/traffic/settings", May::Look),
            Entry("quarantine", "form", "/console/quarantine", May::Curate),
        ],
    ),
    (
        "messages",
        &[
            Entry("mail", "outbox", "/console/mail", May::Operate),
            Entry("mails", "mail", "/console/mails", May::ReadMails),
            Entry("outbox", "outbox", "/console/outbox", May::ReadMails),
            Entry("crm", "people", "/console/crm", May::ReadMails),
        ],
    ),
    (
        "rules",
        &[
            Entry("lifecycle", "stage", "/console/lifecycle", May::Look),
            Entry("retention", "clock", "/console/retention", May::Privacy),
            Entry("audit", "consent", "/console/audit", May::Privacy),
        ],
    ),
    (
        "server",
        &[
            Entry("start", "right", "/console/start", May::Operate),
            Entry("health", "check", "/console/health", May::Operate),
            Entry("keys", "key", "/console/keys", May::Admit),
        ],
    ),
];

/// `GET /console/settings`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let groups = GROUPS.iter().map(|(group, entries)| {
        let open = entries.iter().filter(|Entry(.., needs)| reader.may(*needs));
        let entries: Vec<Json> = open
            .map(|Entry(word, icon, href, _)| json!({ "word": word, "icon": icon, "href": href }))
            .collect();
        json!({ "word": group, "entries": entries })
    });
    let groups: Vec<Json> =
        groups.filter(|group| group["entries"].as_array().is_some_and(|list| !list.is_empty())).collect();
    reader.page("console/settings", json!({ "groups": groups })).await
}

/// Writes down what an administrator, or an account's owner, has changed.
async fn note(tx: &mut Tx, reader: &Reader, what: What, of: &str) -> storage::Result<()> {
    noted(tx, By::Account(reader.account.id), what, of, reader.now).await
}

/// As [`note`], for whoever is not logged in.
pub async fn noted(tx: &mut Tx, by: By, what: What, of: &str, now: Timestamp) -> storage::Result<()> {
    audit::changed(tx, by, what.of(of), now).await
}

#[cfg(test)]
mod tests {
    use super::super::DOORS;
    use super::*;
    use crate::render::Templates;

    #[test]
    fn every_line_leads_to_a_door_that_opens_for_whoever_sees_it_and_has_words() {
        let templates = Templates::embedded().unwrap();
        for (group, entries) in GROUPS {
            assert!(templates.texts().has(&format!("settings.group.{group}")), "{group}");
            for Entry(word, _, href, needs) in *entries {
                let door = DOORS.iter().find(|door| door.path == *href && door.method == "GET");
                let door = door.unwrap_or_else(|| panic!("{href} is no door"));
                assert_eq!(door.needs, *needs, "{href}");
                for key in [format!("settings.page.{word}"), format!("settings.page.{word}_hint")] {
                    assert!(templates.texts().has(&key), "{key}");
                }
            }
        }
    }
}
