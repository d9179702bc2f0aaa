//! CRMs: what is told stands there once, whatever breaks on the way; what sales decides there counts here, once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use embudo::accounts::Role;
use embudo::base::email::Email;
use embudo::base::ids::{BookingId, ContactId, new_key};
use embudo::base::time::{HOUR_MS, MINUTE_MS, SECOND_MS, Timestamp};
use embudo::bookings::{self, Outcome};
use embudo::contacts::{self, ConsentEntry, Trust};
use embudo::crm::{self, What, Work};
use embudo::jobs::queue;
use embudo::privacy::{self, audit::By};
use embudo::stages::{self, Actor, Decision};
use hmac::{Hmac, Mac};
use serde_json::{Value as Json, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::console::agent;
use crate::support::answer::Answer;
use crate::support::app::{SITE, TestApp, set, starting_clock};
use crate::support::crm::{Crm, LAG_MS, Trouble};

const NIKKI: &str = "nikki@acme.example";
const HOOK: &str = "abcdefghijklmnopqrstuvwxyz";
const KINDS: [&str; 3] = ["pipedrive", "freshsales", "hubspot"];

/// What each kind needs beside its address and token.
fn rest_of(kind: &str) -> &'static str {
    match kind {
        "pipedrive" => {
            "login: embudo, password: a-long-password, pipeline: 1, stages: {sql: 1, sal: 2}, \
             owners: {mike@faro.example: 7}, \
             fields: {contact: {c_title: field.job_title, c_link: contact.link}, deal: {c_needs: bant.summary}}"
        }
        "freshsales" => {
            "activity: 3, won: 9, lost: 10, stages: {sql: 1, sal: 2}, ids: {deal: cf_embudo}, \
             fields: {contact: {cf_title: field.job_title}}"
        }
        _ => {
            "client_secret: a-client-secret, stages: {sql: appointmentscheduled, sal: qualifiedtobuy}, \
             lifecycle: {mql: marketingqualifiedlead, sql: salesqualifiedlead, sal: opportunity, customer: customer}, \
             ids: {deal: embudo_id}, fields: {contact: {jobtitle: field.job_title}}"
        }
    }
}

struct Shop {
    app: TestApp,
    crm: Crm,
    _folder: TempDir,
}

/// An app that tells these kinds of CRM, each called like its kind; `more` stands in every connection.
async fn shop(kinds: &[&str], more: &str) -> Shop {
    // The server needs the app's clock, and the app the server's address.
    let clock = starting_clock();
    let crm = Crm::start(clock.clone()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("crm.yaml");
    let mut text = "connections:\n".to_owned();
    for kind in kinds {
        text.push_str(&format!(
            "  - {{name: {kind}, kind: {kind}, url: \"{}\", token: {kind}-token, hook: {HOOK}, {}{more}}}\n",
            crm.url(kind),
            rest_of(kind)
        ));
    }
    std::fs::write(&file, text).expect("written");
    let app = TestApp::start_at(clock, |settings| {
        set(settings, "definitions", "crm", file.display().to_string());
        set(settings, "outbound", "allow", vec!["127.0.0.0/8"]);
    })
    .await;
    Shop { app, crm, _folder: folder }
}

impl Shop {
    /// Somebody books a call; returns the contact and the call.
    async fn book(&self, email: &str, nth: usize) -> (ContactId, BookingId) {
        let slots = self.app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
        let call = json!({
            "site": "faro", "meeting": "discovery", "starts_at": slots["slots"][nth]["starts_at"],
            "zone": "Europe/Madrid", "language": "en", "name": "Nikki <b>Grantham</b>",
            "email": email, "notes": "Tell me <script>more</script>",
        });
        self.app.client.with("origin", SITE).post("/v1/bookings", &call).await.expect(201);
        let contact = self.contact(email).await;
        let calls = bookings::of_contact(&mut self.app.app.stores.db.read(), contact).await.expect("read");
        (contact, calls.first().expect("a call").id)
    }

    async fn contact(&self, email: &str) -> ContactId {
        let address = Email::parse(email).expect("an address");
        let mut q = self.app.app.stores.db.read();
        contacts::find_by_email(&mut q, &address).await.expect("read").expect("a contact").id
    }

    async fn stage(&self, contact: ContactId) -> String {
        let mut q = self.app.app.stores.db.read();
        contacts::find(&mut q, contact).await.expect("read").expect("a contact").stage
    }

    async fn learn(&self, contact: ContactId, name: &str, value: &str) {
        let mut tx = self.app.app.stores.db.begin().await.expect("begins");
        contacts::set_field(&mut tx, contact, name, value, "chat", Trust::Confirmed, self.app.now())
            .await
            .expect("set");
        tx.commit().await.expect("commits");
    }

    /// Tells of a call once more, as if for the first time.
    async fn again(&self, kind: &str, contact: ContactId, booking: BookingId) {
        let mut tx = self.app.app.stores.db.begin().await.expect("begins");
        let work = serde_json::to_value(Work::new(kind, What::Call { booking, contact })).expect("JSON");
        let now = self.app.now();
        queue::enqueue(&mut tx, crm::JOB, &format!("again:{}", new_key()), &work, now, now)
            .await
            .expect("put in");
        tx.commit().await.expect("commits");
        self.app.run_jobs().await;
    }

    /// Lets the clock go on until nothing waits any more.
    async fn until_told(&self) {
        for _ in 0..200 {
            self.app.run_jobs().await;
            let waiting = self
                .app
                .rows("select id from jobs where kind = 'crm' and state in ('ready', 'running')")
                .await;
            if waiting.is_empty() {
                return;
            }
            self.app.clock.advance(MINUTE_MS);
        }
        panic!("something is never told: {:?}", self.jobs().await);
    }

    async fn jobs(&self) -> Vec<(String, String, String)> {
        let rows = self
            .app
            .rows("select state, payload, coalesce(last_error, '') as why from jobs where kind = 'crm' order by created_at, id")
            .await;
        rows.iter()
            .map(|row| {
                (
                    row.get("state").expect("a state"),
                    row.get("payload").expect("a text"),
                    row.get("why").expect("a text"),
                )
            })
            .collect()
    }

    /// What was given up, with its reasons.
    async fn dead(&self) -> Vec<String> {
        self.jobs().await.into_iter().filter(|(state, ..)| state == "dead").map(|(_, _, why)| why).collect()
    }

    async fn tell(&self, kind: &str, body: &Json) -> Answer {
        let path = format!("/v1/crm/{kind}/{HOOK}");
        let text = body.to_string();
        match kind {
            "pipedrive" => {
                let login = format!("Basic {}", STANDARD.encode("embudo:a-long-password"));
                self.app.client.with("authorization", &login).post(&path, body).await
            }
            "hubspot" => {
                let at = self.app.now().as_ms().to_string();
                let signature = signed(&format!("{}{path}", self.app.url), &text, &at);
                let client = self.app.client.with("x-hubspot-signature-v3", &signature);
                client.with("x-hubspot-request-timestamp", &at).post(&path, body).await
            }
            _ => self.app.client.post(&path, body).await,
        }
    }
}

fn signed(url: &str, body: &str, at: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"a-client-secret").expect("a key");
    mac.update(format!("POST{url}{body}{at}").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// What each CRM says when a deal has changed; `news` is the id of the news.
fn changed(kind: &str, deal: i64, news: i64) -> Json {
    match kind {
        "pipedrive" => json!({
            "meta": {"action": "change", "entity": "deal", "entity_id": deal.to_string(), "id": news.to_string(), "version": "2.0"},
            "data": {"id": deal}, "previous": {},
        }),
        "freshsales" => json!({ "deal_id": deal, "news": news }),
        _ => json!([{
            "eventId": news, "subscriptionType": "deal.propertyChange", "objectId": deal, "propertyName": "dealstage",
            "propertyValue": "whatever", "changeSource": "CRM_UI",
        }]),
    }
}

/// How a deal is put into a stage, won or lost by hand.
fn moved(kind: &str, to: &str) -> Json {
    match (kind, to) {
        ("pipedrive", "sal") => json!({ "stage_id": 2 }),
        ("pipedrive", "lost") => json!({ "status": "lost", "lost_reason": "no budget this year" }),
        ("pipedrive", _) => json!({ "status": "won" }),
        ("freshsales", "sal") => json!({ "deal_stage_id": 2 }),
        ("freshsales", "lost") => json!({ "deal_stage_id": 10 }),
        ("freshsales", _) => json!({ "deal_stage_id": 9 }),
        (_, "sal") => json!({ "dealstage": "qualifiedtobuy" }),
        (_, "lost") => json!({ "dealstage": "closedlost", "closed_lost_reason": "no budget this year" }),
        _ => json!({ "dealstage": "closedwon" }),
    }
}

/// The requests by which each CRM is made to keep something: company, contact, deal, activity.
fn makings(kind: &str) -> [&'static str; 4] {
    match kind {
        "pipedrive" => ["POST /organizations", "POST /persons", "POST /deals", "POST /activities"],
        "freshsales" => {
            ["POST /sales_accounts/upsert", "POST /contacts/upsert", "POST /deals", "POST /sales_activities"]
        }
        _ => [
            "POST /crm/v3/objects/companies",
            "POST /crm/v3/objects/contacts/batch/upsert",
            "POST /crm/v3/objects/deals",
            "POST /crm/v3/objects/meetings",
        ],
    }
}

// --- once, whatever breaks -----------------------------------------------------------------------------

#[tokio::test]
async fn five_replays_give_one_person_company_deal_and_activity_in_every_crm() {
    for kind in KINDS {
        let shop = shop(&[kind], "").await;
        let (nikki, call) = shop.book(NIKKI, 0).await;
        shop.until_told().await;
        assert_eq!(shop.crm.counts(), [1, 1, 1, 1], "{kind}");
        shop.crm.forget_calls();
        for _ in 0..5 {
            shop.again(kind, nikki, call).await;
        }
        assert_eq!(shop.crm.counts(), [1, 1, 1, 1], "{kind}");
        let calls = shop.crm.calls();
        assert!(calls.is_empty(), "{kind}: what stands there needs no request: {calls:#?}");
        // Our side forgets everything, as after an old backup: what is there is found.
        shop.app.clock.advance(HOUR_MS);
        shop.app
            .app
            .stores
            .db
            .execute(embudo::storage::db::Sql("delete from crm_links"), &[])
            .await
            .expect("deleted");
        for _ in 0..5 {
            shop.again(kind, nikki, call).await;
        }
        assert_eq!(shop.crm.counts(), [1, 1, 1, 1], "{kind}: {:#?}", shop.crm.calls());
        assert_eq!(shop.dead().await, Vec::<String>::new());
        shop.crm.stop().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_work_was_done_doubles_nothing() {
    for kind in KINDS {
        for trouble in [Trouble::DoneAndLost, Trouble::DoneAndLate] {
            let shop = shop(&[kind], "").await;
            for making in makings(kind) {
                shop.crm.trouble(making, trouble.clone());
                // And once more when it is tried again.
                shop.crm.trouble(making, trouble.clone());
            }
            let (nikki, call) = shop.book(NIKKI, 0).await;
            shop.until_told().await;
            assert_eq!(shop.crm.counts(), [1, 1, 1, 1], "{kind} {trouble:?}: {:#?}", shop.crm.calls());
            shop.again(kind, nikki, call).await;
            assert_eq!(shop.crm.counts(), [1, 1, 1, 1], "{kind} {trouble:?}");
            assert_eq!(shop.dead().await, Vec::<String>::new(), "{kind}");
            shop.crm.stop().await;
        }
    }
}

#[tokio::test]
async fn what_the_search_cannot_know_yet_is_not_made_again() {
    let shop = shop(&["pipedrive"], "").await;
    shop.crm.trouble("POST /persons", Trouble::DoneAndLost);
    shop.book(NIKKI, 0).await;
    shop.app.run_jobs().await;
    assert_eq!(shop.crm.kept("person").len(), 1);
    // The queue would try again after ten seconds; the search needs three quarters of a minute.
    for _ in 0..4 {
        shop.app.later(13 * SECOND_MS).await;
    }
    assert!(4 * 13 * SECOND_MS > LAG_MS && shop.crm.calls_to("POST /persons").len() == 1);
    shop.until_told().await;
    assert_eq!(shop.crm.calls_to("POST /persons").len(), 1, "{:#?}", shop.crm.calls());
    assert_eq!(shop.crm.counts(), [1, 1, 1, 1]);
    shop.crm.stop().await;
}

#[tokio::test]
async fn limits_are_heeded_in_each_of_their_forms_and_hold_for_everything() {
    for (kind, trouble, pause_ms) in [
        ("pipedrive", Trouble::Limited(&[("x-ratelimit-reset", "90")]), 90 * SECOND_MS),
        ("hubspot", Trouble::Limited(&[("retry-after", "120")]), 120 * SECOND_MS),
        ("freshsales", Trouble::LimitedInside, MINUTE_MS),
    ] {
        let shop = shop(&[kind], "").await;
        shop.crm.trouble(makings(kind)[1], trouble);
        shop.book(NIKKI, 0).await;
        shop.app.run_jobs().await;
        let calls = shop.crm.calls().len();
        assert_eq!(shop.crm.counts(), [0, 1, 0, 0], "{kind}: the company came first");
        // Somebody else's call asks nothing of it either.
        shop.book("ana@beta.example", 3).await;
        shop.app.later(pause_ms - SECOND_MS).await;
        assert_eq!(shop.crm.calls().len(), calls, "{kind} is left alone for {pause_ms} ms");
        shop.until_told().await;
        assert_eq!(shop.crm.counts(), [2, 2, 2, 2], "{kind}");
        assert_eq!(shop.dead().await, Vec::<String>::new(), "{kind}");
        shop.crm.stop().await;
    }
}

#[tokio::test]
async fn a_crm_that_is_down_or_locked_is_waited_for_and_what_it_refuses_is_shown_and_tried_again_by_hand() {
    let shop = shop(&["pipedrive"], "").await;
    for _ in 0..3 {
        shop.crm.trouble("GET /organizations", Trouble::Down);
    }
    shop.crm.trouble("GET /organizations", Trouble::Locked);
    shop.crm.trouble("POST /deals", Trouble::Refused);
    let (nikki, _) = shop.book(NIKKI, 0).await;
    shop.until_told().await;
    let dead = shop.dead().await;
    assert!(!dead.is_empty() && dead.iter().all(|why| why.contains("400") && !why.contains('@')), "{dead:?}");
    assert_eq!(shop.crm.counts()[2], 0);

    let admin = agent(&shop.app, Role::Admin).await;
    let page = admin.sees("/console/crm").await;
    assert!(
        page.contains("the value of … is wrong") && page.contains(&format!("/console/contacts/{nikki}")),
        "{page}"
    );
    assert!(page.contains(&format!("/v1/crm/pipedrive/{HOOK}")));
    admin.submits("/console/crm/pipedrive/replay", &[]).await.expect(303);
    shop.until_told().await;
    assert_eq!(shop.crm.counts(), [1, 1, 1, 1]);
    assert_eq!(shop.dead().await, Vec::<String>::new());
    admin.submits("/console/crm/pipedrive/test", &[]).await.expect(303);
    assert_eq!(shop.crm.calls_to("GET /pipelines").len(), 1);
    shop.crm.trouble("GET /pipelines", Trouble::Locked);
    admin.submits("/console/crm/pipedrive/test", &[]).await.expect(502);
    admin.submits("/console/crm/nobody/test", &[]).await.expect(404);

    let mike = agent(&shop.app, Role::Sdr).await;
    let page = mike.sees("/console/crm").await;
    assert!(page.contains("pipedrive") && !page.contains(HOOK), "the address is a secret");
    mike.submits("/console/crm/pipedrive/replay", &[]).await.expect(403);
    shop.crm.stop().await;
}

#[tokio::test]
async fn whoever_is_in_the_crm_already_is_found_and_nobody_else_is_touched() {
    let shop = shop(&["pipedrive"], "").await;
    let hers =
        json!({ "name": "N. Grantham", "emails": [{ "value": "Nikki@ACME.example", "primary": true }] });
    let person = shop.crm.put("person", hers);
    let other =
        shop.crm.put("person", json!({ "name": "Other", "emails": [{ "value": "nikki@acme.example.org" }] }));
    let company = shop.crm.put("company", json!({ "name": "ACME" }));
    shop.book(NIKKI, 0).await;
    shop.until_told().await;
    assert_eq!(shop.crm.counts(), [2, 1, 1, 1], "{:#?}", shop.crm.calls());
    let deal = shop.crm.only("deal").body;
    assert_eq!((&deal["person_id"], &deal["org_id"]), (&json!(person), &json!(company)));
    let kept = shop.crm.kept("person");
    assert_eq!(kept.iter().find(|kept| kept.id == other).expect("there").body["name"], "Other");
    // Sales deletes the person: she comes back with her next call, and only then.
    shop.crm.delete(person);
    let nikki = shop.contact(NIKKI).await;
    shop.learn(nikki, "job_title", "VP Finance").await;
    let (nikki, call) = shop.book(NIKKI, 5).await;
    shop.until_told().await;
    shop.app.clock.advance(HOUR_MS);
    shop.again("pipedrive", nikki, call).await;
    assert_eq!(shop.crm.counts(), [2, 1, 1, 2], "{:#?}", shop.crm.calls());
    shop.crm.stop().await;
}

// --- what is told ----------------------------------------------------------------------------------------

#[tokio::test]
async fn a_booked_call_tells_person_company_deal_and_call_with_needs_and_where_the_conversation_is() {
    let shop = shop(&["pipedrive"], "").await;
    let (nikki, call) = shop.book(NIKKI, 0).await;
    for (name, value) in
        [("job_title", "VP Finance"), ("bant.budget", "10k"), ("bant.need", "reading <i>clubs</i>")]
    {
        shop.learn(nikki, name, value).await;
    }
    shop.until_told().await;
    let booking = bookings::find(&mut shop.app.app.stores.db.read(), call).await.expect("there");
    let person = shop.crm.only("person");
    assert_eq!(person.body["emails"], json!([{ "value": NIKKI, "primary": true, "label": "work" }]));
    assert_eq!(person.body["custom_fields"]["c_title"], "VP Finance");
    let link = format!("{}/console/contacts/{nikki}", shop.app.url);
    assert_eq!(person.body["custom_fields"]["c_link"], json!(link));
    let company = shop.crm.only("company");
    assert_eq!(person.body["org_id"], json!(company.id));
    let deal = shop.crm.only("deal");
    assert_eq!((&deal.body["person_id"], &deal.body["org_id"]), (&json!(person.id), &json!(company.id)));
    assert_eq!((&deal.body["stage_id"], &deal.body["pipeline_id"]), (&json!(1), &json!(1)));
    assert_eq!(deal.body["custom_fields"]["c_needs"], "Budget: 10k; Need: reading <i>clubs</i>");
    let activity = shop.crm.only("activity");
    let at = booking.starts_at.to_string();
    assert_eq!(
        (activity.body["due_date"].as_str(), activity.body["due_time"].as_str()),
        (Some(&at[..10]), Some(&at[11..19]))
    );
    assert_eq!(activity.body["deal_id"], json!(deal.id));
    assert_eq!(activity.body["participants"], json!([{ "person_id": person.id, "primary": true }]));
    assert_eq!(activity.body["done"], json!(false));
    let note = activity.body["note"].as_str().expect("a note");
    assert!(
        note.contains("Budget: 10k") && note.contains("reading &lt;i&gt;clubs") && note.contains(&link),
        "{note}"
    );
    assert!(note.contains("&lt;script&gt;") && !note.contains("<script>"), "{note}");
    assert!(note.contains(&format!("Embudo {call}")));
    shop.crm.stop().await;
}

#[tokio::test]
async fn a_call_that_is_moved_held_missed_or_called_off_is_told_as_it_is_and_one_nobody_heard_of_is_not() {
    let shop = shop(&KINDS, "").await;
    let (_, call) = shop.book(NIKKI, 0).await;
    shop.until_told().await;
    assert_eq!(shop.crm.kept("activity").len(), 3);
    let desk = bookings::Desk { team: &shop.app.app.team, lifecycle: &shop.app.app.lifecycle };
    let slots = shop.app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let later = slots["slots"].as_array().expect("slots").last().expect("one")["starts_at"].clone();
    let later = Timestamp(later.as_i64().expect("a time"));
    let mut tx = shop.app.app.stores.db.begin().await.expect("begins");
    bookings::reschedule(&mut tx, desk, call, later, shop.app.now()).await.expect("moved");
    tx.commit().await.expect("commits");
    shop.until_told().await;
    let pipedrive = shop.crm.calls_to("PATCH /activities").pop().expect("told");
    assert_eq!(pipedrive.body["due_date"].as_str(), Some(&later.to_string()[..10]));
    let hubspot = shop.crm.calls_to("PATCH /crm/v3/objects/meetings").pop().expect("told");
    assert_eq!(hubspot.body["properties"]["hs_meeting_start_time"], json!(later.to_string()));
    assert_eq!(shop.crm.kept("activity").len(), 3);

    shop.app.clock.advance(later.since_ms(shop.app.now()) + HOUR_MS);
    for (outcome, word) in [(Outcome::NoShow, "NO_SHOW"), (Outcome::Held, "COMPLETED")] {
        let mut tx = shop.app.app.stores.db.begin().await.expect("begins");
        bookings::set_outcome(&mut tx, desk, call, outcome, shop.app.now()).await.expect("set");
        tx.commit().await.expect("commits");
        shop.until_told().await;
        let told = shop.crm.calls_to("PATCH /crm/v3/objects/meetings").pop().expect("told");
        assert_eq!(told.body["properties"]["hs_meeting_outcome"], word);
        let told = shop.crm.calls_to("PATCH /activities").pop().expect("told");
        assert_eq!(told.body["done"], json!(true));
    }
    assert_eq!(shop.crm.kept("activity").len(), 3);

    // Booked and called off before anybody was told.
    let (_, call) = shop.book("ana@beta.example", 8).await;
    let mut tx = shop.app.app.stores.db.begin().await.expect("begins");
    bookings::cancel(&mut tx, desk, call, None, shop.app.now()).await.expect("cancelled");
    tx.commit().await.expect("commits");
    shop.until_told().await;
    assert_eq!(shop.crm.kept("activity").len(), 3);
    assert_eq!(shop.dead().await, Vec::<String>::new());
    shop.crm.stop().await;
}

#[tokio::test]
async fn a_colleague_joins_the_same_company_and_deal_and_whoever_has_no_company_has_a_deal_of_her_own() {
    let shop = shop(&KINDS, "").await;
    shop.book(NIKKI, 0).await;
    shop.book("ana@acme.example", 4).await;
    shop.until_told().await;
    assert_eq!(shop.crm.counts(), [6, 3, 3, 6], "{:#?}", shop.crm.kept("deal"));
    assert_eq!(shop.app.count("deals").await, 1, "our side has one deal, too");
    let joined = shop.crm.joined();
    let to_deals = joined.iter().filter(|(from, to, _)| from.starts_with("person:") && to == "deal");
    assert_eq!(to_deals.count(), 2, "both have a part in HubSpot's deal: {joined:?}");
    shop.book("lucia@gmail.com", 8).await;
    shop.until_told().await;
    assert_eq!(shop.crm.counts(), [9, 3, 6, 9]);
    assert_eq!(shop.app.count("deals").await, 1);
    shop.crm.stop().await;
}

#[tokio::test]
async fn a_stage_is_told_to_whoever_is_there_and_brings_there_only_whom_the_file_says() {
    for (more, people) in [("", 0), (", people_in: [mql, sql]", 1)] {
        let shop = shop(&["hubspot"], more).await;
        let nikki = shop.app.visitor();
        crate::gates::submit(&nikki, "white-paper", NIKKI).await;
        let id = shop.contact(NIKKI).await;
        decide(&shop, id, "sdr", "accept").await;
        shop.until_told().await;
        assert_eq!(shop.crm.kept("person").len(), people, "{more}: {}", shop.stage(id).await);
        if people == 1 {
            let person = shop.crm.only("person");
            assert_eq!(person.body["lifecyclestage"], "salesqualifiedlead");
            assert_eq!(shop.crm.counts()[2..], [0, 0][..], "no call, no deal");
            // Back by a named way: HubSpot's field is cleared first, else it stays.
            decide_because(&shop, id, "ae", "reject").await;
            shop.until_told().await;
            let person = shop.crm.only("person");
            let stage = shop.stage(id).await;
            assert_eq!(
                (stage.as_str(), person.body["lifecyclestage"].as_str()),
                ("mql", Some("marketingqualifiedlead"))
            );
        }
        shop.crm.stop().await;
    }
}

async fn decide(shop: &Shop, contact: ContactId, role: &str, what: &str) {
    let decision = Decision { role: role.to_owned(), what: what.to_owned(), reason: None, actor: Actor::Api };
    let mut tx = shop.app.app.stores.db.begin().await.expect("begins");
    stages::decide(&mut tx, &shop.app.app.lifecycle, contact, &decision, shop.app.now())
        .await
        .expect("decided");
    tx.commit().await.expect("commits");
}

/// As `decide`, with the first of the reasons that are accepted.
async fn decide_because(shop: &Shop, contact: ContactId, role: &str, what: &str) {
    let lifecycle = &shop.app.app.lifecycle;
    let mut tx = shop.app.app.stores.db.begin().await.expect("begins");
    let person = stages::person(&mut tx, lifecycle, contact, shop.app.now()).await.expect("known");
    let position = stages::position(&mut tx, lifecycle, contact, shop.app.now()).await.expect("known");
    let offers = stages::offers(lifecycle, &person, &position);
    let offer = offers.iter().find(|offer| offer.role == role && offer.what == what).expect("offered");
    let reason = offer.reasons.first().cloned();
    let decision = Decision { role: role.to_owned(), what: what.to_owned(), reason, actor: Actor::Api };
    stages::decide(&mut tx, lifecycle, contact, &decision, shop.app.now()).await.expect("decided");
    tx.commit().await.expect("commits");
}

// --- what comes back -------------------------------------------------------------------------------------

#[tokio::test]
async fn stage_won_and_lost_come_back_as_decisions_of_the_crm_and_are_not_echoed() {
    for kind in KINDS {
        let shop = shop(&[kind], "").await;
        let (nikki, _) = shop.book(NIKKI, 0).await;
        shop.until_told().await;
        assert_eq!(shop.stage(nikki).await, "sql");
        let deal = shop.crm.only("deal").id;

        // What we told ourselves comes back, and means nothing.
        shop.tell(kind, &changed(kind, deal, 1)).await.expect(200);
        shop.until_told().await;
        assert_eq!(shop.stage(nikki).await, "sql");

        shop.crm.change(deal, moved(kind, "sal"));
        shop.crm.forget_calls();
        for _ in 0..3 {
            shop.tell(kind, &changed(kind, deal, 2)).await.expect(200);
            shop.until_told().await;
        }
        assert_eq!(shop.stage(nikki).await, "sal", "{kind}: {:?}", shop.jobs().await);
        let by = shop.app.rows("select actor, stage from stage_intervals where stage = 'sal'").await;
        assert_eq!((by.len(), by[0].get::<String>("actor").expect("a text").as_str()), (1, "crm"), "{kind}");
        let echoes: Vec<_> = shop
            .crm
            .calls()
            .into_iter()
            .filter(|call| call.path.contains("deals") && call.method != "GET")
            .collect();
        assert!(echoes.is_empty(), "{kind}: {echoes:#?}");

        shop.crm.change(deal, moved(kind, "won"));
        shop.tell(kind, &changed(kind, deal, 3)).await.expect(200);
        shop.until_told().await;
        assert_eq!(shop.stage(nikki).await, "customer", "{kind}: {:?}", shop.jobs().await);
        let deals = shop.app.rows("select status from deals").await;
        assert_eq!(
            (deals.len(), deals[0].get::<String>("status").expect("a text").as_str()),
            (1, "won"),
            "{kind}"
        );
        let echoes: Vec<_> = shop
            .crm
            .calls()
            .into_iter()
            .filter(|call| {
                call.path.contains("deals") && matches!(call.method.as_str(), "PATCH" | "PUT" | "POST")
            })
            .filter(|call| !call.path.contains("associations"))
            .collect();
        assert!(echoes.is_empty(), "{kind}: {echoes:#?}");

        // It cannot be lost any more: a person decides, and the reason stands in the console.
        shop.crm.change(deal, moved(kind, "lost"));
        if kind == "pipedrive" {
            shop.tell(kind, &changed(kind, deal, 4)).await.expect(200);
            shop.until_told().await;
            let dead = shop.dead().await;
            assert!(dead.len() == 1 && dead[0].contains("cannot be so here"), "{dead:?}");
        }
        shop.crm.stop().await;
    }
}

#[tokio::test]
async fn a_deal_that_is_lost_there_is_lost_here_with_its_reason_and_one_won_here_is_won_there() {
    for kind in KINDS {
        let shop = shop(&[kind], "").await;
        shop.book(NIKKI, 0).await;
        shop.book("ana@beta.example", 4).await;
        shop.until_told().await;
        let kept = shop.crm.kept("deal");
        let (first, second) = (kept[0].id, kept[1].id);
        shop.crm.change(first, moved(kind, "lost"));
        shop.tell(kind, &changed(kind, first, 1)).await.expect(200);
        shop.until_told().await;
        let lost = shop.app.rows("select id, reason from deals where status = 'lost'").await;
        let reason: String = lost[0].get("reason").expect("a text");
        let wanted = if kind == "freshsales" { "lost in the CRM" } else { "no budget this year" };
        assert_eq!((lost.len(), reason.as_str()), (1, wanted), "{kind}");

        let open = shop.app.rows("select id from deals where status = 'open'").await;
        let open: embudo::base::ids::DealId = open[0].get("id").expect("an id");
        let mut tx = shop.app.app.stores.db.begin().await.expect("begins");
        embudo::deals::win(&mut tx, &shop.app.app.lifecycle, open, Actor::Api, shop.app.now())
            .await
            .expect("won");
        tx.commit().await.expect("commits");
        shop.until_told().await;
        let won = shop.crm.kept("deal").into_iter().find(|deal| deal.id == second).expect("there").body;
        let wanted = moved(kind, "won");
        let (field, value) = wanted.as_object().expect("a map").iter().next().expect("one");
        assert_eq!(&won[field], value, "{kind}: {won}");
        shop.crm.stop().await;
    }
}

#[tokio::test]
async fn a_move_over_there_is_not_undone_by_something_else_that_we_tell() {
    let shop = shop(&["pipedrive"], "").await;
    let (nikki, call) = shop.book(NIKKI, 0).await;
    shop.until_told().await;
    let deal = shop.crm.only("deal").id;
    // Into a stage that means nothing here, and nobody tells us.
    shop.crm.change(deal, json!({ "stage_id": 5, "pipeline_id": 2 }));
    shop.learn(nikki, "bant.need", "more readers").await;
    shop.again("pipedrive", nikki, call).await;
    let kept = shop.crm.only("deal").body;
    assert_eq!(
        (&kept["stage_id"], &kept["pipeline_id"]),
        (&json!(5), &json!(2)),
        "{:#?}",
        shop.crm.calls_to("PATCH")
    );
    assert_eq!(kept["custom_fields"]["c_needs"], "Need: more readers");
    shop.crm.stop().await;
}

#[tokio::test]
async fn a_webhook_that_is_not_from_the_crm_is_refused_and_one_about_strangers_is_answered_and_noted() {
    let shop = shop(&KINDS, "").await;
    shop.book(NIKKI, 0).await;
    shop.until_told().await;
    let before = shop.app.count("jobs").await;
    let body = changed("pipedrive", 1, 1);
    let plain = &shop.app.client;
    plain.post(&format!("/v1/crm/pipedrive/{HOOK}"), &body).await.expect_problem(403, "crm.signature_wrong");
    let wrong = format!("Basic {}", STANDARD.encode("embudo:another-password"));
    let wrong = plain.with("authorization", &wrong);
    wrong.post(&format!("/v1/crm/pipedrive/{HOOK}"), &body).await.expect_problem(403, "crm.signature_wrong");
    plain.post("/v1/crm/freshsales/wrong", &body).await.expect_problem(404, "request.not_found");
    plain.post(&format!("/v1/crm/nobody/{HOOK}"), &body).await.expect_problem(404, "request.not_found");

    // HubSpot: another body, another address, an old one.
    let path = format!("/v1/crm/hubspot/{HOOK}");
    let (url, body) = (format!("{}{path}", shop.app.url), changed("hubspot", 1, 1));
    let now = shop.app.now().as_ms();
    for (url, text, at) in [
        (url.as_str(), "[]".to_owned(), now),
        ("https://elsewhere.example/v1/crm", body.to_string(), now),
        (url.as_str(), body.to_string(), now - 6 * MINUTE_MS),
        (url.as_str(), body.to_string(), now + 6 * MINUTE_MS),
    ] {
        let at = at.to_string();
        let client = plain.with("x-hubspot-signature-v3", &signed(url, &text, &at));
        let client = client.with("x-hubspot-request-timestamp", &at);
        client.post(&path, &body).await.expect_problem(403, "crm.signature_wrong");
    }
    assert_eq!(shop.app.count("jobs").await, before);

    for kind in KINDS {
        let told = shop.tell(kind, &changed(kind, 77_777, 1)).await.expect_json(200);
        assert_eq!((&told["news"], &told["unknown"]), (&json!(0), &json!(1)), "{kind}");
    }
    let told = shop.tell("freshsales", &json!({ "deal_id": "../../etc" })).await.expect_json(200);
    assert_eq!((&told["news"], &told["unknown"]), (&json!(0), &json!(0)));
    assert_eq!(shop.app.count("jobs").await, before);
    let page = agent(&shop.app, Role::Admin).await.sees("/console/crm").await;
    assert!(page.contains("77777"), "{page}");
    shop.crm.stop().await;
}

// --- people ------------------------------------------------------------------------------------------------

#[tokio::test]
async fn whoever_was_erased_is_not_sent_and_the_audit_says_what_is_left_over_there() {
    let shop = shop(&["pipedrive"], "").await;
    let (nikki, call) = shop.book(NIKKI, 0).await;
    shop.until_told().await;
    let person = shop.crm.only("person").id;
    let later = embudo::app::App::later_tables();
    let app = &shop.app.app;
    let erased = privacy::erase(&app.stores, &app.keys, &later, nikki, By::Cli, false, shop.app.now())
        .await
        .expect("erased");
    assert!(erased.remains.contains(&"crm"));
    let kinds: Vec<&str> = erased.crm.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["activity", "contact"]);
    assert!(erased.crm.iter().any(|one| one.id == person.to_string() && one.crm == "pipedrive"));
    shop.crm.forget_calls();
    shop.again("pipedrive", nikki, call).await;
    shop.until_told().await;
    let calls = shop.crm.calls();
    assert!(calls.iter().all(|call| !call.path.contains("persons") && call.method == "GET"), "{calls:#?}");
    let audit = shop.app.rows("select details from audit where action = 'erased'").await;
    let details: String = audit[0].get("details").expect("a text");
    assert!(details.contains(&person.to_string()) && !details.contains("nikki"), "{details}");
    let page = agent(&shop.app, Role::Admin).await.sees("/console/audit").await;
    assert!(page.contains(&format!("pipedrive: contact {person}")), "{page}");
    shop.crm.stop().await;
}

#[tokio::test]
async fn whoever_is_erased_while_she_is_sent_is_told_in_the_audit_too() {
    let shop = shop(&["pipedrive"], "").await;
    let go = Arc::new(Notify::new());
    shop.crm.trouble("POST /persons", Trouble::Held(go.clone()));
    let (nikki, _) = shop.book(NIKKI, 0).await;
    let worker = shop.app.app.worker();
    let sending =
        tokio::spawn(async move { embudo::jobs::drain(&worker).await.map_err(|error| error.to_string()) });
    let began = Instant::now();
    while shop.crm.calls_to("POST /persons").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "she is never sent");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (later, app) = (embudo::app::App::later_tables(), &shop.app.app);
    privacy::erase(&app.stores, &app.keys, &later, nikki, By::Cli, false, shop.app.now())
        .await
        .expect("erased");
    go.notify_one();
    sending.await.expect("ends").expect("works");
    let person = shop.crm.only("person").id;
    assert_eq!(shop.app.rows("select own_id from crm_links where kind <> 'company'").await.len(), 0);
    let audit = shop.app.rows("select details from audit where action = 'erased' and actor = 'rule'").await;
    let details: String = audit[0].get("details").expect("a text");
    assert!(details.contains(&person.to_string()), "{details}");
    assert_eq!(shop.crm.kept("deal").len(), 0, "nothing more was sent");
    shop.crm.stop().await;
}

#[tokio::test]
async fn where_the_file_asks_for_consent_only_those_who_gave_it_are_sent() {
    let shop = shop(&["pipedrive"], ", consent: crm").await;
    let (nikki, call) = shop.book(NIKKI, 0).await;
    shop.until_told().await;
    assert_eq!(shop.crm.calls().len(), 0);
    for (action, people) in [("granted", 1), ("withdrawn", 1)] {
        let mut tx = shop.app.app.stores.db.begin().await.expect("begins");
        contacts::note_consent(&mut tx, Some(nikki), None, &ConsentEntry::of("crm", action), shop.app.now())
            .await
            .expect("noted");
        tx.commit().await.expect("commits");
        shop.app.clock.advance(SECOND_MS);
        shop.crm.forget_calls();
        shop.learn(nikki, "job_title", action).await;
        shop.again("pipedrive", nikki, call).await;
        shop.until_told().await;
        assert_eq!(shop.crm.kept("person").len(), people, "{action}");
    }
    assert_eq!(shop.crm.calls().len(), 0, "after the withdrawal nothing is sent");
    shop.crm.stop().await;
}

#[tokio::test]
async fn somebody_who_was_merged_into_another_stands_there_as_she_did() {
    let shop = shop(&["hubspot"], "").await;
    shop.book(NIKKI, 0).await;
    shop.until_told().await;
    let person = shop.crm.only("person");
    let visitor = shop.app.visitor();
    crate::gates::submit(&visitor, "white-paper", "nikki.grantham@acme.example").await;
    let (survivor, merged) = (shop.contact("nikki.grantham@acme.example").await, shop.contact(NIKKI).await);
    let mut tx = shop.app.app.stores.db.begin().await.expect("begins");
    stages::merge::merge(&mut tx, &shop.app.app.lifecycle, survivor, merged, Actor::Api, shop.app.now())
        .await
        .expect("merged");
    tx.commit().await.expect("commits");
    shop.until_told().await;
    let kept = shop.crm.only("person");
    assert_eq!((kept.id, kept.body["email"].as_str()), (person.id, Some("nikki.grantham@acme.example")));
    shop.crm.stop().await;
}

// --- by hand -------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_who_we_are_and_prints_what_would_be_sent() {
    let shop = shop(&KINDS, "").await;
    shop.book(NIKKI, 0).await;
    let config = shop.app.folder().join("embudo.toml");
    // The commands go by the clock of the test.
    let here = embudo::base::time::Clock::system().now();
    let offset = shop.app.now().since_ms(here).to_string();
    std::fs::write(shop.app.folder().join("data/clock"), offset).expect("written");
    let run = |arguments: Vec<String>| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_embudo"))
            .arg("--config")
            .arg(&config)
            .args(arguments)
            .output()
            .expect("run");
        let told =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), told)
    };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    for kind in KINDS {
        let (is_fine, told) = tokio::task::block_in_place(|| run(words(&format!("crm test {kind}"))));
        assert!(is_fine && told.contains("knows us"), "{told}");
    }
    let (is_fine, told) = tokio::task::block_in_place(|| run(words("crm test pipedriv")));
    assert!(!is_fine && told.contains("did you mean `pipedrive`?"), "{told}");
    shop.crm.trouble("GET /pipelines", Trouble::Locked);
    let (is_fine, told) = tokio::task::block_in_place(|| run(words("crm test pipedrive")));
    assert!(!is_fine && told.contains("401") && !told.contains("pipedrive-token"), "{told}");
    shop.crm.forget_calls();
    let (is_fine, told) =
        tokio::task::block_in_place(|| run(words(&format!("crm send {NIKKI} --dry-run --format json"))));
    assert!(is_fine, "{told}");
    let told: Json = serde_json::from_str(&told).expect("JSON");
    let all = told.as_array().expect("a list");
    assert_eq!(all.len(), 3);
    for one in all {
        let things: Vec<&str> = one["requests"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|request| request["thing"].as_str())
            .collect();
        assert_eq!(things, ["company", "contact", "deal", "activity"]);
    }
    assert!(shop.crm.calls().is_empty() && shop.crm.counts() == [0, 0, 0, 0], "a dry run sends nothing");
    let (is_fine, told) =
        tokio::task::block_in_place(|| run(words(&format!("crm send {NIKKI} --to hubspot"))));
    assert!(is_fine && told.contains("hubspot will be told"), "{told}");
    shop.until_told().await;
    assert_eq!(shop.crm.counts(), [3, 3, 3, 3]);
    shop.crm.stop().await;
}
