//! Who may say that something happened: the product itself, a program of the company, or a page.
//!
//! A page's script runs on the visitor's machine, and anybody can send what it sends. What must not be forged is therefore
//! never taken from a page: the product's own kinds, those of [`OF_PROGRAMS`], and whatever begins with one of [`RESERVED`].
//! Programs tell theirs under a key.

use super::condition::KINDS;
use super::tags::LEVELS;
use crate::base::diagnostic::nearest;

/// Kinds that a program of the company tells, beside `interest.…`, `crm.…`, `social.…` and `server.…`.
pub const OF_PROGRAMS: &[&str] =
    &["purchase", "complaint", "refund", "email.replied", "interest.new_product", "social.followed"];

/// First words of kinds that no page may tell. `server.` is free for whatever a company's own programs tell.
const RESERVED: &[&str] = &[
    "asset",
    "bant",
    "booking",
    "call",
    "chat",
    "content",
    "conversation",
    "crm",
    "deal",
    "decision",
    "email",
    "form",
    "handoff",
    "handover",
    "identified",
    "interest",
    "kind",
    "nurture",
    "offer",
    "recording",
    "server",
    "social",
    "subscription",
    "task",
    "topic",
    "webinar",
    "winback",
];

/// First words of what programs may tell although pages may not.
const FOR_PROGRAMS: &[&str] = &["crm", "interest", "server", "social"];

/// Words of the tracker and the timeline, which are no event of anybody's own.
const PLAIN: &[&str] =
    &["alias", "consent", "download", "engagement", "form", "identify", "outbound", "page", "visit"];

/// Longest kind that a program tells, in characters.
pub const MOST_CHARS: usize = 60;

/// Kinds that stand in the timeline and that no rule of ours asks for.
const ASIDE: &[&str] = &["asset.fetched", "chat.identified"];

/// What the product writes beside an activity of its own kinds; of the others nobody knows what their tellers write.
const PROPS: &[(&str, &[&str])] = &[
    ("visit", &["engaged_ms", "pages", "channel", "region", "country"]),
    ("form.submitted", &["page", "delivers"]),
    ("asset.downloaded", &["kind"]),
    ("asset.fetched", &["kind", "verdict", "reason"]),
    ("email.clicked", &["mail", "link", "click"]),
    ("email.bounced", &["kind"]),
    ("email.hard_bounced", &["kind"]),
    ("subscription.asked", &["source"]),
    ("subscription.confirmed", &["source"]),
    ("subscription.ended", &["source"]),
    ("nurture.entered", &["reason"]),
    ("nurture.completed", &["reason"]),
    ("nurture.left", &["reason"]),
    ("webinar.registered", &[]),
    ("webinar.attended", &["minutes"]),
    ("webinar.no_show", &[]),
    ("webinar.cancelled", &["by_us"]),
    ("recording.watched", &["percent"]),
    ("conversation.opened", &["conversation"]),
    ("conversation.answered", &["by"]),
    ("handoff.requested", &["conversation"]),
    ("booking.confirmed", &["meeting", "rep", "starts_at"]),
    ("booking.rescheduled", &["meeting", "rep", "starts_at"]),
    ("booking.cancelled", &["meeting", "rep", "starts_at"]),
    ("booking.held", &["meeting", "rep", "starts_at"]),
    ("booking.no_show", &["meeting", "rep", "starts_at"]),
    ("decision", &["by", "reason"]),
    ("deal.won", &["by", "amount", "currency"]),
    ("deal.lost", &["by", "reason"]),
    ("deal.milestone", &["by", "deal"]),
    ("offer.claimed", &[]),
    ("offer.redeemed", &[]),
    ("winback.attempt", &["by"]),
    ("chat.marked", &["flow"]),
    ("bant.complete", &["by"]),
    ("handover.given", &["by", "to", "note"]),
    ("handover.taken", &["by"]),
    ("call.held", &["by", "outcome", "incoming", "minutes", "summary"]),
    ("call.unanswered", &["by", "outcome", "incoming", "minutes", "summary"]),
    ("call.findings", &["by", "outcome", "summary"]),
];

/// The names that the props of a kind can have, where that is known.
pub fn props(kind: &str) -> Option<&'static [&'static str]> {
    PROPS.iter().find(|(known, _)| *known == kind).map(|(_, names)| *names)
}

/// What is odd about a kind that a rule asks for: nobody can tell it, or it looks like a slip of the finger. A site's own
/// event is as good as ours.
pub fn doubt(kind: &str) -> Option<Doubt> {
    let known = || KINDS.iter().chain(OF_PROGRAMS).chain(LEVELS).chain(ASIDE).copied();
    if known().any(|one| one == kind) {
        return None;
    }
    let family = family(kind);
    let is_named_elsewhere = family.is_some_and(|family| ["kind", "topic", "identified"].contains(&family));
    let near = nearest(kind, known()).filter(|_| !is_named_elsewhere);
    let of_family = || {
        let begins = |one: &&str| one.split_once('.').map(|(first, _)| first) == family;
        known().filter(begins).collect::<Vec<_>>()
    };
    let is_ours = family.is_some_and(|family| RESERVED.contains(&family) && !FOR_PROGRAMS.contains(&family));
    match near {
        Some(near) => Some(Doubt { meant: vec![near] }),
        None if is_ours && !is_named_elsewhere => Some(Doubt { meant: of_family() }),
        None => None,
    }
}

/// See [`doubt`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// What may have been meant.
    pub meant: Vec<&'static str>,
}

impl Doubt {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self.meant.as_slice() {
            [] => "see the list of kinds in docs/lifecycle.md".to_owned(),
            [one] => format!("did you mean \"{one}\"?"),
            several => format!("there is {}", crate::base::diagnostic::list_words(several)),
        }
    }
}

/// What stands before the first dot, if there is one.
fn family(kind: &str) -> Option<&str> {
    kind.split_once('.').map(|(family, _)| family)
}

/// Whether an event of a page's own may have this name.
pub fn may_page_tell(kind: &str) -> bool {
    !KINDS.contains(&kind)
        && !OF_PROGRAMS.contains(&kind)
        && !family(kind).is_some_and(|family| RESERVED.contains(&family))
}

/// Whether a program may tell an event of this kind: a word of small letters, digits, `_`, `-` and `.` that the product
/// does not write itself.
pub fn may_program_tell(kind: &str) -> bool {
    let is_word = kind.len() <= MOST_CHARS && kind.split('.').all(crate::base::yaml::is_name);
    let is_theirs = OF_PROGRAMS.contains(&kind)
        || match family(kind) {
            Some(family) => FOR_PROGRAMS.contains(&family) || !RESERVED.contains(&family),
            None => !PLAIN.contains(&kind),
        };
    is_word && is_theirs && (OF_PROGRAMS.contains(&kind) || !KINDS.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_forged_is_taken_from_programs_only_and_our_own_from_nobody() {
        for kind in
            ["purchase", "complaint", "interest.new_product", "interest.training", "email.replied", "crm.x"]
        {
            assert!(!may_page_tell(kind) && may_program_tell(kind), "{kind}");
        }
        for kind in ["social.followed", "server.trial_started"] {
            assert!(!may_page_tell(kind) && may_program_tell(kind), "{kind}");
        }
        for kind in
            ["booking.confirmed", "deal.won", "decision", "visit", "page", "content.late", "topic.prices"]
        {
            assert!(!may_program_tell(kind) && (!may_page_tell(kind) || kind == "page"), "{kind}");
        }
        for kind in ["compare", "shelf opened", "delivery_costs"] {
            assert!(may_page_tell(kind), "{kind}");
        }
        assert!(may_program_tell("compare") && !may_program_tell("shelf opened") && !may_program_tell(""));
        assert!(!may_program_tell("engagement") && !may_program_tell(&"x".repeat(61)));
    }

    #[test]
    fn a_kind_that_nobody_tells_is_doubted_and_one_of_the_sites_own_is_not() {
        let meant = |kind: &str| doubt(kind).map(|doubt| doubt.meant);
        assert_eq!(meant("recording.wached"), Some(vec!["recording.watched"]));
        assert_eq!(meant("purchas"), Some(vec!["purchase"]));
        assert_eq!(meant("recording.rewound"), Some(vec!["recording.watched"]));
        assert_eq!(meant("content.soon"), Some(vec!["content.late", "content.middle", "content.early"]));
        for kind in ["compare", "server.trial", "crm.synced", "topic.prices", "kind.study", "asset.fetched"] {
            assert_eq!(meant(kind), None, "{kind}");
        }
        assert!(KINDS.iter().all(|kind| doubt(kind).is_none()));
    }

    #[test]
    fn props_are_declared_of_known_kinds_only() {
        for (kind, _) in PROPS {
            assert!(KINDS.contains(kind) || ASIDE.contains(kind), "{kind}");
        }
        assert_eq!(props("recording.watched"), Some(["percent"].as_slice()));
        assert_eq!(props("compare"), None);
    }

    #[test]
    fn every_kind_that_the_product_writes_is_kept_from_pages_by_its_family_too() {
        for kind in KINDS.iter().filter(|kind| kind.contains('.')) {
            let family = family(kind).expect("it has a dot");
            assert!(RESERVED.contains(&family), "{kind}: a sister of it could be forged");
        }
    }
}
