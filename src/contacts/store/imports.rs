//! Lists of contacts on their way in.

use crate::base::ids::{AccountId, ContactId, ImportId};
use crate::base::time::Timestamp;
use crate::contacts::import::{Import, Line, List, Mapping, Reason, State, Target, Verdict};
use crate::storage::db::bulk::{Bulk, Column, Kind};
use crate::storage::db::{Queries, Row, Tx, Value};
use crate::storage::{Error, Result};
use crate::{params, sql};

const LINES: Bulk = Bulk {
    table: "contact_import_lines",
    columns: &[
        Column("import_id", Kind::Text),
        Column("line", Kind::Int),
        Column("email", Kind::Text),
        Column("cells", Kind::Text),
        Column("state", Kind::Text),
    ],
    key: "import_id, line",
};

fn import_of(row: &Row) -> Result<Import> {
    let state: String = row.get("state")?;
    let mapping: Vec<String> = row.json("mapping")?;
    Ok(Import {
        id: row.get("id")?,
        account: row.get("account_id")?,
        name: row.get("name")?,
        head: row.json("head")?,
        mapping: mapping.iter().map(|word| Target::of_word(word)).collect(),
        state: State::of_word(&state)
            .ok_or_else(|| Error::Shape { column: "state".to_owned(), wanted: "a state of an import" })?,
        total: row.get("total")?,
        made: row.get("made")?,
        changed: row.get("changed")?,
        same: row.get("same")?,
        refused: row.get("refused")?,
        created_at: row.get("created_at")?,
        done_at: row.get("done_at")?,
    })
}

/// One import.
///
/// # Errors
/// As the store says.
pub async fn find(q: &mut impl Queries, id: ImportId) -> Result<Option<Import>> {
    let row = q
        .query_opt(
            sql!(
                "select id, account_id, name, head, mapping, state, total, made, changed, same, refused,
                     created_at, done_at
                 from contact_imports where id = $1"
            ),
            params![id],
        )
        .await?;
    row.as_ref().map(import_of).transpose()
}

/// The latest imports, the last first.
///
/// # Errors
/// As the store says.
pub async fn latest(q: &mut impl Queries, most: i64) -> Result<Vec<Import>> {
    let rows = q
        .query(
            sql!(
                "select id, account_id, name, head, mapping, state, total, made, changed, same, refused,
                     created_at, done_at
                 from contact_imports order by created_at desc, id desc limit $1"
            ),
            params![most],
        )
        .await?;
    rows.iter().map(import_of).collect()
}

fn words_of(mapping: &Mapping) -> Value {
    let words: Vec<&str> = mapping.iter().map(|target| target.map_or("", Target::word)).collect();
    serde_json::json!(words).into()
}

pub(in crate::contacts) async fn insert(
    tx: &mut Tx,
    id: ImportId,
    account: AccountId,
    name: &str,
    list: &List,
    now: Timestamp,
) -> Result<()> {
    let total = i64::try_from(list.lines.len()).unwrap_or(i64::MAX);
    tx.execute(
        sql!(
            "insert into contact_imports (id, account_id, name, head, mapping, state, total, created_at)
             values ($1, $2, $3, $4, $5, 'draft', $6, $7)"
        ),
        params![id, account, name, serde_json::json!(list.head), words_of(&list.mapping), total, now],
    )
    .await?;
    let at = list.mapping.iter().position(|target| *target == Some(Target::Email));
    let rows: Vec<Vec<Value>> = list
        .lines
        .iter()
        .map(|(line, cells)| {
            let email = at.and_then(|at| cells.get(at)).map(|email| email.to_lowercase()).unwrap_or_default();
            let cells = serde_json::json!(cells);
            params![id.to_string(), *line, email, cells, "waiting"].to_vec()
        })
        .collect();
    tx.append(&LINES, rows, |row, binds| binds.extend(row.iter().cloned())).await?;
    Ok(())
}

/// Lets an import run; `at` is the place of the column of addresses.
pub(in crate::contacts) async fn begin(
    tx: &mut Tx,
    id: ImportId,
    mapping: &Mapping,
    at: usize,
) -> Result<()> {
    tx.execute(
        sql!("update contact_imports set state = 'running', mapping = $2 where id = $1"),
        params![id, words_of(mapping)],
    )
    .await?;
    let guessed = tx
        .query_opt(
            sql!("select email, cells from contact_import_lines where import_id = $1 order by line limit 1"),
            params![id],
        )
        .await?;
    let Some(first) = guessed else { return Ok(()) };
    let cells: Vec<String> = first.json("cells")?;
    if cells.get(at).map(|cell| cell.to_lowercase()) == Some(first.get("email")?) {
        return Ok(());
    }
    // Another column holds the addresses than was thought.
    let rows = tx
        .query(sql!("select line, cells from contact_import_lines where import_id = $1"), params![id])
        .await?;
    for row in &rows {
        let (line, cells): (i64, Vec<String>) = (row.get("line")?, row.json("cells")?);
        let email = cells.get(at).map(|cell| cell.to_lowercase()).unwrap_or_default();
        tx.execute(
            sql!("update contact_import_lines set email = $3 where import_id = $1 and line = $2"),
            params![id, line, email],
        )
        .await?;
    }
    Ok(())
}

/// The running import that waits longest.
pub(in crate::contacts) async fn open(q: &mut impl Queries) -> Result<Option<ImportId>> {
    let row = q
        .query_opt(
            sql!("select id from contact_imports where state = 'running' order by created_at, id limit 1"),
            params![],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}

fn line_of(row: &Row) -> Result<Line> {
    let reason: Option<String> = row.get("reason")?;
    Ok(Line {
        line: row.get("line")?,
        cells: row.json("cells")?,
        reason: reason.as_deref().and_then(Reason::of_word),
    })
}

/// The first lines of a list, in their order.
///
/// # Errors
/// As the store says.
pub async fn lines(q: &mut impl Queries, id: ImportId, most: i64) -> Result<Vec<Line>> {
    let rows = q
        .query(
            sql!(
                "select line, cells, reason from contact_import_lines
                 where import_id = $1 order by line limit $2"
            ),
            params![id, most],
        )
        .await?;
    rows.iter().map(line_of).collect()
}

/// The lines that were refused, in their order.
///
/// # Errors
/// As the store says.
pub async fn refused(q: &mut impl Queries, id: ImportId, most: i64) -> Result<Vec<Line>> {
    let rows = q
        .query(
            sql!(
                "select line, cells, reason from contact_import_lines
                 where import_id = $1 and state = 'refused' order by line limit $2"
            ),
            params![id, most],
        )
        .await?;
    rows.iter().map(line_of).collect()
}

pub(in crate::contacts) async fn waiting(q: &mut impl Queries, id: ImportId, most: i64) -> Result<Vec<Line>> {
    let rows = q
        .query(
            sql!(
                "select line, cells, reason from contact_import_lines
                 where import_id = $1 and state = 'waiting' order by line limit $2"
            ),
            params![id, most],
        )
        .await?;
    rows.iter().map(line_of).collect()
}

pub(in crate::contacts) async fn looked_at(
    tx: &mut Tx,
    id: ImportId,
    line: i64,
    verdict: Verdict,
) -> Result<()> {
    let (state, reason) = match verdict {
        Verdict::Refused(reason) => ("refused", Some(reason.word())),
        Verdict::New | Verdict::Changed | Verdict::Same => ("done", None),
    };
    tx.execute(
        sql!("update contact_import_lines set state = $3, reason = $4 where import_id = $1 and line = $2"),
        params![id, line, state, reason],
    )
    .await?;
    Ok(())
}

/// Adds to what was made, changed, known already and refused.
pub(in crate::contacts) async fn count(tx: &mut Tx, id: ImportId, more: [i64; 4]) -> Result<()> {
    let [made, changed, same, refused] = more;
    tx.execute(
        sql!(
            "update contact_imports
             set made = made + $2, changed = changed + $3, same = same + $4, refused = refused + $5
             where id = $1"
        ),
        params![id, made, changed, same, refused],
    )
    .await?;
    Ok(())
}

/// Ends an import; of its lines only those stay that were refused.
pub(in crate::contacts) async fn end(tx: &mut Tx, id: ImportId, state: State, now: Timestamp) -> Result<()> {
    tx.execute(
        sql!("update contact_imports set state = $2, done_at = $3 where id = $1"),
        params![id, state.word(), now],
    )
    .await?;
    tx.execute(
        sql!("delete from contact_import_lines where import_id = $1 and state <> 'refused'"),
        params![id],
    )
    .await?;
    Ok(())
}

/// Forgets lists from before a moment, but for those under way.
pub(in crate::contacts) async fn forget_before(tx: &mut Tx, before: Timestamp) -> Result<()> {
    tx.execute(
        sql!(
            "delete from contact_import_lines where import_id in (
                 select id from contact_imports where created_at < $1 and state <> 'running')"
        ),
        params![before],
    )
    .await?;
    tx.execute(
        sql!("delete from contact_imports where created_at < $1 and state <> 'running'"),
        params![before],
    )
    .await?;
    Ok(())
}

/// Whether the ledger has this very entry.
pub(in crate::contacts) async fn has_consent(
    q: &mut impl Queries,
    contact: ContactId,
    purpose: &str,
    page: &str,
    at: Timestamp,
) -> Result<bool> {
    let row = q
        .query_opt(
            sql!(
                "select id from consents
                 where contact_id in (select own_id from contact_ids where contact_id = $1)
                     and purpose = $2 and page = $3 and at = $4 limit 1"
            ),
            params![contact, purpose, page, at],
        )
        .await?;
    Ok(row.is_some())
}
