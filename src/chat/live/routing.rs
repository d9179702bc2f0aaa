//! Whom a conversation that waits is offered to: the contact's owner, then those who are there, each in turn; when all
//! were asked, everybody at once. How long the visitor waits in all, and what follows then, is her flow's business.
//!
//! An offer keeps nobody from accepting: whoever looks may be faster. It says for whom it rings.

use std::collections::HashMap;

use super::super::others::{Other, with_others};
use super::super::turn::{Cause, Step};
use super::super::{Conversation, Error, Room, advance, locked, store as conversations};
use super::{left, store};
use crate::accounts;
use crate::base::ids::{AccountId, ConversationId};
use crate::base::time::{SECOND_MS, Timestamp};
use crate::bookings::team::Group;
use crate::chat::body::{Author, Body, Mode};
use crate::chat::engine::Input;
use crate::chat::flows::TEAM;
use crate::contacts;
use crate::events::{self, Event};
use crate::storage::db::Tx;

/// How long one person is asked before the next.
pub const OFFER_MS: i64 = 20 * SECOND_MS;
/// How long a visitor waits for the answer of somebody who has left before the flow goes on.
pub const ANSWER_MS: i64 = 120 * SECOND_MS;
/// Conversations that are looked after in one go.
const AT_ONCE: i64 = 100;

/// Why somebody was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The contact is hers.
    Owner,
    /// It is her turn.
    Turn,
}

impl Rule {
    /// Its word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Turn => "turn",
        }
    }
}

/// How an offer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Accepted,
    Passed,
    Withdrawn,
}

impl Ending {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Passed => "passed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Somebody who is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colleague {
    pub account: AccountId,
    /// How many teams are asked before hers: 0 is the one that is wanted.
    pub after: usize,
    /// Whether she speaks the visitor's language.
    pub speaks: bool,
    pub last_offered_at: Option<Timestamp>,
}

/// Who is asked next: the owner if she is there and of the team; else, of the team before the one that stands in for it
/// and of those who speak the visitor's language if there are any, whoever was asked longest ago. Nobody is asked twice.
pub fn choose(
    owner: Option<AccountId>,
    there: &[Colleague],
    asked: &[AccountId],
) -> Option<(AccountId, Rule)> {
    let left = || there.iter().filter(|colleague| !asked.contains(&colleague.account));
    if let Some(owner) = left().find(|one| Some(one.account) == owner && one.after == 0) {
        return Some((owner.account, Rule::Owner));
    }
    let next = left().min_by_key(|one| (one.after, !one.speaks, one.last_offered_at, one.account));
    next.map(|colleague| (colleague.account, Rule::Turn))
}

/// A conversation begins to wait: asks the first.
pub(in crate::chat) async fn begin(
    room: &Room,
    tx: &mut Tx,
    conversation: &Conversation,
    now: Timestamp,
) -> Result<(), Error> {
    let round = conversation.state.as_ref().map_or(0, |state| i64::from(state.visit));
    store::end_offer(tx, conversation.id, Ending::Withdrawn, now).await?;
    ask_next(room, tx, conversation, round, now).await
}

/// It waits no more.
pub(in crate::chat) async fn withdraw(tx: &mut Tx, id: ConversationId, now: Timestamp) -> Result<(), Error> {
    Ok(store::end_offer(tx, id, Ending::Withdrawn, now).await?)
}

/// Somebody has accepted it.
pub(in crate::chat) async fn accepted(tx: &mut Tx, id: ConversationId, now: Timestamp) -> Result<(), Error> {
    Ok(store::end_offer(tx, id, Ending::Accepted, now).await?)
}

async fn ask_next(
    room: &Room,
    tx: &mut Tx,
    conversation: &Conversation,
    round: i64,
    now: Timestamp,
) -> Result<(), Error> {
    let owner = match conversation.contact {
        Some(contact) => contacts::find(tx, contact).await?.and_then(|contact| contact.owner),
        None => None,
    };
    let last: HashMap<AccountId, Timestamp> = store::last_offers(tx).await?.into_iter().collect();
    let team = conversation.state.as_ref().and_then(|state| state.team.as_deref()).unwrap_or(TEAM);
    let groups: Vec<&Group> = room.team.group_and_fallbacks(team).collect();
    let mut there = Vec::new();
    for id in room.there(now).await {
        let Some(account) = accounts::find(tx, id).await? else { continue };
        if !account.takes_chats() {
            continue;
        }
        let rep = room.team.rep_of_account(&account.email);
        // Whoever stands in no list of the team has said nothing about languages.
        let speaks = rep.is_none_or(|rep| rep.speaks(conversation.language));
        // A team that is declared nowhere is everybody.
        let after = match groups.iter().position(|group| group.has(&account.email, account.role)) {
            Some(after) => after,
            None if groups.is_empty() => 0,
            None => continue,
        };
        there.push(Colleague { account: id, after, speaks, last_offered_at: last.get(&id).copied() });
    }
    let asked = store::asked(tx, conversation.id, round).await?;
    let next = choose(owner, &there, &asked);
    if let Some((account, rule)) = next {
        store::insert_offer(tx, conversation.id, account, rule, round, now, now.plus_ms(OFFER_MS)).await?;
    }
    let event = Event::HandoffOffered {
        conversation: conversation.id,
        contact: conversation.contact,
        account: next.map(|(account, _)| account),
        by: None,
    };
    events::append(tx, &event, now).await?;
    Ok(())
}

/// Who is asked at the moment.
///
/// # Errors
/// As the store says.
pub async fn offered_to(
    q: &mut impl crate::storage::db::Queries,
    id: ConversationId,
) -> crate::storage::Result<Option<AccountId>> {
    Ok(store::open_offer(q, id).await?.map(|(account, _)| account))
}

/// Asks the next where somebody has let her time pass, and lets flows go on where a visitor talks to somebody who has
/// left. Returns how many conversations that concerned. A job does this every second.
///
/// # Errors
/// As the store says; conversations looked after before stay so.
pub async fn look_after(room: &Room, now: Timestamp) -> Result<usize, Error> {
    let mut count = 0;
    for id in store::due_offers(&mut room.stores.db.read(), now, AT_ONCE).await? {
        let mut tx = room.stores.db.begin().await?;
        let conversation = locked(&mut tx, id).await?;
        let Some((_, offer)) = store::open_offer(&mut tx, id).await?.filter(|(_, offer)| offer.until <= now)
        else {
            continue;
        };
        if conversation.mode == Mode::Waiting {
            store::end_offer(&mut tx, id, Ending::Passed, now).await?;
            ask_next(room, &mut tx, &conversation, offer.round, now).await?;
        } else {
            store::end_offer(&mut tx, id, Ending::Withdrawn, now).await?;
        }
        tx.commit().await?;
        room.tell_desk(&conversation, "offer").await;
        count += 1;
    }
    count += super::approach::give_up(room, now).await?;
    for id in store::unanswered(&mut room.stores.db.read(), now.plus_ms(-ANSWER_MS), AT_ONCE).await? {
        count += usize::from(with_others!(room, now, |others| go_on(room, id, others, now))?);
    }
    Ok(count)
}

/// Gives a conversation back to its flow if whoever has it is not there any more. What the visitor wrote since stands in
/// the inbox as a question that was left, so that somebody answers it.
async fn go_on(room: &Room, id: ConversationId, others: &[Other], now: Timestamp) -> Result<bool, Error> {
    let online = room.crowd(now).await;
    let mut tx = room.stores.db.begin().await?;
    let mut conversation = locked(&mut tx, id).await?;
    let Some(agent) = conversation.agent.as_ref().filter(|_| conversation.mode == Mode::Human) else {
        return Ok(false);
    };
    if room.is_with(id, agent.id, now).await {
        return Ok(false);
    }
    let words = unanswered(room, &mut tx, id).await?;
    let step = Step::Input(Input::AgentReturned);
    match advance(room, &mut tx, &mut conversation, step, Cause::default(), online, others, now).await {
        Ok(_) => {}
        // Its flow is gone: there is nothing that could go on.
        Err(Error::FlowUnknown) => return Ok(false),
        Err(error) => return Err(error),
    }
    if !words.is_empty() {
        left::leave(&mut tx, &conversation, &words, now).await?;
    }
    tx.commit().await?;
    room.tell(&conversation).await;
    Ok(true)
}

/// What the visitor has written since one of the company's people wrote last, line by line.
async fn unanswered(room: &Room, tx: &mut Tx, id: ConversationId) -> Result<String, Error> {
    let since = store::answered_up_to(tx, id).await?;
    let entries = conversations::entries(tx, id, since, &room.bot).await?;
    let words = entries.into_iter().filter(|entry| entry.author.kind == Author::Visitor);
    let words = words.filter_map(|entry| match entry.body {
        Body::Text { text, .. } | Body::Answer { text, .. } => Some(text),
        _ => None,
    });
    Ok(words.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colleague(account: AccountId, asked_at: Option<i64>) -> Colleague {
        Colleague { account, after: 0, speaks: true, last_offered_at: asked_at.map(Timestamp) }
    }

    #[test]
    fn the_owner_is_asked_first_if_she_is_there() {
        let [ana, ben, cleo] = [AccountId::new(), AccountId::new(), AccountId::new()];
        let there = [colleague(ana, None), colleague(ben, Some(9))];
        assert_eq!(choose(Some(ben), &there, &[]), Some((ben, Rule::Owner)));
        assert_eq!(choose(Some(ben), &there, &[ben]), Some((ana, Rule::Turn)), "she let it pass");
        assert_eq!(choose(Some(cleo), &there, &[]), Some((ana, Rule::Turn)), "she is not there");
    }

    #[test]
    fn the_others_are_asked_in_turn_and_nobody_twice() {
        let people: Vec<AccountId> = (0..3).map(|_| AccountId::new()).collect();
        let mut last: HashMap<AccountId, i64> = HashMap::new();
        let mut order = Vec::new();
        for turn in 0..6 {
            let there: Vec<Colleague> =
                people.iter().map(|account| colleague(*account, last.get(account).copied())).collect();
            let (account, _) = choose(None, &there, &[]).expect("somebody");
            last.insert(account, turn);
            order.push(account);
        }
        assert_eq!(order[..3], order[3..], "{order:?}");
        let there: Vec<Colleague> = people.iter().map(|account| colleague(*account, None)).collect();
        assert_eq!(choose(None, &there, &people), None);
        assert_eq!(choose(None, &[], &[]), None);
    }

    #[test]
    fn the_team_is_asked_before_the_one_that_stands_in_for_it() {
        let [cs, sales, owner] = [AccountId::new(), AccountId::new(), AccountId::new()];
        let stands_in = |account| Colleague { after: 1, ..colleague(account, None) };
        let there =
            [stands_in(sales), stands_in(owner), Colleague { speaks: false, ..colleague(cs, Some(9)) }];
        assert_eq!(choose(Some(owner), &there, &[]), Some((cs, Rule::Turn)), "the owner sells");
        assert_eq!(choose(None, &there, &[cs, owner]), Some((sales, Rule::Turn)));
    }

    #[test]
    fn whoever_speaks_the_visitors_language_goes_first() {
        let [ana, ben] = [AccountId::new(), AccountId::new()];
        let there = [Colleague { speaks: false, ..colleague(ana, None) }, colleague(ben, Some(5))];
        assert_eq!(choose(None, &there, &[]), Some((ben, Rule::Turn)));
        assert_eq!(choose(None, &there, &[ben]), Some((ana, Rule::Turn)), "better than nobody");
    }
}
