//! A form that is shown, and one that was sent.

use std::collections::BTreeSet;

use serde_json::json;

use super::attribution::Attribution;
use super::form::{Answers, Asked, Form, Source};
use super::{Error, store};
use crate::base::ids::{ContactId, SubmissionId, VisitorId};
use crate::base::language::Language;
use crate::base::signing::{Keys, Purpose, TokenError};
use crate::base::time::{DAY_MS, Timestamp};
use crate::contacts::{self, Consent, Identification, Trust};
use crate::events::{self, Event};
use crate::stages;
use crate::storage::db::{Queries, Tx};
use crate::subscriptions;

/// How long a form that was shown can be sent.
const NONCE_MS: i64 = DAY_MS;

/// What stands between the form and the fields asked for in the subject of a nonce; no name holds it.
const AND: char = '?';

/// A nonce for a form that is being shown, with these fields of its queue.
pub fn nonce(keys: &Keys, form: &Form, asked: &Asked, now: Timestamp) -> String {
    let subject = match asked.word() {
        word if word.is_empty() => form.id.clone(),
        word => format!("{}{AND}{word}", form.id),
    };
    keys.sign(Purpose::FormNonce, &Keys::claims(subject, now, now.plus_ms(NONCE_MS)))
}

/// One showing of a form, as its nonce tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Showing {
    /// What identifies it.
    pub nonce: String,
    /// Which fields of the queue it asks for.
    pub asked: Asked,
}

/// Checks the nonce of a form that was sent.
///
/// # Errors
/// [`Error::NonceForged`], [`Error::NonceExpired`], [`Error::TooFast`].
pub fn check_nonce(keys: &Keys, form: &Form, nonce: &str, now: Timestamp) -> Result<Showing, Error> {
    let claims = keys.verify(Purpose::FormNonce, nonce, now).map_err(|error| match error {
        TokenError::Forged => Error::NonceForged,
        TokenError::Expired(_) => Error::NonceExpired,
    })?;
    let (id, asked) = claims.subject.split_once(AND).unwrap_or((&claims.subject, ""));
    if id != form.id {
        return Err(Error::NonceForged);
    }
    if now.since_ms(claims.issued) < form.min_fill_ms {
        return Err(Error::TooFast);
    }
    let asked = Asked::of_word(asked);
    Ok(Showing { nonce: claims.nonce, asked })
}

/// Whether a nonce is one of a form that is being shown.
pub fn is_shown(keys: &Keys, form: &Form, nonce: &str, now: Timestamp) -> bool {
    let claims = keys.verify(Purpose::FormNonce, nonce, now);
    claims.is_ok_and(|claims| claims.subject.split(AND).next() == Some(form.id.as_str()))
}

/// Which fields a showing asked for, to show the same ones again; of a nonce that is not ours nothing is known.
pub fn asked_before(keys: &Keys, form: &Form, nonce: &str, now: Timestamp) -> Asked {
    let claims = match keys.verify(Purpose::FormNonce, nonce, now) {
        Ok(claims) => claims,
        Err(TokenError::Expired(claims)) => *claims,
        Err(TokenError::Forged) => return form.ask(&BTreeSet::new()),
    };
    let (id, asked) = claims.subject.split_once(AND).unwrap_or((&claims.subject, ""));
    if id == form.id { Asked::of_word(asked) } else { form.ask(&BTreeSet::new()) }
}

/// The fields that are known of whoever holds a device, as far as that may show: none unless it is confirmed that the
/// device is the person's.
///
/// # Errors
/// As the store says.
pub async fn known_fields(
    q: &mut impl Queries,
    visitor: Option<VisitorId>,
) -> Result<BTreeSet<String>, Error> {
    let Some(visitor) = visitor else { return Ok(BTreeSet::new()) };
    match contacts::holder(q, visitor).await? {
        Some((contact, trust)) if trust.may_see_stored() => {
            let fields = contacts::fields(q, contact.id).await?;
            Ok(fields.into_iter().filter(|field| !field.is_suggestion).map(|field| field.name).collect())
        }
        Some(_) | None => Ok(BTreeSet::new()),
    }
}

/// A form that was sent, checked.
#[derive(Debug, Clone)]
pub struct Submission<'a> {
    /// The form.
    pub form: &'a Form,
    /// What was typed.
    pub answers: &'a Answers,
    /// The site that showed it.
    pub site: &'a str,
    /// The device, if it may be recognised.
    pub visitor: Option<VisitorId>,
    /// What the visitor allowed us to remember.
    pub consent: Consent,
    /// The page that showed it.
    pub page: Option<&'a str>,
    /// The language it was shown in.
    pub language: Language,
    /// The visitor's time zone.
    pub time_zone: Option<&'a str>,
    /// What [`check_nonce`] returned of its nonce.
    pub nonce: &'a str,
    /// The way that led to it.
    pub attribution: &'a Attribution,
    /// The webinar that it registers for.
    pub registers: Option<&'a str>,
    /// Whether every box of its consents was shown: a page's own form may leave some away.
    pub shows_boxes: bool,
    /// Where it was sent from, as proof of its consents.
    pub seen: Option<&'a contacts::Seen>,
}

impl Submission<'_> {
    /// The values of the form's hidden fields.
    fn hidden(&self) -> impl Iterator<Item = (&str, &str)> {
        self.form.hidden().filter_map(|field| {
            let value = match field.source.as_ref()? {
                Source::Fixed(value) => value.as_str(),
                Source::Attribution(name) => self.attribution.get(*name)?.as_str(),
            };
            Some((field.name.as_str(), value))
        })
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// The submission.
    pub id: SubmissionId,
    /// The person.
    pub contact: ContactId,
    /// The device epoch from now on; none for a kiosk.
    pub visitor: Option<VisitorId>,
    /// Whether the very same was sent before (a double click, a repeated request): then nothing new happened.
    pub is_repeated: bool,
}

/// Takes a form: identifies the person, keeps consents and answers, appends the fact and runs the lifecycle.
///
/// # Errors
/// [`Error::NonceUsed`] if another person's answers came with this nonce before; as the store says.
pub async fn submit(
    tx: &mut Tx,
    lifecycle: &stages::Definition,
    what: &Submission<'_>,
    now: Timestamp,
) -> Result<Submitted, Error> {
    tx.lock(&format!("nonce:{}", what.nonce)).await?;
    if let Some(earlier) = store::by_nonce(tx, what.nonce).await? {
        let same = contacts::find_by_email(tx, &what.answers.email).await?;
        let speaks = contacts::survivor(tx, earlier.contact).await?;
        let is_same_person = same.is_some_and(|contact| contact.id == speaks);
        if !is_same_person || earlier.form != what.form.id {
            return Err(Error::NonceUsed);
        }
        let (id, contact, visitor) = (earlier.id, speaks, earlier.visitor);
        return Ok(Submitted { id, contact, visitor, is_repeated: true });
    }
    let who = Identification {
        email: &what.answers.email,
        visitor: what.visitor.filter(|_| what.consent != Consent::None),
        site: what.site,
        trust: Trust::Claimed,
        consent: what.consent,
        language: what.language,
        time_zone: what.time_zone,
    };
    let (contact, visitor) = if what.form.is_kiosk {
        // The device is the house's: it is nobody's, however many fill in the form on it.
        (contacts::of_address(tx, &who, now).await?.id, None)
    } else {
        let identified = contacts::identify(tx, &who, now).await?;
        (identified.contact.id, Some(identified.visitor))
    };
    // What is sent with the address of somebody who was merged into another stays hers if that is undone.
    let own = contacts::own_id(tx, &what.answers.email, contact).await?;
    let typed = what.answers.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let trust = contacts::trust_in(tx, visitor, contact).await?;
    for (name, value) in typed.chain(what.hidden()) {
        contacts::set_field(tx, own, name, value, "form", trust, now).await?;
    }
    for asked in &what.form.consents {
        let is_ticked = what.answers.agreed.contains(&asked.id);
        if !is_ticked && !what.shows_boxes {
            continue;
        }
        let text = (asked.id.as_str(), what.language, asked.text.get(what.language));
        let entry = contacts::ConsentEntry {
            mail: None,
            purpose: &asked.id,
            // An empty box is noted, and takes nothing away that she said elsewhere (docs/decisions/0017).
            action: if is_ticked { "granted" } else { "denied" },
            text: Some(text),
            form: Some(&what.form.id),
            page: what.page,
            seen: what.seen,
        };
        contacts::note_consent(tx, Some(own), visitor, &entry, now).await?;
        if let Some(topic) = asked.topic.as_ref().filter(|_| is_ticked) {
            let source = format!("form:{}", what.form.id);
            subscriptions::ask(tx, topic, contact, visitor, &source, now).await?;
        }
    }
    let id = store::insert(tx, what, own, visitor, now).await?;
    let props = json!({"page": what.page, "delivers": what.form.delivers});
    let form = what.form.id.as_str();
    contacts::record(tx, Some(own), visitor, "form.submitted", Some(form), props, now).await?;
    let event = Event::FormSubmitted { contact, submission: id, form: what.form.id.clone() };
    events::append(tx, &event, now).await?;
    stages::evaluate(tx, lifecycle, contact, now).await?;
    Ok(Submitted { id, contact, visitor, is_repeated: false })
}
