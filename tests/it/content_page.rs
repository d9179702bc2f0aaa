//! The pages of the content: what came of it, how visitors see it, what to paste, and what is wrong in its files.

use embudo::accounts::Role;
use embudo::base::email::Email;
use embudo::base::time::DAY_MS;
use embudo::contacts;
use embudo::offers::{self, Offer};
use embudo::reports::forms;
use jiff::tz::TimeZone;
use serde_json::json;
use tempfile::TempDir;

use crate::console::{Agent, agent, log_in};
use crate::letters;
use crate::support::answer::Answer;
use crate::support::app::{SITE, TestApp, repository, set};

fn has(page: &str, part: &str) {
    assert!(page.contains(part), "`{part}` is not in: {page}");
}

/// The sample company's own, and the segments that they are for.
fn with_offers(settings: &mut toml::Table) {
    for name in ["segments", "offers"] {
        let path = repository(&format!("config/{name}.yaml"));
        set(settings, "definitions", name, path.display().to_string());
    }
}

fn has_not(page: &str, part: &str) {
    assert!(!page.contains(part), "`{part}` is in: {page}");
}

#[tokio::test]
async fn a_form_tells_who_sent_it_and_what_to_paste() {
    let app = TestApp::start().await;
    let ana = agent(&app, Role::Viewer).await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", "nikki@olmos.example").await;
    app.run_jobs().await;
    let list = ana.sees("/console/content").await;
    has(&list, "href=\"/console/content/forms/white-paper\"");
    let page = ana.sees("/console/content/forms/white-paper").await;
    has(&page, "nikki@olmos.example");
    has(&page, "/console/content/files/reading-guide");
    // What is to be pasted is shown as text and not taken for a part of this page.
    has(&page, "&lt;div data-embudo-form");
    has_not(&page, "<div data-embudo-form");
    has(&page, "/f/white-paper?site");
    ana.get("/console/content/forms/nothing").await.expect(404);
}

#[tokio::test]
async fn a_preview_shows_the_form_and_does_nothing() {
    let app = TestApp::start().await;
    let ana = agent(&app, Role::Viewer).await;
    let shown = ana.get("/console/content/forms/white-paper/preview?lang=es").await.expect(200);
    let policy = shown.header("content-security-policy").to_owned();
    for part in ["default-src 'none'", "form-action 'none'", "frame-ancestors 'self'"] {
        has(&policy, part);
    }
    has_not(&policy, "script-src");
    has(&shown.body, "name=\"email\"");
    has(&shown.body, "lang=\"es\"");
    has(&ana.sees("/console/content/forms/white-paper?lang=es").await, "sandbox=\"\"");
    app.get("/console/content/forms/white-paper/preview").await.expect(303);
}

#[tokio::test]
async fn a_file_tells_what_of_it_is_there_and_a_webinar_who_came() {
    let app = TestApp::start().await;
    let ana = agent(&app, Role::Marketing).await;
    let mut nikki = app.visitor();
    nikki.submit("webinar", "nikki@olmos.example").await;
    app.run_jobs().await;
    let file = ana.sees("/console/content/files/reading-guide").await;
    has(&file, "white-paper-en.pdf");
    has(&file, "/console/content/forms/white-paper");
    has(&file, "/console/mails/asset_link");
    let webinar = ana.sees("/console/content/webinars/reading-culture-live").await;
    for part in ["nikki@olmos.example", "registered", "/console/mails/webinar_registered"] {
        has(&webinar, part);
    }
    let viewer = agent(&app, Role::Viewer).await;
    has_not(&viewer.sees("/console/content/files/reading-guide").await, "/console/mails/");
    for nothing in ["files/nothing", "webinars/nothing", "files/..%2f..%2fetc%2fpasswd"] {
        ana.get(&format!("/console/content/{nothing}")).await.expect(404);
    }
}

#[tokio::test]
async fn what_is_wrong_in_a_file_is_told_with_its_line_to_whoever_may_change_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("forms.yaml");
    std::fs::copy(repository("config/forms.yaml"), &file).expect("copied");
    let app = TestApp::start_with(|settings| {
        set(settings, "definitions", "forms", file.display().to_string());
    })
    .await;
    let ana = agent(&app, Role::Marketing).await;
    has_not(&ana.sees("/console/content").await, "To be put right");
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, format!("{text}\n  - id: broken\n    titel: {{en: A, es: B}}\n")).expect("written");
    let page = ana.sees("/console/content").await;
    has(&page, "To be put right");
    let line = text.lines().count() + 3;
    has(&page, &format!("forms.yaml:{line}"));
    has_not(&page, &folder.path().display().to_string());
    let viewer = agent(&app, Role::Viewer).await;
    has_not(&viewer.sees("/console/content").await, "To be put right");
}

// ---- files that are brought -----------------------------------------------------------------------

/// A form with a file, as browsers send it.
fn form(csrf: &str, language: &str, name: &str, file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in [("csrf", csrf), ("language", language)] {
        body.extend(
            format!("--b0\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    let head = format!(
        "--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/html\r\n\r\n"
    );
    body.extend(head.bytes());
    body.extend(file);
    body.extend(b"\r\n--b0--\r\n");
    body
}

async fn brings(who: &Agent, path: &str, body: Vec<u8>) -> Answer {
    let client = who.client.with("sec-fetch-site", "same-origin");
    client.send(reqwest::Method::POST, path, Some(("multipart/form-data; boundary=b0", body))).await
}

/// An app with a content folder of its own; so many megabytes may be brought.
async fn with_folder(uploads_mb: i64) -> (TestApp, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let app = TestApp::start_with(|settings| {
        set(settings, "definitions", "assets", folder.path().display().to_string());
        set(settings, "definitions", "uploads_mb", uploads_mb);
    })
    .await;
    (app, folder)
}

const COPY: &str = "/console/content/files/reading-guide/copy";

#[tokio::test]
async fn a_file_that_is_brought_takes_the_place_of_the_old_one_whole_or_not_at_all() {
    let (app, folder) = with_folder(2).await;
    let ana = agent(&app, Role::Marketing).await;
    let place = folder.path().join("white-paper-es.pdf");
    has(&ana.sees("/console/content/files/reading-guide").await, "not there");
    let first = [b"%PDF-1.7 first\r\n--b".as_slice(), &vec![7; 300_000]].concat();
    let hostile = "../../../etc/passwd\u{202e}.pdf";
    brings(&ana, COPY, form(&ana.csrf, "es", hostile, &first)).await.expect(303);
    assert_eq!(std::fs::read(&place).expect("written"), first);
    let page = brings(&ana, COPY, form(&ana.csrf, "es", "a.pdf", b"<html><script>")).await.expect(422).body;
    has(&page, "not of the kind");
    brings(&ana, COPY, form(&ana.csrf, "es", "a.pdf", b"")).await.expect(422);
    let large = [b"%PDF-".as_slice(), &vec![7; 2_100_000]].concat();
    brings(&ana, COPY, form(&ana.csrf, "es", "a.pdf", &large)).await.expect(413);
    // It breaks off.
    let mut broken = form(&ana.csrf, "es", "a.pdf", b"%PDF-1.7 second, longer than a head");
    broken.truncate(broken.len() - 4);
    broken.truncate(broken.len() - 6);
    brings(&ana, COPY, broken).await.expect(400);
    assert_eq!(std::fs::read(&place).expect("still there"), first, "what was there stays");
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|one| one.file_name()).collect();
    assert_eq!(names, ["white-paper-es.pdf"], "nothing is left lying about");
    brings(&ana, "/console/content/files/nothing/copy", form(&ana.csrf, "es", "a.pdf", b"%PDF-1"))
        .await
        .expect(404);

    let audit = agent(&app, Role::Admin).await.sees("/console/audit").await;
    has(&audit, "file of a content");
    has(&audit, "white-paper-es.pdf");

    let recording = "/console/content/webinars/reading-at-work/reading-at-work-short/copy";
    let film =
        brings(&ana, recording, form(&ana.csrf, "en", "a.webm", b"\x1a\x45\xdf\xa3 a short film")).await;
    let other = brings(&ana, recording, form(&ana.csrf, "en", "a.mp4", b"\0\0\0\x20ftypisom a film")).await;
    assert_eq!(
        [film.status, other.status].into_iter().filter(|status| *status == 303).count(),
        1,
        "one kind fits"
    );
}

#[tokio::test]
async fn nobody_brings_a_file_without_the_forms_token_the_role_or_the_setting() {
    let (app, folder) = with_folder(2).await;
    let ana = agent(&app, Role::Marketing).await;
    brings(&ana, COPY, form("a guess", "es", "a.pdf", b"%PDF-1.7 longer than it")).await.expect(403);
    let mike = agent(&app, Role::Sdr).await;
    brings(&mike, COPY, form(&mike.csrf, "es", "a.pdf", b"%PDF-1.7 longer than it")).await.expect(403);
    let elsewhere = ana.client.with("sec-fetch-site", "cross-site");
    let body = form(&ana.csrf, "es", "a.pdf", b"%PDF-1.7 longer than it");
    elsewhere
        .send(reqwest::Method::POST, COPY, Some(("multipart/form-data; boundary=b0", body)))
        .await
        .expect(403);
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    let (app, _folder) = with_folder(0).await;
    let ana = agent(&app, Role::Marketing).await;
    has_not(&ana.sees("/console/content/files/reading-guide").await, "data-upload");
    brings(&ana, COPY, form(&ana.csrf, "es", "a.pdf", b"%PDF-1.7 longer than it")).await.expect(409);
}

// ---- what became of a form ------------------------------------------------------------------------

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn a_form_tells_how_often_people_were_shown_it_began_it_and_sent_it() {
    let app = TestApp::start().await;
    let ana = agent(&app, Role::Viewer).await;
    let person = app.client.with("user-agent", BROWSER).with("origin", SITE);
    let machine =
        app.client.with("user-agent", "Mozilla/5.0 (compatible; Googlebot/2.1)").with("origin", SITE);
    let shown = "/v1/forms/white-paper?site=faro";
    let nonce = person.get(shown).await.expect_json(200)["nonce"].clone();
    machine.get(shown).await.expect(200);
    // The hosted page counts once: its script asks again for the device, link checkers for the head.
    person.get("/f/white-paper?site=faro").await.expect(200);
    person
        .with("x-embudo-visitor", "0197a2b4-0000-7000-8000-000000000001")
        .get("/f/white-paper?site=faro")
        .await;
    person.send(reqwest::Method::HEAD, "/f/white-paper?site=faro", None).await.expect(200);
    // The console's own preview is no view.
    ana.get("/console/content/forms/white-paper/preview").await.expect(200);
    let begun = "/v1/forms/white-paper/begun";
    person.post(begun, &json!({ "site": "faro", "nonce": nonce })).await.expect(204);
    for made_up in [json!({ "site": "faro", "nonce": "made.up" }), json!({ "site": "faro" })] {
        person.post(begun, &made_up).await.expect(204);
    }
    machine.post(begun, &json!({ "site": "faro", "nonce": nonce })).await.expect(204);
    person.post("/v1/forms/nothing/begun", &json!({ "site": "faro", "nonce": nonce })).await.expect(404);
    person.post(begun, &json!({ "site": "nowhere", "nonce": nonce })).await.expect(404);
    assert_eq!(app.count("form_counts").await, 0, "counted, and not written yet");
    // Nikki's is loaded by a program without a name, which is not counted.
    let mut nikki = app.visitor();
    nikki.submit("white-paper", "nikki@olmos.example").await;
    nikki.submit("white-paper", "nikki@olmos.example").await;
    let mut trapped = nikki.fill("white-paper", json!({ "email": "bot@olmos.example" })).await;
    trapped["website"] = json!("https://spam.example");
    nikki.post("/v1/forms/white-paper", &trapped).await.expect(200);
    app.app.shown.write(&app.app.stores.db).await.expect("written");
    app.app.shown.write(&app.app.stores.db).await.expect("nothing is left to write");
    let rows = app.rows("select form, site, viewed, begun, apart from form_counts").await;
    let sum = |name: &str| rows.iter().map(|row| row.get::<i64>(name).expect("a number")).sum::<i64>();
    assert_eq!((sum("viewed"), sum("begun"), sum("apart")), (2, 1, 1));
    let days = forms::days(&mut app.app.stores.db.read(), "white-paper", &TimeZone::UTC, 30, app.now()).await;
    let days = days.expect("read");
    assert_eq!((days.total.sent, days.total.new, days.total.known, days.rate), (2, 1, 1, Some(1.0)));
    assert!(days.total.begun >= 3, "whoever sends it has begun it: {:?}", days.total);
    assert_eq!(days.days.len(), 30);

    let page = ana.sees("/console/content/forms/white-paper").await;
    for part in ["The last 30 days", "Sent of shown", "Day by day", "1 known before"] {
        has(&page, part);
    }
    has(&ana.sees("/console/content").await, "tiny-spark");
    has(&ana.sees("/console/content/forms/webinar").await, "The last 30 days");
}

// ---- sequences and offers -------------------------------------------------------------------------

#[tokio::test]
async fn a_sequence_tells_who_is_where_how_people_left_and_what_goes_out_next() {
    let app = letters::app().await;
    let marta = agent(&app, Role::Marketing).await;
    let mut nikki = app.visitor();
    letters::subscribe(&app, &mut nikki, letters::NIKKI).await;
    let path = "/console/content/sequences/faro-leads";
    has(&marta.sees("/console/content").await, &format!("href=\"{path}\""));
    let page = marta.sees(path).await;
    for part in [
        letters::NIKKI,
        "Next letters",
        "/console/mails/faro-lead-idea/html?lang=en",
        "/console/mails/faro-lead-idea/html?lang=es",
        "whoever is in the stage Lead",
    ] {
        has(&page, part);
    }
    has_not(&page, "How people came out");
    // Her first letter goes out; then she has none wanted any more.
    app.later(3 * DAY_MS).await;
    let marta = log_in(&app, "marketing@faro.example").await;
    let page = marta.sees(path).await;
    has(&page, "the condition does not hold now");
    has(&page, "will not go out");
    app.later(6 * DAY_MS).await;
    let viewer = agent(&app, Role::Viewer).await;
    let page = viewer.sees(path).await;
    for part in ["How people came out", "had every letter", "Nobody is in it"] {
        has(&page, part);
    }
    // Whoever may not read mails sees no previews of them.
    has_not(&page, "/console/mails/");
    viewer.get("/console/content/sequences/nothing").await.expect(404);
}

#[tokio::test]
async fn an_offer_tells_whom_it_is_for_and_what_became_of_its_codes() {
    let app = TestApp::start_with(with_offers).await;
    let mut nikki = app.visitor();
    nikki.submit("white-paper", "nikki@olmos.example").await;
    let email = Email::parse("nikki@olmos.example").expect("an address");
    let reads = &mut app.app.stores.db.read();
    let nikki = contacts::find_by_email(reads, &email).await.expect("read").expect("there").id;
    let marta = agent(&app, Role::Marketing).await;
    let viewer = agent(&app, Role::Viewer).await;
    let path = "/console/content/offers/first-circle";
    has(&marta.sees("/console/content").await, &format!("href=\"{path}\""));
    has(&marta.sees(path).await, "Nobody has taken it yet");
    // Nikki is a lead, and the offer is for later stages.
    let of_stages = app.app.offers.now().find("first-circle").expect("an offer");
    assert_eq!(offers::candidates(reads, of_stages, 10).await.expect("read"), []);
    let everybody = Offer { stages: Vec::new(), condition: None, ..of_stages.clone() };
    assert_eq!(offers::candidates(reads, &everybody, 10).await.expect("read"), [nikki]);
    let definition = offers::Definition { offers: vec![everybody] };
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let now = app.now();
    let claim = offers::claim(&mut tx, &app.app.lifecycle, &definition, "first-circle", nikki, now).await;
    let claim = claim.expect("hers");
    tx.commit().await.expect("commits");
    let page = marta.sees(path).await;
    for part in [claim.code.as_str(), "19 of 20 left", "nikki@olmos.example", "good until"] {
        has(&page, part);
    }
    // Whoever knows a code can use it up.
    let page = viewer.sees(path).await;
    has(&page, "nikki@olmos.example");
    has_not(&page, &claim.code);
    viewer.get("/console/content/offers/nothing").await.expect(404);
}
