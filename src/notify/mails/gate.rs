//! The file somebody asked for.

use serde_json::json;

use super::{Draft, Kind, Mail, Reader, ready};
use crate::base::ids::{ContactId, VisitorId};
use crate::base::time::Timestamp;
use crate::gates;
use crate::notify::{Desk, Error, Why};

pub(super) async fn asset_link(
    desk: &Desk,
    mail: &Mail,
    contact: ContactId,
    asset: &str,
    visitor: Option<VisitorId>,
    now: Timestamp,
) -> Result<Draft, Error> {
    let (Some(reader), Some(asset)) = (Reader::of(desk, contact).await?, desk.catalog.asset(asset)) else {
        return Ok(Draft::CHANGED);
    };
    if !asset.suits(&reader.contact.stage) {
        return Ok(Draft::Unwanted(Why::UNSUITED));
    }
    let token = gates::mailed_link(&desk.keys, asset, contact, visitor, now);
    let tells = json!({
        "first_name": reader.contact.first_name,
        "asset": { "title": asset.title.get(reader.language()) },
        "link": desk.link(&format!("/d/{token}?lang={}", reader.language().code())),
        "expires_at": now.plus_ms(asset.valid_ms),
    });
    ready(desk, mail, &reader, Kind::Answer, now, tells, None)
}
