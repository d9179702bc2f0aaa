//! The doors. A handler extracts, makes one call into the domain, and renders.

pub mod api;
mod booking;
mod collect;
mod cors;
mod crm;
mod deals;
mod demo;
mod events;
mod gates;
mod identify;
mod letters;
mod lifecycle;
mod multipart;
mod notice;
mod offers;
mod openapi;
mod ops;
mod outbox;
mod people;
mod preferences;
mod profiling;
mod proxies;
mod reports;
mod segments;
mod subscriptions;
mod team;
mod together;
mod traffic;
mod webinars;

pub mod chat;
pub mod console;
pub mod error;
mod flows;
pub mod pages;
pub mod request;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, Service};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, HeaderName, HeaderValue};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App as ActixApp, HttpResponse, HttpServer, ResponseError, web};

use crate::app::App;
use error::Problem;

/// What every handler can ask for: the server, and which proxies are believed.
pub type Shared = web::Data<App>;

/// Headers that every answer carries unless a door says otherwise.
const HEADERS: &[(&str, &str)] =
    &[("x-content-type-options", "nosniff"), ("referrer-policy", "strict-origin-when-cross-origin")];

/// How many connections the system keeps that were made and not yet taken over. The standard library asks for 128: of a
/// crowd that comes at once the others are not heard, and try again after one, three and seven seconds, while the time for
/// their heads may run already. The system caps it (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;
/// How long a connection may rest before it is closed. Proxies take up resting connections again for up to a minute (nginx,
/// the load balancers of the clouds); whoever closes first must be they, or a request is lost on its way that nobody may
/// send twice (RFC 9112, section 9.3.1).
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Lets a crowd wait at `listener` until it is taken over.
///
/// # Errors
/// If it cannot listen.
pub fn make_room(listener: &TcpListener) -> std::io::Result<()> {
    socket2::SockRef::from(listener).listen(BACKLOG)
}

/// Serves all doors on `listener` until the server is told to stop.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve(app: Arc<App>, listener: TcpListener) -> std::io::Result<Server> {
    let workers = match app.config.server.workers {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get),
        workers => workers,
    };
    let proxies = request::Proxies::read(&app.config.server).map_err(|wrong| {
        let problem = format!("server: neither a network nor a header: {}", wrong.join(", "));
        std::io::Error::new(std::io::ErrorKind::InvalidInput, problem)
    })?;
    let is_demo = app.config.is_demo;
    let head_timeout = Duration::from_millis(app.config.server.head_timeout_ms);
    make_room(&listener)?;
    let hub = web::Data::new(chat::Hub::start(&app.stores.bus));
    let here = web::Data::new(console::here::Asked::default());
    let shared = web::Data::from(app);
    let proxies = web::Data::new(proxies);
    let server = HttpServer::new(move || {
        ActixApp::new()
            .app_data(shared.clone())
            .app_data(proxies.clone())
            .app_data(hub.clone())
            .app_data(here.clone())
            .app_data(body_limits(shared.config.collector.body_bytes))
            .app_data(web::FormConfig::default().limit(64 * 1024).error_handler(|error, _| malformed(error)))
            .app_data(web::JsonConfig::default().error_handler(|error, _| malformed(error)))
            .app_data(web::QueryConfig::default().error_handler(|error, _| malformed(error)))
            .app_data(web::PathConfig::default().error_handler(|_, _| not_found().into()))
            // Hits first and bare: what the other doors are wrapped in would cost more than taking them.
            .configure(|doors| collect::hits(doors, &shared.config.collector.paths))
            .service(
                web::scope("")
                    .wrap(from_fn(api::guard))
                    .wrap(Compress::default())
                    .wrap_fn(|request, service| {
                        let answer = service.call(request);
                        async move {
                            let mut answer = answer.await?;
                            if let Some(problem) = answer.response().error().and_then(unreadable) {
                                answer = answer.into_response(problem.error_response().map_into_right_body());
                            }
                            // Partial answers carry it, and Firefox then refuses to play a recording.
                            if answer.headers().get(CONTENT_ENCODING).is_some_and(|how| how == "identity") {
                                answer.headers_mut().remove(CONTENT_ENCODING);
                            }
                            for (name, value) in HEADERS {
                                let name = HeaderName::from_static(name);
                                if !answer.headers().contains_key(&name) {
                                    answer.headers_mut().insert(name, HeaderValue::from_static(value));
                                }
                            }
                            Ok(answer)
                        }
                    })
                    .configure(ops::routes)
                    .configure(|doors| collect::routes(doors, &shared.config.collector.tracker_paths))
                    .configure(booking::routes)
                    .configure(chat::routes)
                    .configure(pages::routes)
                    .configure(console::routes)
                    .configure(console::traffic::shared::routes)
                    .configure(gates::routes)
                    .configure(identify::routes)
                    .configure(profiling::routes)
                    .configure(notice::routes)
                    .configure(crm::routes)
                    .configure(deals::routes)
                    .configure(flows::routes)
                    .configure(events::routes)
                    .configure(offers::routes)
                    .configure(openapi::routes)
                    .configure(outbox::routes)
                    .configure(reports::routes)
                    .configure(segments::routes)
                    .configure(people::routes)
                    .configure(letters::routes)
                    .configure(subscriptions::routes)
                    .configure(preferences::routes)
                    .configure(lifecycle::routes)
                    .configure(team::routes)
                    .configure(traffic::routes)
                    .configure(webinars::routes)
                    .configure(if is_demo { demo::routes } else { nothing_else }),
            )
    })
    .workers(workers)
    .keep_alive(KEEP_ALIVE)
    // Whoever has not sent a whole head by then is dropped; bodies of hits have a time of their own.
    .client_request_timeout(head_timeout)
    .shutdown_timeout(5)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

fn body_limits(bytes: usize) -> web::PayloadConfig {
    web::PayloadConfig::new(bytes)
}

fn nothing_else(doors: &mut web::ServiceConfig) {
    doors.default_service(web::to(|| async { Err::<HttpResponse, Problem>(not_found()) }));
}

fn malformed(error: impl std::fmt::Display) -> actix_web::Error {
    Problem::unread("request.malformed", &error).into()
}

/// A body that was refused before a handler saw it, as the document that every other error is.
fn unreadable(error: &actix_web::Error) -> Option<Problem> {
    let error = error.as_error::<PayloadError>()?;
    let code = match error {
        PayloadError::Overflow => "request.too_large",
        _ => "request.malformed",
    };
    Some(match error {
        PayloadError::Overflow => Problem::new(code, "Send less in one request."),
        _ => Problem::unread(code, error),
    })
}

fn not_found() -> Problem {
    Problem::new("request.not_found", "Check the address.")
}
