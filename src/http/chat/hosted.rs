//! `/chat`: the chat on a page of its own, for links in mails and codes on paper, and the link by which a conversation goes
//! on on another device.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value as Json, json};

use crate::chat::{self, resume};
use crate::http::error::Problem;
use crate::http::pages::Frame;
use crate::http::{Shared, not_found};

/// `GET /chat`: whoever answers when the chat is opened.
pub(super) async fn page(app: Shared, request: HttpRequest) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    room(&app, &frame, json!({}))
}

/// `GET /chat/{flow}`: with a flow of choice, if it is one for her.
pub(super) async fn of_flow(app: Shared, request: HttpRequest, flow: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match app.room.flows.now().find(&flow).filter(|flow| flow.trigger.is_some()) {
        Some(flow) => room(&app, &frame, json!({ "flow": flow.id })),
        None => frame.problem(&not_found()),
    }
}

/// `GET /chat/go/{token}`: asks whether to go on. Programs that open the links of mails change nothing by it.
pub(super) async fn ask(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    let now = app.clock.now();
    match resume::find(&mut app.stores.db.read(), &app.room, &token, now).await {
        Ok(_) => {
            let action = format!("/chat/go/{token}?lang={}", frame.language.code());
            frame.page(StatusCode::OK, "pages/chat_resume", json!({ "over": false, "action": action }))
        }
        Err(error) => refused(&frame, error),
    }
}

/// `POST /chat/go/{token}`: the conversation, on this device.
pub(super) async fn go_on(app: Shared, request: HttpRequest, token: web::Path<String>) -> HttpResponse {
    let frame = Frame::of(&app, &request, None);
    match resume::go_on(&app.room, &token, app.clock.now()).await {
        Ok(opened) => {
            let conversation = &opened.conversation;
            let frame = Frame::named(
                &app,
                Some(conversation.site.as_str()),
                conversation.language,
                &conversation.time_zone,
            );
            let kept = json!({
                "conversation": conversation.id, "token": opened.token, "open": true,
                "language": conversation.language, "elsewhere": true,
            });
            room(&app, &frame, json!({ "kept": kept.to_string() }))
        }
        Err(error) => refused(&frame, error),
    }
}

fn refused(frame: &Frame<'_>, error: chat::Error) -> HttpResponse {
    match error {
        chat::Error::Closed => {
            frame.page(StatusCode::GONE, "pages/chat_resume", json!({ "over": true, "action": null }))
        }
        error => frame.problem(&Problem::from(error)),
    }
}

fn room(app: &Shared, frame: &Frame<'_>, more: Json) -> HttpResponse {
    let Some(site) = frame.site else { return frame.problem(&not_found()) };
    // Whoever has no JavaScript cannot chat; a call can be booked without it.
    let call = app.team.meetings.first();
    let call =
        call.map(|meeting| format!("/book/{}?site={}&lang={}", meeting.id, site.key, frame.language.code()));
    let mut fields = json!({ "key": site.key, "flow": null, "kept": null, "call": call });
    if let (Json::Object(fields), Json::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    frame.page(StatusCode::OK, "pages/chat", fields)
}
