//! The roles, and the one table of what each may do.

use serde::Serialize;

/// What somebody does in the company.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Content, leads, mails.
    Marketing,
    /// First calls and chats.
    Sdr,
    /// Takes over what the first call found.
    Ae,
    /// Looks after customers.
    Cs,
    /// Looks only.
    Viewer,
}

/// Something that not every role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum May {
    /// See the console at all.
    Look,
    /// Answer visitors, and be counted as present for them.
    Chat,
    /// Say how a call went.
    SetOutcome,
    /// Take a decision about somebody's stage; which one is up to the decision's own role.
    Decide,
    /// Read the mails that were sent: they hold personal links.
    ReadMails,
    /// Say who is who: merge, take a value that waits, give a further address, note an objection.
    Tend,
    /// Export and erase people, and see who has looked at whom.
    Privacy,
    /// Let in or throw away what forms have set apart, call webinars off.
    Curate,
    /// Propose, approve and activate the definition that both sides share; whose approval counts, the definition says.
    Define,
    /// See how the server is set up.
    Operate,
    /// Let people and programs in, say what they may do, and see them out.
    Admit,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Self; 6] = [Self::Admin, Self::Marketing, Self::Sdr, Self::Ae, Self::Cs, Self::Viewer];

    /// The word in the database, in texts and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Marketing => "marketing",
            Self::Sdr => "sdr",
            Self::Ae => "ae",
            Self::Cs => "cs",
            Self::Viewer => "viewer",
        }
    }

    /// The role of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }

    /// Whether the role may do it.
    pub fn may(self, what: May) -> bool {
        match what {
            May::Look => true,
            May::Chat => matches!(self, Self::Admin | Self::Sdr | Self::Ae | Self::Cs),
            May::SetOutcome => matches!(self, Self::Admin | Self::Sdr | Self::Ae),
            May::Decide | May::Tend => self != Self::Viewer,
            May::Operate | May::Privacy | May::Admit => self == Self::Admin,
            May::Curate => matches!(self, Self::Admin | Self::Marketing),
            May::Define => matches!(self, Self::Admin | Self::Marketing | Self::Sdr | Self::Ae),
            May::ReadMails => matches!(self, Self::Admin | Self::Marketing | Self::Sdr),
        }
    }

    /// Whether the role may take decisions that the lifecycle leaves to `role`: an SDR does not accept for an AE.
    pub fn decides_as(self, role: &str) -> bool {
        self == Self::Admin || (self.may(May::Decide) && self.word() == role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ae_and_an_administrator_decide_for_the_ae() {
        let deciders: Vec<Role> = Role::ALL.into_iter().filter(|role| role.decides_as("ae")).collect();
        assert_eq!(deciders, [Role::Admin, Role::Ae]);
    }

    #[test]
    fn every_word_leads_back_to_its_role() {
        assert!(Role::ALL.into_iter().all(|role| Role::of_word(role.word()) == Some(role)));
        assert_eq!(Role::of_word("root"), None);
        assert_eq!(Role::ALL.map(Role::word), crate::config::ROLES);
    }
}
