//! Gated content: forms, the files they unlock, and the signed links that lead to those.
//!
//! A form that was sent makes one transaction: the person is found or made, her device is bound, consents are noted with
//! their very text, the submission is kept, and the lifecycle is asked. What follows (mails, notifications) reads the
//! appended fact.

pub mod asked;
pub mod attribution;
pub mod content;
pub mod form;
pub mod quarantine;
pub mod screen;
pub mod shown;
mod store;
pub mod submit;
pub mod unlock;

use serde_json::Value;

pub use content::{Asset, Cta, Deliver};
pub use form::{Answers, Asked, Form, Invalid, is_country};
pub use screen::{Exchanges, Screen};
pub use shown::Tally;
pub use store::{PERSONAL, SubmissionRecord, latest_submission, submission};
pub use submit::{Showing, Submission, Submitted, check_nonce, is_shown, known_fields, nonce, submit};
pub use unlock::{
    Device, Fetched, Opened, Question, Unlocked, answered, confirm, inline_link, mailed_link, pass, passage,
    revoke, revoke_all, revoked, unlock, verify,
};

use crate::base::coded::Coded;
use crate::base::diagnostic::Report;
use crate::base::signing::Claims;
use crate::base::yaml;
use crate::contacts;
use crate::scoring::tags::Tags;
use crate::stages;
use crate::storage;
use crate::subscriptions::{self, Topics};

/// The forms and files of one deployment.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The forms, in the order of the file.
    pub forms: Vec<Form>,
    /// The files, in the order of the file.
    pub assets: Vec<Asset>,
    /// What files, pages and events are about.
    pub tags: Tags,
    /// Calls to action, in the order of the file.
    pub ctas: Vec<Cta>,
}

impl Catalog {
    /// Reads `forms.yaml` and `content.yaml` (path and text each); everything that is wrong goes to the report.
    pub fn parse(forms: (&str, &str), content: (&str, &str), report: &Report) -> Option<Self> {
        let content_doc = yaml::parse(content.0, content.1, report);
        let content = content_doc.and_then(|doc| {
            let mut map = doc.view(report).map()?;
            let content = content::read(&mut map);
            map.finish();
            Some(content)
        });
        let (assets, tags, ctas) = content.unwrap_or_default();
        let forms_doc = yaml::parse(forms.0, forms.1, report)?;
        let mut map = forms_doc.view(report).map()?;
        let forms = form::read(&mut map);
        for (form, view) in
            forms.iter().zip(map.optional("forms").and_then(yaml::View::list).unwrap_or_default())
        {
            // What opens on the spot would open on the house's own device, for whoever comes next.
            let opens = form.delivers.as_deref().and_then(|id| assets.iter().find(|asset| asset.id == id));
            if form.is_kiosk && opens.is_some_and(|asset| !asset.deliver.is_by_email()) {
                view.error("C119", format!("the kiosk form \"{}\" cannot open a file on the spot", form.id))
                    .hint("give the asset `deliver: email` or `both`");
            }
        }
        map.finish();
        (!report.has_errors()).then_some(Self { forms, assets, tags, ctas })
    }

    /// Lets consents whose purpose is a topic ask for its letters.
    pub fn know_topics(&mut self, topics: &Topics) {
        for consent in self.forms.iter_mut().flat_map(|form| form.consents.iter_mut()) {
            consent.topic = topics.find(&consent.id).cloned();
        }
    }

    /// Calls the stages of files by their names where the file has aliases.
    pub fn know_stages(&mut self, lifecycle: &stages::Definition) {
        for stage in self.assets.iter_mut().flat_map(|asset| asset.stages.iter_mut()) {
            lifecycle.named(stage);
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
    LinkRevoked(Box<Claims>),
    /// Nothing is set apart under this id.
    #[error("there is no such submission; it was released or deleted")]
    NotSetApart,
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
            Self::LinkRevoked(_) => "token.revoked",
            Self::NotSetApart => "form.not_set_apart",
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
