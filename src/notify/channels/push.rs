//! A notice in a colleague's browser, by its maker's push service.
//!
//! It says who, when and which page, and no more: not what somebody wrote. What it would say too late is not sent.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::console::Notice;
use super::plain::one_line;
use crate::base::ids::PushDeviceId;
use crate::base::language::Language;
use crate::base::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use crate::notify::{Desk, Error, Sent, Why, push, quiet_until, store};

/// Letters of a title or a line.
const LINE_MOST: usize = 200;
/// What waits for its reader no longer than this is of no use to her.
const URGENT_MS: i64 = 2 * MINUTE_MS;
/// Everything else: a night, and the morning after it.
const USUAL_MS: i64 = 24 * HOUR_MS;
/// The kind of a notice that somebody sends herself to see how it comes.
pub(in crate::notify) const TRIAL: &str = "trial";

/// Whether somebody waits for it at this moment.
fn is_urgent(kind: &str) -> bool {
    matches!(kind, "handoff_requested" | "handoff_passed_on" | TRIAL)
}

/// Until when a notice is of use.
fn good_until(notice: &Notice, planned_at: Timestamp) -> Timestamp {
    let most = planned_at.plus_ms(if is_urgent(&notice.kind) { URGENT_MS } else { USUAL_MS });
    match notice.starts_at {
        // Whoever hears of a call after it began hears of it too late; of one that is off, too.
        Some(starts_at) => starts_at.max(planned_at.plus_ms(MINUTE_MS)).min(most),
        None => most,
    }
}

/// Sends the notice. A browser that is not subscribed any more is forgotten.
///
/// # Errors
/// [`Error`] by what the push service answered.
pub(in crate::notify) async fn send(
    desk: &Desk,
    device: PushDeviceId,
    notice: &Notice,
    planned_at: Timestamp,
    now: Timestamp,
) -> Result<Sent, Error> {
    let db = &desk.stores.db;
    let known = push::find(&mut db.read(), &desk.keys, device).await?;
    let Some((account, subscription)) = known else {
        return Ok(Sent::Superseded(Why::BROWSER_REFUSES));
    };
    let good_until = good_until(notice, planned_at);
    // What would come too late if it waited is told at night, too: a call that begins then.
    if !is_urgent(&notice.kind)
        && let Some(until) = quiet_until(desk, account, &notice.kind, now).await?
        && until < good_until
    {
        return Ok(Sent::Waits { until, why: Why::QUIET });
    }
    let left_ms = good_until.since_ms(now);
    if left_ms <= 0 {
        return Ok(Sent::Superseded(Why::TOO_LATE));
    }
    let language = store::language_of(&mut db.read(), account).await?;
    let (title, body) = said(desk, notice, language);
    let said = json!({ "title": title, "body": body, "link": notice.link, "at": planned_at });
    let sealed = push::sealed::seal(&subscription, said.to_string().as_bytes())
        .ok_or_else(|| Error::Unwritable("the notice cannot be encrypted".to_owned()))?;
    let endpoint = subscription.endpoint.expose();
    let authorization = desk
        .vapid
        .authorization(endpoint, &desk.from, now)
        .ok_or_else(|| Error::Unwritable("the notice cannot be signed".to_owned()))?;
    let headers = [
        ("authorization", authorization),
        ("content-encoding", "aes128gcm".to_owned()),
        ("content-type", "application/octet-stream".to_owned()),
        // Whole seconds, and the last one counts.
        ("ttl", ((left_ms + SECOND_MS - 1) / SECOND_MS).to_string()),
        ("urgency", if is_urgent(&notice.kind) { "high" } else { "normal" }.to_owned()),
        ("topic", topic(desk, notice)),
    ];
    let answer = desk.outbound.post(endpoint, &headers, sealed).await?;
    if matches!(answer.status, 404 | 410) {
        push::forget(db, device).await?;
        return Ok(Sent::Superseded(Why::BROWSER_GONE));
    }
    answer.accepted()?;
    push::told(db, device, now).await?;
    Ok(Sent::Out)
}

/// The title names who; the body, when.
fn said(desk: &Desk, notice: &Notice, language: Language) -> (String, String) {
    let bare = Notice { company: None, note: None, ..notice.clone() };
    let (title, _) = bare.words(desk, language);
    let short = |text: String| one_line(&text).chars().take(LINE_MOST).collect::<String>();
    (short(title), short(notice.when(language)))
}

/// What waits at the push service about the same thing is replaced: at most 32 letters of base64url (RFC 8030, 5.4).
fn topic(desk: &Desk, notice: &Notice) -> String {
    let digest = desk.keys.digest("push topic", &[&notice.link]);
    URL_SAFE_NO_PAD.encode(digest.get(..24).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(kind: &str, starts_at: Option<Timestamp>) -> Notice {
        Notice {
            kind: kind.to_owned(),
            account: None,
            who: "Nikki".to_owned(),
            company: None,
            rep: None,
            starts_at,
            zone: "Europe/Madrid".to_owned(),
            link: "/console".to_owned(),
            state: None,
            note: None,
        }
    }

    #[test]
    fn a_notice_is_good_until_it_is_too_late_to_act_upon_it() {
        let at = Timestamp(0);
        let good = |kind, starts_at| good_until(&notice(kind, starts_at), at).as_ms();
        assert_eq!(good("handoff_requested", None), URGENT_MS);
        assert_eq!(good("handover_given", None), USUAL_MS);
        assert_eq!(good("booking_confirmed", Some(Timestamp(HOUR_MS))), HOUR_MS, "the call begins");
        assert_eq!(good("booking_confirmed", Some(Timestamp(100 * HOUR_MS))), USUAL_MS);
        assert_eq!(good("booking_cancelled", Some(Timestamp(-HOUR_MS))), MINUTE_MS, "said once all the same");
    }
}
