//! Gated content: forms, the files they unlock, and the signed links that lead to those.
//!
//! A form that was sent makes one transaction: the person is found or made, her device is bound, consents are noted with
//! their very text, the submission is kept, and the lifecycle is asked. What follows (mails, notifications) reads the
//! appended fact.

pub mod content;
pub mod form;
mod store;
pub mod unlock;

use serde_json::{Value, json};

pub use content::{Asset, Deliver};
pub use form::{Answers, Form, Invalid};
pub use store::{PERSONAL, SubmissionRecord, latest_submission, submission};
pub use unlock::{Unlocked, confirm, inline_link, mailed_link, revoke, unlock};

use crate::base::coded::Coded;
use crate::base::diagnostic::Report;
use crate::base::ids::{ContactId, SubmissionId, VisitorId};
use crate::base::language::Language;
use crate::base::signing::{Claims, Keys, Purpose, TokenError};
use crate::base::time::{DAY_MS, Timestamp};
use crate::base::yaml;
use crate::contacts::{self, Consent, Identification, Trust};
use crate::events::{self, Event};
use crate::stages;
use crate::storage;
use crate::storage::db::Tx;
use crate::subscriptions::{self, Topics};

/// How long a form that was shown can be sent.
const NONCE_MS: i64 = DAY_MS;

/// The forms and files of one deployment.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The forms, in the order of the file.
    pub forms: Vec<Form>,
    /// The files, in the order of the file.
    pub assets: Vec<Asset>,
}

impl Catalog {
    /// Reads `forms.yaml` and `content.yaml` (path and text each); everything that is wrong goes to the report.
    pub fn parse(forms: (&str, &str), content: (&str, &str), report: &Report) -> Option<Self> {
        let content_doc = yaml::parse(content.0, content.1, report);
        let assets = content_doc.and_then(|doc| {
            let mut map = doc.view(report).map()?;
            let assets = content::read(&mut map);
            map.finish();
            Some(assets)
        });
        let assets = assets.unwrap_or_default();
        let forms_doc = yaml::parse(forms.0, forms.1, report)?;
        let mut map = forms_doc.view(report).map()?;
        let forms = form::read(&mut map);
        map.finish();
        (!report.has_errors()).then_some(Self { forms, assets })
    }

    /// Lets consents whose purpose is a topic ask for its letters.
    pub fn know_topics(&mut self, topics: &Topics) {
        for consent in self.forms.iter_mut().filter_map(|form| form.consent.as_mut()) {
            consent.topic = topics.find(&consent.id).cloned();
        }
    }

    /// The form of this name.
    ///
    /// # Errors
    /// [`Error::NoForm`].
    pub fn form(&self, id: &str) -> Result<&Form, Error> {
        self.forms.iter().find(|form| form.id == id).ok_or(Error::NoForm)
    }

    /// The file of this name.
    pub fn asset(&self, id: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.id == id)
    }

    /// The file that a form unlocks.
    pub fn delivered_by(&self, form: &Form) -> Option<&Asset> {
        form.delivers.as_deref().and_then(|id| self.asset(id))
    }
}

/// Why a form or a link was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No form has this name.
    #[error("there is no such form")]
    NoForm,
    /// Answers are missing or wrong.
    #[error("some answers are missing or wrong")]
    Invalid(Invalid),
    /// The form was not shown by this server, or for another form.
    #[error("this form was not opened here; please load the page again")]
    NonceForged,
    /// The form was open for too long.
    #[error("this form was open for more than a day; please load the page again")]
    NonceExpired,
    /// The form was sent faster than a person can type.
    #[error("that was faster than anybody types; please send it again")]
    TooFast,
    /// Another person's answers were sent with this nonce before.
    #[error("this form was sent already; please load the page again")]
    NonceUsed,
    /// The link was not made here, was altered, or is for something else; or the file is gone.
    #[error("the link is not valid")]
    LinkUnknown,
    /// The link was good once.
    #[error("the link has expired")]
    LinkExpired(Box<Claims>),
    /// The link was taken back.
    #[error("the link was taken back")]
    LinkRevoked,
    /// The letters cannot be asked for.
    #[error(transparent)]
    Subscription(#[from] subscriptions::Error),
    /// The lifecycle refused.
    #[error(transparent)]
    Stage(#[from] stages::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl From<contacts::Error> for Error {
    fn from(error: contacts::Error) -> Self {
        Self::Stage(error.into())
    }
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NoForm => "form.unknown",
            Self::Invalid(_) => "form.invalid",
            Self::NonceForged | Self::NonceExpired | Self::TooFast => "form.nonce_invalid",
            Self::NonceUsed => "form.nonce_used",
            Self::LinkUnknown => "token.forged",
            Self::LinkExpired(_) => "token.expired",
            Self::LinkRevoked => "token.revoked",
            Self::Subscription(error) => error.code(),
            Self::Stage(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    fn extras(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Stage(error) => error.extras(),
            _ => Vec::new(),
        }
    }
}

/// A nonce for a form that is being shown.
pub fn nonce(keys: &Keys, form: &Form, now: Timestamp) -> String {
    keys.sign(Purpose::FormNonce, &Keys::claims(form.id.clone(), now, now.plus_ms(NONCE_MS)))
}

/// Checks the nonce of a form that was sent, and returns what identifies this one showing of the form.
///
/// # Errors
/// [`Error::NonceForged`], [`Error::NonceExpired`], [`Error::TooFast`].
pub fn check_nonce(keys: &Keys, form: &Form, nonce: &str, now: Timestamp) -> Result<String, Error> {
    let claims = keys.verify(Purpose::FormNonce, nonce, now).map_err(|error| match error {
        TokenError::Forged => Error::NonceForged,
        TokenError::Expired(_) => Error::NonceExpired,
    })?;
    if claims.subject != form.id {
        return Err(Error::NonceForged);
    }
    if now.since_ms(claims.issued) < form.min_fill_ms {
        return Err(Error::TooFast);
    }
    Ok(claims.nonce)
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
    /// What [`check_nonce`] returned.
    pub nonce: &'a str,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// The submission.
    pub id: SubmissionId,
    /// The person.
    pub contact: ContactId,
    /// The device epoch from now on.
    pub visitor: VisitorId,
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
        let is_same_person = same.is_some_and(|contact| contact.id == earlier.contact);
        return match earlier.visitor {
            Some(visitor) if is_same_person && earlier.form == what.form.id => {
                Ok(Submitted { id: earlier.id, contact: earlier.contact, visitor, is_repeated: true })
            }
            Some(_) | None => Err(Error::NonceUsed),
        };
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
    let identified = contacts::identify(tx, &who, now).await?;
    let (contact, visitor) = (identified.contact.id, identified.visitor);
    for (name, value) in &what.answers.fields {
        contacts::set_field(tx, contact, name, value, "form", Trust::Claimed, now).await?;
    }
    if let (Some(asked), Some(true)) = (&what.form.consent, what.answers.agreed) {
        let text = (asked.id.as_str(), what.language, asked.text.get(what.language));
        let entry = contacts::ConsentEntry {
            purpose: &asked.id,
            action: "granted",
            text: Some(text),
            form: Some(&what.form.id),
            page: what.page,
        };
        contacts::note_consent(tx, Some(contact), Some(visitor), &entry, now).await?;
        if let Some(topic) = &asked.topic {
            let source = format!("form:{}", what.form.id);
            subscriptions::ask(tx, topic, identified.contact.id, Some(visitor), &source, now).await?;
        }
    }
    let id = store::insert(tx, what, contact, visitor, now).await?;
    let props = json!({"page": what.page, "delivers": what.form.delivers});
    let form = what.form.id.as_str();
    contacts::record(tx, Some(contact), Some(visitor), "form.submitted", Some(form), props, now).await?;
    let event = Event::FormSubmitted { contact, submission: id, form: what.form.id.clone() };
    events::append(tx, &event, now).await?;
    stages::evaluate(tx, lifecycle, contact, now).await?;
    Ok(Submitted { id, contact, visitor, is_repeated: false })
}
