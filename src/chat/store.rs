//! Conversations, their logs, and what was offered to whom.

use super::body::{Author, Mode};
use super::engine::State;
use super::history::Entry as FlowText;
use super::log::{Byline, Entry, Head, Kept};
use super::{Agent, Conversation, Page};
use crate::base::ids::{ContactId, ConversationId, VisitorId};
use crate::base::time::Timestamp;
use crate::contacts::Trust;
use crate::storage::db::{Queries, Row, Tx};
use crate::storage::personal::Personal;
use crate::storage::{Error, Result};
use crate::{params, sql};

/// What these tables hold about people.
pub const PERSONAL: &[Personal] = &[
    Personal {
        table: "messages",
        export: None,
        erase: Some(sql!(
            "delete from messages where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))"
        )),
        because: "exported as transcripts",
    },
    Personal {
        table: "chat_arms",
        export: Some(sql!(
            "select a.flow, a.step, a.arm, a.at from chat_arms a join conversations c on c.id = a.conversation_id
             where c.contact_id in (select own_id from contact_ids where contact_id = $1)
                 or (c.contact_id is null and c.visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1)))
             order by a.at"
        )),
        erase: Some(sql!(
            "delete from chat_arms where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))"
        )),
        because: "",
    },
    Personal {
        table: "chat_actions",
        export: Some(sql!(
            "select a.action, a.at from chat_actions a join conversations c on c.id = a.conversation_id
             where c.contact_id in (select own_id from contact_ids where contact_id = $1)
                 or (c.contact_id is null and c.visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1)))
             order by a.at"
        )),
        erase: Some(sql!(
            "delete from chat_actions where conversation_id in
             (select id from conversations
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))))"
        )),
        because: "",
    },
    Personal {
        table: "flow_showings",
        export: Some(sql!(
            "select flow, at, dismissed from flow_showings
             where visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))"
        )),
        erase: Some(sql!(
            "delete from flow_showings where visitor_id in
             (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1))"
        )),
        because: "",
    },
    Personal {
        table: "conversations",
        export: Some(sql!(
            "select id, site, flow, language, time_zone, page, mode, outcome, opened_at, closed_at from conversations
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1)))
             order by opened_at"
        )),
        erase: Some(sql!(
            "delete from conversations
             where contact_id in (select own_id from contact_ids where contact_id = $1)
                 or (contact_id is null and visitor_id in (select id from visitors where contact_id in
                         (select own_id from contact_ids where contact_id = $1)))"
        )),
        because: "",
    },
];

/// Entries of one answer at most; whoever lacks more asks again.
pub const PAGE: i64 = 500;

pub(super) async fn insert(tx: &mut Tx, conversation: &Conversation) -> Result<()> {
    tx.execute(
        sql!(
            "insert into conversations (id, site, visitor_id, contact_id, flow, flow_version, language, time_zone,
                 page, mode, state, head, opened_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $12)"
        ),
        params![
            conversation.id,
            &conversation.site,
            conversation.visitor,
            conversation.contact,
            conversation.flow.clone(),
            conversation.state.as_ref().map(|state| state.version.clone()),
            conversation.language,
            &conversation.time_zone,
            as_json(&conversation.page)?,
            conversation.mode.word(),
            as_json(&conversation.state)?,
            conversation.opened_at,
        ],
    )
    .await?;
    Ok(())
}

/// Writes a conversation back. `old_head` is the fence: whoever has appended in the meantime makes this fail.
pub(super) async fn save(
    tx: &mut Tx,
    conversation: &Conversation,
    old_head: i64,
    now: Timestamp,
) -> Result<()> {
    let changed = tx
        .execute(
            sql!(
                "update conversations
                 set visitor_id = $3, contact_id = $4, flow_version = $5, mode = $6, state = $7, head = $8,
                     wake_at = $9, assigned_to = $10, outcome = $11, updated_at = $12, closed_at = $13,
                     team = $14, resume_key = $15
                 where id = $1 and head = $2"
            ),
            params![
                conversation.id,
                old_head,
                conversation.visitor,
                conversation.contact,
                conversation.state.as_ref().map(|state| state.version.clone()),
                conversation.mode.word(),
                as_json(&conversation.state)?,
                conversation.head,
                conversation.wake_at,
                conversation.agent.as_ref().map(|agent| agent.id),
                conversation.outcome.clone(),
                now,
                conversation.closed_at,
                conversation.state.as_ref().and_then(|state| state.team.clone()),
                conversation.resume_key.clone(),
            ],
        )
        .await?;
    match changed {
        1 => Ok(()),
        _ => Err(Error::Conflict("the conversation went on in the meantime".to_owned())),
    }
}

/// A conversation by its id.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: ConversationId) -> Result<Option<Conversation>> {
    q.query_opt(
        sql!(
            "select c.id, c.site, c.visitor_id, c.contact_id, c.flow, c.language, c.time_zone, c.page, c.mode, c.state,
                 c.head, c.visitor_read, c.agent_read, c.wake_at, c.assigned_to, a.name as agent_name, c.outcome,
                 c.opened_at, c.updated_at, c.closed_at, c.resume_key
             from conversations c left join accounts a on a.id = c.assigned_to
             where c.id = $1"
        ),
        params![id],
    )
    .await?
    .map(|row| conversation_of(&row))
    .transpose()
}

/// The conversation that a visitor has open on a site.
pub(super) async fn open_of(
    q: &mut impl Queries,
    visitor: VisitorId,
    site: &str,
) -> Result<Option<Conversation>> {
    q.query_opt(
        sql!(
            "select c.id, c.site, c.visitor_id, c.contact_id, c.flow, c.language, c.time_zone, c.page, c.mode, c.state,
                 c.head, c.visitor_read, c.agent_read, c.wake_at, c.assigned_to, a.name as agent_name, c.outcome,
                 c.opened_at, c.updated_at, c.closed_at, c.resume_key
             from conversations c left join accounts a on a.id = c.assigned_to
             where c.visitor_id = $1 and c.site = $2 and c.mode <> 'closed'
             order by c.opened_at desc limit 1"
        ),
        params![visitor, site],
    )
    .await?
    .map(|row| conversation_of(&row))
    .transpose()
}

/// The conversation that a contact has open on a site on another device of which it is as certain that it is hers; one that
/// has her words or a person in it before one that only opened.
pub(super) async fn open_elsewhere(
    q: &mut impl Queries,
    contact: ContactId,
    least: Trust,
    site: &str,
) -> Result<Option<Conversation>> {
    q.query_opt(
        sql!(
            "select c.id, c.site, c.visitor_id, c.contact_id, c.flow, c.language, c.time_zone, c.page, c.mode, c.state,
                 c.head, c.visitor_read, c.agent_read, c.wake_at, c.assigned_to, a.name as agent_name, c.outcome,
                 c.opened_at, c.updated_at, c.closed_at, c.resume_key
             from visitors v
             join conversations c on c.visitor_id = v.id
             left join accounts a on a.id = c.assigned_to
             where v.contact_id = $1 and v.trust >= $2 and c.site = $3 and c.mode <> 'closed'
             order by case when c.mode <> 'bot'
                     or exists (select 1 from messages m where m.conversation_id = c.id and m.author = 'visitor')
                 then 0 else 1 end, c.updated_at desc, c.id desc limit 1"
        ),
        params![contact, least.level(), site],
    )
    .await?
    .map(|row| conversation_of(&row))
    .transpose()
}

/// The conversations of a contact, the latest first.
///
/// # Errors
/// As the store says.
pub async fn of_contact(q: &mut impl Queries, contact: ContactId) -> Result<Vec<Conversation>> {
    q.query(
        sql!(
            "select c.id, c.site, c.visitor_id, c.contact_id, c.flow, c.language, c.time_zone, c.page, c.mode, c.state,
                 c.head, c.visitor_read, c.agent_read, c.wake_at, c.assigned_to, a.name as agent_name, c.outcome,
                 c.opened_at, c.updated_at, c.closed_at, c.resume_key
             from conversations c left join accounts a on a.id = c.assigned_to
             where c.contact_id in (select own_id from contact_ids where contact_id = $1)
             order by c.opened_at desc limit 50"
        ),
        params![contact],
    )
    .await?
    .iter()
    .map(conversation_of)
    .collect()
}

/// What an inbox shows: first those who wait, then those with a person, then the bot's, then what is closed; each
/// the latest first.
///
/// # Errors
/// As the store says.
pub async fn inbox(q: &mut impl Queries, most: i64) -> Result<Vec<Conversation>> {
    q.query(
        sql!(
            "select c.id, c.site, c.visitor_id, c.contact_id, c.flow, c.language, c.time_zone, c.page, c.mode, c.state,
                 c.head, c.visitor_read, c.agent_read, c.wake_at, c.assigned_to, a.name as agent_name, c.outcome,
                 c.opened_at, c.updated_at, c.closed_at, c.resume_key
             from conversations c left join accounts a on a.id = c.assigned_to
             order by case c.mode when 'waiting' then 0 when 'human' then 1 when 'bot' then 2 else 3 end,
                 c.updated_at desc
             limit $1"
        ),
        params![most],
    )
    .await?
    .iter()
    .map(conversation_of)
    .collect()
}

/// The conversations that asked to be woken by now.
pub(super) async fn due(q: &mut impl Queries, now: Timestamp, most: i64) -> Result<Vec<ConversationId>> {
    q.query(
        sql!("select id from conversations where wake_at is not null and wake_at <= $1 order by wake_at limit $2"),
        params![now, most],
    )
    .await?
    .iter()
    .map(|row| row.get("id"))
    .collect()
}

/// The open conversations that wait for a time and are woken at none, with that time.
pub(super) async fn unwoken(q: &mut impl Queries) -> Result<Vec<(ConversationId, Timestamp)>> {
    let rows = q
        .query(
            sql!(
                "select id, state from conversations
                 where mode in ('bot', 'waiting') and wake_at is null and state not like '%\"deadline\":null%'"
            ),
            params![],
        )
        .await?;
    let mut found = Vec::new();
    for row in &rows {
        let state: Option<State> = row.json("state")?;
        if let Some(at) = state.and_then(|state| state.deadline) {
            found.push((row.get("id")?, at));
        }
    }
    Ok(found)
}

/// Has a conversation woken that nobody would wake.
pub(super) async fn wake_at(tx: &mut Tx, id: ConversationId, at: Timestamp) -> Result<()> {
    let sql = sql!(
        "update conversations set wake_at = $2
         where id = $1 and wake_at is null and mode in ('bot', 'waiting')"
    );
    tx.execute(sql, params![id, at]).await?;
    Ok(())
}

pub(super) async fn append(
    tx: &mut Tx,
    conversation: ConversationId,
    entry: &Entry,
    said: Option<String>,
    author_id: Option<String>,
) -> Result<()> {
    let kept = Kept { body: entry.body.clone(), said };
    tx.execute(
        sql!(
            "insert into messages (conversation_id, seq, client_id, author, author_id, body, at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        ),
        params![
            conversation,
            entry.seq,
            entry.client_id.clone(),
            entry.author.kind.word(),
            author_id,
            as_json(&kept)?,
            entry.at,
        ],
    )
    .await?;
    Ok(())
}

/// Takes a conversation away with what was said in it.
pub(super) async fn forget(tx: &mut Tx, id: ConversationId) -> Result<()> {
    tx.execute(sql!("delete from messages where conversation_id = $1"), params![id]).await?;
    tx.execute(sql!("delete from conversations where id = $1"), params![id]).await?;
    Ok(())
}

/// The entries after `after`, in order, at most [`PAGE`].
///
/// # Errors
/// As the store says.
pub async fn entries(
    q: &mut impl Queries,
    conversation: ConversationId,
    after: i64,
    bot: &str,
) -> Result<Vec<Entry>> {
    q.query(
        sql!(
            "select m.seq, m.client_id, m.author, a.name as agent_name, m.body, m.at
             from messages m left join accounts a on a.id = m.author_id
             where m.conversation_id = $1 and m.seq > $2
             order by m.seq limit $3"
        ),
        params![conversation, after, PAGE],
    )
    .await?
    .iter()
    .map(|row| Ok(entry_of(row, bot)?.0))
    .collect()
}

/// How far the log goes, and up to where those whom `reader` talks to have read it.
pub(super) async fn head(
    q: &mut impl Queries,
    conversation: ConversationId,
    reader: Author,
) -> Result<Option<Head>> {
    let row = q
        .query_opt(
            sql!("select head, visitor_read, agent_read from conversations where id = $1"),
            params![conversation],
        )
        .await?;
    let read = match reader {
        Author::Agent => "visitor_read",
        Author::Visitor | Author::Bot | Author::System => "agent_read",
    };
    row.map(|row| Ok(Head { head: row.get("head")?, read: row.get(read)? })).transpose()
}

/// When an entry was appended.
pub(super) async fn time_of(
    q: &mut impl Queries,
    conversation: ConversationId,
    seq: i64,
) -> Result<Option<Timestamp>> {
    q.query_opt(
        sql!("select at from messages where conversation_id = $1 and seq = $2"),
        params![conversation, seq],
    )
    .await?
    .map(|row| row.get("at"))
    .transpose()
}

/// The entry that a client made under an id of its own, with the digest of what it sent.
pub(super) async fn by_client(
    q: &mut impl Queries,
    conversation: ConversationId,
    client_id: &str,
    bot: &str,
) -> Result<Option<(Entry, Option<String>)>> {
    q.query_opt(
        sql!(
            "select m.seq, m.client_id, m.author, a.name as agent_name, m.body, m.at
             from messages m left join accounts a on a.id = m.author_id
             where m.conversation_id = $1 and m.client_id = $2"
        ),
        params![conversation, client_id],
    )
    .await?
    .map(|row| entry_of(&row, bot))
    .transpose()
}

/// Whether the visitor has said anything yet.
pub(super) async fn has_spoken(q: &mut impl Queries, conversation: ConversationId) -> Result<bool> {
    let row = q
        .query_opt(
            sql!("select seq from messages where conversation_id = $1 and author = 'visitor' limit 1"),
            params![conversation],
        )
        .await?;
    Ok(row.is_some())
}

/// The digests of what the visitor said last, since a moment: so many at most, the latest first.
pub(super) async fn said_lately(
    q: &mut impl Queries,
    conversation: ConversationId,
    since: Timestamp,
    most: i64,
) -> Result<Vec<Option<String>>> {
    q.query(
        sql!(
            "select body from messages where conversation_id = $1 and author = 'visitor' and at > $2
             order by seq desc limit $3"
        ),
        params![conversation, since, most],
    )
    .await?
    .iter()
    .map(|row| Ok(row.json::<Kept>("body")?.said))
    .collect()
}

/// Notes up to where somebody has read; whether that is further than before.
pub(super) async fn set_read(
    tx: &mut Tx,
    conversation: ConversationId,
    author: Author,
    seq: i64,
) -> Result<bool> {
    let statement = match author {
        Author::Agent => {
            sql!("update conversations set agent_read = $2 where id = $1 and agent_read < $2 and $2 <= head")
        }
        Author::Visitor | Author::Bot | Author::System => sql!(
            "update conversations set visitor_read = $2 where id = $1 and visitor_read < $2 and $2 <= head"
        ),
    };
    Ok(tx.execute(statement, params![conversation, seq]).await? == 1)
}

/// Notes the arm of an A/B test that a conversation went through; the first one counts.
pub(super) async fn add_arm(
    tx: &mut Tx,
    conversation: ConversationId,
    flow: &str,
    step: &str,
    arm: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!(
            "insert into chat_arms (conversation_id, flow, step, arm, at) values ($1, $2, $3, $4, $5)
             on conflict (conversation_id, step) do nothing"
        ),
        params![conversation, flow, step, arm, now],
    )
    .await?;
    Ok(())
}

/// Whether the action of this key was done, and how it went.
pub(super) async fn action_done(q: &mut impl Queries, key: &str) -> Result<Option<bool>> {
    let row = q.query_opt(sql!("select done from chat_actions where key = $1"), params![key]).await?;
    row.map(|row| row.get::<i64>("done").map(|done| done == 1)).transpose()
}

/// Notes that an action was done, or could not be.
pub(super) async fn note_action(
    tx: &mut Tx,
    key: &str,
    conversation: ConversationId,
    action: &str,
    done: bool,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!("insert into chat_actions (key, conversation_id, action, done, at) values ($1, $2, $3, $4, $5)"),
        params![key, conversation, action, i64::from(done), now],
    )
    .await?;
    Ok(())
}

/// How often and when last a flow was shown to a visitor, and when she last sent it away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Showings {
    pub count: i64,
    pub last_at: Option<Timestamp>,
    pub dismissed_at: Option<Timestamp>,
}

pub(super) async fn showings(q: &mut impl Queries, visitor: VisitorId, flow: &str) -> Result<Showings> {
    let row = q
        .query_opt(
            sql!(
                "select count(*) as n, max(at) as last_at,
                     max(case when dismissed = 1 then at end) as dismissed_at
                 from flow_showings where visitor_id = $1 and flow = $2"
            ),
            params![visitor, flow],
        )
        .await?;
    let Some(row) = row else { return Ok(Showings::default()) };
    Ok(Showings {
        count: row.get("n")?,
        last_at: row.get("last_at")?,
        dismissed_at: row.get("dismissed_at")?,
    })
}

pub(super) async fn add_showing(tx: &mut Tx, visitor: VisitorId, flow: &str, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("insert into flow_showings (visitor_id, flow, at) values ($1, $2, $3)"),
        params![visitor, flow, now],
    )
    .await?;
    Ok(())
}

pub(super) async fn dismiss(tx: &mut Tx, visitor: VisitorId, flow: &str) -> Result<()> {
    tx.execute(
        sql!("update flow_showings set dismissed = 1 where visitor_id = $1 and flow = $2"),
        params![visitor, flow],
    )
    .await?;
    Ok(())
}

/// Notes versions of flows and the files they stand in.
pub(super) async fn note_flows(
    tx: &mut Tx,
    digest: &str,
    files: &[(String, String)],
    versions: &[(&str, &str)],
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        sql!("insert into flow_sets (digest, files) values ($1, $2) on conflict (digest) do nothing"),
        params![digest, as_json(&files)?],
    )
    .await?;
    for (flow, version) in versions {
        tx.execute(
            sql!(
                "insert into flow_versions (flow, version, digest, seen_at) values ($1, $2, $3, $4)
                 on conflict (flow, version) do update set digest = excluded.digest, seen_at = excluded.seen_at"
            ),
            params![*flow, *version, digest, now],
        )
        .await?;
    }
    Ok(())
}

/// Forgets versions that began to run before a time, unless a conversation is in them, and files that none needs.
pub(super) async fn forget_flows(tx: &mut Tx, before: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "delete from flow_versions where seen_at < $1 and not exists
             (select 1 from conversations
              where mode <> 'closed' and flow = flow_versions.flow and flow_version = flow_versions.version)"
        ),
        params![before],
    )
    .await?;
    tx.execute(
        sql!("delete from flow_sets where digest not in (select digest from flow_versions)"),
        params![],
    )
    .await?;
    Ok(())
}

/// The versions of a flow, and when each began to run last.
pub(super) async fn versions_seen(q: &mut impl Queries, flow: &str) -> Result<Vec<(String, Timestamp)>> {
    let rows =
        q.query(sql!("select version, seen_at from flow_versions where flow = $1"), params![flow]).await?;
    rows.iter().map(|row| Ok((row.get("version")?, row.get("seen_at")?))).collect()
}

/// The files of the set that a version of a flow stands in, as path and text.
pub(super) async fn flow_files(
    q: &mut impl Queries,
    flow: &str,
    version: &str,
) -> Result<Option<Vec<(String, String)>>> {
    let row = q
        .query_opt(
            sql!(
                "select s.files from flow_versions v join flow_sets s on s.digest = v.digest
                 where v.flow = $1 and v.version = $2"
            ),
            params![flow, version],
        )
        .await?;
    row.map(|row| row.json("files")).transpose()
}

/// The hash of the newest text of a flow's file.
pub(super) async fn newest_text(q: &mut impl Queries, flow: &str) -> Result<Option<String>> {
    let row = q
        .query_opt(
            sql!("select hash from flow_texts where flow = $1 order by at desc, id desc limit 1"),
            params![flow],
        )
        .await?;
    row.map(|row| row.get("hash")).transpose()
}

/// Keeps a text of a flow's file.
pub(super) async fn insert_text(tx: &mut Tx, entry: &FlowText, text: &str) -> Result<()> {
    tx.execute(
        sql!(
            "insert into flow_texts (id, flow, file, hash, text, account_id, restored, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)"
        ),
        params![
            entry.id.clone(),
            entry.flow.clone(),
            entry.file.clone(),
            entry.hash.clone(),
            text,
            entry.account,
            entry.restored.clone(),
            entry.at,
        ],
    )
    .await?;
    Ok(())
}

/// The kept texts of a flow's file without the texts themselves, the newest first.
pub(super) async fn texts(q: &mut impl Queries, flow: &str, most: i64) -> Result<Vec<FlowText>> {
    let rows = q
        .query(
            sql!(
                "select t.id, t.flow, t.file, t.hash, t.account_id, a.name, t.restored, t.at
                 from flow_texts t left join accounts a on a.id = t.account_id
                 where t.flow = $1 order by t.at desc, t.id desc limit $2"
            ),
            params![flow, most],
        )
        .await?;
    rows.iter().map(flow_text_of).collect()
}

/// The newest entry of every flow.
pub(super) async fn newest_texts(q: &mut impl Queries) -> Result<Vec<FlowText>> {
    let rows = q
        .query(
            sql!(
                "select t.id, t.flow, t.file, t.hash, t.account_id, a.name, t.restored, t.at
                 from flow_texts t left join accounts a on a.id = t.account_id
                 where not exists (select 1 from flow_texts n where n.flow = t.flow
                     and (n.at > t.at or n.at = t.at and n.id > t.id))"
            ),
            params![],
        )
        .await?;
    rows.iter().map(flow_text_of).collect()
}

/// One kept text with its entry.
pub(super) async fn text_of(q: &mut impl Queries, id: &str) -> Result<Option<(FlowText, String)>> {
    let row = q
        .query_opt(
            sql!(
                "select t.id, t.flow, t.file, t.hash, t.account_id, a.name, t.restored, t.at, t.text
                 from flow_texts t left join accounts a on a.id = t.account_id where t.id = $1"
            ),
            params![id],
        )
        .await?;
    row.map(|row| Ok((flow_text_of(&row)?, row.get("text")?))).transpose()
}

fn flow_text_of(row: &Row) -> Result<FlowText> {
    Ok(FlowText {
        id: row.get("id")?,
        flow: row.get("flow")?,
        file: row.get("file")?,
        hash: row.get("hash")?,
        account: row.get("account_id")?,
        name: row.get("name")?,
        restored: row.get("restored")?,
        at: row.get("at")?,
    })
}

/// Where the open conversations stand, each as its flow and its state; the latest first, so many at most.
pub async fn standing(q: &mut impl Queries, most: i64) -> Result<Vec<State>> {
    let rows = q
        .query(
            sql!(
                "select state from conversations where mode <> 'closed' and flow is not null
                 order by updated_at desc limit $1"
            ),
            params![most],
        )
        .await?;
    let states: Result<Vec<Option<State>>> = rows.iter().map(|row| row.json("state")).collect();
    // A conversation that has not begun yet stands nowhere.
    Ok(states?.into_iter().flatten().collect())
}

fn conversation_of(row: &Row) -> Result<Conversation> {
    let mode: String = row.get("mode")?;
    let agent = match (row.get("assigned_to")?, row.get::<Option<String>>("agent_name")?) {
        (Some(id), name) => Some(Agent { id, name: name.unwrap_or_default() }),
        (None, _) => None,
    };
    Ok(Conversation {
        id: row.get("id")?,
        site: row.get("site")?,
        visitor: row.get("visitor_id")?,
        contact: row.get("contact_id")?,
        flow: row.get("flow")?,
        language: row.get("language")?,
        time_zone: row.get("time_zone")?,
        page: row.json::<Page>("page")?,
        mode: Mode::of_word(&mode).ok_or(Error::Shape { column: "mode".to_owned(), wanted: "a mode" })?,
        state: row.json::<Option<State>>("state")?,
        head: row.get("head")?,
        visitor_read: row.get("visitor_read")?,
        agent_read: row.get("agent_read")?,
        wake_at: row.get("wake_at")?,
        agent,
        outcome: row.get("outcome")?,
        opened_at: row.get("opened_at")?,
        updated_at: row.get("updated_at")?,
        closed_at: row.get("closed_at")?,
        resume_key: row.get("resume_key")?,
    })
}

fn entry_of(row: &Row, bot: &str) -> Result<(Entry, Option<String>)> {
    let author: String = row.get("author")?;
    let kind =
        Author::of_word(&author).ok_or(Error::Shape { column: "author".to_owned(), wanted: "an author" })?;
    let name = match kind {
        Author::Bot => Some(bot.to_owned()),
        Author::Agent => row.get("agent_name")?,
        Author::Visitor | Author::System => None,
    };
    let kept: Kept = row.json("body")?;
    let entry = Entry {
        seq: row.get("seq")?,
        at: row.get("at")?,
        author: Byline { kind, name },
        client_id: row.get("client_id")?,
        body: kept.body,
    };
    Ok((entry, kept.said))
}

fn as_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Engine(error.to_string()))
}
