//! Mails by SMTP; without a server they are kept for the console's outbox page.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Mailboxes, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::base::email::Email;
use crate::base::ids::BookingId;
use crate::base::time::Timestamp;
use crate::config;
use crate::notify::dkim::Dkim;
use crate::notify::mails::Ready;
use crate::notify::{Desk, Error, feedback, store};

/// The way to the mail server, if there is one.
#[derive(Clone, Default)]
pub struct Mailer(Option<Arc<Server>>);

/// A mail server, and what mails are signed with.
struct Server {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    dkim: Option<Dkim>,
}

impl Mailer {
    /// A mailer for `smtp://`, `smtps://` or `smtp+plain://user:password@host:port`; empty keeps mails here. `folder` is
    /// where the paths of keys begin.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(settings: &config::Mail, from: &Email, folder: &Path) -> Result<Self, String> {
        // A wrong key is told even if no mail leaves yet.
        let dkim = Dkim::open(&settings.dkim, from, folder)?;
        let address = &settings.smtp;
        if address.is_empty() {
            return Ok(Self(None));
        }
        let url = url::Url::parse(address.expose()).map_err(|error| format!("mail.smtp: {error}"))?;
        let host = url.host_str().ok_or("mail.smtp names no host")?.to_owned();
        let tls = || TlsParameters::new(host.clone()).map_err(|error| format!("mail.smtp: {error}"));
        let (tls, port) = match url.scheme() {
            "smtp" => (Tls::Required(tls()?), 587),
            "smtps" => (Tls::Wrapper(tls()?), 465),
            "smtp+plain" => (Tls::None, 25),
            other => {
                return Err(format!("mail.smtp: `{other}://` is not smtp://, smtps:// or smtp+plain://"));
            }
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
            .port(url.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(Duration::from_secs(settings.patience_s)));
        if !url.username().is_empty() {
            let decoded = |text: &str| {
                url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
                    .next()
                    .map_or_else(String::new, |(_, value)| value.into_owned())
            };
            let password = decoded(url.password().unwrap_or_default());
            builder = builder.credentials(Credentials::new(decoded(url.username()), password));
        }
        Ok(Self(Some(Arc::new(Server { transport: builder.build(), dkim }))))
    }

    /// Connects, encrypts and logs in as for a mail, and hangs up.
    pub(in crate::notify) async fn reach(&self) -> Result<(), String> {
        let Some(server) = &self.0 else { return Err("no mail server is set".to_owned()) };
        match server.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err("it hung up".to_owned()),
            Err(error) => Err(refusal(error).to_string()),
        }
    }

    /// Sends a short text at once, past the queue, signed as all mails are. `id` is its own.
    pub(in crate::notify) async fn send_text(
        &self,
        from: &Email,
        to: &Email,
        subject: &str,
        text: &str,
        id: &str,
    ) -> Result<(), String> {
        let Some(server) = &self.0 else { return Err("no mail server is set".to_owned()) };
        let broken = |error: Error| error.to_string();
        let message = Message::builder()
            .from(mailbox("", from).map_err(broken)?)
            .to(mailbox("", to).map_err(broken)?)
            .subject(subject)
            .message_id(Some(format!("<{id}@{}>", from.domain())))
            .header(AutoSubmitted)
            .singlepart(SinglePart::plain(text.to_owned()))
            .map_err(|error| error.to_string())?;
        let raw = match &server.dkim {
            Some(dkim) => dkim.sign(&message.formatted())?,
            None => message.formatted(),
        };
        let sent = server.transport.send_raw(message.envelope(), &raw).await;
        sent.map(drop).map_err(|error| refusal(error).to_string())
    }

    /// Whether mails really leave.
    pub fn leaves(&self) -> bool {
        self.0.is_some()
    }
}

/// Tells other programs not to answer (RFC 3834).
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A header with one text that lettre does not know (RFC 2369, RFC 8058).
macro_rules! text_header {
    ($type:ident, $name:literal) => {
        #[derive(Debug, Clone)]
        struct $type(String);

        impl Header for $type {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($name)
            }

            fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                Ok(Self(text.to_owned()))
            }

            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), self.0.clone())
            }
        }
    };
}
text_header!(ListUnsubscribe, "List-Unsubscribe");
text_header!(ListUnsubscribePost, "List-Unsubscribe-Post");

/// Sends a mail and keeps what was sent, with the call that its reader has to hear of by it. The same `id` always makes the
/// same `Message-ID`.
///
/// # Errors
/// [`Error`] by what the server answered.
pub(in crate::notify) async fn send(
    desk: &Desk,
    id: &str,
    (ready, call): (&Ready, Option<BookingId>),
    now: Timestamp,
) -> Result<(), Error> {
    let message_id = format!("<{id}@{}>", desk.from.domain());
    let transport = match &desk.mailer.0 {
        Some(server) => {
            let message = message(desk, id, &message_id, ready)?;
            let raw = match &server.dkim {
                Some(dkim) => {
                    let signed = dkim.sign(&message.formatted());
                    signed.map_err(|why| Error::Unwritable(why.to_owned()))?
                }
                None => message.formatted(),
            };
            if let Err(error) = server.transport.send_raw(message.envelope(), &raw).await {
                let error = refusal(error);
                if let Error::Refused(said) = &error {
                    feedback::refused_at_the_door(desk, id, &ready.to, said, now).await?;
                }
                return Err(error);
            }
            "smtp"
        }
        None => "outbox",
    };
    let kept = match &ready.secret {
        // The outbox page is the only place where it can be read, but for what nobody there may read.
        Some(secret) if transport == "smtp" || ready.is_hidden => &without(ready, secret),
        _ => ready,
    };
    store::keep_letter(&desk.stores.db, id, &message_id, (kept, call), transport, now).await?;
    Ok(())
}

/// What is kept of a mail that told a secret.
fn without(ready: &Ready, secret: &str) -> Ready {
    let mut kept = ready.clone();
    for text in [&mut kept.written.subject, &mut kept.written.text, &mut kept.written.html] {
        *text = text.replace(secret, "••• •••");
    }
    kept
}

/// What the library says where a server does not offer what `smtp://` asks for; it has no name for it.
const NO_STARTTLS: &str = "STARTTLS is not supported";

fn refusal(error: lettre::transport::smtp::Error) -> Error {
    if error.is_client() && error.to_string().contains(NO_STARTTLS) {
        Error::Unencrypted("the mail server offers no STARTTLS".to_owned())
    } else if error.is_permanent() {
        Error::Refused(error.to_string())
    } else if error.is_transient() {
        Error::Deferred(error.to_string())
    } else {
        Error::Unreachable(error.to_string())
    }
}

fn mailbox(name: &str, address: &Email) -> Result<Mailbox, Error> {
    let address: Address = address
        .as_str()
        .parse()
        .map_err(|_| Error::Refused("the address cannot be written to".to_owned()))?;
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(80).collect();
    Ok(Mailbox::new((!name.trim().is_empty()).then_some(name), address))
}

/// The tree that shows an invitation in the most mail programs: mixed { alternative { text, html, calendar }, invite.ics }.
fn message(desk: &Desk, id: &str, message_id: &str, ready: &Ready) -> Result<Message, Error> {
    let broken = |error: lettre::error::Error| Error::Unwritable(error.to_string());
    let to: Mailboxes = mailbox(&ready.to_name, &ready.to)?.into();
    let mut builder = Message::builder()
        .from(mailbox(&ready.from_name, &desk.from)?)
        .mailbox(lettre::message::header::To::from(to))
        .subject(&ready.written.subject)
        .message_id(Some(message_id.to_owned()))
        .header(AutoSubmitted);
    let back = desk.bounces.as_ref().map(|bounces| feedback::return_path(&desk.keys, bounces, id));
    if let Some(address) = &ready.unsubscribe {
        let by_mail = back.as_ref().map(|back| format!(", <mailto:{back}?subject=unsubscribe>"));
        builder = builder
            .header(ListUnsubscribe(format!("<{address}>{}", by_mail.unwrap_or_default())))
            .header(ListUnsubscribePost("List-Unsubscribe=One-Click".to_owned()));
    }
    if let Some(back) = &back {
        let address = |text: &str| -> Result<Address, Error> {
            text.parse().map_err(|_| Error::Refused("the address cannot be written to".to_owned()))
        };
        let envelope = Envelope::new(Some(address(back)?), vec![address(ready.to.as_str())?]);
        builder = builder.envelope(envelope.map_err(broken)?);
    }
    let body = MultiPart::alternative()
        .singlepart(SinglePart::plain(ready.written.text.clone()))
        .singlepart(SinglePart::html(ready.written.html.clone()));
    let message = match &ready.calendar {
        None => builder.multipart(body),
        Some((method, ics)) => {
            let kind = format!("text/calendar; method={method}; charset=utf-8");
            let kind = ContentType::parse(&kind).map_err(|error| Error::Unwritable(error.to_string()))?;
            let file = ContentType::parse("application/ics")
                .map_err(|error| Error::Unwritable(error.to_string()))?;
            let body = body.singlepart(SinglePart::builder().header(kind).body(ics.clone()));
            let attachment = Attachment::new("invite.ics".to_owned()).body(ics.clone(), file);
            builder.multipart(MultiPart::mixed().multipart(body).singlepart(attachment))
        }
    };
    message.map_err(broken)
}
