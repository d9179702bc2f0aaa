//! The lifecycle in the console: in the words of both teams, versions beside each other, trials that go on by themselves,
//! approval, activation into the file, and segments.

use std::path::PathBuf;

use embudo::accounts::Role;
use embudo::base::signing::sha256_hex;
use embudo::base::time::DAY_MS;
use embudo::base::trust::Trust;
use embudo::stages::trial::kept::{self, Kind, Wanted};
use embudo::{contacts, params, sql};
use serde_json::Value;

use crate::console::{Agent, agent, log_in};
use crate::gates::{contact, submit, with_fixtures};
use crate::support::answer::Answer;
use crate::support::app::{TestApp, repository, set};

const KEY: &str = "the api key of the tests, long enough";

/// An app whose definition both sides must approve, and the file that it stands in.
struct World {
    app: TestApp,
    file: PathBuf,
    first: String,
    _folder: tempfile::TempDir,
}

async fn world(change: impl FnOnce(String) -> String) -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lifecycle.yaml");
    let shipped = std::fs::read_to_string(repository("config/lifecycle.yaml")).expect("read");
    let first = change(shipped.replace(
        "name: reading-programmes",
        "name: reading-programmes\napprovals: {required: [marketing, sales]}",
    ));
    std::fs::write(&file, &first).expect("written");
    let app = TestApp::start_with(|settings| {
        with_fixtures(settings);
        set(settings, "server", "workers", 2);
        set(settings, "api", "keys", vec![KEY]);
        set(settings, "definitions", "lifecycle", file.display().to_string());
        let segments = repository("tests/it/fixtures/segments.yaml");
        set(settings, "definitions", "segments", segments.display().to_string());
    })
    .await;
    World { app, file, first, _folder: folder }
}

impl World {
    /// A stricter version: one webinar is not enough.
    fn second(&self) -> String {
        let strict = self.first.replace("version: 1\n", "version: 2\n");
        strict
            .replace("event(\"webinar.registered\", \"90d\")", "count(\"webinar.registered\", \"90d\") >= 2")
    }
}

fn place(answer: &Answer) -> String {
    answer.header("location").split('?').next().expect("a path").to_owned()
}

async fn propose(who: &Agent, text: &str) -> String {
    place(
        &who.submits("/console/lifecycle/propose", &[("text", text), ("note", "Stricter")]).await.expect(303),
    )
}

/// Fields as they are sent.
fn fields<'a>(of: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    of.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn the_definition_is_told_in_the_words_of_both_teams_and_in_both_languages() {
    let world = world(|text| text).await;
    let marta = agent(&world.app, Role::Marketing).await;
    let page = marta.sees("/console/lifecycle").await;
    for words in [
        "Fit is A or B and engagement is level 2 or better",
        "Registered for a webinar in the last 90 days",
        "Somebody answers within 15 minutes of the team&#x27;s hours",
        "If writes from a free address",
        "Goes back to Lead below 15 points for 45 days",
        "Customer → Marketing-qualified lead",
    ] {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    marta
        .submits("/console/language", &[("language", "es"), ("back", "/console/lifecycle")])
        .await
        .expect(303);
    let page = marta.sees("/console/lifecycle").await;
    assert!(page.contains("El encaje es A o B y el interés es de nivel 2 o mejor"), "{page}");
}

#[tokio::test]
async fn mistakes_of_a_proposal_are_told_at_their_lines_and_the_text_stays() {
    let world = world(|text| text).await;
    let marta = agent(&world.app, Role::Marketing).await;
    let wrong = world.second().replace("owner: sdr\n", "owner: sdrs\n").replace("points: 25", "points: many");
    let line = 1 + wrong.lines().position(|line| line.contains("owner: sdrs")).expect("there");
    let answer =
        marta.submits("/console/lifecycle/propose", &[("text", &wrong), ("note", "New <year>")]).await;
    let page = answer.expect(422).body;
    assert!(page.contains(&format!("Line {line}")), "{page}");
    assert!(page.contains("owner: sdrs") && page.contains("New &lt;year&gt;"), "{page}");
    assert!(page.matches("class=\"finding\"").count() >= 3, "all of them at once: {page}");
    // What other files name is told with their place.
    let gone =
        world.second().replace("  - id: lead\n", "  - id: prospect2\n").replace("to: lead", "to: prospect2");
    let page = marta.submits("/console/lifecycle/propose", &[("text", &gone)]).await.expect(422).body;
    assert!(page.contains("segments.yaml:"), "{page}");
}

#[tokio::test]
async fn a_version_is_compared_tried_in_the_background_approved_and_written_into_its_file() {
    let world = world(|text| text).await;
    let app = &world.app;
    for email in ["nikki@acme.example", "pam@acme.example"] {
        submit(&app.visitor(), "webinar", email).await;
    }
    app.run_jobs().await;
    app.clock.advance(DAY_MS);
    let marta = agent(app, Role::Marketing).await;
    let mike = agent(app, Role::Sdr).await;
    let cris = agent(app, Role::Cs).await;
    let second = world.second();
    let version = propose(&marta, &second).await;
    let hash = sha256_hex(&second);
    assert_eq!(version, format!("/console/lifecycle/versions/{hash}"));
    let page = mike.sees(&version).await;
    assert!(page.contains("What differs from version 1") && page.contains("diff-line added"), "{page}");
    assert!(page.contains("Stricter") && page.contains("Sales has not approved"), "{page}");
    let text = cris.get(&format!("{version}/text")).await.expect(200);
    assert_eq!(text.body, second);

    // Whoever may not define asks for nothing; whoever may is led to where the answer will be.
    let running = sha256_hex(&world.first);
    let ask = |kind: String| {
        [("hash", hash.clone()), ("against", running.clone()), ("kind", kind), ("days", "30".to_owned())]
    };
    let backtest = ask("backtest".to_owned());
    cris.submits("/console/lifecycle/trials", &fields(&backtest)).await.expect(403);
    let wrong = [("hash", hash.as_str()), ("kind", "backtest"), ("days", "0")];
    marta.submits("/console/lifecycle/trials", &wrong).await.expect(422);
    let tested = place(&marta.submits("/console/lifecycle/trials", &fields(&backtest)).await.expect(303));
    assert!(marta.sees(&tested).await.contains("Waits for its turn"));
    let differing = ask("diff".to_owned());
    let differing = place(&marta.submits("/console/lifecycle/trials", &fields(&differing)).await.expect(303));
    let lift = ask("lift".to_owned());
    let lift = place(&mike.submits("/console/lifecycle/trials", &fields(&lift)).await.expect(303));
    let stopped = place(&mike.submits("/console/lifecycle/trials", &fields(&backtest)).await.expect(303));
    mike.submits(&format!("{stopped}/stop"), &[]).await.expect(303);
    let stages = app.rows("select count(*) as n from stage_intervals").await;
    app.run_jobs().await;
    let page = marta.sees(&tested).await;
    for words in
        ["Does Marketing-qualified lead foretell Sales-accepted lead?", "2 would not be qualified any more"]
    {
        assert!(page.contains(words), "{words} is missing in {page}");
    }
    assert!(page.contains("nikki@acme.example") && page.contains("calls a week"), "{page}");
    let page = cris.sees(&differing).await;
    assert!(page.contains("2 of 2 contacts would stand elsewhere"), "{page}");
    assert!(page.contains("Registered for a webinar") && page.contains("pam@acme.example"), "{page}");
    let page = marta.sees(&lift).await;
    assert!(
        page.contains("Visited the site") && page.contains("too few") && page.contains("looks ahead"),
        "{page}"
    );
    assert!(marta.sees(&stopped).await.contains("Stopped"));
    assert!(marta.sees(&version).await.contains(&tested), "the version names its trials");
    marta.get("/console/lifecycle/trials/none").await.expect(404);
    let after = app.rows("select count(*) as n from stage_intervals").await;
    let count = |rows: &[embudo::storage::db::Row]| rows[0].get::<i64>("n").expect("a number");
    assert_eq!(count(&stages), count(&after), "trials move nobody");

    let activate = [("hash", hash.as_str()), ("re_evaluate", "new-events-only")];
    mike.submits("/console/lifecycle/activate", &activate).await.expect(409);
    for side in [&marta, &mike] {
        side.submits("/console/lifecycle/approve", &[("hash", &hash)]).await.expect(303);
    }
    let done = mike.submits("/console/lifecycle/activate", &activate).await.expect(303);
    assert!(done.header("location").contains("activated_written"), "{}", done.header("location"));
    assert_eq!(app.app.lifecycle.version, 2);
    assert_eq!(std::fs::read_to_string(&world.file).expect("read"), second);
    let kept: Vec<PathBuf> = std::fs::read_dir(world.file.parent().expect("a folder"))
        .expect("listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "old"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(std::fs::read_to_string(&kept[0]).expect("read"), world.first);
    let page = mike.sees("/console/lifecycle").await;
    assert!(page.contains("Version 2 runs") && page.contains("for what happens from then on"), "{page}");
    assert!(!page.contains("still holds version"), "{page}");
    let page = mike.sees(&format!("/console/lifecycle/versions/{running}")).await;
    assert!(page.contains("Ran before") && page.contains("What differs from version 2"), "{page}");

    // Whoever is erased stands in no trial any more.
    let (nikki, _) = contact(app, "nikki@acme.example").await;
    let of_hers = async || {
        let rows = app.rows("select contact_id from lifecycle_trial_people").await;
        rows.iter().filter(|row| row.get::<String>("contact_id").expect("an id") == nikki.to_string()).count()
    };
    assert_eq!(of_hers().await, 2);
    let admin = agent(app, Role::Admin).await;
    let erase = format!("/console/contacts/{nikki}/erase");
    let confirmed = [("email", "nikki@acme.example")];
    admin.submits(&erase, &confirmed).await.expect(200);
    assert_eq!(of_hers().await, 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_told_with_what_to_do() {
    let world = world(|text| text.replace("approvals: {required: [marketing, sales]}\n", "")).await;
    let admin = agent(&world.app, Role::Admin).await;
    let second = world.second();
    propose(&admin, &second).await;
    // What stood there could not be kept, so nothing is written over it.
    let short = sha256_hex(&world.first).get(..8).expect("a hash").to_owned();
    let kept = world.file.with_file_name(format!("lifecycle.yaml.v1-{short}.old"));
    std::fs::create_dir(kept).expect("made");
    let hash = sha256_hex(&second);
    let activate = [("hash", hash.as_str()), ("re_evaluate", "all")];
    let done = admin.submits("/console/lifecycle/activate", &activate).await;
    let done = done.expect(303);
    assert!(done.header("location").contains("activated_not_writable"), "{}", done.header("location"));
    assert_eq!(world.app.app.lifecycle.version, 2, "it runs all the same");
    assert_eq!(std::fs::read_to_string(&world.file).expect("read"), world.first);
    let page = admin.sees("/console/lifecycle").await;
    assert!(
        page.contains("still holds version 1") && page.contains(&world.file.display().to_string()),
        "{page}"
    );
}

#[tokio::test]
async fn whoever_answers_for_both_sides_does_not_pass_her_own_text_alone() {
    let world = world(|text| {
        let owners = "owners: {marketing: marketing@faro.example, sales: marketing@faro.example}\napprovals:";
        text.replacen("approvals:", owners, 1)
    })
    .await;
    let marta = agent(&world.app, Role::Marketing).await;
    let mike = agent(&world.app, Role::Sdr).await;
    let second = world.second();
    propose(&marta, &second).await;
    let hash = sha256_hex(&second);
    let chosen = [("hash", hash.as_str())];
    marta.submits("/console/lifecycle/approve", &chosen).await.expect(303);
    let refused = marta.submits("/console/lifecycle/approve", &chosen).await.expect(403);
    assert!(refused.body.contains("Somebody else approves for the other side"), "{}", refused.body);
    mike.submits("/console/lifecycle/approve", &chosen).await.expect(303);
    let activate = [("hash", hash.as_str()), ("re_evaluate", "new-events-only")];
    marta.submits("/console/lifecycle/activate", &activate).await.expect(303);
    assert_eq!(world.app.app.lifecycle.version, 2);
}

#[tokio::test]
async fn another_day_and_another_version_are_told_on_a_page_of_their_own() {
    let world = world(|text| text).await;
    let app = &world.app;
    let marta = agent(app, Role::Marketing).await;
    submit(&app.visitor(), "webinar", "nikki@acme.example").await;
    app.run_jobs().await;
    let (nikki, _) = contact(app, "nikki@acme.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::set_field(&mut tx, nikki, "country", "ES", "test", Trust::Claimed, app.now())
        .await
        .expect("set");
    tx.commit().await.expect("commits");
    let second = world.second();
    propose(&marta, &second).await;
    let page = format!("/console/contacts/{nikki}/simulate");
    assert!(marta.sees(&format!("/console/contacts/{nikki}")).await.contains(&page));
    let day = |days: i64| app.now().plus_ms(days * DAY_MS).to_jiff().strftime("%Y-%m-%d").to_string();
    let now = marta.sees(&page).await;
    assert!(now.contains("stage-mql") && now.contains("Country we deliver to"), "{now}");
    let later = marta.sees(&format!("{page}?at={}", day(200))).await;
    assert!(
        later.contains("if nothing happens any more") && later.contains("What time alone does"),
        "{later}"
    );
    assert!(later.contains("as recorded"), "she is an MQL today, and a lead by then: {later}");
    let other = marta.sees(&format!("{page}?at={}&with={}", day(0), sha256_hex(&second))).await;
    let would = other.split("What version 2 alone would have done").nth(1).expect("the part");
    let would = would.split("</section>").next().expect("its end");
    assert!(would.contains("stage-lead") && !would.contains("stage-mql"), "{would}");
    let before = marta.sees(&format!("{page}?at={}", day(-300))).await;
    assert!(before.contains("Not known yet on that day"), "{before}");
    marta.get(&format!("{page}?at=tomorrow")).await.expect(422);
    marta.get(&format!("{page}?with=nothing")).await.expect(409);
}

#[tokio::test]
async fn segments_are_told_in_words_with_size_changes_cost_and_when_time_alone_counts() {
    let world = world(|text| text).await;
    let app = &world.app;
    let marta = agent(app, Role::Marketing).await;
    let nikki = app.visitor();
    submit(&nikki, "white-paper", "nikki@acme.example").await;
    for page in ["/a", "/b", "/c"] {
        nikki.visit(page).await;
    }
    app.later(5_000).await;
    let page = marta.sees("/console/segments").await;
    assert!(page.contains("/console/segments/readers") && page.contains("+1 −0"), "{page}");
    assert!(page.contains("in the last 7 days") && page.contains("µs"), "{page}");
    assert!(marta.sees("/console/segments?costs=1").await.contains("Asked about up to 200 people now."));
    let members = marta.sees("/console/segments/readers").await;
    assert!(
        members.contains("nikki@acme.example") && members.contains("time alone may change it"),
        "{members}"
    );
    marta.get("/console/segments/nothing").await.expect(404);
    app.later(7 * DAY_MS).await;
    let marta = log_in(app, "marketing@faro.example").await;
    let page = marta.sees("/console/segments").await;
    assert!(page.contains("−1"), "she went: {page}");
}

#[tokio::test]
async fn a_trial_whose_worker_died_is_taken_up_by_another() {
    let world = world(|text| text).await;
    let app = &world.app;
    let db = &app.app.stores.db;
    let running = app.app.lifecycle.now();
    let wanted = Wanted {
        kind: Kind::Lift,
        since: app.now().plus_ms(-DAY_MS),
        stage: "mql".to_owned(),
        outcome: "sal".to_owned(),
    };
    let mut tx = db.begin().await.expect("begins");
    let id = kept::begin(&mut tx, running, running, &wanted, None, app.now()).await.expect("begun");
    tx.commit().await.expect("commits");
    let mut tx = db.begin().await.expect("begins");
    let held =
        sql!("update lifecycle_trials set state = 'running', runner = 'gone', alive_at = $2 where id = $1");
    tx.execute(held, params![&id, app.now()]).await.expect("held");
    tx.commit().await.expect("commits");
    let state = async || kept::find(&mut db.read(), &id).await.expect("read").expect("there").state;
    app.run_jobs().await;
    assert_eq!(state().await, kept::State::Running, "whoever has it may still be at it");
    app.clock.advance(30_000);
    app.run_jobs().await;
    assert_eq!(state().await, kept::State::Done);
}

#[tokio::test]
async fn programs_hear_of_the_capacity_too() {
    let world = world(|text| text).await;
    let client = world.app.client.with("authorization", &format!("Bearer {KEY}"));
    let body = Some(("application/json", world.second().into_bytes()));
    let answer = client.send(reqwest::Method::POST, "/api/v1/lifecycle/backtest", body).await;
    let told: Value = answer.expect_json(200);
    let reps = told["capacity"]["reps"].as_array().expect("a list");
    let names: Vec<&str> = reps.iter().map(|rep| rep["rep"].as_str().expect("a text")).collect();
    assert_eq!(names, ["mike", "lucia"]);
    let sum: i64 = reps.iter().map(|rep| rep["calls_per_week"].as_i64().expect("a number")).sum();
    assert_eq!(told["capacity"]["calls_per_week"].as_i64(), Some(sum));
    assert!(sum > 0 && told["model_load"]["share"].is_number(), "{told}");
}

#[tokio::test]
async fn a_file_with_a_mistake_hides_neither_what_runs_nor_what_waits() {
    let world = world(|text| text).await;
    let marta = agent(&world.app, Role::Marketing).await;
    propose(&marta, &world.second()).await;
    let program = world.app.client.with("authorization", &format!("Bearer {KEY}"));
    let told = program.get("/api/v1/lifecycle/versions").await.expect_json(200);
    assert_eq!((&told["file"]["is_running"], &told["file_problem"]), (&Value::Bool(true), &Value::Null));
    std::fs::write(&world.file, world.first.replace("owner: sdr", "owner: sd")).expect("written");
    let broken = program.get("/api/v1/lifecycle/versions").await.expect_json(200);
    for what in ["running", "proposals", "history"] {
        assert_eq!(broken[what], told[what], "{what}");
    }
    assert_eq!(broken["proposals"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&broken["file"], &broken["file_problem"]["code"]),
        (&Value::Null, &"lifecycle.model_invalid".into())
    );
    let found = &broken["file_problem"]["findings"][0];
    let line = world.first.lines().position(|line| line.contains("owner: sdr")).expect("the line") + 1;
    assert_eq!(found["line"].as_u64(), u64::try_from(line).ok(), "{found}");
    let page = marta.sees("/console/lifecycle").await;
    assert!(
        page.contains("The file on this server has mistakes") && page.contains(&format!(":{line}:")),
        "{page}"
    );
    assert!(page.contains("Version 2: Stricter"), "what waits stands there: {page}");
}

#[tokio::test]
async fn a_changed_text_under_a_number_that_ran_is_told_by_check_by_the_page_and_at_the_start() {
    let world = world(|text| text).await;
    let app = &world.app;
    let check = |more: &[&str]| {
        let config = app.folder().join("embudo.toml");
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_embudo"))
            .args(["--config", &config.display().to_string(), "check"])
            .args(more)
            .output()
            .expect("it runs");
        String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
    };
    let running = ["--against", "running"];
    assert!(!check(&running).contains("L117"), "the text itself has its number");
    let changed = world.first.replace("name: reading-programmes", "name: programmes");
    std::fs::write(&world.file, &changed).expect("written");
    let told = check(&running);
    assert!(told.contains("L117 version 1 ran already with another text"), "{told}");
    assert!(told.contains("write `version: 2`"), "{told}");
    if app.app.config.storage.postgres.is_empty() {
        assert!(check(&[]).contains("L117"), "the store on this machine is looked into without being asked");
    }
    // A number that is free is said no word about.
    std::fs::write(&world.file, changed.replace("version: 1\n", "version: 2\n")).expect("written");
    assert!(!check(&running).contains("L117"));
    std::fs::write(&world.file, &changed).expect("written");
    let admin = agent(app, Role::Admin).await;
    let page = admin.sees("/console/lifecycle").await;
    assert!(page.contains("under the number 1, which is taken") && page.contains("version: 2"), "{page}");
    // What the start says is what it chooses by.
    let report = embudo::base::diagnostic::Report::new();
    let file = embudo::stages::Definition::parse("lifecycle.yaml", &changed, &report).expect("it is right");
    let chosen = embudo::stages::versions::choose(&mut app.app.stores.db.read(), file).await.expect("chosen");
    assert_eq!((chosen.needs_number, chosen.running.name.as_str()), (Some(2), "reading-programmes"));
}
