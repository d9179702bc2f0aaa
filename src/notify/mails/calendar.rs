//! To a rep: her own calendar cannot be read, so that nobody can book her.

use serde_json::json;

use super::{Draft, Kind, Mail, Ready, context, site_context};
use crate::base::ids::CalendarId;
use crate::base::time::Timestamp;
use crate::bookings::calendars;
use crate::notify::compose::{Dress, compose};
use crate::notify::{Desk, Error, store};

pub(super) async fn stale(desk: &Desk, mail: &Mail, id: CalendarId, now: Timestamp) -> Result<Draft, Error> {
    let mut q = desk.stores.db.read();
    let calendar = calendars::find(&mut q, id).await?.filter(|calendar| !calendar.is_good(now));
    let Some(calendar) = calendar else { return Ok(Draft::CHANGED) };
    let Some(rep) = desk.team.rep(&calendar.rep) else { return Ok(Draft::CHANGED) };
    let language = match store::account_of(&mut q, &rep.account).await? {
        Some(account) => store::language_of(&mut q, account).await?,
        None => rep.languages.first().copied().unwrap_or_default(),
    };
    let tells = json!({
        "calendar": calendar.host,
        "read_at": calendar.fetched_at,
        "link": desk.link("/console/calendars"),
    });
    let zone = rep.zone.iana_name().unwrap_or("UTC");
    let context = context(zone, &site_context(&desk.company, &desk.public_url), now, tells);
    Ok(Draft::Ready(Box::new(Ready {
        is_hidden: false,
        unsubscribe: None,
        secret: None,
        template: mail.name().to_owned(),
        kind: Kind::Answer,
        language,
        to: rep.email.clone(),
        to_name: rep.name.clone(),
        from_name: desk.company.clone(),
        contact: None,
        written: compose(&desk.templates, &desk.wording, mail.name(), language, &context, &Dress::default())?,
        context,
        calendar: None,
    })))
}
