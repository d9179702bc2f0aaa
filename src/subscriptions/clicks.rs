//! Who followed a link of a letter: a person, or a program that looks into mails.
//!
//! Security gateways open every link at delivery, some with a real browser. So a click is `unsure` until its visit shows a
//! person, and only then something that somebody did. The signs are kept, so that a verdict can be worked out again.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;

use super::{Error, store};
use crate::base::ids::{ClickId, ContactId};
use crate::base::time::{SECOND_MS, Timestamp};
use crate::contacts;
use crate::storage::db::{Queries, Tx};

/// Nobody reads a mail and chooses a link in less.
const READING_MS: i64 = 10 * SECOND_MS;
/// So many links of one mail …
const BURST_LINKS: usize = 3;
/// … in less than this are a program's.
const BURST_MS: i64 = 5 * SECOND_MS;
/// What was followed so long before or after the link that no person sees was followed by the same program.
const TRAP_MS: i64 = 60 * SECOND_MS;
/// Attention that a person gives to a page at least.
const ATTENTION_MS: i64 = 2 * SECOND_MS;
/// The number of the link that no person sees.
pub const TRAP: i64 = 0;

/// Words in `User-Agent` by which programs name themselves.
const PROGRAMS: &[&str] = &[
    "barracuda",
    "bot",
    "crawler",
    "curl",
    "go-http",
    "headless",
    "httpclient",
    "java/",
    "mimecast",
    "okhttp",
    "preview",
    "proofpoint",
    "python",
    "safelinks",
    "scanner",
    "spider",
    "symantec",
    "trendmicro",
    "wget",
];

/// What a click is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Human,
    Unsure,
    Machine,
}

impl Verdict {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Unsure => "unsure",
            Self::Machine => "machine",
        }
    }

    /// The verdict of a word.
    pub fn of_word(word: &str) -> Self {
        match word {
            "human" => Self::Human,
            "machine" => Self::Machine,
            _ => Self::Unsure,
        }
    }
}

/// One click.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Click {
    pub id: ClickId,
    pub mail: String,
    pub contact: ContactId,
    /// Which link of the mail, from 1; [`TRAP`] is the one that no person sees.
    pub link: i64,
    /// Where it leads.
    pub address: String,
    pub at: Timestamp,
    /// What the request itself gave away: `head`, `no_fetch_metadata`, `agent`.
    pub signs: Vec<String>,
    /// When its visit showed a person.
    pub seen_at: Option<Timestamp>,
    pub verdict: Verdict,
    pub reasons: Vec<String>,
}

/// What a request gives away about who sent it.
pub fn signs(is_head: bool, has_fetch_metadata: bool, agent: &str) -> Vec<String> {
    let agent = agent.to_lowercase();
    let is_program = agent.is_empty() || PROGRAMS.iter().any(|word| agent.contains(word));
    [(is_head, "head"), (!has_fetch_metadata, "no_fetch_metadata"), (is_program, "agent")]
        .into_iter()
        .filter(|(holds, _)| *holds)
        .map(|(_, sign)| sign.to_owned())
        .collect()
}

/// The verdict on one click among all of its mail, with its reasons.
///
/// Attention of the visit speaks for a person, and against no sign that is a program's alone: gateways look at pages with
/// real browsers for a while. Only what came suspiciously soon after delivery is left open by it.
pub fn judge(click: &Click, all: &[Click], sent_at: Option<Timestamp>) -> (Verdict, Vec<String>) {
    let near = |within_ms: i64| all.iter().filter(move |other| other.at.since_ms(click.at).abs() < within_ms);
    let burst: BTreeSet<i64> = near(BURST_MS).map(|other| other.link).collect();
    let has_sign = |sign: &str| click.signs.iter().any(|known| known == sign);
    let of_programs = [
        (near(TRAP_MS).any(|other| other.link == TRAP), "hidden_link"),
        (burst.len() >= BURST_LINKS, "burst"),
        (has_sign("head"), "head"),
        (has_sign("agent"), "agent"),
    ];
    let mut reasons: Vec<&str> =
        of_programs.iter().filter(|(holds, _)| *holds).map(|(_, reason)| *reason).collect();
    let is_programs = !reasons.is_empty();
    let is_soon = sent_at.is_some_and(|sent| click.at.since_ms(sent) < READING_MS);
    if is_soon {
        reasons.push("at_delivery");
    }
    let is_attended = click.seen_at.is_some();
    let verdict = match (is_programs, is_soon, is_attended) {
        (true, _, _) | (false, true, false) => Verdict::Machine,
        (false, false, true) => Verdict::Human,
        (false, true, true) | (false, false, false) => Verdict::Unsure,
    };
    for (holds, reason) in
        [(is_attended, "attention"), (has_sign("no_fetch_metadata") && !is_attended, "no_fetch_metadata")]
    {
        if holds {
            reasons.push(reason);
        }
    }
    (verdict, reasons.into_iter().map(str::to_owned).collect())
}

/// Notes a click and judges it and its neighbours anew. Returns its id: the landing page tells by it what became of it.
///
/// # Errors
/// As the store says.
pub async fn note(
    tx: &mut Tx,
    (mail, contact): (&str, ContactId),
    (link, address): (i64, &str),
    signs: Vec<String>,
    now: Timestamp,
) -> Result<ClickId, Error> {
    tx.lock(&format!("clicks:{mail}")).await?;
    let click = Click {
        id: ClickId::new(),
        mail: mail.to_owned(),
        contact,
        link,
        address: address.to_owned(),
        at: now,
        signs,
        seen_at: None,
        verdict: Verdict::Unsure,
        reasons: Vec::new(),
    };
    store::clicks::put(tx, &click).await?;
    judge_all(tx, mail, now).await?;
    Ok(click.id)
}

/// A visit with this click's id gave so much attention to its page. Returns the contact if the click is a person's now and
/// was not before: then it is something that she did.
///
/// # Errors
/// As the store says.
pub async fn attended(
    tx: &mut Tx,
    id: ClickId,
    engaged_ms: i64,
    now: Timestamp,
) -> Result<Option<ContactId>, Error> {
    if engaged_ms < ATTENTION_MS {
        return Ok(None);
    }
    let Some(known) = store::clicks::find(tx, id).await? else { return Ok(None) };
    tx.lock(&format!("clicks:{}", known.mail)).await?;
    // Read again under the lock: two reports of one visit must not both be the first.
    let Some(click) = store::clicks::find(tx, id).await?.filter(|click| click.seen_at.is_none()) else {
        return Ok(None);
    };
    store::clicks::put(tx, &Click { seen_at: Some(now), ..click }).await?;
    let humans = judge_all(tx, &known.mail, now).await?;
    Ok(humans.contains(&id).then_some(known.contact))
}

/// Judges every click of a mail anew and notes as an activity what has turned out to be a person's. Returns those.
async fn judge_all(tx: &mut Tx, mail: &str, now: Timestamp) -> Result<Vec<ClickId>, Error> {
    let all = store::clicks::of_mail(tx, mail).await?;
    let sent_at = store::clicks::sent_at(tx, mail).await?;
    let mut humans = Vec::new();
    for click in &all {
        let (verdict, reasons) = judge(click, &all, sent_at);
        if (verdict, &reasons) == (click.verdict, &click.reasons) {
            continue;
        }
        store::clicks::put(tx, &Click { verdict, reasons, ..click.clone() }).await?;
        if verdict == Verdict::Human && click.verdict != Verdict::Human {
            humans.push(click.id);
            let props = json!({ "mail": click.mail, "link": click.link, "click": click.id.to_string() });
            let (contact, address) = (Some(click.contact), Some(click.address.as_str()));
            contacts::record(tx, contact, None, "email.clicked", address, props, now).await?;
        }
    }
    Ok(humans)
}

/// Every click of a contact, for the export of a person's data.
///
/// # Errors
/// As the store says.
pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> crate::storage::Result<Vec<Click>> {
    store::clicks::of_contact(q, contact).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    fn click(link: i64, at_s: i64, signs: Vec<String>) -> Click {
        Click {
            id: ClickId::new(),
            mail: "m".to_owned(),
            contact: ContactId::new(),
            link,
            address: String::new(),
            at: Timestamp(at_s * SECOND_MS),
            signs,
            seen_at: None,
            verdict: Verdict::Unsure,
            reasons: Vec::new(),
        }
    }

    fn verdict(all: &[Click], at: usize) -> (Verdict, Vec<String>) {
        judge(&all[at], all, Some(Timestamp(0)))
    }

    #[test]
    fn a_click_is_unsure_until_its_visit_shows_a_person() {
        let mut late = click(1, 600, signs(false, true, BROWSER));
        assert_eq!(verdict(&[late.clone()], 0), (Verdict::Unsure, vec![]));
        late.seen_at = Some(Timestamp(610_000));
        assert_eq!(verdict(&[late], 0).0, Verdict::Human);
    }

    #[test]
    fn what_no_reader_does_is_a_machines() {
        let quick = click(1, 4, signs(false, true, BROWSER));
        assert_eq!(verdict(&[quick], 0), (Verdict::Machine, vec!["at_delivery".to_owned()]));
        let head = click(1, 600, signs(true, true, BROWSER));
        assert_eq!(verdict(&[head], 0).1, ["head"]);
        let program = click(1, 600, signs(false, false, "python-requests/2.32"));
        assert_eq!(verdict(&[program], 0).1, ["agent", "no_fetch_metadata"]);
        let burst: Vec<Click> = (1..=3).map(|n| click(n, 600 + n, signs(false, true, BROWSER))).collect();
        assert!((0..3).all(|at| verdict(&burst, at) == (Verdict::Machine, vec!["burst".to_owned()])));
        let same = vec![click(1, 600, vec![]), click(1, 601, vec![]), click(1, 602, vec![])];
        assert_eq!(
            verdict(&same, 0).0,
            Verdict::Unsure,
            "one link, pressed three times by an impatient person"
        );
    }

    #[test]
    fn whoever_finds_the_hidden_link_is_a_machine_with_all_that_came_with_it() {
        let mut all = vec![click(1, 600, vec![]), click(TRAP, 602, vec![]), click(1, 90_000, vec![])];
        all[0].seen_at = Some(Timestamp(620_000));
        assert_eq!(verdict(&all, 0).0, Verdict::Machine, "a browser that is driven pays attention, too");
        assert_eq!(verdict(&all, 2).0, Verdict::Unsure, "a day later it is somebody else");
    }

    #[test]
    fn a_missing_fetch_header_alone_condemns_nobody() {
        let old = click(1, 600, signs(false, false, BROWSER));
        assert_eq!(verdict(&[old], 0), (Verdict::Unsure, vec!["no_fetch_metadata".to_owned()]));
    }

    #[test]
    fn attention_speaks_for_a_person_but_outweighs_no_sign_of_a_program() {
        let mut quick = click(1, 4, signs(false, true, BROWSER));
        quick.seen_at = Some(Timestamp(20_000));
        assert_eq!(
            verdict(&[quick.clone()], 0).0,
            Verdict::Unsure,
            "gateways look at pages with real browsers"
        );
        let mut burst: Vec<Click> = (1..=3).map(|n| click(n, 600, signs(false, true, BROWSER))).collect();
        burst[1].seen_at = Some(Timestamp(620_000));
        assert_eq!(verdict(&burst, 1).0, Verdict::Machine);
    }
}
