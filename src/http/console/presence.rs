//! Who takes chats. The switch is kept for a working day; only while a page of the console is open (its script beats
//! every 20 seconds, and every page that is loaded counts too) is somebody really present for visitors.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::frame::{Reader, see};
use crate::base::time::HOUR_MS;
use crate::http::error::Problem;

/// The switch falls back to "away" after this long.
const WANTED_MS: i64 = 12 * HOUR_MS;

fn key(reader: &Reader) -> String {
    format!("presence:wanted:{}", reader.account.id)
}

/// Whether the reader has switched to "online"; if so, this very request marks them as present.
pub async fn is_wanted(reader: &Reader) -> bool {
    // Without the hot store nobody can be promised: better shown as away than wrongly as online.
    let wanted = matches!(reader.app.stores.hot.get(&key(reader), reader.now).await, Ok(Some(_)));
    wanted && reader.app.room.present(reader.account.id, reader.now).await.is_ok()
}

/// Where the switch goes.
#[derive(Deserialize)]
pub struct Switch {
    online: u8,
    #[serde(default)]
    back: String,
}

/// `POST /console/presence`.
pub async fn set(reader: Reader, switch: web::Form<Switch>) -> Result<HttpResponse, Problem> {
    if switch.online == 1 {
        reader.app.stores.hot.put(&key(&reader), "1", reader.now, WANTED_MS).await?;
        reader.app.room.present(reader.account.id, reader.now).await?;
    } else {
        reader.app.stores.hot.remove(&key(&reader)).await?;
        reader.app.room.away(reader.account.id).await?;
    }
    Ok(see(&switch.back))
}

/// `POST /console/presence/beat`: a page with the switch on "online" is still open.
pub async fn beat(reader: Reader) -> Result<HttpResponse, Problem> {
    // The page says it is online: a restart of the hot store must not send people away behind their backs.
    reader.app.stores.hot.put(&key(&reader), "1", reader.now, WANTED_MS).await?;
    reader.app.room.present(reader.account.id, reader.now).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The reader has logged out.
pub async fn forget(reader: &Reader) {
    // Presence ends by itself within a minute where the store cannot be told.
    let _ = reader.app.stores.hot.remove(&key(reader)).await;
    let _ = reader.app.room.away(reader.account.id).await;
}
