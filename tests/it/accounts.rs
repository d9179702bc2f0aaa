//! Accounts: who is invited, how passwords are set, second factors, sessions, keys for programs, and the pages of Settings.

use embudo::accounts::{self, Role};
use embudo::base::ids::AccountId;
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, MINUTE_MS, SECOND_MS};
use ring::hmac;
use serde_json::json;

use crate::console::{Agent, PASSWORD, agent, cookie_of, hire, log_in};
use crate::support::answer::{Answer, Client};
use crate::support::app::{TestApp, set};

const NEW: &str = "another lighthouse by day";

async fn app() -> TestApp {
    TestApp::start_with_mail_and(|settings| set(settings, "server", "workers", 2)).await
}

async fn id_of(app: &TestApp, email: &str) -> AccountId {
    let email = embudo::base::email::Email::parse(email).expect("an address");
    let found = accounts::find_by_email(&mut app.app.stores.db.read(), &email).await.expect("read");
    found.expect("known").id
}

async fn enter(app: &TestApp, email: &str, password: &str) -> Answer {
    app.client
        .submit("/console/login", &[("email", email), ("password", password), ("next", "/console")])
        .await
}

/// The path and query of the link that was mailed to somebody last.
async fn link_to(app: &TestApp, email: &str) -> String {
    app.run_jobs().await;
    let mails = app.inbox().mails_to(email);
    let link = mails.last().expect("a mail").link("/console/password");
    link.strip_prefix(&app.url).expect("one of ours").to_owned()
}

fn token_in(link: &str) -> &str {
    link.split("token=").nth(1).expect("a token")
}

async fn set_by(app: &TestApp, link: &str, password: &str) -> Answer {
    let fields = [("token", token_in(link)), ("password", password)];
    app.client.with("sec-fetch-site", "same-origin").submit("/console/password", &fields).await
}

#[tokio::test]
async fn whoever_is_invited_sets_a_password_once_and_comes_in() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let form = [("email", "Ana@faro.example"), ("name", "Ana Ruiz"), ("role", "ae"), ("language", "es")];
    admin.submits("/console/accounts", &form).await.expect(303);
    let page = admin.sees("/console/accounts").await;
    assert!(page.contains("Ana Ruiz") && page.contains("Invited"), "{page}");
    // Nobody gets in before there is a password, not even without one.
    for password in ["", PASSWORD] {
        enter(&app, "ana@faro.example", password).await.expect(401);
    }
    let link = link_to(&app, "ana@faro.example").await;
    // A mail scanner opens it, more than once: nothing is used up.
    for _ in 0..2 {
        assert!(app.get(&link).await.expect(200).body.contains("ana@faro.example"));
    }
    set_by(&app, &link, "short").await.expect(422);
    let done = set_by(&app, &link, NEW).await.expect(200);
    assert!(done.body.contains("Tu contraseña está lista"), "in her language");
    set_by(&app, &link, PASSWORD).await.expect(410);
    app.get(&link).await.expect(410);
    enter(&app, "ana@faro.example", NEW).await.expect(303);
    // The outbox, which colleagues read, holds no such link.
    let kept = app.rows("select text_body, html_body from mails").await;
    for row in &kept {
        let text: String = row.get("text_body").expect("a text");
        let html: String = row.get("html_body").expect("a text");
        assert!(!text.contains(token_in(&link)) && !html.contains(token_in(&link)));
    }
    assert!(!kept.is_empty());
    // Twice the same address, and what is none.
    let again = admin.submits("/console/accounts", &form).await.expect(422);
    assert!(again.body.contains("There is an account with this address already"));
    admin.submits("/console/accounts", &[("email", "nobody"), ("role", "ae")]).await.expect(422);
    let audit = admin.sees("/console/audit?did=changed").await;
    assert!(audit.contains("invitation") && audit.contains("ana@faro.example"), "{audit}");
}

#[tokio::test]
async fn an_invitation_runs_out_after_a_week_and_without_a_mail_server_the_administrator_gets_it() {
    let app = TestApp::start_with(|settings| set(settings, "server", "workers", 2)).await;
    let admin = agent(&app, Role::Admin).await;
    let form = [("email", "ana@faro.example"), ("name", "Ana"), ("role", "cs")];
    let page = admin.submits("/console/accounts", &form).await.expect(200).body;
    let at = page.find("/console/password?token").expect("the link");
    let link: String = page[at..].chars().take_while(|c| !matches!(c, '<' | '"')).collect();
    let link = link.replace("&#x3D;", "=");
    app.get(&link).await.expect(200);
    app.clock.advance(7 * DAY_MS);
    app.get(&link).await.expect(410);
    assert_eq!(app.count("mails").await, 0);
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let own = id_of(&app, "admin@faro.example").await;
    let last = admin.submits(&format!("/console/accounts/{own}/disable"), &[]).await.expect(409);
    assert!(last.body.contains("last administrator"), "{}", last.body);
    admin.submits(&format!("/console/accounts/{own}/role"), &[("role", "viewer")]).await.expect(409);
    // An administrator who has not come yet does not count.
    let form = [("email", "bea@faro.example"), ("name", "Bea"), ("role", "admin")];
    admin.submits("/console/accounts", &form).await.expect(303);
    admin.submits(&format!("/console/accounts/{own}/role"), &[("role", "viewer")]).await.expect(409);
    let link = link_to(&app, "bea@faro.example").await;
    set_by(&app, &link, NEW).await.expect(200);
    admin.submits(&format!("/console/accounts/{own}/role"), &[("role", "viewer")]).await.expect(303);
    // It holds from the next request on.
    admin.get("/console/accounts").await.expect(403);
}

#[tokio::test]
async fn of_two_administrators_who_send_each_other_away_one_stays() {
    let app = app().await;
    let ana = agent(&app, Role::Admin).await;
    hire(&app, "bea@faro.example", Role::Admin, Language::En).await;
    let bea = log_in(&app, "bea@faro.example").await;
    let of_ana = format!("/console/accounts/{}/disable", id_of(&app, "admin@faro.example").await);
    let of_bea = format!("/console/accounts/{}/disable", id_of(&app, "bea@faro.example").await);
    tokio::join!(ana.submits(&of_bea, &[]), bea.submits(&of_ana, &[]));
    let rows = app.rows("select id from accounts where role = 'admin' and disabled_at is null").await;
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn whoever_is_sent_away_is_out_at_once_and_can_be_taken_back() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let mike = agent(&app, Role::Sdr).await;
    let id = id_of(&app, "sdr@faro.example").await;
    admin.submits(&format!("/console/accounts/{id}/disable"), &[]).await.expect(303);
    mike.get("/console").await.expect(303);
    enter(&app, "sdr@faro.example", PASSWORD).await.expect(401);
    // Nor does a link for a new password help.
    let forgot = app.client.submit("/console/forgot", &[("email", "sdr@faro.example")]).await.expect(200);
    app.run_jobs().await;
    assert_eq!(app.inbox().mails_to("sdr@faro.example").len(), 0);
    assert!(forgot.body.contains("is on its way"));
    admin.submits(&format!("/console/accounts/{id}/enable"), &[]).await.expect(303);
    enter(&app, "sdr@faro.example", PASSWORD).await.expect(303);
}

#[tokio::test]
async fn a_forgotten_password_is_set_by_a_mailed_link_within_half_an_hour_and_ends_all_sessions() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let ask = async |email: &str| app.client.submit("/console/forgot", &[("email", email)]).await;
    // The answer and what is written are the same for an address that is nobody's.
    let jobs = app.count("jobs").await;
    let known = ask("sdr@faro.example").await.expect(200).body;
    assert_eq!(app.count("jobs").await, jobs + 1);
    let unknown = ask("nobody@faro.example").await.expect(200).body;
    assert_eq!(app.count("jobs").await, jobs + 2);
    assert_eq!(known, unknown);
    let link = link_to(&app, "sdr@faro.example").await;
    assert!(app.inbox().mails_to("nobody@faro.example").is_empty());
    // Changed, forged and for something else: all are over.
    let mut forged = link.clone();
    forged.pop();
    app.get(&forged).await.expect(410);
    app.get("/console/password").await.expect(410);
    // Another site cannot send the form.
    let fields = [("token", token_in(&link)), ("password", NEW)];
    let eve = app.client.with("sec-fetch-site", "cross-site");
    eve.submit("/console/password", &fields).await.expect(403);
    app.clock.advance(29 * MINUTE_MS);
    set_by(&app, &link, NEW).await.expect(200);
    mike.get("/console").await.expect(303);
    enter(&app, "sdr@faro.example", PASSWORD).await.expect(401);
    enter(&app, "sdr@faro.example", NEW).await.expect(303);
    set_by(&app, &link, PASSWORD).await.expect(410);
    // A later one runs out.
    app.clock.advance(10 * MINUTE_MS);
    ask("sdr@faro.example").await.expect(200);
    let late = link_to(&app, "sdr@faro.example").await;
    app.clock.advance(30 * MINUTE_MS);
    set_by(&app, &late, PASSWORD).await.expect(410);
}

#[tokio::test]
async fn nobodys_inbox_is_flooded_by_whoever_asks_for_links() {
    let app = app().await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        let answer = app.client.submit("/console/forgot", &[("email", "mike@faro.example")]).await;
        answers.push(answer.expect(200).body);
        app.clock.advance(SECOND_MS / 10);
    }
    assert!(answers.iter().all(|body| *body == answers[0]), "the answer does not tell");
    app.run_jobs().await;
    assert!(app.inbox().mails_to("mike@faro.example").len() <= 3);
    app.client.submit("/console/forgot", &[("email", "mike@faro.example")]).await.expect(429);
}

#[tokio::test]
async fn a_password_is_changed_by_the_one_before_and_the_other_sessions_end() {
    let app = app().await;
    let here = agent(&app, Role::Sdr).await;
    let there = log_in(&app, "sdr@faro.example").await;
    let change = async |who: &Agent, current: &str, new: &str| {
        who.submits("/console/account/password", &[("current", current), ("password", new)]).await
    };
    change(&here, "guessed guessed", NEW).await.expect(422);
    change(&here, PASSWORD, "short").await.expect(422);
    there.get("/console").await.expect(200);
    change(&here, PASSWORD, NEW).await.expect(303);
    here.get("/console").await.expect(200);
    there.get("/console").await.expect(303);
    enter(&app, "sdr@faro.example", NEW).await.expect(303);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_and_nobody_ends_anothers() {
    let app = app().await;
    let here = agent(&app, Role::Sdr).await;
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let fields = [("email", "sdr@faro.example"), ("password", PASSWORD), ("next", "")];
    let answer = app.client.with("user-agent", firefox).submit("/console/login", &fields).await.expect(303);
    let there = app.client.with("cookie", &cookie_of(&answer));
    there.get("/console").await.expect(200);
    let page = here.sees("/console/account").await;
    assert!(page.contains("Firefox, Linux") && page.contains("127.0.0.0/24"), "{page}");
    let ends = |page: &str| -> Vec<String> {
        let part = page.split("/console/account/sessions/").skip(1);
        part.filter_map(|rest| rest.split_once("/end").map(|(id, _)| id.to_owned()))
            .filter(|id| id.len() == 64)
            .collect()
    };
    let its = ends(&page);
    assert_eq!(its.len(), 1, "its own cannot be ended there");
    // Somebody else cannot.
    let eve = agent(&app, Role::Admin).await;
    eve.submits(&format!("/console/account/sessions/{}/end", its[0]), &[]).await.expect(404);
    there.get("/console").await.expect(200);
    here.submits(&format!("/console/account/sessions/{}/end", its[0]), &[]).await.expect(303);
    there.get("/console").await.expect(303);
    let other = log_in(&app, "sdr@faro.example").await;
    here.submits("/console/account/sessions/end", &[]).await.expect(303);
    other.get("/console").await.expect(303);
    here.get("/console").await.expect(200);
}

// ---- the second factor ----------------------------------------------------------------------------

/// What a phone shows (RFC 6238), written apart from the server's.
fn code(secret: &str, at_ms: i64) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = secret
        .chars()
        .filter(|c| *c != ' ')
        .map(|c| format!("{:05b}", alphabet.find(c).expect("base32")))
        .collect();
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|eight| u8::from_str_radix(std::str::from_utf8(eight).expect("bits"), 2).expect("a byte"))
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let tag = hmac::sign(&key, &(at_ms / 30_000).to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[19] & 15);
    let four: [u8; 4] = tag[offset..offset + 4].try_into().expect("four");
    format!("{:06}", (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000)
}

/// Sets a second factor up; returns its secret and the recovery codes.
async fn set_up(app: &TestApp, who: &Agent) -> (String, Vec<String>) {
    who.submits("/console/account/second-factor", &[]).await.expect(303);
    let page = who.sees("/console/account/second-factor").await;
    assert!(page.contains("<svg class=\"qr\"") && page.contains("otpauth://totp/"), "{page}");
    let secret = page.split("class=\"secret\">").nth(1).and_then(|rest| rest.split('<').next()).expect("it");
    let wrong = who.submits("/console/account/second-factor/confirm", &[("code", "000000")]).await;
    wrong.expect(422);
    let shown = code(secret, app.now().as_ms());
    let done = who.submits("/console/account/second-factor/confirm", &[("code", &shown)]).await.expect(200);
    let codes: Vec<String> = done
        .body
        .split("<li><code>")
        .skip(1)
        .filter_map(|rest| rest.split('<').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(codes.len(), 10, "{}", done.body);
    (secret.to_owned(), codes)
}

/// The ticket of the second step's page.
fn ticket_in(page: &str) -> String {
    let ticket = page.split("name=\"ticket\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    ticket.expect("the second step").to_owned()
}

async fn second(client: &Client, ticket: &str, code: &str) -> Answer {
    client.submit("/console/login/code", &[("ticket", ticket), ("code", code), ("next", "/console")]).await
}

#[tokio::test]
async fn with_a_second_factor_the_password_alone_opens_nothing_and_a_code_is_good_once() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let (secret, _) = set_up(&app, &mike).await;
    app.clock.advance(MINUTE_MS);
    let step = enter(&app, "sdr@faro.example", PASSWORD).await.expect(200);
    assert_eq!(step.header("set-cookie"), "", "no session yet");
    let ticket = ticket_in(&step.body);
    app.client.with("cookie", &format!("embudo={ticket}")).get("/console").await.expect(303);
    second(&app.client, &ticket, "123").await.expect(401);
    let shown = code(&secret, app.now().as_ms());
    let entered = second(&app.client, &ticket, &shown).await.expect(303);
    app.client.with("cookie", &cookie_of(&entered)).get("/console").await.expect(200);
    // Whoever looked over her shoulder comes too late.
    second(&app.client, &ticket, &shown).await.expect(401);
    // One step early or late is taken, two are not.
    app.clock.advance(5 * MINUTE_MS);
    let ticket = ticket_in(&enter(&app, "sdr@faro.example", PASSWORD).await.expect(200).body);
    second(&app.client, &ticket, &code(&secret, app.now().as_ms() - 60 * SECOND_MS)).await.expect(401);
    second(&app.client, &ticket, &code(&secret, app.now().as_ms() + 30 * SECOND_MS)).await.expect(303);
    // The ticket runs out, is bound to the password, and cannot be made up.
    let ticket = ticket_in(&enter(&app, "sdr@faro.example", PASSWORD).await.expect(200).body);
    app.clock.advance(10 * MINUTE_MS);
    second(&app.client, &ticket, &code(&secret, app.now().as_ms())).await.expect(401);
    second(&app.client, "made.up", &code(&secret, app.now().as_ms())).await.expect(401);
    // Nothing of the secret stands in the database as it is.
    let bare: String = secret.chars().filter(|c| *c != ' ').collect();
    let rows = app.rows("select totp_sealed from accounts where totp_sealed is not null").await;
    let sealed: String = rows[0].get("totp_sealed").expect("a text");
    assert!(!sealed.contains(&bare));
}

#[tokio::test]
async fn a_recovery_code_opens_once_and_new_ones_end_the_old() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    let (_, codes) = set_up(&app, &mike).await;
    let ticket = async || ticket_in(&enter(&app, "sdr@faro.example", PASSWORD).await.expect(200).body);
    second(&app.client, &ticket().await, &codes[0].to_uppercase()).await.expect(303);
    second(&app.client, &ticket().await, &codes[0]).await.expect(401);
    app.clock.advance(10 * MINUTE_MS);
    assert!(mike.sees("/console/account").await.contains("9 recovery codes are left"));
    let renew = "/console/account/second-factor/codes";
    mike.submits(renew, &[("password", "guessed guessed")]).await.expect(422);
    mike.submits(renew, &[("password", PASSWORD)]).await.expect(200);
    second(&app.client, &ticket().await, &codes[1]).await.expect(401);
    // Another account's codes are worth nothing here, and turning it off needs the password.
    let off = "/console/account/second-factor/off";
    mike.submits(off, &[("password", "")]).await.expect(422);
    mike.submits(off, &[("password", PASSWORD)]).await.expect(303);
    enter(&app, "sdr@faro.example", PASSWORD).await.expect(303);
    assert_eq!(app.count("account_recovery_codes").await, 0);
}

#[tokio::test]
async fn ten_thousand_guesses_are_stopped_after_a_few() {
    let app = app().await;
    let mike = agent(&app, Role::Sdr).await;
    set_up(&app, &mike).await;
    app.clock.advance(30 * MINUTE_MS);
    let ticket = ticket_in(&enter(&app, "sdr@faro.example", PASSWORD).await.expect(200).body);
    let mut heard = 0;
    for guess in 0..40 {
        let answer = second(&app.client, &ticket, &format!("{guess:06}")).await;
        heard += usize::from(answer.status != 429);
    }
    assert!(heard <= 8, "{heard} guesses were looked at");
}

#[tokio::test]
async fn a_role_that_needs_a_second_factor_sees_only_its_own_account_before() {
    let app = TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "accounts", "second_factor_for", vec!["sdr".to_owned()]);
    })
    .await;
    hire(&app, "sdr@faro.example", Role::Sdr, Language::En).await;
    let answer = enter(&app, "sdr@faro.example", PASSWORD).await.expect(303);
    let client = app.client.with("cookie", &cookie_of(&answer));
    for path in ["/console", "/console/contacts", "/console/accounts", "/console/settings"] {
        let answer = client.get(path).await;
        let is_led = answer.status == 303 && answer.header("location") == "/console/account/second-factor";
        assert!(is_led || answer.status == 403, "{path}: {}", answer.status);
    }
    let page = client.get("/console/account/second-factor").await.expect(200).body;
    let csrf = page.split("name=\"csrf\" content=\"").nth(1).and_then(|rest| rest.split('"').next());
    let mike = Agent { client, csrf: csrf.expect("the token").to_owned() };
    set_up(&app, &mike).await;
    mike.get("/console").await.expect(200);
    agent(&app, Role::Ae).await.get("/console").await.expect(200);
}

#[tokio::test]
async fn an_administrator_takes_a_lost_second_factor_away() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let mike = agent(&app, Role::Sdr).await;
    set_up(&app, &mike).await;
    let id = id_of(&app, "sdr@faro.example").await;
    admin.submits(&format!("/console/accounts/{id}/second-factor"), &[]).await.expect(303);
    enter(&app, "sdr@faro.example", PASSWORD).await.expect(303);
    assert!(admin.sees("/console/audit").await.contains("second factor, taken away"));
}

// ---- keys -----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_key_is_shown_once_does_what_it_may_ends_and_is_revoked() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let fields = [("name", "Warehouse"), ("days", "30"), ("sales", "write"), ("traffic", "read")];
    let page = admin.submits("/console/keys", &fields).await.expect(200).body;
    let key = page.split(">embudo_").nth(1).and_then(|rest| rest.split('<').next()).expect("the key");
    let key = format!("embudo_{key}");
    let list = admin.sees("/console/keys").await;
    assert!(
        !list.contains(&key) && list.contains("sales:read sales:write") && list.contains("Never"),
        "{list}"
    );
    let client = app.client.with("authorization", &format!("Bearer {key}"));
    client.get("/api/v1/companies").await.expect(200);
    client.get("/api/v1/traffic/faro/live").await.expect(200);
    client.get("/api/v1/audit").await.expect_problem(403, "api.scope_missing");
    client.post("/api/v1/events", &json!({})).await.expect_problem(403, "api.scope_missing");
    assert!(!admin.sees("/console/keys").await.contains("Never"), "it was used");
    for row in app.rows("select digest, starts_with from api_keys").await {
        let (digest, start): (String, String) =
            (row.get("digest").expect("it"), row.get("starts_with").expect("it"));
        assert!(digest != key && start.len() < 16);
    }
    app.clock.advance(30 * DAY_MS);
    client.get("/api/v1/companies").await.expect_problem(401, "api.key_unknown");
    let admin = log_in(&app, "admin@faro.example").await;
    let page =
        admin.submits("/console/keys", &[("name", "Other"), ("metrics", "read")]).await.expect(200).body;
    let key = page.split(">embudo_").nth(1).and_then(|rest| rest.split('<').next()).expect("the key");
    let client = app.client.with("authorization", &format!("Bearer embudo_{key}"));
    let metrics = client.with("x-forwarded-for", "203.0.113.9");
    metrics.get("/metrics").await.expect(200);
    let id: String = app.rows("select id from api_keys where name = 'Other'").await[0].get("id").expect("it");
    admin.submits(&format!("/console/keys/{id}/revoke"), &[]).await.expect(303);
    admin.submits(&format!("/console/keys/{id}/revoke"), &[]).await.expect(404);
    metrics.get("/metrics").await.expect_problem(401, "api.key_unknown");
    // Without a name, or without anything that it may do, there is no key; nor for a scope that does not exist.
    for fields in [[("name", ""), ("sales", "read")], [("name", "x"), ("traffic", "write")]] {
        admin.submits("/console/keys", &fields).await.expect(422);
    }
}

#[tokio::test]
async fn the_command_line_makes_and_revokes_a_key() {
    let app = app().await;
    let run = |arguments: &[&str]| {
        let config = app.folder().join("embudo.toml");
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_embudo"))
            .args(["--config", &config.display().to_string(), "key"])
            .args(arguments)
            .output()
            .expect("it runs");
        (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let (is_done, text) = run(&["create", "Warehouse", "--scope", "sales:read,traffic:read", "--days", "30"]);
    assert!(is_done, "{text}");
    let client = app.client.with("authorization", &format!("Bearer {}", text.trim()));
    client.get("/api/v1/companies").await.expect(200);
    client.get("/api/v1/outbox").await.expect_problem(403, "api.scope_missing");
    let (is_done, list) = run(&["list"]);
    assert!(is_done && list.contains("Warehouse") && !list.contains(text.trim()), "{list}");
    let id = list.split('\t').next().expect("an id");
    assert!(run(&["revoke", id]).0);
    client.get("/api/v1/companies").await.expect_problem(401, "api.key_unknown");
    let (is_done, wrong) = run(&["create", "x", "--scope", "sales:all"]);
    assert!(!is_done && wrong.contains("choose among traffic:read"), "{wrong}");
}

// ---- what is looked at ----------------------------------------------------------------------------

#[tokio::test]
async fn the_audit_is_filtered_and_goes_out_as_a_table() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let form = [("email", "ana@faro.example"), ("name", "=cmd"), ("role", "ae")];
    admin.submits("/console/accounts", &form).await.expect(303);
    let own = id_of(&app, "admin@faro.example").await;
    let of_own = format!("/console/audit?who=account%3A{own}&did=changed&from=2026-11-23&to=2026-11-23");
    assert!(admin.sees(&of_own).await.contains("ana@faro.example"));
    for other in ["?did=erased", "?who=api", "?from=2026-11-24", "?to=2026-11-22"] {
        let page = admin.sees(&format!("/console/audit{other}")).await;
        assert!(!page.contains("ana@faro.example") && page.contains("Nothing like that"), "{other}");
    }
    assert!(admin.sees("/console/audit?from=yesterday&did=nonsense").await.contains("ana@faro.example"));
    let file = admin.get("/console/audit.csv?did=changed").await.expect(200);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<&str> = file.body.lines().collect();
    assert_eq!(lines[0], "at,actor,name,owner,action,what,of,list,reply,contact,email");
    assert!(
        lines[1].contains(&format!("account:{own},admin,,changed,invited,ana@faro.example")),
        "{}",
        file.body
    );
}

#[tokio::test]
async fn the_index_shows_each_role_what_opens_for_it() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await.sees("/console/settings").await;
    for path in ["/console/accounts", "/console/keys", "/console/health", "/console/audit", "/console/sites"]
    {
        assert!(admin.contains(&format!("href=\"{path}\"")), "{path}");
    }
    let viewer = agent(&app, Role::Viewer).await;
    let page = viewer.sees("/console/settings").await;
    let main = page.split("<main").nth(1).and_then(|rest| rest.split("</main>").next()).expect("it");
    for link in main.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        viewer.get(link).await.expect(200);
    }
    assert!(!main.contains("/console/keys") && main.contains("/console/account\""));
}

#[tokio::test]
async fn the_sites_page_has_the_tag_and_tells_of_the_first_hit() {
    let app = app().await;
    let admin = agent(&app, Role::Admin).await;
    let page = admin.sees("/console/sites").await;
    let tag =
        format!("&lt;script defer src&#x3D;&quot;{}/e.js&quot; data-site&#x3D;&quot;faro&quot;&gt;", app.url);
    assert!(page.contains(&tag) && page.contains("We have seen no hit yet"), "{page}");
    app.visitor().visit("/").await;
    app.count("hits").await;
    let page = admin.sees("/console/sites").await;
    assert!(page.contains("The latest hit came") && !page.contains("We have seen no hit yet"));
    assert!(page.contains(&format!("script-src {}", app.url)));
}

#[tokio::test]
async fn health_and_retention_tell_how_it_is_and_delete_nothing() {
    let app = TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "retention", "audit_days", 30);
    })
    .await;
    let admin = agent(&app, Role::Admin).await;
    let page = admin.sees("/console/health").await;
    assert!(page.contains("All is well") && page.contains("MiB free"), "{page}");
    let form = [("email", "ana@faro.example"), ("name", "Ana"), ("role", "ae")];
    admin.submits("/console/accounts", &form).await.expect(200);
    app.clock.advance(31 * DAY_MS);
    let admin = log_in(&app, "admin@faro.example").await;
    let before = app.census().await;
    let page = admin.sees("/console/retention").await;
    assert!(page.contains("30 days") && page.contains("For ever"), "{page}");
    let audit = page.split("Who saw, changed").nth(1).expect("the row");
    assert!(audit.contains(">1</td>"), "one entry is too old: {audit}");
    assert_eq!(app.census().await, before);
}
