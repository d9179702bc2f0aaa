//! The switch that says who takes chats, and the pages that keep it alive: their script beats every 20 seconds, and every
//! page that is loaded counts too. What the switch is worth is worked out in `chat/live/presence.rs`.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::frame::{Reader, see};
use crate::http::error::Problem;

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
        reader.app.room.switch_on(reader.account.id, reader.now).await?;
    } else {
        reader.app.room.switch_off(reader.account.id, reader.now).await?;
    }
    Ok(see(&switch.back))
}

/// `POST /console/presence/beat`: a page with the switch on "online" is still open.
pub async fn beat(reader: Reader) -> Result<HttpResponse, Problem> {
    let availability = reader.app.room.beat(&reader.account, reader.now).await?;
    Ok(HttpResponse::Ok().json(json!({ "presence": availability.word() })))
}

/// The reader has logged out.
pub async fn forget(reader: &Reader) {
    // Presence ends by itself within a minute where the store cannot be told.
    let _ = reader.app.room.switch_off(reader.account.id, reader.now).await;
}
