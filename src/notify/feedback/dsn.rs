//! Messages that come back: reports on delivery (RFC 3464), complaints (RFC 5965), answers of programs and of people.

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

/// Larger messages are not read.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// What a message is about and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    /// What stands after `+` in the addresses it came to.
    pub tokens: Vec<String>,
    /// The messages it is about, with their angle brackets.
    pub message_ids: Vec<String>,
    pub what: What,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// It could not be delivered.
    Failed {
        /// The enhanced status code (RFC 3463).
        status: String,
        /// What the server said.
        detail: String,
    },
    /// The reader called it spam.
    Complaint,
    /// A program wrote it: an absence, a delay.
    Automatic,
    /// The reader wants no more.
    Unsubscribe,
    /// A person wrote it.
    Answer,
}

/// Reads a message; nothing if it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Read> {
    if bytes.is_empty() || bytes.len() > MOST_BYTES {
        return None;
    }
    let message = MessageParser::default().parse(bytes)?;
    if message.from().is_none() && message.to().is_none() && message.subject().is_none() {
        return None;
    }
    Some(Read { tokens: tokens(&message), message_ids: message_ids(&message), what: what(&message) })
}

fn header<'m>(message: &'m Message<'_>, name: &'static str) -> &'m str {
    message.header_raw(name).unwrap_or_default().trim()
}

fn tokens(message: &Message<'_>) -> Vec<String> {
    let mut tokens = Vec::new();
    for name in ["X-Original-To", "Delivered-To", "Envelope-To", "To", "Cc"] {
        for word in header(message, name).split(|c: char| c.is_whitespace() || "<>,;\"".contains(c)) {
            let local = word.rsplit_once('@').map(|(local, _)| local);
            if let Some((_, token)) = local.and_then(|local| local.rsplit_once('+')) {
                tokens.push(token.to_owned());
            }
        }
    }
    tokens
}

fn message_ids(message: &Message<'_>) -> Vec<String> {
    let mut ids: Vec<String> = ["In-Reply-To", "References"]
        .into_iter()
        .flat_map(|name| header(message, name).split_whitespace())
        .filter(|word| word.starts_with('<') && word.ends_with('>'))
        .map(str::to_owned)
        .collect();
    // The message that came back stands in the report, whole or only its head.
    for part in &message.parts {
        match &part.body {
            PartType::Message(inner) => ids.extend(inner.message_id().map(|id| format!("<{id}>"))),
            _ if is_kind(part, "text", "rfc822-headers") => {
                let head = MessageParser::default().parse_headers(part.contents());
                let id = head.as_ref().and_then(|head| head.message_id().map(|id| format!("<{id}>")));
                ids.extend(id);
            }
            _ => {}
        }
    }
    ids
}

fn is_kind(part: &mail_parser::MessagePart<'_>, kind: &str, sub: &str) -> bool {
    part.content_type().is_some_and(|found| {
        found.ctype().eq_ignore_ascii_case(kind)
            && found.subtype().is_some_and(|found| found.eq_ignore_ascii_case(sub))
    })
}

fn what(message: &Message<'_>) -> What {
    let of_kind = |sub: &str| message.parts.iter().find(|part| is_kind(part, "message", sub));
    if let Some(status) = of_kind("delivery-status").or_else(|| of_kind("global-delivery-status")) {
        let text = String::from_utf8_lossy(status.contents()).into_owned();
        return failed(&text).unwrap_or(What::Automatic);
    }
    if let Some(report) = of_kind("feedback-report") {
        let text = String::from_utf8_lossy(report.contents()).into_owned();
        let kind = fields(&text).into_iter().find(|(name, _)| name == "feedback-type").map(|(_, kind)| kind);
        return match kind.as_deref() {
            Some("abuse" | "fraud" | "virus") => What::Complaint,
            Some("opt-out" | "opt-out-list") => What::Unsubscribe,
            _ => What::Automatic,
        };
    }
    let subject = message.subject().unwrap_or_default().trim().to_lowercase();
    if subject == "unsubscribe" {
        return What::Unsubscribe;
    }
    let auto = header(message, "Auto-Submitted").to_lowercase();
    let is_automatic = !matches!(auto.as_str(), "" | "no")
        || !header(message, "X-Autoreply").is_empty()
        || !header(message, "X-Auto-Response-Suppress").is_empty() && subject.starts_with("auto")
        || matches!(header(message, "Precedence").to_lowercase().as_str(), "bulk" | "junk" | "auto_reply")
        || header(message, "Return-Path") == "<>";
    if is_automatic { What::Automatic } else { What::Answer }
}

/// The first recipient of a report whose delivery has failed for good.
fn failed(text: &str) -> Option<What> {
    let groups = text.replace("\r\n", "\n");
    groups.split("\n\n").find_map(|group| {
        let fields = fields(group);
        let field =
            |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        if !field("action")?.eq_ignore_ascii_case("failed") {
            return None;
        }
        let status = field("status")?.split_whitespace().next()?.to_owned();
        let detail = field("diagnostic-code").unwrap_or_default();
        Some(What::Failed { status, detail: detail.to_owned() })
    })
}

/// `Name: value` lines with their continuations; names in small letters.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.starts_with([' ', '\t']), fields.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (false, _, Some((name, value))) => {
                fields.push((name.trim().to_lowercase(), value.trim().to_owned()));
            }
            (true, None, _) | (false, _, None) => {}
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(action: &str, status: &str) -> String {
        format!(
            "From: MAILER-DAEMON@mx.example\r\nTo: bounce+0123abcd@faro.example\r\nSubject: Undelivered\r\n\
             Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.example\r\n\r\n\
             Final-Recipient: rfc822; nikki@acme.example\r\nAction: {action}\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; 550 {status}\r\n <nikki@acme.example>: no such user\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <m1@faro.example>\r\nSubject: x\r\n\r\n--b--\r\n"
        )
    }

    #[test]
    fn a_report_says_which_mail_failed_and_why() {
        let read = read(report("failed", "5.1.1").as_bytes()).expect("a message");
        assert_eq!(read.tokens, ["0123abcd"]);
        assert_eq!(read.message_ids, ["<m1@faro.example>"]);
        let What::Failed { status, detail } = read.what else { panic!("{:?}", read.what) };
        assert_eq!(status, "5.1.1");
        assert_eq!(detail, "smtp; 550 5.1.1 <nikki@acme.example>: no such user");
    }

    #[test]
    fn a_delay_is_no_failure() {
        assert_eq!(read(report("delayed", "4.4.1").as_bytes()).expect("a message").what, What::Automatic);
    }

    #[test]
    fn answers_of_people_programs_and_complaints_are_told_apart() {
        let what = |head: &str, body: &str| {
            let text = format!("From: n@acme.example\r\nTo: bounce+ab@faro.example\r\n{head}\r\n\r\n{body}");
            read(text.as_bytes()).expect("a message").what
        };
        assert_eq!(what("Subject: Re: idea", "Thank you"), What::Answer);
        assert_eq!(what("Subject: Away\r\nAuto-Submitted: auto-replied", "Until Monday"), What::Automatic);
        assert_eq!(what("Subject: unsubscribe", ""), What::Unsubscribe);
        let arf =
            "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n--b--";
        let head = "Subject: x\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b";
        assert_eq!(what(head, arf), What::Complaint);
        assert_eq!(read(b""), None);
    }

    proptest::proptest! {
        #[test]
        fn no_message_makes_the_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
            drop(read(&bytes));
        }
    }
}
