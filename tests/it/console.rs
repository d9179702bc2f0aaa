//! The console: who gets in, who may do what, and what its pages show.

use embudo::accounts::{self, NewAccount, Role};
use embudo::base::ids::{BookingId, ContactId, ConversationId, VisitorId};
use embudo::base::language::Language;
use embudo::base::time::{Clock, DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use embudo::bookings::{self, Desk, Holder, Pick};
use embudo::chat::{self, Page, Visit};
use embudo::contacts::{self, Consent, Identification, Trust};
use embudo::http::console::DOORS;
use serde_json::json;

use crate::support::answer::{Answer, Client};
use crate::support::app::{TestApp, repository, set};

pub const PASSWORD: &str = "a lighthouse at night";

/// Somebody who is logged in.
pub struct Agent {
    pub client: Client,
    pub csrf: String,
}

impl Agent {
    pub async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await
    }

    /// The page, its text without tags, and it was there.
    pub async fn sees(&self, path: &str) -> String {
        self.get(path).await.expect(200).body
    }

    /// Sends a form of one of the console's pages.
    pub async fn submits(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut fields = fields.to_vec();
        fields.push(("csrf", &self.csrf));
        self.client.with("sec-fetch-site", "same-origin").submit(path, &fields).await
    }
}

pub async fn app() -> TestApp {
    // Argon2 takes its time on one worker; the tests have patience, the limits are tested on their own.
    TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        for name in ["segments", "offers"] {
            let path = repository(&format!("config/{name}.yaml"));
            set(settings, "definitions", name, path.display().to_string());
        }
    })
    .await
}

pub async fn hire(app: &TestApp, email: &str, role: Role, language: Language) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let name = email.split('@').next().expect("a name");
    let new = NewAccount { email, name, role, language, password: PASSWORD };
    accounts::add(&mut tx, &new, app.now()).await.expect("added");
    tx.commit().await.expect("commits");
}

pub fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().expect("a cookie").to_owned()
}

pub async fn log_in(app: &TestApp, email: &str) -> Agent {
    let fields = [("email", email), ("password", PASSWORD), ("next", "/console")];
    let answer = app.client.submit("/console/login", &fields).await.expect(303);
    let client = app.client.with("cookie", &cookie_of(&answer));
    let page = client.get("/console").await.expect(200).body;
    let csrf = page.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
    Agent { client, csrf: csrf.expect("every page has the token").to_owned() }
}

/// Hires somebody for a role and lets them in.
pub async fn agent(app: &TestApp, role: Role) -> Agent {
    let email = format!("{}@faro.example", role.word());
    hire(app, &email, role, Language::En).await;
    log_in(app, &email).await
}

pub async fn known(app: &TestApp, email: &str, name: &str) -> (ContactId, VisitorId) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let who = Identification {
        email: &embudo::base::email::Email::parse(email).expect("an address"),
        visitor: Some(VisitorId::new()),
        site: "faro",
        trust: Trust::Claimed,
        consent: Consent::Analytics,
        language: Language::Es,
        time_zone: Some("America/Mexico_City"),
    };
    let found = contacts::identify(&mut tx, &who, app.now()).await.expect("identified");
    let (first, last) = name.split_once(' ').expect("two names");
    for (field, value) in [("first_name", first), ("last_name", last)] {
        contacts::set_field(&mut tx, found.contact.id, field, value, "test", Trust::Claimed, app.now())
            .await
            .expect("set");
    }
    embudo::stages::evaluate(&mut tx, &app.app.lifecycle, found.contact.id, app.now()).await.expect("moved");
    tx.commit().await.expect("commits");
    (found.contact.id, found.visitor)
}

/// Books the first free discovery call for somebody.
pub async fn book(app: &TestApp, contact: ContactId) -> (BookingId, Timestamp) {
    let (team, now) = (&app.app.team, app.now());
    let meeting = team.meeting("discovery").expect("config/team.yaml has it");
    let window = bookings::slots::Span::new(now, now.plus_ms(7 * DAY_MS));
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let holder = Holder { visitor: Some(VisitorId::new()), conversation: None };
    let free = bookings::slots(&mut tx, team, meeting, window, &holder, None, now).await.expect("slots");
    let starts_at = free.first().expect("somebody is free").starts_at;
    let pick = Pick {
        meeting: "discovery",
        starts_at,
        duration_ms: None,
        time_zone: "America/Mexico_City",
        language: Language::Es,
        holder,
        contact: Some(contact),
    };
    let desk = Desk { team, lifecycle: &app.app.lifecycle };
    let booking =
        bookings::book(&mut tx, desk, &pick, contact, &bookings::Said::default(), now).await.expect("booked");
    tx.commit().await.expect("commits");
    (booking.id, starts_at)
}

pub async fn stage_of(app: &TestApp, contact: ContactId) -> String {
    contacts::find(&mut app.app.stores.db.read(), contact).await.expect("read").expect("known").stage
}

async fn chat_of(app: &TestApp, visitor: VisitorId) -> ConversationId {
    let visit = Visit {
        site: "faro".to_owned(),
        visitor: Some(visitor),
        consent: Consent::Analytics,
        page: Page { url: "https://faro.example/precios".to_owned(), ..Page::default() },
        language: Language::Es,
        zone: "America/Mexico_City".to_owned(),
        is_hosted: false,
    };
    chat::open(&app.app.room, &visit, Some("welcome"), app.now()).await.expect("opened").conversation.id
}

// ---- getting in -----------------------------------------------------------------------------------

#[tokio::test]
async fn whoever_is_not_logged_in_is_led_to_the_login_and_back() {
    let app = app().await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::Es).await;
    let answer = app.get("/console/contacts?q=nikki").await.expect(303);
    assert_eq!(answer.header("location"), "/console/login?next=%2Fconsole%2Fcontacts%3Fq%3Dnikki");
    let login = app.get(answer.header("location")).await.expect(200);
    assert!(login.body.contains("value=\"/console/contacts?q&#x3D;nikki\""), "{}", login.body);

    let wrong = [("email", "mike@faro.example"), ("password", "another lighthouse"), ("next", "/console")];
    let refused = app.client.submit("/console/login", &wrong).await.expect(401);
    assert!(refused.body.contains("do not go together") && refused.body.contains("mike@faro.example"));
    assert_eq!(refused.header("set-cookie"), "");

    let right =
        [("email", "mike@faro.example"), ("password", PASSWORD), ("next", "/console/contacts?q=nikki")];
    let entered = app.client.submit("/console/login", &right).await.expect(303);
    assert_eq!(entered.header("location"), "/console/contacts?q=nikki");
    let cookie = entered.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let client = app.client.with("cookie", &cookie_of(&entered));
    assert!(client.get("/console").await.expect(200).body.contains("lang=\"es\""), "the account's language");
}

#[tokio::test]
async fn a_login_leads_nowhere_but_into_the_console() {
    let app = app().await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    for next in ["https://eve.example/console", "//eve.example", "/console\\@eve.example", "/b/token"] {
        let fields = [("email", "mike@faro.example"), ("password", PASSWORD), ("next", next)];
        let entered = app.client.submit("/console/login", &fields).await.expect(303);
        assert_eq!(entered.header("location"), "/console", "{next}");
    }
}

#[tokio::test]
async fn too_many_wrong_passwords_have_to_wait() {
    let app = app().await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    let wrong = [("email", "mike@faro.example"), ("password", "another lighthouse"), ("next", "")];
    for _ in 0..8 {
        app.client.submit("/console/login", &wrong).await.expect(401);
    }
    let right = [("email", "mike@faro.example"), ("password", PASSWORD), ("next", "")];
    assert!(app.client.submit("/console/login", &right).await.expect(429).body.contains("wait a minute"));
    app.clock.advance(MINUTE_MS);
    app.client.submit("/console/login", &right).await.expect(303);
}

#[tokio::test]
async fn logging_out_ends_the_session_everywhere_the_cookie_went() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let answer = mike.submits("/console/logout", &[]).await.expect(303);
    assert_eq!(answer.header("location"), "/console/login");
    assert_eq!(mike.get("/console").await.expect(303).header("location"), "/console/login?problem=expired");
    mike.get("/console/events").await.expect(401);
}

#[tokio::test]
async fn a_session_ends_after_eight_idle_hours() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    app.clock.advance(8 * HOUR_MS);
    mike.get("/console").await.expect(200);
    app.clock.advance(8 * HOUR_MS + 1);
    mike.get("/console").await.expect(303);
}

#[tokio::test]
async fn the_command_line_lets_somebody_in_and_out() {
    // The command looks at the machine's clock, so the server does, too.
    let app = TestApp::start_at(Clock::system(), |settings| set(settings, "server", "workers", 2)).await;
    let run = |arguments: &[&str]| {
        let config = app.folder().join("embudo.toml");
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_embudo"))
            .args(["--config", &config.display().to_string(), "user"])
            .args(arguments)
            .output()
            .expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a text");
        (done.status.success(), text(done.stdout), text(done.stderr))
    };
    let (_, nobody, _) = run(&["list"]);
    assert!(nobody.contains("embudo user add"), "says what to do: {nobody}");
    let (is_done, told, _) = run(&["add", "Ana@faro.example", "--name", "Ana Ruiz", "--role", "ae"]);
    let password =
        told.lines().find_map(|line| line.strip_prefix("password: ")).expect("a password").to_owned();
    assert!(is_done);
    let fields = [("email", "ana@faro.example"), ("password", password.as_str()), ("next", "")];
    app.client.submit("/console/login", &fields).await.expect(303);
    let (is_done, _, wrong) = run(&["add", "ana@faro.example"]);
    assert!(!is_done && wrong.contains("there is an account with the address ana@faro.example already"));
    let (is_done, _, wrong) = run(&["add", "bea@faro.example", "--role", "boss"]);
    assert!(!is_done && wrong.contains("choose one of admin, marketing, sdr, ae, cs, viewer"), "{wrong}");
    assert!(run(&["list"]).1.contains("ana@faro.example\tae\tAna Ruiz\tactive"));
    let (is_done, link, _) = run(&["link", "ana@faro.example"]);
    let path = link.trim().strip_prefix(&app.url).expect("a link of this server");
    assert!(is_done && app.get(path).await.expect(200).body.contains("ana@faro.example"));
    assert!(!run(&["link", "nobody@faro.example"]).0);
    assert!(run(&["disable", "ana@faro.example"]).0);
    assert!(!run(&["link", "ana@faro.example"]).0);
    app.client.submit("/console/login", &fields).await.expect(401);
    let noted = app.rows("select actor, details from audit where action = 'changed' order by at, id").await;
    let noted: Vec<String> = noted
        .iter()
        .map(|row| {
            let text = |name: &str| row.get::<String>(name).expect("a text");
            let details: serde_json::Value = serde_json::from_str(&text("details")).expect("a document");
            format!(
                "{} {} {}",
                text("actor"),
                details["what"].as_str().unwrap_or_default(),
                details["of"].as_str().unwrap_or_default()
            )
        })
        .collect();
    let ana = |what: &str| format!("cli {what} ana@faro.example");
    assert_eq!(noted, [ana("invited"), ana("link"), ana("disabled")], "what a command did is in the audit");
}

// ---- what may be done -----------------------------------------------------------------------------

#[tokio::test]
async fn every_door_opens_for_the_roles_of_the_table_and_for_no_other() {
    let app = app().await;
    for role in Role::ALL {
        let agent = agent(&app, role).await;
        // Logging out last: it ends the session.
        let (last, others): (Vec<_>, Vec<_>) = DOORS.iter().partition(|door| door.path.ends_with("/logout"));
        for door in others.into_iter().chain(last).filter(|door| door.path != "/console/events") {
            let nobody = ContactId::new().to_string();
            let path: Vec<&str> = door
                .path
                .split('/')
                .map(|part| if part.starts_with('{') { nobody.as_str() } else { part })
                .collect();
            let path = path.join("/");
            let answer = match door.method.as_str() {
                "GET" => agent.get(&path).await,
                _ => agent.submits(&path, &[("online", "0"), ("outcome", "held"), ("role", "x")]).await,
            };
            let is_open = role.may(door.needs);
            let is_refused = answer.status == 403 && answer.body.contains("Not for your role");
            let decides_nothing = door.path.ends_with("/stage");
            assert!(answer.status < 500, "{} {}: {}", door.method, door.path, answer.status);
            if !decides_nothing {
                let who = role.word();
                assert_eq!(is_refused, !is_open, "{who} {} {}: {}", door.method, door.path, answer.status);
            }
        }
    }
}

#[tokio::test]
async fn a_form_that_does_not_come_from_our_own_page_changes_nothing() {
    let app = app().await;
    let yuri = agent(&app, Role::Ae).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    book(&app, nikki).await;
    let path = format!("/console/contacts/{nikki}/stage");
    let accept = [("role", "ae"), ("what", "accept")];
    let with_token = [("role", "ae"), ("what", "accept"), ("csrf", yuri.csrf.as_str())];
    let before = app.census().await;
    yuri.client.submit(&path, &accept).await.expect(403);
    yuri.client.submit(&path, &[("role", "ae"), ("what", "accept"), ("csrf", "guessed")]).await.expect(403);
    for site in ["cross-site", "same-site", "none"] {
        yuri.client.with("sec-fetch-site", site).submit(&path, &with_token).await.expect(403);
    }
    yuri.client.with("origin", "https://eve.example").submit(&path, &with_token).await.expect(403);
    yuri.client.with("origin", "null").submit(&path, &with_token).await.expect(403);
    assert_eq!(app.census().await, before);
    assert_eq!(stage_of(&app, nikki).await, "sql");
    // The very same form from our own page is taken.
    yuri.client.with("origin", &app.url).submit(&path, &with_token).await.expect(303);
    assert_eq!(stage_of(&app, nikki).await, "sal");
    // A login that another site makes somebody send is refused as well.
    let eve = app.client.with("sec-fetch-site", "cross-site");
    eve.submit("/console/login", &[("email", "ae@faro.example"), ("password", PASSWORD)]).await.expect(403);
}

#[tokio::test]
async fn looking_changes_nothing() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let (nikki, visitor) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    book(&app, nikki).await;
    let chat = chat_of(&app, visitor).await;
    let before = app.census().await;
    let stage = stage_of(&app, nikki).await;
    for path in [
        "/console".to_owned(),
        "/console/contacts?q=nikki&stage=sql".to_owned(),
        format!("/console/contacts/{nikki}"),
        "/console/pipeline".to_owned(),
        "/console/bookings?view=past".to_owned(),
        "/console/calendars".to_owned(),
        "/console/content".to_owned(),
        "/console/content/forms/white-paper".to_owned(),
        "/console/content/offers/first-circle?ask=1".to_owned(),
        "/console/content/sequences/faro-leads".to_owned(),
        "/console/inbox?view=mine".to_owned(),
        format!("/console/inbox/{chat}"),
        "/console/outbox".to_owned(),
        "/console/addresses".to_owned(),
        "/console/settings".to_owned(),
        "/console/account".to_owned(),
        "/console/account/second-factor".to_owned(),
        "/console/accounts".to_owned(),
        "/console/keys".to_owned(),
        "/console/health".to_owned(),
        "/console/retention".to_owned(),
        "/console/sites".to_owned(),
        "/console/audit".to_owned(),
        "/console/notifications".to_owned(),
        "/console/work".to_owned(),
        "/console/lifecycle".to_owned(),
        "/console/lifecycle/propose".to_owned(),
        format!("/console/lifecycle/versions/{}", app.app.lifecycle.hash),
        "/console/segments?costs=1".to_owned(),
        "/console/reports".to_owned(),
        "/console/reports/funnel".to_owned(),
        "/console/reports/bot".to_owned(),
        format!("/console/contacts/{nikki}/call"),
        format!("/console/contacts/{nikki}/simulate"),
    ] {
        admin.get(&path).await.expect(200);
    }
    for path in [format!("/console/contacts/{nikki}/stage"), "/console/logout".to_owned()] {
        admin.get(&path).await.expect(404);
    }
    assert_eq!(app.census().await, before);
    assert_eq!(stage_of(&app, nikki).await, stage);
}

#[tokio::test]
async fn every_page_keeps_to_a_strict_policy_without_inline_code() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let (nikki, visitor) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let chat = chat_of(&app, visitor).await;
    let pages = [
        "/console".to_owned(),
        "/console/contacts".to_owned(),
        format!("/console/contacts/{nikki}"),
        "/console/pipeline".to_owned(),
        "/console/bookings".to_owned(),
        "/console/calendars".to_owned(),
        format!("/console/inbox/{chat}"),
        "/console/content".to_owned(),
        "/console/outbox".to_owned(),
        "/console/addresses".to_owned(),
        "/console/settings".to_owned(),
        "/console/account".to_owned(),
        "/console/account/second-factor".to_owned(),
        "/console/accounts".to_owned(),
        "/console/keys".to_owned(),
        "/console/health".to_owned(),
        "/console/retention".to_owned(),
        "/console/sites".to_owned(),
        "/console/audit".to_owned(),
        "/console/notifications".to_owned(),
        "/console/work".to_owned(),
        "/console/lifecycle".to_owned(),
        "/console/lifecycle/propose".to_owned(),
        format!("/console/lifecycle/versions/{}", app.app.lifecycle.hash),
        "/console/segments".to_owned(),
        "/console/reports".to_owned(),
        "/console/reports/funnel".to_owned(),
        "/console/reports/bot".to_owned(),
        format!("/console/contacts/{nikki}/call"),
        format!("/console/contacts/{nikki}/simulate"),
        "/console/nowhere".to_owned(),
    ];
    for path in pages {
        let page = admin.get(&path).await;
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe-"), "{path}: {policy}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        for inline in ["<style", " style=", "javascript:", " onclick=", "<script>"] {
            assert!(!page.body.contains(inline), "{path}: {inline}");
        }
    }
    app.get("/console/login").await.expect(200).header("content-security-policy");
    assert!(app.get("/console/login").await.header("content-security-policy").contains("form-action 'self'"));
}

// ---- people ---------------------------------------------------------------------------------------

#[tokio::test]
async fn people_are_found_by_name_address_and_company_and_filtered_by_stage() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    known(&app, "nikki@acme.example", "Nikki Grant").await;
    let (jordi, _) = known(&app, "jordi@tallers.example", "Jordi Puig").await;
    book(&app, jordi).await;
    for (search, finds, finds_not) in [
        ("q=nikki", "Nikki Grant", "Jordi Puig"),
        ("q=GRANT", "Nikki Grant", "Jordi Puig"),
        ("q=tallers", "Jordi Puig", "Nikki Grant"),
        ("stage=sql", "Jordi Puig", "Nikki Grant"),
        ("q=%25", "Nobody matches", "Nikki Grant"),
        ("q=_ikki", "Nobody matches", "Nikki Grant"),
        ("q=nikki&stage=sql", "Nobody matches", "Nikki Grant"),
    ] {
        let page = mike.sees(&format!("/console/contacts?{search}")).await;
        assert!(page.contains(finds), "{search} does not find {finds}");
        assert!(!page.contains(finds_not), "{search} finds {finds_not}");
    }
    let nasty = mike.sees("/console/contacts?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!nasty.contains("<script>alert"), "what is searched for is shown as text");
}

#[tokio::test]
async fn a_contacts_page_tells_everything_in_one_line_of_time() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let mut nikki = app.visitor();
    nikki.visit("/libros").await;
    nikki.visit("/precios").await;
    app.run_jobs().await;
    nikki.submit("webinar", "nikki@acme.example").await;
    app.run_jobs().await;
    let id: ContactId = app.rows("select id from contacts").await[0].get("id").expect("an id");
    let page = mike.sees(&format!("/console/contacts/{id}")).await;
    for told in
        ["nikki@acme.example", "Visited 2 pages", "/precios", "Sent the form", "Registered for", "MQL"]
    {
        assert!(page.contains(told), "{told} is not told:\n{page}");
    }
    let order: Vec<usize> =
        ["Registered for", "Visited 2 pages"].map(|told| page.rfind(told).unwrap()).to_vec();
    assert!(order[0] < order[1], "the latest comes first");
    assert!(page.contains("Why MQL?") && page.contains("Registered for a webinar"), "the stage is explained");
    mike.get(&format!("/console/contacts/{}", ContactId::new())).await.expect(404);
    mike.get("/console/contacts/nobody").await.expect(404);
}

#[tokio::test]
async fn only_the_ae_accepts_an_sql_and_a_rejection_needs_one_of_the_reasons() {
    let app = app().await;
    let (mike, yuri) = (agent(&app, Role::Sdr).await, agent(&app, Role::Ae).await);
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    book(&app, nikki).await;
    let path = format!("/console/contacts/{nikki}/stage");
    let page = format!("/console/contacts/{nikki}");
    assert!(!mike.sees(&page).await.contains("Accept as SAL"), "an SDR is not offered what she may not do");
    assert!(yuri.sees(&page).await.contains("Accept as SAL"));

    mike.submits(&path, &[("role", "ae"), ("what", "accept")]).await.expect(403);
    assert_eq!(stage_of(&app, nikki).await, "sql");
    let refused = yuri.submits(&path, &[("role", "ae"), ("what", "reject")]).await;
    assert!((400..500).contains(&refused.status), "{}", refused.status);
    assert_eq!(stage_of(&app, nikki).await, "sql");
    app.clock.advance(1_000);
    let back = [("role", "ae"), ("what", "reject"), ("reason", "timing")];
    yuri.submits(&path, &back).await.expect(303);
    assert_eq!(stage_of(&app, nikki).await, "mql");
    let told = yuri.sees(&page).await;
    assert!(told.contains("Not the right time") && told.contains("by ae"), "who did it and why:\n{told}");

    app.clock.advance(1_000);
    mike.submits(&path, &[("role", "sdr"), ("what", "accept")]).await.expect(303);
    let done = yuri.submits(&path, &[("role", "ae"), ("what", "accept")]).await.expect(303);
    assert!(yuri.sees(done.header("location")).await.contains("The stage is changed."));
    yuri.submits(&path, &[("role", "ae"), ("what", "won")]).await.expect(303);
    assert_eq!(stage_of(&app, nikki).await, "customer");
    let pipeline = yuri.sees("/console/pipeline").await;
    assert!(pipeline.contains("Nikki Grant"));
}

// ---- calls ----------------------------------------------------------------------------------------

#[tokio::test]
async fn the_outcome_of_a_call_is_said_once_it_has_begun() {
    let app = app().await;
    let (mike, viewer) = (agent(&app, Role::Sdr).await, agent(&app, Role::Viewer).await);
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let (booking, starts_at) = book(&app, nikki).await;
    let path = format!("/console/bookings/{booking}/outcome");
    assert!(mike.sees("/console/bookings").await.contains("Nikki Grant"));
    assert!(mike.sees("/console").await.contains("Nikki Grant"));
    mike.submits(&path, &[("outcome", "held")]).await.expect(409);

    app.clock.advance(starts_at.since_ms(app.now()) + 1);
    assert!(mike.sees("/console/bookings?view=open").await.contains("No-show"));
    assert!(!viewer.sees("/console/bookings?view=open").await.contains(&path));
    viewer.submits(&path, &[("outcome", "held")]).await.expect(403);
    mike.submits(&path, &[("outcome", "cancelled")]).await.expect(400);
    let said = [("outcome", "no_show"), ("back", "/console/bookings?view=open")];
    let done = mike.submits(&path, &said).await.expect(303);
    let back = format!("/console/bookings?view=open&done=outcome&call={booking}");
    assert_eq!(done.header("location"), back);
    let open = mike.sees(done.header("location")).await;
    assert!(open.contains("The outcome is saved.") && open.contains("Every past call has its outcome"));
    let row = &app.rows("select outcome from bookings").await[0];
    assert_eq!(row.get::<String>("outcome").expect("a word"), "no_show");
}

// ---- chats ----------------------------------------------------------------------------------------

#[tokio::test]
async fn somebody_takes_a_chat_talks_suggests_times_and_closes_it() {
    let app = app().await;
    let (mike, yuri) = (agent(&app, Role::Sdr).await, agent(&app, Role::Ae).await);
    let (_, visitor) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let chat = chat_of(&app, visitor).await;
    let at = |verb: &str| format!("/console/inbox/{chat}/{verb}");
    assert!(mike.sees("/console/inbox").await.contains("Nikki Grant"));
    mike.submits(&at("say"), &[("text", "Hello")]).await.expect(409);

    mike.submits(&at("accept"), &[]).await.expect(303);
    yuri.submits(&at("accept"), &[]).await.expect(409);
    let id = VisitorId::new().to_string();
    let hello = [("text", "Hello, <b>Mike</b> here"), ("client_id", id.as_str())];
    mike.submits(&at("say"), &hello).await.expect(303);
    mike.submits(&at("say"), &hello).await.expect(303);
    let page = mike.sees(&format!("/console/inbox/{chat}")).await;
    assert_eq!(page.matches("Hello, &lt;b&gt;Mike").count(), 2, "once in the list, once in the log");
    assert!(page.contains("role=\"log\"") && page.contains("faro.example/precios"));
    assert!(yuri.sees(&format!("/console/inbox/{chat}")).await.contains("A colleague is in this chat."));

    mike.submits(&at("times"), &[("text", "")]).await.expect(303);
    let page = mike.sees(&format!("/console/inbox/{chat}")).await;
    let asked = page.split("¿Cuál de estas horas te va bien?").last().expect("in her language");
    assert!(
        asked.contains("message-choices") && page.contains("Fari"),
        "real times, and the bot has its name"
    );
    mike.submits(&at("typing"), &[]).await.expect(204);
    mike.submits(&at("close"), &[]).await.expect(303);
    let closed = mike.sees("/console/inbox?view=closed").await;
    assert!(closed.contains("Nikki Grant"));
    mike.get(&format!("/console/inbox/{}", ConversationId::new())).await.expect(404);
}

#[tokio::test]
async fn a_stranger_is_suggested_times_in_words_and_the_page_that_asks_for_the_address() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let chat = chat_of(&app, VisitorId::new()).await;
    mike.submits(&format!("/console/inbox/{chat}/accept"), &[]).await.expect(303);
    mike.submits(&format!("/console/inbox/{chat}/times"), &[("text", "Un momento")]).await.expect(303);
    let page = mike.sees(&format!("/console/inbox/{chat}")).await;
    for told in ["Un momento", "Estas horas nos irían bien, Ciudad de México (UTC−6)", "/book/discovery?lang"]
    {
        assert!(page.contains(told), "{told}:\n{page}");
    }
}

#[tokio::test]
async fn presence_lasts_as_long_as_a_page_is_open() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let online = async || app.app.room.online(app.now()).await;
    assert_eq!(online().await, 0);
    let back = ("back", "/console/inbox");
    let switched = mike.submits("/console/presence", &[("online", "1"), back]).await.expect(303);
    assert_eq!(switched.header("location"), "/console/inbox");
    assert_eq!(online().await, 1);
    app.clock.advance(MINUTE_MS);
    assert_eq!(online().await, 0, "the page was closed");
    assert!(
        mike.sees("/console").await.contains("aria-checked=\"true\""),
        "the switch stays where it was put"
    );
    assert_eq!(online().await, 1);
    app.clock.advance(30_000);
    mike.submits("/console/presence/beat", &[]).await.expect(200);
    app.clock.advance(30_000);
    assert_eq!(online().await, 1);
    mike.submits("/console/presence", &[("online", "0")]).await.expect(303);
    assert_eq!(online().await, 0);
}

// ---- mails and notes ------------------------------------------------------------------------------

#[tokio::test]
async fn a_mail_that_was_kept_is_shown_in_a_frame_whose_links_open_and_that_can_do_nothing_else() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", "nikki@acme.example").await;
    app.run_jobs().await;
    let list = admin.sees("/console/outbox").await;
    assert!(list.contains("nikki@acme.example") && list.contains("No mail server is configured"));
    let id: String =
        app.rows("select id from mails where template = 'asset_link'").await[0].get("id").expect("an id");
    let page = admin.sees(&format!("/console/outbox/{id}")).await;
    assert!(
        page.contains("sandbox=\"allow-popups allow-popups-to-escape-sandbox\"") && page.contains("/d/"),
        "the link can be followed from here:\n{page}"
    );
    let frame = admin.get(&format!("/console/outbox/{id}/html")).await.expect(200);
    let policy = frame.header("content-security-policy");
    assert!(policy.contains("sandbox allow-popups ") && policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("allow-scripts") && !policy.contains("allow-same-origin"), "{policy}");
    assert!(frame.body.contains("<head><base target=\"_blank\">"), "a link opens beside the console");
    assert!(admin.sees(&format!("/console/outbox/{id}?part=text")).await.contains("<pre"));
    admin.get("/console/outbox/nothing").await.expect(404);
}

#[tokio::test]
async fn a_booked_call_is_announced_and_can_be_marked_as_read() {
    let app = app().await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    let mike = log_in(&app, "mike@faro.example").await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    book(&app, nikki).await;
    app.run_jobs().await;
    let page = mike.sees("/console/notifications").await;
    assert!(page.contains("Nikki Grant"), "{page}");
    assert!(
        page.contains(&format!("/console/contacts/{nikki}")) || page.contains("/console/bookings"),
        "{page}"
    );
    mike.submits("/console/notifications/read", &[]).await.expect(303);
    assert!(!mike.sees("/console/notifications").await.contains("Mark all as read"));
}

#[tokio::test]
async fn the_language_is_the_accounts_and_can_be_changed() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    assert!(mike.sees("/console/pipeline").await.contains("Where everybody stands"));
    let changed = [("language", "es"), ("back", "/console/pipeline")];
    let done = mike.submits("/console/language", &changed).await.expect(303);
    assert!(mike.sees(done.header("location")).await.contains("Dónde está cada persona"));
}

#[tokio::test]
async fn an_empty_console_says_what_to_do_next() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    for (path, says) in [
        ("/console", "Is the snippet on the page?"),
        ("/console/contacts", "A visitor becomes a contact"),
        ("/console/bookings", "Calls are booked in the chat"),
        ("/console/inbox", "When a visitor opens the chat"),
        ("/console/outbox", "Confirmations, downloads and invitations"),
        ("/console/notifications", "Booked calls and chats"),
        ("/console/work", "is handed over and stands here"),
    ] {
        assert!(admin.sees(path).await.contains(says), "{path}");
    }
}

// ---- where addresses come from --------------------------------------------------------------------

#[tokio::test]
async fn the_page_of_addresses_says_which_rule_decided_and_what_to_set() {
    for (trusted, sent, verdict, line) in [
        (vec!["loopback"], Some("203.0.113.77"), "A proxy that you trust said", "203.0.113.0/24"),
        (vec!["loopback"], None, "did not say whose request", "127.0.0.0/24"),
        (vec![], Some("203.0.113.77"), "a proxy that is not trusted", "[&quot;loopback&quot;]"),
        (vec![], None, "without a proxy between", "https://faro.example"),
    ] {
        let app = TestApp::start_with(|settings| set(settings, "server", "trusted_proxies", trusted)).await;
        let admin = agent(&app, Role::Admin).await;
        let client = match sent {
            Some(address) => admin.client.with("x-forwarded-for", address),
            None => admin.client.clone(),
        };
        let page = client.get("/console/addresses").await.expect(200).body;
        assert!(page.contains(verdict) && page.contains(line), "{verdict}, {line}: {page}");
        assert!(!page.contains("203.0.113.77"), "an address is shown");
    }
}

// ---- who is who, and what she may demand ----------------------------------------------------------

#[tokio::test]
async fn two_that_look_alike_are_compared_merged_with_a_choice_and_parted_again() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let (nikki, _) = known(&app, "nikki.grant@acme.example", "Nikki Grant").await;
    let (twin, _) = known(&app, "nikkigrant+news@acme.example", "Nicole Grant").await;
    let page = mike.sees(&format!("/console/contacts/{nikki}")).await;
    let compare = format!("/console/contacts/{nikki}/merge?with={twin}");
    assert!(page.contains("Perhaps the same person") && page.contains(&compare), "{page}");

    let preview = mike.sees(&compare).await;
    for told in [
        "Nikki",
        "Nicole",
        "waits as a suggestion",
        "differ",
        &format!("/console/contacts/{twin}/merge?with={nikki}"),
    ] {
        assert!(preview.contains(told), "{told}: {preview}");
    }
    assert_eq!(app.count("contact_merges").await, 0, "looking merges nobody");
    let with = [("with", twin.to_string())];
    let with: Vec<(&str, &str)> = with.iter().map(|(name, value)| (*name, value.as_str())).collect();
    mike.submits(&format!("/console/contacts/{nikki}/merge"), &with).await.expect(303);
    // Whoever follows an old link to the one that went comes to the one that stayed.
    let led = mike.get(&format!("/console/contacts/{twin}")).await.expect(303);
    assert_eq!(led.header("location"), format!("/console/contacts/{nikki}"));
    let page = mike.sees(&format!("/console/contacts/{nikki}")).await;
    assert!(page.contains("nikkigrant+news@acme.example") && page.contains("Waits for you"), "{page}");
    assert_eq!(mike.sees("/console/contacts").await.matches("@acme.example").count(), 1, "one in the list");

    mike.submits(&format!("/console/contacts/{nikki}/unmerge"), &with).await.expect(303);
    let page = mike.sees(&format!("/console/contacts/{nikki}")).await;
    assert!(!page.contains("Waits for you") && page.contains(&compare), "{page}");
    let viewer = agent(&app, Role::Viewer).await;
    assert!(!viewer.sees(&format!("/console/contacts/{nikki}")).await.contains("/merge"));
}

#[tokio::test]
async fn a_value_that_waits_is_taken_with_one_click_and_its_source_is_shown() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (value, trust) in [("600", Trust::Confirmed), ("<b>700</b>", Trust::Claimed)] {
        contacts::set_field(&mut tx, nikki, "phone", value, "form", trust, app.now()).await.expect("set");
    }
    tx.commit().await.expect("commits");
    let path = format!("/console/contacts/{nikki}");
    let page = mike.sees(&path).await;
    assert!(page.contains("&lt;b&gt;700&lt;/b&gt;") && page.contains("form, claimed"), "{page}");
    let judged = [("name", "phone"), ("what", "accept")];
    mike.submits(&format!("{path}/suggestion"), &judged).await.expect(303);
    let page = mike.sees(&path).await;
    assert!(page.contains("a colleague, confirmed") && !page.contains("Waits for you"), "{page}");
    mike.submits(&format!("{path}/suggestion"), &judged).await.expect(404);
}

#[tokio::test]
async fn what_was_said_of_her_company_and_how_she_agreed_stand_on_her_page() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let (eva, _) = known(&app, "eva@acme.example", "Eva Ruiz").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    for (who, value, trust) in [(eva, "250", Trust::Confirmed), (nikki, "40", Trust::Claimed)] {
        contacts::set_field(&mut tx, who, "employees", value, "form", trust, app.now()).await.expect("set");
    }
    let seen = contacts::Seen::of([203, 0, 113, 9].into(), "Mozilla/5.0 <Firefox>");
    let entry = contacts::ConsentEntry {
        text: Some(("newsletter", Language::Es, "Quiero la carta mensual.")),
        form: Some("better-work"),
        seen: Some(&seen),
        ..contacts::ConsentEntry::of("newsletter", "granted")
    };
    contacts::note_consent(&mut tx, Some(nikki), None, &entry, app.now()).await.expect("noted");
    let empty = contacts::ConsentEntry::of("invitations", "denied");
    contacts::note_consent(&mut tx, Some(nikki), None, &empty, app.now()).await.expect("noted");
    tx.commit().await.expect("commits");
    let path = format!("/console/contacts/{nikki}");
    let page = mike.sees(&path).await;
    for told in [
        "203.0.113.0/24",
        "Mozilla/5.0 &lt;Firefox&gt;",
        "Quiero la carta mensual.",
        "Spanish, version 1",
        "better-work",
        "left empty",
        "Said of the company, waits for you",
        "Who said what of the company",
        "Eva Ruiz</a>, form, confirmed",
        "Nikki Grant, form, claimed",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("203.0.113.9"), "{page}");
    let viewer = agent(&app, Role::Viewer).await;
    let door = format!("{path}/company-suggestion");
    assert!(!viewer.sees(&path).await.contains(&door));
    viewer.submits(&door, &[("name", "employees"), ("what", "accept")]).await.expect(403);
    mike.submits(&door, &[("name", "employees"), ("what", "accept")]).await.expect(303);
    let page = mike.sees(&path).await;
    assert!(!page.contains("Said of the company, waits for you"), "{page}");
    assert!(page.contains("Nikki Grant</a>, a colleague, confirmed"), "{page}");
    mike.submits(&door, &[("name", "employees"), ("what", "accept")]).await.expect(404);
}

#[tokio::test]
async fn an_administrator_exports_and_erases_and_everybody_who_looked_is_written_down() {
    let app = app().await;
    let (admin, mike) = (agent(&app, Role::Admin).await, agent(&app, Role::Sdr).await);
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let path = format!("/console/contacts/{nikki}");
    for _ in 0..3 {
        mike.sees(&path).await;
    }
    app.clock.advance(HOUR_MS + 1);
    mike.sees(&path).await;
    let looks = app.rows("select actor from audit where action = 'saw'").await;
    assert_eq!(looks.len(), 2, "looking again within an hour is the same look");

    let zip = admin.submits(&format!("{path}/export"), &[]).await.expect(200);
    assert!(zip.body.starts_with("PK") && zip.header("content-disposition").contains("attachment"));
    let asked = admin.sees(&format!("{path}/erase")).await;
    assert!(asked.contains("What cannot be erased from here") && asked.contains("Backups"), "{asked}");
    assert_eq!(app.count("contacts").await, 1, "asking erases nobody");
    admin.submits(&format!("{path}/erase"), &[("email", "dwight@acme.example")]).await.expect(422);
    let done = admin.submits(&format!("{path}/erase"), &[("email", " Nikki@ACME.example")]).await.expect(200);
    assert!(done.body.contains("<h1>Erased</h1>"), "{}", done.body);
    assert_eq!(app.count("contacts").await, 0);
    admin.get(&path).await.expect(404);

    let audit = admin.sees("/console/audit").await;
    for told in ["saw", "exported", "erased", ">sdr<", ">admin<"] {
        assert!(audit.contains(told), "{told}: {audit}");
    }
    assert!(!audit.contains("nikki@acme.example"), "{audit}");
    mike.get("/console/audit").await.expect(403);
}

#[tokio::test]
async fn whoever_is_seen_beside_the_own_page_is_written_down_too() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let (eve, _) = known(&app, "eve@acme.example", "Eve Grant").await;
    let seen = async || {
        let rows =
            app.rows("select contact_id, details from audit where action = 'saw' order by at, id").await;
        rows.iter()
            .map(|row| match row.get::<Option<String>>("contact_id").expect("an id or nothing") {
                Some(contact) => contact,
                None => row.get::<String>("details").expect("details"),
            })
            .collect::<Vec<_>>()
    };
    admin.sees(&format!("/console/contacts/{nikki}/merge?with={eve}")).await;
    let mut both = [nikki.to_string(), eve.to_string()];
    let mut told = seen().await;
    both.sort();
    told.sort();
    assert_eq!(told, both, "a preview shows both");

    app.clock.advance(HOUR_MS + 1);
    let mut pam = app.visitor();
    pam.submit("white-paper", "pam@acme.example").await;
    app.run_jobs().await;
    let mail = app.rows("select id from mails where recipient = 'pam@acme.example'").await;
    let mail: String = mail.first().expect("a mail").get("id").expect("an id");
    let before = seen().await.len();
    admin.sees(&format!("/console/outbox/{mail}")).await;
    admin.sees(&format!("/console/outbox/{mail}/html")).await;
    let pam_id = app.rows("select id from contacts where email = 'pam@acme.example'").await;
    let pam_id: String = pam_id.first().expect("a contact").get("id").expect("an id");
    assert_eq!(seen().await[before..], [pam_id], "a mail is read once, in two parts");

    admin.sees("/console/quarantine").await;
    assert_eq!(seen().await.len(), before + 1, "an empty list shows nobody");
    let mut odd = pam.fill("white-paper", json!({ "email": "odd@acme.example" })).await;
    odd["website"] = json!("https://odd.example");
    pam.post("/v1/forms/white-paper", &odd).await.expect(200);
    for _ in 0..2 {
        admin.sees("/console/quarantine").await;
    }
    assert_eq!(seen().await[before + 1..], [json!({ "list": "quarantine" }).to_string()]);
    let page = admin.sees("/console/audit").await;
    assert!(page.contains("the list: forms set apart"), "{page}");
}

#[tokio::test]
async fn an_objection_to_profiling_is_noted_in_the_console() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let path = format!("/console/contacts/{nikki}");
    mike.submits(&format!("{path}/profiling"), &[("off", "1")]).await.expect(303);
    let page = mike.sees(&path).await;
    assert!(page.contains("Objects to being profiled") && page.contains("Take the objection back"), "{page}");
    mike.submits(&format!("{path}/profiling"), &[("off", "0")]).await.expect(303);
    assert!(!mike.sees(&path).await.contains("Objects to being profiled"));
}

// ---- mails and letters ------------------------------------------------------------------------------

#[tokio::test]
async fn every_mail_is_shown_as_its_reader_would_see_it_under_a_strict_policy() {
    let app = app().await;
    let ana = agent(&app, Role::Marketing).await;
    let list = ana.sees("/console/mails").await;
    for name in ["faro-lead-idea", "booking_confirmed", "confirm_subscription"] {
        assert!(list.contains(&format!("/console/mails/{name}")), "{name}");
    }
    let page = ana.sees("/console/mails/faro-lead-idea?lang=es").await;
    assert!(page.contains("una página el lunes") && page.contains("sandbox=\"\""), "{page}");
    let text = ana.sees("/console/mails/faro-lead-idea?lang=en&part=text").await;
    assert!(text.contains("Begin with one page") && text.contains("15001 A Coruña"), "{text}");
    let mail = ana.get("/console/mails/faro-lead-idea/html?lang=es").await.expect(200);
    let policy = mail.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert!(mail.body.contains("Empieza por una página") && !mail.body.contains("{{"), "{}", mail.body);
    ana.get("/console/mails/nothing").await.expect(404);
}

#[tokio::test]
async fn a_colleague_asks_for_letters_on_somebodys_behalf_and_ends_them() {
    let app = app().await;
    let ana = agent(&app, Role::Marketing).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let path = format!("/console/contacts/{nikki}/subscription");
    ana.submits(&path, &[("topic", "newsletter"), ("what", "ask")]).await.expect(303);
    app.run_jobs().await;
    let asked = app.rows("select subject from mails where template = 'confirm_subscription'").await;
    assert_eq!(asked.len(), 1, "she is asked herself");
    assert!(ana.sees(&format!("/console/contacts/{nikki}")).await.contains("waits for the click"));
    ana.submits(&path, &[("topic", "newsletter"), ("what", "leave")]).await.expect(303);
    assert!(ana.sees(&format!("/console/contacts/{nikki}")).await.contains("Wants no more"));
    ana.submits(&path, &[("topic", "nothing"), ("what", "ask")]).await.expect(404);
}

#[tokio::test]
async fn prepared_answers_are_written_changed_and_taken_away_in_the_console() {
    let app = app().await;
    let sdr = agent(&app, Role::Sdr).await;
    let path = "/console/replies";
    let page = sdr.sees(path).await;
    assert!(
        page.contains("/prices") && page.contains("replies.yaml"),
        "those of the file stand there: {page}"
    );
    let reply = |was: &'static str, shortcut: &'static str, en: &'static str| {
        [
            ("was", was),
            ("shortcut", shortcut),
            ("title_en", "Parking"),
            ("title_es", "Aparcar"),
            ("text_en", en),
            ("text_es", "A dos calles."),
        ]
    };
    let words = "Two streets away.";
    sdr.submits(path, &reply("", "/parking", words)).await.expect(303);
    assert!(sdr.sees(path).await.contains(words));
    for (form, problem) in [
        (reply("", "parking", "Another."), "there is a reply /parking already"),
        (reply("", "prices", "Nothing."), "there is a reply /prices already"),
        (reply("parking", "Big words", words), "cannot be a shortcut"),
        (reply("parking", "parking", "Two streets, {{contact.first_name}}."), "contact.first_name"),
        (reply("parking", "parking", "{{agent.name}}"), "other holes"),
    ] {
        let refused = sdr.submits(path, &form).await.expect(422).body;
        assert!(refused.contains(problem), "{problem} in {refused}");
        assert!(sdr.sees(path).await.contains(words), "what stood there stays");
    }
    // Two at a time: whoever comes second with a new one of the same name is told.
    sdr.submits(path, &reply("parking", "park", "Three streets away.")).await.expect(303);
    let page = sdr.sees(path).await;
    assert!(
        page.contains("/park<") && page.contains("Three streets") && !page.contains("/parking<"),
        "{page}"
    );

    let viewer = agent(&app, Role::Viewer).await;
    let seen = viewer.sees(path).await;
    assert!(seen.contains("Three streets") && !seen.contains("/console/replies/park/delete"), "{seen}");
    viewer.submits(path, &reply("", "hey", "Hey.")).await.expect(403);
    viewer.submits("/console/replies/park/delete", &[]).await.expect(403);

    sdr.submits("/console/replies/park/delete", &[]).await.expect(303);
    assert!(!sdr.sees(path).await.contains("Three streets"));
    let noted = app
        .rows("select details from audit where action = 'changed' and contact_id is null order by at, id")
        .await;
    let noted: Vec<String> = noted.iter().map(|row| row.get("details").expect("a text")).collect();
    assert_eq!(noted.len(), 3, "who changed what is written down: {noted:?}");
    let admin = agent(&app, Role::Admin).await;
    assert!(admin.sees("/console/audit").await.contains("the prepared answer /park"));
}

#[tokio::test]
async fn what_forms_set_apart_is_let_in_or_thrown_away_on_its_page() {
    let app = app().await;
    for email in ["pam@acme.example", "eve@acme.example"] {
        let mut form = app.visitor().fill("white-paper", serde_json::json!({ "email": email })).await;
        form["website"] = serde_json::json!("https://cheap.example");
        app.visitor().post("/v1/forms/white-paper", &form).await.expect(200);
        app.clock.advance(1_000);
    }
    let marketing = agent(&app, Role::Marketing).await;
    assert!(marketing.sees("/console/content").await.contains("/console/quarantine"));
    let page = marketing.sees("/console/quarantine").await;
    assert!(page.contains("pam@acme.example") && page.contains("eve@acme.example"), "{page}");
    let ids: Vec<&str> = page
        .split("/console/quarantine/")
        .skip(1)
        .filter_map(|rest| rest.split_once("/release\"").map(|(id, _)| id))
        .filter(|id| id.len() == 36)
        .collect();
    let [eve, pam] = ids.as_slice() else { panic!("two of them: {ids:?}") };
    marketing.submits(&format!("/console/quarantine/{pam}/release"), &[]).await.expect(303);
    marketing.submits(&format!("/console/quarantine/{eve}/delete"), &[]).await.expect(303);
    marketing.submits(&format!("/console/quarantine/{eve}/delete"), &[]).await.expect(404);
    let page = marketing.sees("/console/quarantine").await;
    assert!(page.contains("Nothing is set apart"), "{page}");
    let contacts = app.rows("select email from contacts").await;
    let emails: Vec<String> = contacts.iter().map(|row| row.get("email").expect("a text")).collect();
    assert_eq!(emails, ["pam@acme.example"]);
}

#[tokio::test]
async fn a_webinar_is_called_off_from_the_page_of_content() {
    let app = app().await;
    let marketing = agent(&app, Role::Marketing).await;
    let path = "/console/webinars/reading-culture-live/cancel";
    assert!(marketing.sees("/console/content").await.contains(path));
    marketing.submits(path, &[("reason", "The speaker is ill.")]).await.expect(303);
    let page = marketing.sees("/console/content").await;
    assert!(page.contains("called off") && !page.contains(path), "{page}");
    marketing.submits("/console/webinars/nothing/cancel", &[]).await.expect(404);
}

#[tokio::test]
async fn the_team_sees_who_waits_takes_her_over_and_gives_and_finishes_tasks() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let yuri = agent(&app, Role::Ae).await;
    let viewer = agent(&app, Role::Viewer).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Duarte").await;
    let page = format!("/console/contacts/{nikki}");
    assert!(mike.sees(&page).await.contains("Nobody is called before sales looks after her"));
    let accounts = accounts::list(&mut app.app.stores.db.read()).await.expect("read");
    let id_of = |role: Role| accounts.iter().find(|one| one.role == role).expect("hired").id.to_string();
    let (sdr, ae) = (id_of(Role::Sdr), id_of(Role::Ae));
    let task = async |kind: &str| {
        let fields = [
            ("kind", kind),
            ("title", "Call her tomorrow"),
            ("account", sdr.as_str()),
            ("due", "2026-11-24"),
        ];
        mike.submits(&format!("{page}/tasks"), &fields).await
    };
    task("call").await.expect(409);
    book(&app, nikki).await;
    app.run_jobs().await;
    task("call").await.expect(303);
    let work = mike.sees("/console/work").await;
    assert!(work.contains("Call her tomorrow") && work.contains("Nikki Duarte"), "{work}");
    let finish =
        work.split("/console/tasks/").nth(1).and_then(|rest| rest.split('/').next()).expect("a task");
    let finish = format!("/console/tasks/{finish}/done");
    viewer.submits(&finish, &[]).await.expect(403);
    mike.submits(&finish, &[("back", "/console/work")]).await.expect(303);
    assert!(!mike.sees("/console/work").await.contains("Call her tomorrow"));

    let note = "She decides with her VP of finance.";
    mike.submits(&format!("{page}/handover"), &[("role", "ae"), ("account", &ae), ("note", note)])
        .await
        .expect(303);
    let work = yuri.sees("/console/work").await;
    assert!(work.contains(note) && work.contains("Take over"), "{work}");
    assert!(!mike.sees("/console/work").await.contains("Take over"), "it is for the AE");
    let take = work.split("/console/handovers/").nth(1).and_then(|rest| rest.split('/').next()).expect("one");
    let take = format!("/console/handovers/{take}/take");
    mike.submits(&take, &[("back", "/console/work")]).await.expect(403);
    yuri.submits(&take, &[("back", "/console/work")]).await.expect(303);
    let owner =
        contacts::find(&mut app.app.stores.db.read(), nikki).await.expect("read").expect("known").owner;
    assert_eq!(owner.map(|owner| owner.to_string()), Some(ae));
    assert!(yuri.sees("/console/work?view=taken").await.contains("Nikki Duarte"));
}

#[tokio::test]
async fn the_form_after_a_call_keeps_outcome_answers_and_the_next_step() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    agent(&app, Role::Ae).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Duarte").await;
    let (booking, starts_at) = book(&app, nikki).await;
    app.clock.advance(starts_at.plus_ms(HOUR_MS).since_ms(app.now()));
    let mike_again = log_in(&app, "sdr@faro.example").await;
    let page = format!("/console/contacts/{nikki}");
    let form = mike_again.sees(&format!("{page}/call?booking={booking}")).await;
    assert!(
        form.contains("Discovery call") && form.contains("Over €50,000"),
        "the bot's answers are offered: {form}"
    );
    let booking = booking.to_string();
    let fields = [
        ("booking", booking.as_str()),
        ("outcome", "held"),
        ("summary", "Wants to begin with two teams."),
        ("budget", "over_50k"),
        ("timeline", "this_quarter"),
        ("competitors", "Lecturama"),
        ("next", "handover"),
        ("role", "ae"),
    ];
    mike_again.submits(&format!("{page}/call"), &fields).await.expect(303);
    let told = mike_again.sees(&page).await;
    for part in [
        "What we know: 2 of 4",
        "Over €50,000",
        "This quarter",
        "Lecturama",
        "Wants to begin with two teams.",
    ] {
        assert!(told.contains(part), "{part} is missing in {told}");
    }
    assert!(told.contains("Waits for: Account executive"), "{told}");
    // A call by telephone by hand, at a time on the reader's clock.
    let fields = [("outcome", "no_answer"), ("incoming", "0"), ("at", "2026-11-23T09:30"), ("minutes", "0")];
    mike_again.submits(&format!("{page}/call"), &fields).await.expect(303);
    assert!(mike_again.sees(&page).await.contains("Nobody answered the telephone"));
    // An answer that nobody changed keeps where it came from.
    let before = contacts::fields(&mut app.app.stores.db.read(), nikki).await.expect("read");
    let fields = [("budget", "over_50k"), ("authority", "decider")];
    mike_again.submits(&format!("{page}/answers"), &fields).await.expect(303);
    let after = contacts::fields(&mut app.app.stores.db.read(), nikki).await.expect("read");
    let source = |fields: &[contacts::Field], name: &str| {
        fields.iter().find(|field| field.name == name).map(|field| field.source.clone())
    };
    assert_eq!(source(&before, "budget"), source(&after, "budget"));
    assert_eq!(source(&after, "authority").as_deref(), Some("console"));
    assert!(mike_again.sees(&page).await.contains("What we know: 3 of 4"));
    assert!(mike_again.sees("/console/contacts?q=lecturama").await.contains("Nikki Duarte"));
    drop(mike);
}

#[tokio::test]
async fn a_version_of_the_lifecycle_is_proposed_approved_and_activated_in_the_console() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lifecycle.yaml");
    let shipped = crate::support::app::repository("config/lifecycle.yaml");
    let first = std::fs::read_to_string(shipped).expect("read").replace(
        "name: reading-programmes",
        "name: reading-programmes\napprovals: {required: [marketing, sales]}",
    );
    std::fs::write(&file, &first).expect("written");
    let app = TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "definitions", "lifecycle", file.display().to_string());
    })
    .await;
    let marta = agent(&app, Role::Marketing).await;
    let mike = agent(&app, Role::Sdr).await;
    let cris = agent(&app, Role::Cs).await;
    assert!(cris.sees("/console/lifecycle").await.contains("Version 1 runs"));
    let second = first.replace("version: 1", "version: 2");
    let wrong = second.replace("owner: sdr", "owner: sdrs");
    let refused = marta.submits("/console/lifecycle/propose", &[("text", &wrong)]).await.expect(422);
    assert!(refused.body.contains("Y0") || refused.body.contains("expected"), "{}", refused.body);
    cris.submits("/console/lifecycle/propose", &[("text", &second)]).await.expect(403);
    // As a browser sends it.
    let typed = second.replace('\n', "\r\n");
    marta
        .submits("/console/lifecycle/propose", &[("text", &typed), ("note", "A new year")])
        .await
        .expect(303);
    let page = mike.sees("/console/lifecycle").await;
    assert!(page.contains("A new year") && page.contains("Sales has not approved"), "{page}");
    let hash = embudo::base::signing::sha256_hex(&second);
    assert!(page.contains(&hash), "the very text of the file");
    let activate = [("hash", hash.as_str()), ("re_evaluate", "new-events-only")];
    marta.submits("/console/lifecycle/activate", &activate).await.expect(409);
    for side in [&marta, &mike] {
        side.submits("/console/lifecycle/approve", &[("hash", &hash)]).await.expect(303);
    }
    mike.submits("/console/lifecycle/activate", &activate).await.expect(303);
    assert!(mike.sees("/console/lifecycle").await.contains("Version 2 runs"));
    assert_eq!(app.app.lifecycle.version, 2);
}

#[tokio::test]
async fn a_rep_says_when_she_is_away_and_an_administrator_gives_calls_back() {
    let app = app().await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    let mike = log_in(&app, "mike@faro.example").await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    book(&app, nikki).await;
    let why = mike.sees("/console/bookings").await;
    assert!(why.contains("Nobody but Mike Torres could take it at that time."), "{why}");
    assert!(why.contains("Mike Torres: level 0 at weight 1"), "{why}");

    let days = [
        ("rep", "mike"),
        ("from", "2026-11-24"),
        ("to", "2026-11-25"),
        ("delegate", "yuri"),
        ("note", "Fair <1>"),
    ];
    mike.submits("/console/team/absences", &days).await.expect(303);
    let page = mike.sees("/console/team").await;
    assert!(page.contains("Yuri Navarro stands in") && page.contains("Fair &lt;1&gt;"), "{page}");
    assert!(page.contains("24 Nov") && page.contains("25 Nov"), "{page}");
    let at = |day: &str| {
        let at: jiff::Timestamp = format!("2026-11-{day}T09:00:00+01:00").parse().expect("an instant");
        at.as_millisecond()
    };
    let slots = async |day: &str| {
        let path = format!("/v1/slots?meeting=discovery&from={}&to={}", at(day), at(day) + 2 * HOUR_MS);
        app.get(&path).await.expect_json(200)["slots"].as_array().expect("a list").len()
    };
    // Yuri does not hold these calls otherwise; he works from ten.
    assert_eq!((slots("24").await, slots("26").await), (2, 4));

    // For others she says nothing, and neither does whoever is no rep; nobody stands in for herself.
    let lucia = [("rep", "lucia"), ("from", "2026-11-24")];
    mike.submits("/console/team/absences", &lucia).await.expect(403);
    let herself = [("rep", "mike"), ("from", "2026-11-24"), ("delegate", "mike")];
    mike.submits("/console/team/absences", &herself).await.expect(422);
    for wrong in ["2026-11-20", "tomorrow", ""] {
        mike.submits("/console/team/absences", &[("rep", "mike"), ("from", wrong)]).await.expect(422);
    }
    mike.submits("/console/team/credits", &[("rep", "mike"), ("amount", "2")]).await.expect(403);

    let admin = agent(&app, Role::Admin).await;
    admin
        .submits("/console/team/credits", &[("rep", "mike"), ("amount", "2"), ("note", "fair")])
        .await
        .expect(303);
    admin.submits("/console/team/credits", &[("rep", "mike"), ("amount", "0")]).await.expect(422);
    let page = admin.sees("/console/team").await;
    let line =
        page.split("Mike Torres</th>").nth(1).expect("his line").split("</tr>").next().expect("an end");
    let numbers: Vec<&str> = line
        .split("<td class=\"number\" data-label=")
        .filter_map(|cell| cell.split_once('>').map(|(_, rest)| rest))
        .map(|cell| cell.split('<').next().expect("text"))
        .collect();
    // Level, weight, start, calls, no-shows, cancelled, given back.
    assert_eq!(numbers, ["-1", "1", "0", "1", "0", "0", "2"], "{line}");

    let id: String = app.rows("select id from absences").await[0].get("id").expect("an id");
    mike.submits(&format!("/console/team/absences/{id}/remove"), &[("rep", "Mike Torres")]).await.expect(303);
    assert_eq!(slots("24").await, 4);
}

#[tokio::test]
async fn of_two_who_write_about_a_contact_the_second_sees_it_and_nothing_is_overwritten_unseen() {
    let app = app().await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", "nikki@acme.example").await;
    app.run_jobs().await;
    let rows = app.rows("select id from contacts").await;
    let id: String = rows[0].get("id").expect("a text");
    let (mike, ana) = (agent(&app, Role::Sdr).await, agent(&app, Role::Admin).await);
    let (name, answers) = (format!("/console/contacts/{id}/name"), format!("/console/contacts/{id}/answers"));
    let both = |first: &'static str, last: &'static str| {
        [("first_name", first), ("last_name", last), ("was_first_name", ""), ("was_last_name", "")]
    };
    mike.submits(&name, &both("Nikki", "")).await.expect(303);
    // Ana began before that. The same name is no dispute, and another field is hers.
    ana.submits(&name, &both("Nikki", "Blanco")).await.expect(303);
    let page = mike.submits(&name, &both("Nicole", "")).await.expect(409).body;
    assert!(page.contains("Somebody else was faster"), "{page}");
    assert!(
        page.contains("value=\"Nicole\"") && page.contains("<strong data-breaks>Nikki</strong>"),
        "{page}"
    );
    let seen = mike.sees(&format!("/console/contacts/{id}")).await;
    assert!(seen.contains("Nikki Blanco"), "nothing was changed: {seen}");
    // She decides, and says that she has seen it.
    let mine = [
        ("first_name", "Nicole"),
        ("last_name", "Blanco"),
        ("was_first_name", "Nikki"),
        ("was_last_name", "Blanco"),
    ];
    mike.submits(&name, &mine).await.expect(303);
    assert!(mike.sees(&format!("/console/contacts/{id}")).await.contains("Nicole Blanco"));

    let said = |need: &'static str, budget: &'static str| {
        [("need", need), ("was_need", ""), ("budget", budget), ("was_budget", "")]
    };
    mike.submits(&answers, &said("Books for three sites", "")).await.expect(303);
    // What Ana has left as it was writes nothing over it.
    ana.submits(&answers, &said("", "20000")).await.expect(303);
    let page = ana.submits(&answers, &said("Only one site", "30000")).await.expect(409).body;
    for part in ["Books for three sites", "value=\"Only one site\"", "20000", "value=\"30000\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let kept = app.rows("select value from contact_fields where name = 'need'").await;
    assert_eq!(kept[0].get::<String>("value").expect("a text"), "Books for three sites");
}
