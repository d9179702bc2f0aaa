//! The console: pages for the people of the company. Every page works without JavaScript; console.js adds to it.
//!
//! [`DOORS`] is the one table of who may do what: a door that does not stand in it cannot be opened by anybody.
//! `guard.rs` asks it before any handler runs, and refuses what did not come from a page of the session.

mod addresses;
mod booking;
mod bookings;
mod calendars;
mod companies;
mod conflict;
mod contact;
mod contact_conflict;
mod contact_letters;
mod contact_team;
mod contacts;
mod content;
mod content_days;
mod content_item;
mod content_offer;
mod content_sequence;
mod context;
mod crm;
mod desk;
mod events;
pub mod first;
mod flows;
mod frame;
mod guard;
pub mod here;
mod inbox;
mod lifecycle;
mod line;
mod live;
mod login;
mod mails;
mod notifications;
mod outbox;
mod password;
mod people;
mod pipeline;
mod presence;
mod privacy;
mod push;
mod quarantine;
mod replies;
mod reports;
mod segments;
mod settings;
mod sign_on;
mod simulate;
mod start;
mod talk;
mod team;
mod team_hours;
mod today;
pub mod traffic;
mod upload;
mod week;
mod work;

pub use guard::OPEN;

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, web};

use super::error::Problem;
use crate::accounts::May;

/// One line of the table: a way in, and what a role must be allowed to do to take it.
pub struct Door {
    pub method: Method,
    pub path: &'static str,
    pub needs: May,
}

const fn get(path: &'static str, needs: May) -> Door {
    Door { method: Method::GET, path, needs }
}

const fn post(path: &'static str, needs: May) -> Door {
    Door { method: Method::POST, path, needs }
}

/// Who may do what. What is open to everybody stands in `guard.rs`.
pub const DOORS: &[Door] = &[
    get("/console", May::Look),
    get("/console/account", May::Look),
    post("/console/account/password", May::Look),
    get("/console/account/second-factor", May::Look),
    post("/console/account/second-factor", May::Look),
    post("/console/account/second-factor/codes", May::Look),
    post("/console/account/second-factor/confirm", May::Look),
    post("/console/account/second-factor/off", May::Look),
    post("/console/account/sessions/end", May::Look),
    post("/console/account/sessions/{session}/end", May::Look),
    get("/console/accounts", May::Admit),
    post("/console/accounts", May::Admit),
    post("/console/accounts/{account}/disable", May::Admit),
    post("/console/accounts/{account}/enable", May::Admit),
    post("/console/accounts/{account}/link", May::Admit),
    post("/console/accounts/{account}/role", May::Admit),
    post("/console/accounts/{account}/second-factor", May::Admit),
    get("/console/addresses", May::Operate),
    get("/console/audit", May::Privacy),
    get("/console/audit.csv", May::Privacy),
    get("/console/bookings", May::Look),
    get("/console/bookings/calendar", May::Look),
    get("/console/bookings/new", May::SetOutcome),
    post("/console/bookings/new", May::SetOutcome),
    get("/console/bookings/{booking}", May::Look),
    post("/console/bookings/{booking}/cancel", May::SetOutcome),
    post("/console/bookings/{booking}/move", May::SetOutcome),
    post("/console/bookings/{booking}/outcome", May::SetOutcome),
    post("/console/bookings/{booking}/outcome/undo", May::SetOutcome),
    post("/console/bookings/{booking}/reassign", May::SetOutcome),
    get("/console/calendars", May::SetOutcome),
    post("/console/calendars/{rep}/connect", May::SetOutcome),
    post("/console/calendars/{rep}/feed", May::SetOutcome),
    post("/console/calendars/{rep}/{calendar}/refresh", May::SetOutcome),
    post("/console/calendars/{rep}/{calendar}/remove", May::SetOutcome),
    get("/console/checks/{code}", May::Look),
    get("/console/companies", May::Look),
    get("/console/companies/{company}", May::Look),
    post("/console/companies/{company}/suggestion", May::Tend),
    get("/console/contacts", May::Look),
    post("/console/contacts/acts", May::Tend),
    get("/console/contacts/acts/{act}", May::Tend),
    post("/console/contacts/acts/{act}/undo", May::Tend),
    post("/console/contacts/columns", May::Look),
    post("/console/contacts/export", May::Privacy),
    get("/console/contacts/imports", May::Curate),
    post("/console/contacts/imports", May::Curate),
    get("/console/contacts/imports/{import}", May::Curate),
    post("/console/contacts/imports/{import}/begin", May::Curate),
    get("/console/contacts/imports/{import}/refused.csv", May::Curate),
    post("/console/contacts/imports/{import}/stop", May::Curate),
    post("/console/contacts/views", May::Look),
    post("/console/contacts/views/{view}/delete", May::Look),
    get("/console/contacts/{contact}", May::Look),
    post("/console/contacts/{contact}/address", May::Tend),
    post("/console/contacts/{contact}/answers", May::Decide),
    get("/console/contacts/{contact}/call", May::Decide),
    post("/console/contacts/{contact}/call", May::Decide),
    get("/console/contacts/{contact}/erase", May::Privacy),
    post("/console/contacts/{contact}/erase", May::Privacy),
    post("/console/contacts/{contact}/events", May::Decide),
    post("/console/contacts/{contact}/export", May::Privacy),
    post("/console/contacts/{contact}/handover", May::Decide),
    post("/console/contacts/{contact}/host-id", May::Tend),
    get("/console/contacts/{contact}/merge", May::Tend),
    post("/console/contacts/{contact}/merge", May::Tend),
    post("/console/contacts/{contact}/name", May::Chat),
    post("/console/contacts/{contact}/profiling", May::Tend),
    get("/console/contacts/{contact}/simulate", May::Look),
    post("/console/contacts/{contact}/stage", May::Decide),
    post("/console/contacts/{contact}/company-suggestion", May::Tend),
    post("/console/contacts/{contact}/suggestion", May::Tend),
    post("/console/contacts/{contact}/tasks", May::Decide),
    post("/console/contacts/{contact}/unmerge", May::Tend),
    post("/console/contacts/{contact}/subscription", May::Decide),
    get("/console/content", May::Look),
    get("/console/content/files/{file}", May::Look),
    post("/console/content/files/{file}/copy", May::Curate),
    get("/console/content/forms/{form}", May::Look),
    get("/console/content/forms/{form}/preview", May::Look),
    get("/console/content/offers/{offer}", May::Look),
    get("/console/content/sequences/{sequence}", May::Look),
    get("/console/content/webinars/{webinar}", May::Look),
    post("/console/content/webinars/{webinar}/{recording}/copy", May::Curate),
    get("/console/crm", May::ReadMails),
    post("/console/crm/{crm}/replay", May::Operate),
    post("/console/crm/{crm}/test", May::Operate),
    post("/console/deals/{deal}/milestone", May::Decide),
    get("/console/events", May::Look),
    get("/console/flows", May::Look),
    get("/console/flows/{flow}", May::Look),
    post("/console/flows/{flow}/check", May::Curate),
    get("/console/flows/{flow}/edit", May::Curate),
    get("/console/flows/{flow}/history", May::Look),
    get("/console/flows/{flow}/history/{entry}", May::Look),
    post("/console/flows/{flow}/history/{entry}/restore", May::Curate),
    post("/console/flows/{flow}/save", May::Curate),
    get("/console/flows/{flow}/try", May::Look),
    post("/console/flows/{flow}/try", May::Look),
    post("/console/handovers/{handover}/take", May::Decide),
    get("/console/health", May::Operate),
    get("/console/inbox", May::Look),
    get("/console/inbox/{conversation}", May::Look),
    post("/console/inbox/{conversation}/accept", May::Chat),
    post("/console/inbox/{conversation}/answered", May::Chat),
    post("/console/inbox/{conversation}/close", May::Chat),
    post("/console/inbox/{conversation}/hand-back", May::Chat),
    post("/console/inbox/{conversation}/identity", May::Chat),
    post("/console/inbox/{conversation}/link", May::Chat),
    post("/console/inbox/{conversation}/look", May::Chat),
    post("/console/inbox/{conversation}/note", May::Chat),
    post("/console/inbox/{conversation}/say", May::Chat),
    post("/console/inbox/{conversation}/times", May::Chat),
    post("/console/inbox/{conversation}/transcript", May::Chat),
    post("/console/inbox/{conversation}/transfer", May::Chat),
    post("/console/inbox/{conversation}/typing", May::Chat),
    get("/console/keys", May::Admit),
    post("/console/keys", May::Admit),
    post("/console/keys/{key}/revoke", May::Admit),
    post("/console/language", May::Look),
    get("/console/lifecycle", May::Look),
    post("/console/lifecycle/activate", May::Define),
    post("/console/lifecycle/approve", May::Define),
    get("/console/lifecycle/propose", May::Define),
    post("/console/lifecycle/propose", May::Define),
    post("/console/lifecycle/trials", May::Define),
    get("/console/lifecycle/trials/{trial}", May::Look),
    post("/console/lifecycle/trials/{trial}/stop", May::Define),
    get("/console/lifecycle/versions/{hash}", May::Look),
    get("/console/lifecycle/versions/{hash}/text", May::Look),
    post("/console/lifecycle/withdraw", May::Define),
    get(line::PATH, May::Look),
    get("/console/live", May::Look),
    get("/console/live/now", May::Look),
    get("/console/live/{visitor}", May::Look),
    post("/console/live/{visitor}/chat", May::Chat),
    post("/console/logout", May::Look),
    get("/console/mail", May::Operate),
    post("/console/mail/look", May::Operate),
    post("/console/mail/release", May::Operate),
    post("/console/mail/test", May::Operate),
    get("/console/mails", May::ReadMails),
    get("/console/mails/{name}", May::ReadMails),
    get("/console/mails/{name}/html", May::ReadMails),
    get("/console/notifications", May::Look),
    post("/console/notifications/read", May::Look),
    get("/console/outbox", May::ReadMails),
    get("/console/outbox/{mail}", May::ReadMails),
    get("/console/outbox/{mail}/html", May::ReadMails),
    post("/console/outbox/hooks/{hook}/enable", May::Operate),
    post("/console/outbox/hooks/{hook}/test", May::Operate),
    post("/console/outbox/jobs/{job}/release", May::Operate),
    post("/console/outbox/jobs/{job}/replay", May::Operate),
    post("/console/outbox/replay", May::Operate),
    get("/console/pipeline", May::Look),
    post("/console/push", May::Look),
    get("/console/push.js", May::Look),
    post("/console/push/leave", May::Look),
    post("/console/push/{device}/remove", May::Look),
    post("/console/push/{device}/test", May::Look),
    get("/console/quarantine", May::Curate),
    post("/console/quarantine/{submission}/delete", May::Curate),
    post("/console/quarantine/{submission}/release", May::Curate),
    get("/console/retention", May::Privacy),
    get("/console/settings", May::Look),
    get("/console/sites", May::Operate),
    post("/console/sites", May::Operate),
    post("/console/sites/{site}/remove", May::Operate),
    get("/console/start", May::Operate),
    post("/console/start/flow", May::Operate),
    post("/console/start/sample", May::Operate),
    post("/console/start/sample/remove", May::Operate),
    post("/console/start/steps/{step}", May::Operate),
    get("/console/replies", May::Look),
    post("/console/replies", May::Chat),
    post("/console/replies/{shortcut}/delete", May::Chat),
    get("/console/segments", May::Look),
    get("/console/segments/{segment}", May::Look),
    get("/console/reports", May::Look),
    get("/console/reports/{report}", May::Look),
    post("/console/webinars/{webinar}/cancel", May::Curate),
    post("/console/presence", May::Chat),
    post("/console/presence/beat", May::Chat),
    post("/console/tasks/{task}/done", May::Decide),
    get("/console/team", May::Look),
    post("/console/team/absences", May::SetOutcome),
    post("/console/team/absences/{absence}/remove", May::SetOutcome),
    post("/console/team/credits", May::Operate),
    get("/console/team/hours", May::SetOutcome),
    post("/console/team/hours", May::SetOutcome),
    get("/console/traffic", May::Look),
    get("/console/traffic/by/{dimension}", May::Look),
    get("/console/traffic/filtered", May::Look),
    get("/console/traffic/funnels", May::Look),
    post("/console/traffic/funnels", May::Curate),
    get("/console/traffic/funnels/build", May::Look),
    post("/console/traffic/funnels/{funnel}/delete", May::Curate),
    post("/console/traffic/goals", May::Curate),
    post("/console/traffic/goals/{goal}/delete", May::Curate),
    post("/console/traffic/letters", May::Look),
    get("/console/traffic/settings", May::Look),
    post("/console/traffic/shares", May::Curate),
    post("/console/traffic/shares/{share}/revoke", May::Curate),
    get("/console/work", May::Look),
];

/// Mounts the console.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(
        web::scope("/console")
            .wrap(from_fn(guard::guard))
            .route("", web::get().to(today::show))
            .route("/login", web::get().to(login::show))
            .route("/login/sso", web::get().to(sign_on::leave))
            .route("/login/sso/back", web::get().to(sign_on::back))
            .route("/setup", web::get().to(first::show))
            .route("/setup", web::post().to(first::make))
            .route("/login", web::post().to(login::enter))
            .route("/login/code", web::post().to(login::enter_by_code))
            .route("/forgot", web::get().to(password::ask))
            .route("/forgot", web::post().to(password::send))
            .route("/password", web::get().to(password::show))
            .route("/password", web::post().to(password::set))
            .route("/logout", web::post().to(login::leave))
            .route("/language", web::post().to(login::language))
            .route("/events", web::get().to(events::stream))
            .route("/checks/{code}", web::get().to(flows::code))
            .route("/flows", web::get().to(flows::list))
            .route("/flows/{flow}", web::get().to(flows::flow))
            .route("/flows/{flow}/check", web::post().to(flows::check))
            .route("/flows/{flow}/edit", web::get().to(flows::edit))
            .route("/flows/{flow}/history", web::get().to(flows::history))
            .route("/flows/{flow}/history/{entry}", web::get().to(flows::entry))
            .route("/flows/{flow}/history/{entry}/restore", web::post().to(flows::restore))
            .route("/flows/{flow}/save", web::post().to(flows::save))
            .route("/flows/{flow}/try", web::get().to(flows::try_it))
            .route("/flows/{flow}/try", web::post().to(flows::go_on))
            .route("/line", web::get().to(line::open))
            .route("/companies", web::get().to(companies::list))
            .route("/companies/{company}", web::get().to(companies::show))
            .route("/companies/{company}/suggestion", web::post().to(companies::judge))
            .route("/contacts", web::get().to(contacts::show))
            .route("/contacts/acts", web::post().to(contacts::acts::give))
            .route("/contacts/acts/{act}", web::get().to(contacts::acts::show))
            .route("/contacts/acts/{act}/undo", web::post().to(contacts::acts::undo))
            .route("/contacts/columns", web::post().to(contacts::columns))
            .route("/contacts/export", web::post().to(contacts::export))
            .route("/contacts/imports", web::get().to(contacts::imports::choose))
            .route("/contacts/imports", web::post().to(contacts::imports::bring))
            .route("/contacts/imports/{import}", web::get().to(contacts::imports::show))
            .route("/contacts/imports/{import}/begin", web::post().to(contacts::imports::begin))
            .route("/contacts/imports/{import}/refused.csv", web::get().to(contacts::imports::refused))
            .route("/contacts/imports/{import}/stop", web::post().to(contacts::imports::stop))
            .route("/contacts/views", web::post().to(contacts::save))
            .route("/contacts/views/{view}/delete", web::post().to(contacts::remove))
            .route("/contacts/{contact}", web::get().to(contact::show))
            .route("/contacts/{contact}/address", web::post().to(people::address))
            .route("/contacts/{contact}/answers", web::post().to(contact_team::learn))
            .route("/contacts/{contact}/call", web::get().to(contact_team::ask))
            .route("/contacts/{contact}/call", web::post().to(contact_team::say))
            .route("/contacts/{contact}/handover", web::post().to(contact_team::hand_over))
            .route("/contacts/{contact}/tasks", web::post().to(contact_team::give_task))
            .route("/deals/{deal}/milestone", web::post().to(contact_team::reach))
            .route("/handovers/{handover}/take", web::post().to(work::take))
            .route("/lifecycle", web::get().to(lifecycle::show))
            .route("/lifecycle/activate", web::post().to(lifecycle::activate))
            .route("/lifecycle/approve", web::post().to(lifecycle::approve))
            .route("/lifecycle/propose", web::get().to(lifecycle::compose))
            .route("/lifecycle/propose", web::post().to(lifecycle::propose))
            .route("/lifecycle/trials", web::post().to(lifecycle::ask))
            .route("/lifecycle/trials/{trial}", web::get().to(lifecycle::trial))
            .route("/lifecycle/trials/{trial}/stop", web::post().to(lifecycle::stop))
            .route("/lifecycle/versions/{hash}", web::get().to(lifecycle::version))
            .route("/lifecycle/versions/{hash}/text", web::get().to(lifecycle::text))
            .route("/lifecycle/withdraw", web::post().to(lifecycle::withdraw))
            .route("/tasks/{task}/done", web::post().to(work::done))
            .route("/team", web::get().to(team::show))
            .route("/team/absences", web::post().to(team::go_away))
            .route("/team/absences/{absence}/remove", web::post().to(team::come_back))
            .route("/team/credits", web::post().to(team::credit))
            .route("/team/hours", web::get().to(team_hours::show))
            .route("/team/hours", web::post().to(team_hours::write))
            .route("/work", web::get().to(work::show))
            .route("/contacts/{contact}/erase", web::get().to(privacy::ask))
            .route("/contacts/{contact}/erase", web::post().to(privacy::erase))
            .route("/contacts/{contact}/events", web::post().to(contact::note))
            .route("/contacts/{contact}/export", web::post().to(privacy::export))
            .route("/contacts/{contact}/host-id", web::post().to(people::host_id))
            .route("/contacts/{contact}/merge", web::get().to(people::preview))
            .route("/contacts/{contact}/merge", web::post().to(people::merge_into))
            .route("/contacts/{contact}/name", web::post().to(contact::name))
            .route("/contacts/{contact}/profiling", web::post().to(people::profiling))
            .route("/contacts/{contact}/simulate", web::get().to(simulate::show))
            .route("/contacts/{contact}/stage", web::post().to(contact::decide))
            .route("/contacts/{contact}/company-suggestion", web::post().to(people::company_suggestion))
            .route("/contacts/{contact}/suggestion", web::post().to(people::suggestion))
            .route("/contacts/{contact}/unmerge", web::post().to(people::unmerge))
            .route("/contacts/{contact}/subscription", web::post().to(contact_letters::change))
            .route("/pipeline", web::get().to(pipeline::show))
            .route("/addresses", web::get().to(addresses::show))
            .route("/audit", web::get().to(privacy::audit))
            .route("/audit.csv", web::get().to(privacy::audit_csv))
            .route("/account", web::get().to(settings::account::show))
            .route("/account/password", web::post().to(settings::account::password))
            .route("/account/second-factor", web::get().to(settings::account::second_factor))
            .route("/account/second-factor", web::post().to(settings::account::begin_factor))
            .route("/account/second-factor/codes", web::post().to(settings::account::renew_codes))
            .route("/account/second-factor/confirm", web::post().to(settings::account::confirm_factor))
            .route("/account/second-factor/off", web::post().to(settings::account::end_factor))
            .route("/account/sessions/end", web::post().to(settings::account::end_others))
            .route("/account/sessions/{session}/end", web::post().to(settings::account::end))
            .route("/accounts", web::get().to(settings::accounts::show))
            .route("/accounts", web::post().to(settings::accounts::invite))
            .route("/accounts/{account}/disable", web::post().to(settings::accounts::disable))
            .route("/accounts/{account}/enable", web::post().to(settings::accounts::enable))
            .route("/accounts/{account}/link", web::post().to(settings::accounts::link))
            .route("/accounts/{account}/role", web::post().to(settings::accounts::change_role))
            .route("/accounts/{account}/second-factor", web::post().to(settings::accounts::forget_factor))
            .route("/health", web::get().to(settings::health::show))
            .route("/keys", web::get().to(settings::keys::show))
            .route("/keys", web::post().to(settings::keys::make))
            .route("/keys/{key}/revoke", web::post().to(settings::keys::revoke))
            .route("/retention", web::get().to(settings::retention::show))
            .route("/settings", web::get().to(settings::show))
            .route("/sites", web::get().to(settings::sites::show))
            .route("/sites", web::post().to(settings::sites::add))
            .route("/sites/{site}/remove", web::post().to(settings::sites::remove))
            .route("/start", web::get().to(start::show))
            .route("/start/flow", web::post().to(start::flow))
            .route("/start/sample", web::post().to(start::load_sample))
            .route("/start/sample/remove", web::post().to(start::remove_sample))
            .route("/start/steps/{step}", web::post().to(start::choose))
            .route("/bookings", web::get().to(bookings::show))
            .route("/bookings/calendar", web::get().to(week::show))
            .route("/bookings/new", web::get().to(booking::ask))
            .route("/bookings/new", web::post().to(booking::make))
            // After the two, each of which would be taken for a call.
            .route("/bookings/{booking}", web::get().to(booking::show))
            .route("/bookings/{booking}/cancel", web::post().to(booking::cancel))
            .route("/bookings/{booking}/move", web::post().to(booking::reschedule))
            .route("/bookings/{booking}/reassign", web::post().to(booking::reassign))
            .route("/bookings/{booking}/outcome", web::post().to(bookings::outcome))
            .route("/bookings/{booking}/outcome/undo", web::post().to(bookings::undo))
            .route("/calendars", web::get().to(calendars::show))
            .route("/calendars/{rep}/connect", web::post().to(calendars::connect))
            .route("/calendars/{rep}/feed", web::post().to(calendars::feed))
            .route("/calendars/{rep}/{calendar}/refresh", web::post().to(calendars::refresh))
            .route("/calendars/{rep}/{calendar}/remove", web::post().to(calendars::remove))
            .route("/content", web::get().to(content::show))
            .route("/content/files/{file}", web::get().to(content_item::file))
            .route("/content/files/{file}/copy", web::post().to(upload::file))
            .route("/content/forms/{form}", web::get().to(content_item::form))
            .route("/content/forms/{form}/preview", web::get().to(content_item::preview))
            .route("/content/offers/{offer}", web::get().to(content_offer::show))
            .route("/content/sequences/{sequence}", web::get().to(content_sequence::show))
            .route("/content/webinars/{webinar}", web::get().to(content_item::webinar))
            .route("/content/webinars/{webinar}/{recording}/copy", web::post().to(upload::recording))
            .route("/crm", web::get().to(crm::show))
            .route("/crm/{crm}/replay", web::post().to(crm::replay))
            .route("/crm/{crm}/test", web::post().to(crm::test))
            .route("/live", web::get().to(live::show))
            .route("/live/now", web::get().to(here::show))
            .route("/live/{visitor}", web::get().to(live::visitor))
            .route("/live/{visitor}/chat", web::post().to(live::speak))
            .route("/inbox", web::get().to(inbox::list))
            .route("/inbox/{conversation}", web::get().to(inbox::show))
            .route("/inbox/{conversation}/accept", web::post().to(talk::accept))
            .route("/inbox/{conversation}/answered", web::post().to(desk::answered))
            .route("/inbox/{conversation}/close", web::post().to(talk::close))
            .route("/inbox/{conversation}/hand-back", web::post().to(talk::hand_back))
            .route("/inbox/{conversation}/identity", web::post().to(desk::identity))
            .route("/inbox/{conversation}/link", web::post().to(desk::withdraw_link))
            .route("/inbox/{conversation}/look", web::post().to(desk::look))
            .route("/inbox/{conversation}/note", web::post().to(desk::note))
            .route("/inbox/{conversation}/say", web::post().to(talk::say))
            .route("/inbox/{conversation}/times", web::post().to(talk::times))
            .route("/inbox/{conversation}/transcript", web::post().to(desk::transcript))
            .route("/inbox/{conversation}/transfer", web::post().to(desk::transfer))
            .route("/inbox/{conversation}/typing", web::post().to(talk::typing))
            .route("/mail", web::get().to(settings::mail::show))
            .route("/mail/look", web::post().to(settings::mail::look))
            .route("/mail/release", web::post().to(settings::mail::release))
            .route("/mail/test", web::post().to(settings::mail::test))
            .route("/mails", web::get().to(mails::list))
            .route("/mails/{name}", web::get().to(mails::show))
            .route("/mails/{name}/html", web::get().to(mails::html))
            .route("/notifications", web::get().to(notifications::show))
            .route("/notifications/read", web::post().to(notifications::read))
            .route("/outbox", web::get().to(outbox::list))
            // Before the mails, one of which it would be taken for.
            .route("/outbox/replay", web::post().to(outbox::replay_all))
            .route("/outbox/{mail}", web::get().to(outbox::show))
            .route("/outbox/{mail}/html", web::get().to(outbox::html))
            .route("/outbox/hooks/{hook}/enable", web::post().to(outbox::enable))
            .route("/outbox/hooks/{hook}/test", web::post().to(outbox::test))
            .route("/outbox/jobs/{job}/release", web::post().to(outbox::release))
            .route("/outbox/jobs/{job}/replay", web::post().to(outbox::replay))
            .route("/push", web::post().to(push::subscribe))
            .route("/push.js", web::get().to(push::worker))
            .route("/push/leave", web::post().to(push::leave))
            .route("/push/{device}/remove", web::post().to(push::remove))
            .route("/push/{device}/test", web::post().to(push::test))
            .route("/quarantine", web::get().to(quarantine::show))
            .route("/quarantine/{submission}/delete", web::post().to(quarantine::delete))
            .route("/quarantine/{submission}/release", web::post().to(quarantine::release))
            .route("/replies", web::get().to(replies::show))
            .route("/replies", web::post().to(replies::write))
            .route("/replies/{shortcut}/delete", web::post().to(replies::forget))
            .route("/segments", web::get().to(segments::list))
            .route("/segments/{segment}", web::get().to(segments::members))
            .route("/reports", web::get().to(reports::list))
            .route("/reports/{report}", web::get().to(reports::show))
            .route("/webinars/{webinar}/cancel", web::post().to(content::call_off))
            .route("/traffic", web::get().to(traffic::show))
            .route("/traffic/by/{dimension}", web::get().to(traffic::by))
            .route("/traffic/filtered", web::get().to(traffic::filtered))
            .route("/traffic/funnels", web::get().to(traffic::funnels))
            .route("/traffic/funnels", web::post().to(traffic::save_funnel))
            .route("/traffic/funnels/build", web::get().to(traffic::build))
            .route("/traffic/funnels/{funnel}/delete", web::post().to(traffic::remove_funnel))
            .route("/traffic/goals", web::post().to(traffic::add_goal))
            .route("/traffic/goals/{goal}/delete", web::post().to(traffic::remove_goal))
            .route("/traffic/letters", web::post().to(traffic::letters))
            .route("/traffic/settings", web::get().to(traffic::settings))
            .route("/traffic/shares", web::post().to(traffic::share))
            .route("/traffic/shares/{share}/revoke", web::post().to(traffic::end_share))
            .route("/presence", web::post().to(presence::set))
            .route("/presence/beat", web::post().to(presence::beat))
            .default_service(web::to(|| async { Err::<HttpResponse, Problem>(super::not_found()) })),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_door_stands_in_the_table_once() {
        let mut seen: Vec<(&str, &str)> =
            DOORS.iter().map(|door| (door.path, door.method.as_str())).collect();
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn whatever_changes_something_is_a_post() {
        let changing = [
            "outcome",
            "move",
            "reassign",
            "stage",
            "accept",
            "close",
            "hand-back",
            "identity",
            "link",
            "say",
            "answered",
            "look",
            "note",
            "transcript",
            "transfer",
            "times",
            "logout",
            "read",
            "delete",
            "release",
            "cancel",
            "take",
            "done",
            "handover",
            "activate",
            "approve",
            "connect",
            "feed",
            "refresh",
            "remove",
            "revoke",
            "disable",
            "enable",
            "link",
            "end",
            "confirm",
            "off",
            "codes",
            "stop",
            "trials",
            "withdraw",
            "undo",
            "chat",
            "copy",
        ];
        for door in DOORS.iter().filter(|door| door.method == Method::GET) {
            let last = door.path.rsplit('/').next().unwrap();
            assert!(!changing.contains(&last), "{} is a GET", door.path);
        }
    }
}
