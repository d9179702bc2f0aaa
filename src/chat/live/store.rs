//! Who was asked, notes, ratings, and questions that were left.

use super::approach::Approach;
use super::notes::{Note, Writing};
use super::rating::Rating;
use super::routing::{Ending, Rule};
use super::written::{Draft, Written};
use crate::base::ids::{AccountId, ConversationId, VisitorId, new_key};
use crate::base::localized::Localized;
use crate::base::time::Timestamp;
use crate::contacts::Trust;
use crate::storage::Result;
use crate::storage::db::{Queries, Tx};
use crate::storage::personal::Personal;
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "approaches",
        export: Some(sql!(
            "select conversation_id, site, at, reached_at from approaches
             where visitor_id in (select id from visitors where contact_id in
                     (select own_id from contact_ids where contact_id = $1))
             order by at"
        )),
        erase: Some(sql!(
            "delete from approaches
             where visitor_id in (select id from visitors where contact_id in
                     (select own_id from contact_ids where contact_id = $1))"
        )),
        because: "",
    },
    Personal {
        table: "chat_offers",
        export: None,
        erase: Some(sql!(
            "delete from chat_offers where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))"
        )),
        because: "whom of the company's people a conversation was offered to",
    },
    Personal {
        table: "chat_notes",
        export: Some(sql!(
            "select conversation_id, body, at from chat_notes where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))
             order by at"
        )),
        erase: Some(sql!(
            "delete from chat_notes where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))"
        )),
        because: "",
    },
    Personal {
        table: "chat_ratings",
        export: Some(sql!(
            "select conversation_id, score, comment, at from chat_ratings where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))
             order by at"
        )),
        erase: Some(sql!(
            "delete from chat_ratings where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))"
        )),
        because: "",
    },
    Personal {
        table: "chat_left",
        export: Some(sql!(
            "select conversation_id, question, left_at, answered_at from chat_left where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))
             order by left_at"
        )),
        erase: Some(sql!(
            "delete from chat_left where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))"
        )),
        because: "",
    },
];

/// An offer that stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub round: i64,
    pub until: Timestamp,
}

#[allow(clippy::too_many_arguments, reason = "an offer consists of these")]
pub(super) async fn insert_offer(
    tx: &mut Tx,
    id: ConversationId,
    account: AccountId,
    rule: Rule,
    round: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into chat_offers (id, conversation_id, account_id, rule, round, offered_at, until)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![new_key(), id, account, rule.word(), round, now, until],
    )
    .await?;
    Ok(())
}

pub(super) async fn end_offer(tx: &mut Tx, id: ConversationId, ending: Ending, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update chat_offers set ended_at = $2, ending = $3 where conversation_id = $1 and ended_at is null"),
        params![id, now, ending.word()],
    )
    .await?;
    Ok(())
}

pub(super) async fn open_offer(
    q: &mut impl Queries,
    id: ConversationId,
) -> Result<Option<(AccountId, Offer)>> {
    q.query_opt(
        sql!(
            "select account_id, round, until from chat_offers
             where conversation_id = $1 and ended_at is null"
        ),
        params![id],
    )
    .await?
    .map(|row| Ok((row.get("account_id")?, Offer { round: row.get("round")?, until: row.get("until")? })))
    .transpose()
}

/// The conversations whose offer has run out by now.
pub(super) async fn due_offers(
    q: &mut impl Queries,
    now: Timestamp,
    most: i64,
) -> Result<Vec<ConversationId>> {
    q.query(
        sql!(
            "select conversation_id from chat_offers
             where ended_at is null and until <= $1 order by until limit $2"
        ),
        params![now, most],
    )
    .await?
    .iter()
    .map(|row| row.get("conversation_id"))
    .collect()
}

/// Who was asked in this round.
pub(super) async fn asked(q: &mut impl Queries, id: ConversationId, round: i64) -> Result<Vec<AccountId>> {
    q.query(
        sql!("select account_id from chat_offers where conversation_id = $1 and round = $2"),
        params![id, round],
    )
    .await?
    .iter()
    .map(|row| row.get("account_id"))
    .collect()
}

/// When each of the company's people was asked last.
pub(super) async fn last_offers(q: &mut impl Queries) -> Result<Vec<(AccountId, Timestamp)>> {
    q.query(sql!("select account_id, max(offered_at) as at from chat_offers group by account_id"), params![])
        .await?
        .iter()
        .map(|row| Ok((row.get("account_id")?, row.get("at")?)))
        .collect()
}

/// Conversations with a person in which the visitor has had no answer since before `before`.
pub(super) async fn unanswered(
    q: &mut impl Queries,
    before: Timestamp,
    most: i64,
) -> Result<Vec<ConversationId>> {
    q.query(
        sql!(
            "select v.id from conversations v
             where v.mode = 'human'
                 and exists (select 1 from messages m
                     where m.conversation_id = v.id and m.author = 'visitor' and m.at <= $1
                         and not exists (select 1 from messages r
                             where r.conversation_id = v.id and r.author = 'agent' and r.seq > m.seq))
                 and not exists (select 1 from messages r
                     where r.conversation_id = v.id and r.author in ('agent', 'system') and r.at > $1)
             order by v.updated_at limit $2"
        ),
        params![before, most],
    )
    .await?
    .iter()
    .map(|row| row.get("id"))
    .collect()
}

/// Up to where the visitor was answered: the number of the last word of one of the company's people; 0 without any.
pub(super) async fn answered_up_to(q: &mut impl Queries, id: ConversationId) -> Result<i64> {
    let row = q
        .query_opt(
            sql!("select max(seq) as seq from messages where conversation_id = $1 and author = 'agent'"),
            params![id],
        )
        .await?;
    Ok(row.map(|row| row.get::<Option<i64>>("seq")).transpose()?.flatten().unwrap_or(0))
}

pub(super) async fn insert_note(
    tx: &mut Tx,
    id: ConversationId,
    after_seq: i64,
    writing: &Writing<'_>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into chat_notes (id, conversation_id, after_seq, account_id, to_account_id, client_id, body, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (conversation_id, client_id) do nothing"
        ),
        params![new_key(), id, after_seq, writing.account, writing.to, writing.client_id, writing.text, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn notes(q: &mut impl Queries, id: ConversationId) -> Result<Vec<Note>> {
    q.query(
        sql!(
            "select n.id, n.after_seq, a.name, t.name as to_name, n.body, n.at
             from chat_notes n
             join accounts a on a.id = n.account_id
             left join accounts t on t.id = n.to_account_id
             where n.conversation_id = $1 order by n.at, n.id"
        ),
        params![id],
    )
    .await?
    .iter()
    .map(|row| {
        Ok(Note {
            id: row.get("id")?,
            after_seq: row.get("after_seq")?,
            name: row.get("name")?,
            to: row.get("to_name")?,
            text: row.get("body")?,
            at: row.get("at")?,
        })
    })
    .collect()
}

/// Whether a person of the company has said anything.
pub(super) async fn has_talked(q: &mut impl Queries, id: ConversationId) -> Result<bool> {
    let row = q
        .query_opt(
            sql!("select seq from messages where conversation_id = $1 and author = 'agent' limit 1"),
            params![id],
        )
        .await?;
    Ok(row.is_some())
}

/// Whether the visitor or a person of the company has said anything.
pub(super) async fn has_words(q: &mut impl Queries, id: ConversationId) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select seq from messages where conversation_id = $1 and author in ('visitor', 'agent')
                 limit 1"
            ),
            params![id],
        )
        .await?;
    Ok(row.is_some())
}

pub(super) async fn insert_rating(
    tx: &mut Tx,
    id: ConversationId,
    account: Option<AccountId>,
    score: i64,
    comment: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into chat_ratings (conversation_id, account_id, score, comment, at)
             values ($1, $2, $3, $4, $5)"
        ),
        params![id, account, score, comment.map(str::to_owned), now],
    )
    .await?;
    Ok(())
}

pub(super) async fn rating(q: &mut impl Queries, id: ConversationId) -> Result<Option<Rating>> {
    q.query_opt(sql!("select score, comment from chat_ratings where conversation_id = $1"), params![id])
        .await?
        .map(|row| Ok(Rating { score: row.get("score")?, comment: row.get("comment")? }))
        .transpose()
}

pub(super) async fn leave(tx: &mut Tx, id: ConversationId, question: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into chat_left (conversation_id, question, left_at) values ($1, $2, $3)
             on conflict (conversation_id) do update
                 set question = excluded.question, left_at = excluded.left_at,
                     answered_at = null, answered_by = null"
        ),
        params![id, question, now],
    )
    .await?;
    Ok(())
}

/// Whether a question was open.
pub(super) async fn answer_left(
    tx: &mut Tx,
    id: ConversationId,
    account: AccountId,
    now: Timestamp,
) -> Result<bool> {
    let changed = tx
        .execute(
            sql!(
                "update chat_left set answered_at = $2, answered_by = $3
                 where conversation_id = $1 and answered_at is null"
            ),
            params![id, now, account],
        )
        .await?;
    Ok(changed == 1)
}

/// The replies that were written in the console, by shortcut.
pub(super) async fn replies(q: &mut impl Queries) -> Result<Vec<Written>> {
    let rows = q
        .query(
            sql!(
                "select r.shortcut, r.title_en, r.title_es, r.text_en, r.text_es, r.changed_at, a.name as changed_by
                 from chat_replies r join accounts a on a.id = r.changed_by
                 order by r.shortcut"
            ),
            params![],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let words = |en: &str, es: &str| -> Result<Localized> {
                Ok(Localized::new(row.get::<String>(en)?, row.get::<String>(es)?))
            };
            let draft = Draft {
                shortcut: row.get("shortcut")?,
                title: words("title_en", "title_es")?,
                text: words("text_en", "text_es")?,
            };
            Ok(Written { draft, changed_at: row.get("changed_at")?, changed_by: row.get("changed_by")? })
        })
        .collect()
}

pub(super) async fn insert_reply(
    tx: &mut Tx,
    draft: &Draft,
    account: AccountId,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into chat_replies (shortcut, title_en, title_es, text_en, text_es, changed_at, changed_by)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![
            draft.shortcut.as_str(),
            draft.title.en.as_str(),
            draft.title.es.as_str(),
            draft.text.en.as_str(),
            draft.text.es.as_str(),
            now,
            account
        ],
    )
    .await?;
    Ok(())
}

pub(super) async fn delete_reply(tx: &mut Tx, shortcut: &str) -> Result<()> {
    tx.execute(sql!("delete from chat_replies where shortcut = $1"), params![shortcut]).await?;
    Ok(())
}

/// Somebody of the company has spoken first.
pub(super) async fn insert_approach(tx: &mut Tx, approach: &Approach, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "insert into approaches (conversation_id, visitor_id, site, account_id, at)
             values ($1, $2, $3, $4, $5) on conflict (conversation_id) do nothing"
        ),
        params![approach.conversation, approach.visitor, &approach.site, approach.account, now],
    )
    .await?;
    Ok(())
}

/// The other devices on a site of whoever holds this one, where it is certain of both that they are hers.
pub(super) async fn devices_beside(
    q: &mut impl Queries,
    visitor: VisitorId,
    site: &str,
    most: i64,
) -> Result<Vec<VisitorId>> {
    q.query(
        sql!(
            "select o.id
             from visitors v
             join visitors o on o.contact_id = v.contact_id
             where v.id = $1 and o.id <> v.id and o.site = $2 and v.trust >= $3 and o.trust >= $3
             order by o.last_seen_at desc limit $4"
        ),
        params![visitor, site, Trust::Confirmed.level(), most],
    )
    .await?
    .iter()
    .map(|row| row.get("id"))
    .collect()
}

/// Whether a visitor was spoken to since a moment.
pub(super) async fn was_approached(
    q: &mut impl Queries,
    visitor: VisitorId,
    since: Timestamp,
) -> Result<bool> {
    let row = q
        .query_opt(
            sql!("select 1 as known from approaches where visitor_id = $1 and at > $2 limit 1"),
            params![visitor, since],
        )
        .await?;
    Ok(row.is_some())
}

/// Whether she has sent the chat away since a moment: whatever flow it was.
pub(super) async fn was_sent_away(
    q: &mut impl Queries,
    visitor: VisitorId,
    since: Timestamp,
) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select 1 as known from conversations
                 where visitor_id = $1 and outcome = 'declined' and closed_at > $2 limit 1"
            ),
            params![visitor, since],
        )
        .await?;
    Ok(row.is_some())
}

pub(super) async fn is_approach_waiting(q: &mut impl Queries, id: ConversationId) -> Result<bool> {
    let row = q
        .query_opt(
            sql!("select 1 as known from approaches where conversation_id = $1 and reached_at is null"),
            params![id],
        )
        .await?;
    Ok(row.is_some())
}

/// Notes that her page has taken it; whether that is news.
pub(super) async fn reach(tx: &mut Tx, id: ConversationId, now: Timestamp) -> Result<bool> {
    let changed = tx
        .execute(
            sql!("update approaches set reached_at = $2 where conversation_id = $1 and reached_at is null"),
            params![id, now],
        )
        .await?;
    Ok(changed > 0)
}

/// The zone that the visitor's page has told.
pub(super) async fn place(tx: &mut Tx, id: ConversationId, time_zone: &str) -> Result<()> {
    tx.execute(sql!("update conversations set time_zone = $2 where id = $1"), params![id, time_zone]).await?;
    Ok(())
}

/// Those that no page has taken since before a moment, the oldest first.
pub(super) async fn unreached(
    q: &mut impl Queries,
    before: Timestamp,
    most: i64,
) -> Result<Vec<ConversationId>> {
    q.query(
        sql!(
            "select a.conversation_id from approaches a join conversations c on c.id = a.conversation_id
             where a.reached_at is null and a.at <= $1 and c.mode = 'human'
             order by a.at limit $2"
        ),
        params![before, most],
    )
    .await?
    .iter()
    .map(|row| row.get("conversation_id"))
    .collect()
}
