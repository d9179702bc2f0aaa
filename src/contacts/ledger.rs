//! What of the ledger of consents holds, and what proves an entry.
//!
//! A tick is a yes (`granted`), a way out or an objection a no (`withdrawn`). A box that was left empty (`denied`) is neither:
//! it only says that she was asked. So it takes away nothing that she said elsewhere; docs/decisions/0017 says why.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ConsentRecord, Error, store};
use crate::base::ids::ContactId;
use crate::base::network::network_of;
use crate::storage::db::Queries;

/// Longest name of a browser that is kept, in characters.
const AGENT_MOST: usize = 300;

/// What a request tells of where something was said: proof of a consent, and never a way to know somebody again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The network, /24 for IPv4 and /48 for IPv6, and not the address.
    pub network: String,
    /// What the browser calls itself, one line.
    pub user_agent: Option<String>,
}

impl Seen {
    /// What is kept of an address and of a `User-Agent`.
    pub fn of(address: IpAddr, user_agent: &str) -> Self {
        let agent: String = user_agent.chars().filter(|c| !c.is_control()).take(AGENT_MOST).collect();
        let agent = agent.trim();
        let user_agent = (!agent.is_empty()).then(|| agent.to_owned());
        Self { network: network_of(address.to_canonical()), user_agent }
    }
}

/// Where somebody's word came from: `page`, `one_click`, `api`, …, and what proves it, if she said it herself.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub by: &'a str,
    pub seen: Option<&'a Seen>,
}

impl<'a> From<&'a str> for Said<'a> {
    fn from(by: &'a str) -> Self {
        Self { by, seen: None }
    }
}

impl<'a> From<(&'a str, &'a Seen)> for Said<'a> {
    fn from((by, seen): (&'a str, &'a Seen)) -> Self {
        Self { by, seen: Some(seen) }
    }
}

impl ConsentRecord {
    /// Whether it is a yes or a no, and no box that was left empty.
    pub fn is_word(&self) -> bool {
        self.action != "denied"
    }

    /// Whether it is a yes.
    pub fn is_yes(&self) -> bool {
        self.action == "granted"
    }
}

/// The last yes or no on a purpose, of a ledger that begins with the latest entry.
pub fn last_word<'a>(ledger: &'a [ConsentRecord], purpose: &str) -> Option<&'a ConsentRecord> {
    ledger.iter().find(|record| record.purpose == purpose && record.is_word())
}

/// What is shown of each purpose, in the order of the ledger: the last yes or no; where there was none, the last box that
/// was left empty.
pub fn holding(ledger: &[ConsentRecord]) -> Vec<&ConsentRecord> {
    let mut told: Vec<&ConsentRecord> = Vec::new();
    for record in ledger {
        if told.iter().any(|known| known.purpose == record.purpose) {
            continue;
        }
        told.push(last_word(ledger, &record.purpose).unwrap_or(record));
    }
    told
}

/// Whether a person's last word on a purpose was no.
///
/// # Errors
/// As the store says.
pub async fn has_objected(q: &mut impl Queries, contact: ContactId, purpose: &str) -> Result<bool, Error> {
    let ledger = store::consents(q, contact).await?;
    Ok(last_word(&ledger, purpose).is_some_and(|record| !record.is_yes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    fn entry(purpose: &str, action: &str, at: i64) -> ConsentRecord {
        ConsentRecord {
            purpose: purpose.to_owned(),
            action: action.to_owned(),
            text: None,
            text_id: None,
            version: None,
            hash: None,
            language: None,
            form: None,
            page: None,
            mail: None,
            network: None,
            user_agent: None,
            at: Timestamp(at),
        }
    }

    #[test]
    fn an_empty_box_takes_nothing_away_and_a_no_does() {
        let mut ledger = vec![entry("news", "denied", 2), entry("news", "granted", 1)];
        assert!(last_word(&ledger, "news").is_some_and(ConsentRecord::is_yes));
        ledger.insert(0, entry("news", "withdrawn", 3));
        assert!(last_word(&ledger, "news").is_some_and(|word| !word.is_yes()));
        ledger.insert(0, entry("news", "denied", 4));
        ledger.push(entry("offers", "denied", 0));
        let told: Vec<(&str, &str)> =
            holding(&ledger).iter().map(|it| (it.purpose.as_str(), it.action.as_str())).collect();
        assert_eq!(told, [("news", "withdrawn"), ("offers", "denied")]);
        assert_eq!(last_word(&ledger, "offers"), None);
    }

    #[test]
    fn of_a_request_the_network_is_kept_and_a_name_of_moderate_length() {
        let long = format!("Mozilla/5.0\r\n{}", "x".repeat(1_000));
        let seen = Seen::of([203, 0, 113, 9].into(), &long);
        assert_eq!(seen.network, "203.0.113.0/24");
        let agent = seen.user_agent.expect("a name");
        assert_eq!(agent.chars().count(), AGENT_MOST);
        assert!(agent.starts_with("Mozilla/5.0xx"), "one line");
        let mapped = Seen::of("::ffff:203.0.113.9".parse().expect("an address"), " ");
        assert_eq!((mapped.network.as_str(), mapped.user_agent), ("203.0.113.0/24", None));
    }
}
