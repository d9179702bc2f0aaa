//! Who may say that something happened: the product itself, a program of the company, or a page.
//!
//! A page's script runs on the visitor's machine, and anybody can send what it sends. What must not be forged is therefore
//! never taken from a page: the product's own kinds, those of [`OF_PROGRAMS`], and whatever begins with one of [`RESERVED`].
//! Programs tell theirs under a key.

use super::condition::KINDS;

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
    fn every_kind_that_the_product_writes_is_kept_from_pages_by_its_family_too() {
        for kind in KINDS.iter().filter(|kind| kind.contains('.')) {
            let family = family(kind).expect("it has a dot");
            assert!(RESERVED.contains(&family), "{kind}: a sister of it could be forged");
        }
    }
}
