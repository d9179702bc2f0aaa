//! To colleagues who want to hear by mail of what stands in the console: line by line, or gathered.

use serde_json::{Value as Json, json};

use super::team::{colleague, to};
use super::{Draft, Mail};
use crate::base::ids::AccountId;
use crate::base::time::Timestamp;
use crate::notify::channels::console::Notice;
use crate::notify::{Desk, Error, store};

/// Lines of one summary; of more the latest are told.
const LINES_MOST: usize = 200;

pub(super) async fn alert(
    desk: &Desk,
    mail: &Mail,
    account: AccountId,
    notice: &Notice,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some(colleague) = colleague(&mut desk.stores.db.read(), account).await? else {
        return Ok(Draft::CHANGED);
    };
    let (title, body) = notice.words(desk, colleague.language);
    let tells = json!({ "title": title, "body": body, "link": desk.link(&notice.link) });
    to(desk, mail, &colleague, tells, now)
}

pub(super) async fn digest(
    desk: &Desk,
    id: &str,
    mail: &Mail,
    account: AccountId,
    due_at: Timestamp,
    now: Timestamp,
) -> Result<Draft, Error> {
    let Some(colleague) = colleague(&mut desk.stores.db.read(), account).await? else {
        return Ok(Draft::CHANGED);
    };
    let gathered = store::gathered(&desk.stores.db, id, account, due_at).await?;
    if gathered.is_empty() {
        // Another mail of the same hour has told it, or whom it was about was erased.
        return Ok(Draft::CHANGED);
    }
    let surplus = gathered.len().saturating_sub(LINES_MOST);
    let lines = gathered.iter().skip(surplus).map(|(at, notice)| {
        let (title, body) = notice.words(desk, colleague.language);
        json!({ "at": at, "title": title, "body": body, "link": desk.link(&notice.link) })
    });
    let tells = json!({
        "lines": lines.collect::<Vec<Json>>(),
        "count": gathered.len(),
        "link": desk.link("/console/notifications"),
    });
    to(desk, mail, &colleague, tells, now)
}
