//! What somebody was told.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::frame::{Reader, inside, see};
use crate::base::ids::NotificationId;
use crate::http::error::Problem;
use crate::notify;

/// Lines on the page.
const MOST: i64 = 100;

/// `GET /console/notifications`.
pub async fn show(reader: Reader) -> Result<HttpResponse, Problem> {
    let lines = notify::notifications(&mut reader.app.stores.db.read(), reader.account.id, MOST).await?;
    let lines: Vec<Json> = lines
        .into_iter()
        .map(|line| {
            let icon = match line.kind.split('_').next() {
                Some("booking") => "calendar",
                Some("handoff") => "chat",
                _ => "bell",
            };
            json!({
                "id": line.id, "icon": icon, "title": line.title, "body": line.body,
                "link": inside(&line.link), "at": line.at, "read_at": line.read_at,
            })
        })
        .collect();
    let devices = notify::push::devices(&mut reader.app.stores.db.read(), reader.account.id).await?;
    let push = json!({ "key": reader.app.desk.vapid.public(), "devices": devices });
    reader.page("console/notifications", json!({ "notifications": lines, "push": push })).await
}

/// Which line was read; none means all.
#[derive(Deserialize)]
pub struct Which {
    id: Option<NotificationId>,
}

/// `POST /console/notifications/read`.
pub async fn read(reader: Reader, which: web::Form<Which>) -> Result<HttpResponse, Problem> {
    let (db, account) = (&reader.app.stores.db, reader.account.id);
    match which.id {
        Some(line) => notify::mark_line_read(db, account, line, reader.now).await?,
        None => notify::mark_read(db, account, reader.now).await?,
    }
    Ok(see("/console/notifications"))
}
