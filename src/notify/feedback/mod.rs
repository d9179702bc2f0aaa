//! What becomes of our mails, as mail servers and providers tell it: bounces, complaints, answers.
//!
//! Each mail has a return path of its own (VERP): what comes back says by its address which mail it is about, and nobody
//! can make one up. Feedback without such a token, or without the `Message-ID` of a mail of ours, is not believed.

mod dsn;
pub mod providers;

use serde::Serialize;
use serde_json::json;

use super::store::{self, Posted};
use super::undelivered::{self, Failed, How};
use super::{Desk, Error};
use crate::base::email::Email;
use crate::base::signing::Keys;
use crate::base::time::Timestamp;
use crate::contacts;
use crate::storage::db::{Db, Tx};
use crate::subscriptions;
use crate::subscriptions::suppression::{self, Told};

/// Hexadecimal digits of the mail's id, and of what vouches for it.
const ID_DIGITS: usize = 32;
const TAG_DIGITS: usize = 16;
/// Enhanced status codes (RFC 3463) by which a server says that there is no such mailbox.
const NO_MAILBOX: &[&str] = &["5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"];

/// What a message told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// There is no such mailbox: it is not written to any more.
    HardBounce,
    /// It could not be delivered this time.
    SoftBounce,
    /// Its reader called it spam.
    Complaint,
    /// Its reader wants no more letters.
    Unsubscribed,
    /// Its reader answered.
    Replied,
    /// The same was told before.
    Known,
    /// It is about no mail of ours, or says nothing that matters.
    Nothing,
}

/// Where a mail comes back to: `bounce+TOKEN@example.com`, within the 64 octets that RFC 5321 allows before the `@`.
pub(super) fn return_path(keys: &Keys, bounces: &Email, mail: &str) -> String {
    let (local, domain) = bounces.as_str().rsplit_once('@').unwrap_or((bounces.as_str(), ""));
    format!("{local}+{}@{domain}", token(keys, mail))
}

fn token(keys: &Keys, mail: &str) -> String {
    let id = mail.replace('-', "");
    let tag: String =
        keys.digest("bounce", &[mail]).iter().take(TAG_DIGITS / 2).map(|b| format!("{b:02x}")).collect();
    format!("{id}{tag}")
}

/// The mail that a token was made for. Some servers write addresses in capitals.
fn mail_of_token(keys: &Keys, text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let is_token = text.len() == ID_DIGITS + TAG_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = text.get(..ID_DIGITS).filter(|_| is_token)?;
    let mail = uuid::Uuid::try_parse(id).ok()?.hyphenated().to_string();
    let is_ours: bool = subtle::ConstantTimeEq::ct_eq(token(keys, &mail).as_bytes(), text.as_bytes()).into();
    is_ours.then_some(mail)
}

/// A server refused the recipient while the mail was handed over. Only what says that there is no such mailbox counts.
pub(super) async fn refused_at_the_door(
    desk: &Desk,
    mail: &str,
    to: &Email,
    said: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let is_no_mailbox = said
        .split(|c: char| c.is_whitespace() || c == ':' || c == '-')
        .any(|word| NO_MAILBOX.contains(&word));
    if is_no_mailbox {
        let mut tx = desk.stores.db.begin().await?;
        let (what, told) = ((Some(mail), Some(said)), Told::HardBounce);
        let is_news = suppression::take_note(&mut tx, &desk.keys, to, ("smtp", mail), told, what, now)
            .await
            .map_err(unwritable)?;
        if is_news {
            let contact = contacts::find_by_email(&mut tx, to).await?.map(|contact| contact.id);
            tell(&mut tx, contact, told, now).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

fn unwritable(error: subscriptions::Error) -> Error {
    match error {
        subscriptions::Error::Store(error) => Error::Storage(error),
        other => Error::Unwritable(other.to_string()),
    }
}

/// Takes a message that came to the return path, as the mail server hands it over (RFC 5322).
///
/// # Errors
/// [`Error::Unwritable`] if it is no message; as the store says.
pub async fn take_message(db: &Db, keys: &Keys, message: &[u8], now: Timestamp) -> Result<Heard, Error> {
    let read = dsn::read(message).ok_or_else(|| Error::Unwritable("this is no message".to_owned()))?;
    let mut tx = db.begin().await?;
    let mut about = None;
    for text in &read.tokens {
        if let Some(mail) = mail_of_token(keys, text) {
            about = store::posted(&mut tx, &mail).await?;
        }
    }
    for message_id in &read.message_ids {
        if about.is_none() {
            about = store::posted_as(&mut tx, message_id).await?;
        }
    }
    let Some(about) = about else { return Ok(Heard::Nothing) };
    let heard = match read.what {
        dsn::What::Failed { status, detail } => {
            let is_hard = NO_MAILBOX.contains(&status.as_str());
            let told = if is_hard { Told::HardBounce } else { Told::SoftBounce };
            note(&mut tx, keys, &about, ("dsn", &about.id), told, Some(&detail), now).await?
        }
        dsn::What::Complaint => {
            note(&mut tx, keys, &about, ("arf", &about.id), Told::Complaint, None, now).await?
        }
        dsn::What::Automatic => Heard::Nothing,
        dsn::What::Unsubscribe => unsubscribe(&mut tx, keys, &about, now).await?,
        dsn::What::Answer => answer(&mut tx, &about, now).await?,
    };
    tx.commit().await?;
    Ok(heard)
}

async fn unsubscribe(tx: &mut Tx, keys: &Keys, about: &Posted, now: Timestamp) -> Result<Heard, Error> {
    let Some(contact) = about.contact else { return Ok(Heard::Nothing) };
    let Some(contact) = contacts::find(tx, contact).await? else { return Ok(Heard::Nothing) };
    match about.topic.as_deref() {
        // `marketing` stands with invitations that were sent before they had a name of their own.
        Some(suppression::INVITATIONS | suppression::MARKETING) => {
            subscriptions::refuse_invitations(tx, keys, &contact, "mail", now).await
        }
        Some(topic) => subscriptions::leave(tx, keys, &contact, topic, "mail", now).await.map(drop),
        None => return Ok(Heard::Nothing),
    }
    .map_err(unwritable)?;
    Ok(Heard::Unsubscribed)
}

async fn answer(tx: &mut Tx, about: &Posted, now: Timestamp) -> Result<Heard, Error> {
    let Some(contact) = about.contact else { return Ok(Heard::Nothing) };
    if contacts::find(tx, contact).await?.is_none() {
        return Ok(Heard::Nothing);
    }
    let props = json!({ "topic": about.topic });
    contacts::record(tx, Some(contact), None, "email.replied", Some(&about.id), props, now)
        .await
        .map_err(|error| Error::Unwritable(error.to_string()))?;
    Ok(Heard::Replied)
}

async fn note(
    tx: &mut Tx,
    keys: &Keys,
    about: &Posted,
    told_id: (&str, &str),
    told: Told,
    detail: Option<&str>,
    now: Timestamp,
) -> Result<Heard, Error> {
    let what = (Some(about.id.as_str()), detail);
    let is_news = suppression::take_note(tx, keys, &about.recipient, told_id, told, what, now)
        .await
        .map_err(unwritable)?;
    if !is_news {
        return Ok(Heard::Known);
    }
    tell(tx, about.contact, told, now).await?;
    if told != Told::Complaint
        && let Some(booking) = about.booking
    {
        let failed = Failed {
            booking,
            sequence: None,
            template: &about.template,
            whose: None,
            how: How::Bounced,
            said: detail,
        };
        undelivered::note(tx, &failed, Some(&about.recipient), now).await?;
    }
    if told == Told::HardBounce {
        calls_ahead(tx, &about.recipient, detail, now).await?;
    }
    Ok(match told {
        Told::HardBounce => Heard::HardBounce,
        Told::SoftBounce => Heard::SoftBounce,
        Told::Complaint => Heard::Complaint,
    })
}

/// A mailbox that is not there has no mail about any call.
async fn calls_ahead(
    tx: &mut Tx,
    address: &Email,
    detail: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    for (booking, template) in store::calls_told_to(tx, address, now).await? {
        let failed = Failed {
            booking,
            sequence: None,
            template: &template,
            whose: None,
            how: How::Bounced,
            said: detail,
        };
        undelivered::note(tx, &failed, Some(address), now).await?;
    }
    Ok(())
}

/// What the timeline shows of it.
async fn tell(
    tx: &mut Tx,
    contact: Option<crate::base::ids::ContactId>,
    told: Told,
    now: Timestamp,
) -> Result<(), Error> {
    if let Some(contact) = contact {
        let props = json!({ "kind": told.word() });
        // A mailbox that does not exist is a fact of its own: rules can put somebody out of the running by it.
        let kind = match told {
            Told::HardBounce => "email.hard_bounced",
            Told::SoftBounce | Told::Complaint => "email.bounced",
        };
        contacts::record(tx, Some(contact), None, kind, Some(told.word()), props, now)
            .await
            .map_err(|error| Error::Unwritable(error.to_string()))?;
    }
    Ok(())
}

/// Takes what a provider told of one address. Returns whether it is news.
///
/// # Errors
/// As the store says.
pub async fn take_report(
    db: &Db,
    keys: &Keys,
    provider: &str,
    report: &providers::Report,
    now: Timestamp,
) -> Result<bool, Error> {
    let mut tx = db.begin().await?;
    let told_id = (provider, report.told_id.as_str());
    let what = (None, report.detail.as_deref());
    let is_news = suppression::take_note(&mut tx, keys, &report.address, told_id, report.told, what, now)
        .await
        .map_err(unwritable)?;
    if is_news {
        let contact = contacts::find_by_email(&mut tx, &report.address).await?.map(|contact| contact.id);
        tell(&mut tx, contact, report.told, now).await?;
        let detail = report.detail.as_deref();
        match report.told {
            Told::HardBounce => calls_ahead(&mut tx, &report.address, detail, now).await?,
            // Which mail it was a provider does not say in our words: the last one that went there.
            Told::SoftBounce => {
                let last = store::last_posted_to(&mut tx, &report.address).await?;
                if let Some((booking, last)) = last.and_then(|last| Some((last.booking?, last))) {
                    let failed = Failed {
                        booking,
                        sequence: None,
                        template: &last.template,
                        whose: None,
                        how: How::Bounced,
                        said: detail,
                    };
                    undelivered::note(&mut tx, &failed, Some(&report.address), now).await?;
                }
            }
            Told::Complaint => {}
        }
    }
    tx.commit().await?;
    Ok(is_news)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    #[test]
    fn a_return_path_leads_back_to_its_mail_and_cannot_be_made_up() {
        let keys = Keys::new(&Secret::new("a secret of at least thirty-two characters"));
        let bounces = Email::parse("bounce@faro.example").expect("valid");
        let mail = crate::base::ids::new_key();
        let path = return_path(&keys, &bounces, &mail);
        let (local, domain) = path.rsplit_once('@').expect("an address");
        assert!(local.len() <= 64 && domain == "faro.example", "{path}");
        let token = local.split_once('+').expect("a token").1;
        assert_eq!(mail_of_token(&keys, &token.to_uppercase()), Some(mail));
        let forged = format!("{}{}", &token[..ID_DIGITS], "0".repeat(TAG_DIGITS));
        assert_eq!(mail_of_token(&keys, &forged), None);
        assert_eq!(mail_of_token(&keys, "x"), None);
    }
}
