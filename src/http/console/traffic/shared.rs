//! `GET /traffic/{token}`: a site's traffic for whoever has the link. Nothing leads from it into the console, nothing in it
//! is about a person, and no search engine keeps it.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::asked::Asked;
use super::board::{self, View};
use crate::http::Shared;
use crate::http::error::Problem;
use crate::http::pages::Frame;
use crate::sites::Site;
use crate::storage::limits::Quota;
use crate::traffic as kept;

/// How often the page of one link may be asked for.
const LOOKS: Quota = Quota { per_minute: 60, burst: 30 };

/// Mounts the page.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(web::resource("/traffic/{token}").route(web::get().to(show)));
}

async fn show(app: Shared, token: web::Path<String>, request: HttpRequest) -> HttpResponse {
    match page(&app, &token, &request).await {
        Ok(page) => page,
        Err(problem) => Frame::of(&app, &request, None).problem(&problem),
    }
}

async fn page(app: &Shared, token: &str, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let now = app.clock.now();
    let share = kept::open_share(&mut app.stores.db.read(), &app.keys, token, now).await?;
    app.stores.limits.check("traffic.shared", &share.id.to_string(), LOOKS, now).await?;
    let site: &Site = app.sites.find(&share.site)?;
    let asked = Asked::read(request.query_string(), site, false, now)?;
    let path = format!("/traffic/{token}");
    let language = Frame::of(app, request, None).language;
    let view = View { app, site, asked: &asked, language, now, path: &path, is_shared: true };
    let board = board::board(&view).await?;
    let frame = Frame::named(app, Some(&site.key), language, &site.time_zone);
    let fields = json!({ "now": now, "board": board, "expires_at": share.expires_at, "links": { "board": null, "funnels": null, "filtered": null, "settings": null }, "site_key": site.key });
    Ok(frame.page(StatusCode::OK, "pages/traffic", fields))
}
