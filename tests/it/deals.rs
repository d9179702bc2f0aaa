//! Companies, deals, offers and what campaigns cost.

use embudo::base::ids::ContactId;
use embudo::base::time::DAY_MS;
use embudo::stages;
use reqwest::Method;
use serde_json::{Value, json};

use crate::gates::{contact, submit, with_fixtures};
use crate::people::merge;
use crate::support::answer::{Answer, Client};
use crate::support::app::{TestApp, repository, set};

const KEY: &str = "the api key of the tests, long enough";

async fn start() -> TestApp {
    TestApp::start_with(|settings| {
        with_fixtures(settings);
        for name in ["segments", "offers"] {
            let path = repository(&format!("tests/it/fixtures/{name}.yaml"));
            set(settings, "definitions", name, path.display().to_string());
        }
        set(settings, "api", "keys", vec![KEY]);
    })
    .await
}

fn api(app: &TestApp) -> Client {
    app.client.with("authorization", &format!("Bearer {KEY}"))
}

async fn send(app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
    let body = Some(("application/json", body.to_string().into_bytes()));
    api(app).send(method, path, body).await
}

async fn lead(app: &TestApp, email: &str) -> ContactId {
    submit(&app.visitor(), "white-paper", email).await;
    contact(app, email).await.0
}

async fn accept(app: &TestApp, contact: ContactId) {
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let decision = stages::Decision {
        role: "sdr".to_owned(),
        what: "accept".to_owned(),
        reason: None,
        actor: stages::Actor::Api,
    };
    stages::decide(&mut tx, &app.app.lifecycle, contact, &decision, app.now()).await.expect("accepted");
    tx.commit().await.expect("commits");
}

async fn company(app: &TestApp, name: &str) -> Value {
    let found = api(app).get(&format!("/api/v1/companies?q={name}")).await.expect_json(200);
    found["companies"][0].clone()
}

async fn deal(app: &TestApp, people: &[(ContactId, &str)]) -> String {
    let acme = company(app, "acme").await;
    let body =
        json!({"company": acme["id"], "name": "Reading circles", "amount": 240_000, "currency": "EUR"});
    let opened = send(app, Method::POST, "/api/v1/deals", body).await.expect_json(201);
    let id = opened["deal"]["id"].as_str().expect("an id").to_owned();
    for (contact, role) in people {
        let path = format!("/api/v1/deals/{id}/people/{contact}");
        send(app, Method::PUT, &path, json!({"role": role})).await.expect(200);
    }
    id
}

#[tokio::test]
async fn what_one_colleague_says_is_known_of_the_company_and_the_api_knows_better() {
    let app = start().await;
    let ana = lead(&app, "ana@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let trust = embudo::contacts::Trust::Claimed;
    embudo::contacts::set_field(&mut tx, ana, "employees", "51-200", "form", trust, app.now())
        .await
        .expect("set");
    tx.commit().await.expect("commits");
    let acme = company(&app, "acme").await;
    assert_eq!((&acme["employees"], &acme["domain"]), (&json!(51), &json!("acme.example")));
    let path = format!("/api/v1/companies/{}", acme["id"].as_str().expect("an id"));
    let body = json!({"employees": 300, "industry": "Education", "country": "es", "kind": "school", "revenue": "50m+"});
    send(&app, Method::PATCH, &path, body).await.expect(200);
    let told = api(&app).get(&path).await.expect_json(200);
    assert_eq!(told["company"]["employees"], 300);
    assert_eq!(
        (&told["company"]["industry"], &told["company"]["country"]),
        (&json!("education"), &json!("ES"))
    );
    let source = |name: &str| {
        let fields = told["fields"].as_array().expect("a list");
        fields.iter().find(|field| field["name"] == name).map(|field| field["source"].clone())
    };
    assert_eq!(source("employees"), Some(json!("api")));
    // A colleague of hers is scored by what is known of the company.
    let eva = lead(&app, "eva@acme.example").await;
    let person = stages::person(&mut app.app.stores.db.read(), &app.app.lifecycle, eva, app.now()).await;
    let facts = person.expect("known").facts;
    assert_eq!((facts.company.employees, facts.employees, facts.industry.as_str()), (300, 300, "education"));
    assert_eq!((facts.company.kind.as_str(), facts.company.revenue.as_str()), ("school", "50m+"));
    // What would turn the words beside it round is taken out, as forms and tokens do it.
    send(&app, Method::PATCH, &path, json!({"name": "Ac\u{202e}me \u{2066}S.L."})).await.expect(200);
    let told = api(&app).get(&path).await.expect_json(200);
    assert_eq!(told["company"]["name"], "Acme S.L.");
    for (name, wrong) in [
        ("name", json!("Acme\r\nBcc: eve@x.example")),
        ("shoes", json!(3)),
        ("employees", json!("many")),
        ("employees", json!(-5)),
        ("employees", json!("12abc")),
        ("country", json!("Atlantis")),
        ("revenue", json!("lots")),
        ("kind", json!("any kind")),
        ("name", json!(["Acme"])),
    ] {
        let mut body = json!({"industry": "finance"});
        body[name] = wrong.clone();
        let problem = send(&app, Method::PATCH, &path, body).await.expect_problem(422, "company.invalid");
        assert_eq!(problem["field"], json!(name), "{wrong}");
    }
    let unchanged = api(&app).get(&path).await.expect_json(200);
    assert_eq!(
        unchanged["company"], told["company"],
        "what is refused changes nothing, not even the rest of it"
    );
    // What is no JSON of this shape is answered like every other mistake.
    send(&app, Method::PATCH, &path, json!([1])).await.expect_problem(400, "request.malformed");
    let wrong = json!({"title": "A deal"});
    send(&app, Method::POST, "/api/v1/deals", wrong).await.expect_problem(400, "request.malformed");
    let wrong = json!({"kode": "FARO"});
    send(&app, Method::POST, "/api/v1/offers/redeem", wrong).await.expect_problem(400, "request.malformed");
    api(&app).get("/api/v1/companies/nobody").await.expect_problem(404, "company.unknown");
}

#[tokio::test]
async fn a_deal_that_is_won_makes_a_customer_once_however_often_it_is_told() {
    let app = start().await;
    let (nikki, vp) = (lead(&app, "nikki@acme.example").await, lead(&app, "vp@acme.example").await);
    accept(&app, nikki).await;
    let id = deal(&app, &[(nikki, "champion"), (vp, "finance")]).await;
    let told = api(&app).get(&format!("/api/v1/deals/{id}")).await.expect_json(200);
    let people: Vec<(&str, &str)> = told["people"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|person| (person["email"].as_str().expect("a text"), person["role"].as_str().expect("a text")))
        .collect();
    assert_eq!(people, [("nikki@acme.example", "champion"), ("vp@acme.example", "finance")]);
    for _ in 0..2 {
        let won = send(&app, Method::POST, &format!("/api/v1/deals/{id}/won"), json!({})).await;
        let told = won.expect_json(200);
        assert_eq!(told["deal"]["status"], "won");
        let why = "`customer` is entered from sql, sal, not from `lead`";
        assert_eq!(told["not_moved"], json!([{"contact": vp, "stage": "lead", "why": why}]));
    }
    assert_eq!(contact(&app, "nikki@acme.example").await.1, "customer");
    assert_eq!(contact(&app, "vp@acme.example").await.1, "lead", "sales never took her on");
    let rows = app.rows("select rule from stage_intervals where stage = 'customer'").await;
    assert_eq!(rows.len(), 1);
    let events = app.rows("select kind from events where kind = 'deal_won'").await;
    assert_eq!(events.len(), 1);
    let of_vp = stages::person(&mut app.app.stores.db.read(), &app.app.lifecycle, vp, app.now()).await;
    assert!(of_vp.expect("known").facts.company.is_customer);
    let lost = send(&app, Method::POST, &format!("/api/v1/deals/{id}/lost"), json!({"reason": "x"})).await;
    lost.expect_problem(409, "deal.closed");
}

#[tokio::test]
async fn a_deal_is_of_one_company_has_dates_and_is_lost_for_a_reason() {
    let app = start().await;
    let nikki = lead(&app, "nikki@acme.example").await;
    let stranger = lead(&app, "eve@other.example").await;
    let id = deal(&app, &[(nikki, "decision_maker")]).await;
    let path = format!("/api/v1/deals/{id}/people/{stranger}");
    send(&app, Method::PUT, &path, json!({"role": "user"})).await.expect_problem(422, "deal.other_company");
    let deal = format!("/api/v1/deals/{id}");
    let live_at = 1_800_600_000_000_i64;
    let body = json!({"kickoff_at": 1_800_000_000_000_i64, "live_at": live_at, "amount": 300_000});
    let changed = send(&app, Method::PATCH, &deal, body).await.expect_json(200);
    assert_eq!(changed["deal"]["live_at"], json!(live_at));
    assert_eq!(
        (&changed["deal"]["amount"], &changed["deal"]["kickoff_at"]),
        (&json!(300_000), &json!(1_800_000_000_000_i64))
    );
    send(&app, Method::PATCH, &deal, json!({"currency": "euro"})).await.expect_problem(422, "deal.invalid");
    let lost = format!("{deal}/lost");
    send(&app, Method::POST, &lost, json!({"reason": " "})).await.expect_problem(422, "deal.reason_needed");
    let told =
        send(&app, Method::POST, &lost, json!({"reason": "chose a competitor"})).await.expect_json(200);
    assert_eq!(told["deal"]["reason"], "chose a competitor");
    let path = format!("/api/v1/deals/{id}/people/{nikki}");
    let told = api(&app).send(Method::DELETE, &path, None).await.expect_json(200);
    assert_eq!(told["people"], json!([]));
}

async fn take(app: &TestApp, contact: ContactId, offer: &str) -> Answer {
    send(app, Method::POST, &format!("/api/v1/contacts/{contact}/offers/{offer}"), json!({})).await
}

#[tokio::test]
async fn an_offer_is_for_whom_it_is_meant_and_each_keeps_one_code() {
    let app = start().await;
    let nikki = lead(&app, "nikki@acme.example").await;
    take(&app, nikki, "pilot").await.expect_problem(409, "offer.not_eligible");
    accept(&app, nikki).await;
    let path = format!("/api/v1/contacts/{nikki}/offers");
    let shown = api(&app).get(&path).await.expect_json(200);
    assert_eq!(shown["offers"].as_array().map(Vec::len), Some(1));
    let claim = take(&app, nikki, "pilot").await.expect_json(200);
    let code = claim["code"].as_str().expect("a code").to_owned();
    assert!(code.starts_with("FARO-") && code.len() == 15, "{code}");
    assert_eq!(take(&app, nikki, "pilot").await.expect_json(200)["code"], claim["code"]);
    let redeem = |code: String| send(&app, Method::POST, "/api/v1/offers/redeem", json!({"code": code}));
    redeem(code.to_lowercase()).await.expect(200);
    redeem(code).await.expect_problem(409, "offer.code_used");
    redeem("FARO-0000000000".to_owned()).await.expect_problem(404, "offer.code_unknown");
    take(&app, nikki, "nothing").await.expect_problem(404, "offer.unknown");
    // Whoever took it as two contacts that are one has it once.
    let eva = lead(&app, "eva@acme.example").await;
    accept(&app, eva).await;
    let hers = take(&app, eva, "pilot").await.expect_json(200)["code"].as_str().expect("a code").to_owned();
    merge(&app, nikki, eva).await;
    redeem(hers).await.expect_problem(409, "offer.code_used");
}

#[tokio::test]
async fn an_offer_to_a_segment_is_for_its_people_only() {
    let app = start().await;
    let nikki = lead(&app, "nikki@acme.example").await;
    app.later(1_000).await;
    let shown = api(&app).get(&format!("/api/v1/contacts/{nikki}/offers")).await.expect_json(200);
    assert_eq!(shown["offers"][0]["id"], "first-steps", "she belongs to the leads");
    accept(&app, nikki).await;
    app.later(1_000).await;
    let refused = take(&app, nikki, "first-steps").await.expect_problem(409, "offer.not_eligible");
    assert_eq!(refused["why"], "segment", "and then no more");
}

#[tokio::test]
async fn a_quota_is_never_given_out_twice_and_what_is_over_is_refused() {
    let app = start().await;
    let mut people = Vec::new();
    for n in 0..6 {
        let contact = lead(&app, &format!("reader{n}@acme.example")).await;
        accept(&app, contact).await;
        people.push(contact);
    }
    let taken =
        futures_util::future::join_all(people.iter().map(|contact| take(&app, *contact, "pilot"))).await;
    assert_eq!(taken.iter().filter(|answer| answer.status == 200).count(), 3, "three were there to take");
    let given = taken.into_iter().find(|answer| answer.status == 200).expect("one").json();
    app.clock.advance(31 * DAY_MS);
    let late = send(&app, Method::POST, "/api/v1/offers/redeem", json!({"code": given["code"]})).await;
    late.expect_problem(410, "offer.code_expired");
    take(&app, people[0], "gone").await.expect_problem(409, "offer.not_eligible");
}

#[tokio::test]
async fn costs_are_imported_once_however_often_they_are_sent() {
    let app = start().await;
    let file =
        "day;source;campaign;amount;currency\n2026-11-01;google;autumn;12,50;EUR\nx;google;autumn;1;EUR\n";
    let import = || async {
        let body = Some(("text/csv", file.as_bytes().to_vec()));
        api(&app).send(Method::POST, "/api/v1/costs", body).await.expect_json(200)
    };
    let first = import().await;
    assert_eq!((&first["added"], &first["unusable"][0]["line"]), (&json!(1), &json!(3)));
    assert_eq!(import().await["unchanged"], 1);
    let body = Some(("text/csv", b"hello".to_vec()));
    let refused = api(&app).send(Method::POST, "/api/v1/costs", body).await;
    refused.expect_problem(422, "costs.unreadable");
}

#[tokio::test]
async fn who_said_what_of_a_company_is_known_and_what_is_believed_less_waits_for_a_person() {
    let app = start().await;
    let (ana, eva) = (lead(&app, "ana@acme.example").await, lead(&app, "eva@acme.example").await);
    let tell = async |who: ContactId, name: &str, value: &str, trust| {
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        embudo::contacts::set_field(&mut tx, who, name, value, "form", trust, app.now()).await.expect("set");
        tx.commit().await.expect("commits");
    };
    use embudo::contacts::Trust;
    tell(ana, "employees", "250", Trust::Confirmed).await;
    tell(ana, "company_country", "ES", Trust::Confirmed).await;
    tell(eva, "employees", "40", Trust::Claimed).await;
    tell(eva, "industry", "education", Trust::Claimed).await;
    let acme = company(&app, "acme").await;
    let path = format!("/api/v1/companies/{}", acme["id"].as_str().expect("an id"));
    let said = |told: &Value, list: &str, name: &str| {
        let all = told[list].as_array().expect("a list");
        let found = all.iter().find(|it| it["name"] == name);
        found
            .map(|it| (it["value"].clone(), it["source"].clone(), it["trust"].clone(), it["contact"].clone()))
    };
    let told = api(&app).get(&path).await.expect_json(200);
    assert_eq!(told["company"]["employees"], 250, "a stranger's claim does not replace what is certain");
    let certain = (json!("250"), json!("form"), json!("confirmed"), json!(ana));
    assert_eq!(said(&told, "fields", "employees"), Some(certain));
    let claimed = (json!("education"), json!("form"), json!("claimed"), json!(eva));
    assert_eq!(said(&told, "fields", "industry"), Some(claimed));
    let waits = (json!("40"), json!("form"), json!("claimed"), json!(eva));
    assert_eq!(said(&told, "suggestions", "employees"), Some(waits));

    let judge = async |name: &str, accept: bool| {
        send(&app, Method::POST, &format!("{path}/suggestions/{name}"), json!({"accept": accept})).await
    };
    judge("shoes", true).await.expect_problem(404, "contact.nothing_suggested");
    judge("employees", false).await.expect(204);
    judge("employees", false).await.expect_problem(404, "contact.nothing_suggested");
    tell(eva, "employees", "60", Trust::Claimed).await;
    judge("employees", true).await.expect(204);
    let told = api(&app).get(&path).await.expect_json(200);
    assert_eq!(told["company"]["employees"], 60);
    let taken = (json!("60"), json!("console"), json!("confirmed"), json!(eva));
    assert_eq!(said(&told, "fields", "employees"), Some(taken));
    assert_eq!(told["suggestions"], json!([]));

    // Who is forgotten leaves what is known of the company, and not that she said it.
    tell(eva, "revenue", "10m-50m", Trust::Claimed).await;
    tell(ana, "revenue", "1m-10m", Trust::Claimed).await;
    let (keys, later) = (&app.app.keys, embudo::app::App::later_tables());
    for who in [eva, ana] {
        let by = embudo::privacy::audit::By::Cli;
        embudo::privacy::erase(&app.app.stores, keys, &later, who, by, false, app.now())
            .await
            .expect("erased");
    }
    let told = api(&app).get(&path).await.expect_json(200);
    let nobodys = (json!("10m-50m"), json!("form"), json!("claimed"), Value::Null);
    assert_eq!(said(&told, "fields", "revenue"), Some(nobodys));
    assert_eq!(told["suggestions"], json!([]), "what she only suggested went with her");
}
