//! Why a message waits, or is not wanted any more: a word that stays, for which there are texts in every language
//! (`console.outbox.reason.*`), and a sentence for programs and logs.

use crate::nurture::Exit;
use crate::subscriptions::policy;
use crate::subscriptions::suppression;

/// A reason that nobody answers for: nothing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Why {
    /// The same for life: texts, programs and people go by it.
    pub code: &'static str,
    /// In English.
    pub words: &'static str,
}

/// One line a reason, and the list of all of them.
macro_rules! reasons {
    ($($name:ident = $code:literal, $words:literal;)*) => {
        impl Why {
            $(pub const $name: Self = Self { code: $code, words: $words };)*

            /// Every reason of this list.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

reasons! {
    BOOKED = "booked", "a call is booked already";
    BROWSER_GONE = "browser_gone", "the browser is not subscribed any more";
    BROWSER_REFUSES = "browser_refuses", "the browser wants no more notices";
    CALENDAR_GONE = "calendar_gone", "the calendar is not connected any more";
    CALL_GONE = "call_gone", "the call is not there any more";
    CALLED_OFF = "called_off", "it was called off before it was told";
    CHANGED = "changed", "what it announces has changed";
    CRM_BUSY = "crm_busy", "somebody else is making it at this moment";
    CRM_DELETED = "crm_deleted", "it was deleted over there";
    CRM_FOREIGN = "crm_foreign", "it stands for nothing of ours";
    CRM_GONE = "crm_gone", "the connection was taken out of crm.yaml";
    CRM_KNOWN = "crm_known", "it stands as we know it";
    CRM_NOT_AGREED = "crm_not_agreed", "she has not agreed to be sent";
    CRM_NOT_THERE = "crm_not_there", "the deal is not in this CRM";
    CRM_RESTS = "crm_rests", "the CRM wants no more calls until then";
    CRM_STAGE = "crm_stage", "she is not in this CRM, and her stage does not bring her there";
    DEAL_GONE = "deal_gone", "the deal is not there any more";
    ERASED = "erased", "the contact was erased";
    EXPIRED = "expired", "it waited for so long that it is no use any more";
    HOOK_GONE = "hook_gone", "the hook was taken out of notify.yaml";
    LATER_REMINDER = "later_reminder", "a nearer reminder is due and says the same";
    LINK_OVER = "link_over", "the link in it would have run out";
    NOT_WANTED = "not_wanted", "the reader does not get the letters of its topic";
    QUIET = "quiet_hours", "quiet hours";
    READ_AGAIN = "read_again", "it is read again then";
    REP_GONE = "rep_gone", "nobody knows where whoever held the call is written to";
    TOO_LATE = "too_late", "it would come too late; the console says it";
    TOPIC_GONE = "topic_gone", "its topic stands in no file any more";
    UNSUITED = "unsuited", "it is not meant for the stage that the contact is in";
}

impl From<Exit> for Why {
    fn from(exit: Exit) -> Self {
        Self { code: exit.word(), words: exit.words() }
    }
}

impl From<suppression::Reason> for Why {
    fn from(reason: suppression::Reason) -> Self {
        Self { code: reason.word(), words: reason.words() }
    }
}

impl From<policy::Why> for Why {
    fn from(why: policy::Why) -> Self {
        Self { code: why.word(), words: why.words() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::language::Language;
    use crate::notify::Error;
    use crate::render::Templates;
    use crate::storage;

    #[test]
    fn every_reason_has_words_in_both_languages_and_no_two_the_same_code() {
        let templates = Templates::embedded().expect("what is built in");
        let failed = [
            Error::Unreachable(String::new()),
            Error::Unencrypted(String::new()),
            Error::Deferred(String::new()),
            Error::Throttled { why: String::new(), wait_ms: 0 },
            Error::Refused(String::new()),
            Error::Gone(String::new()),
            Error::Unwritable(String::new()),
            Error::Storage(storage::Error::Unavailable(String::new())),
        ];
        let mut codes: Vec<&str> = Why::ALL.iter().map(|why| why.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Why::ALL.len());
        codes.extend(failed.iter().map(Error::code));
        codes.extend(Exit::ALL.map(Exit::word));
        codes.extend(suppression::Reason::ALL.map(suppression::Reason::word));
        codes.extend(policy::Why::ALL.map(policy::Why::word));
        codes.extend(["unplanned", "unreadable"]);
        for code in codes {
            let key = format!("console.outbox.reason.{code}");
            let words = Language::ALL.map(|language| templates.texts().get(language, &key, &[]));
            assert!(words.iter().all(Option::is_some) && words[0] != words[1], "{code}: {words:?}");
        }
    }
}
