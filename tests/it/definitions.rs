//! A broken file of any kind never replaces the good ones that ran: not while the server runs, and not at its next start.

use std::path::Path;

use embudo::accounts::Role;
use serde_json::json;

use crate::console::agent;
use crate::support::app::{TestApp, repository, set};

/// The kinds of files, each with something in it that a slip spoils.
const SLIPS: [(&str, &str, &str); 14] = [
    ("config/lifecycle.yaml", "owner: sdr", "owner: sd"),
    ("config/segments.yaml", "\n    label:", "\n    labl:"),
    ("config/offers.yaml", "\n    title:", "\n    titel:"),
    ("config/forms.yaml", "\n    button:", "\n    buton:"),
    ("config/content.yaml", "\n    deliver:", "\n    delivr:"),
    ("config/webinars.yaml", "\n    zone:", "\n    zoen:"),
    ("config/team.yaml", "Europe/Madrid", "Europe/Madird"),
    ("config/notify.yaml", "webinar: ", "webinar: x"),
    ("config/topics.yaml", "\n    name:", "\n    nam:"),
    ("config/replies.yaml", "\nreplies:", "\nreplys:"),
    ("config/crm.yaml", "\nconnections:", "\nconections:"),
    ("config/nurture/faro-leads.yaml", "\ntopic:", "\ntopc:"),
    ("config/mails/faro-lead-idea.yaml", "\n  subject:", "\n  subjct:"),
    ("bot-flows/welcome.yaml", "goto: ", "goto: nowhere_"),
];

/// An app whose files are its own.
async fn shop(files: &Path) -> TestApp {
    copy(&repository("config"), &files.join("config"));
    copy(&repository("bot-flows"), &files.join("bot-flows"));
    TestApp::start_with(|settings| {
        let path = |name: &str| files.join(name).display().to_string();
        for name in [
            "lifecycle",
            "segments",
            "offers",
            "forms",
            "content",
            "webinars",
            "team",
            "notify",
            "topics",
            "replies",
            "crm",
        ] {
            set(settings, "definitions", name, path(&format!("config/{name}.yaml")));
        }
        set(settings, "definitions", "mails", path("config/mails"));
        set(settings, "definitions", "nurture", path("config/nurture"));
        set(settings, "definitions", "flows", path("bot-flows"));
    })
    .await
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("the folder").map(|entry| entry.expect("an entry")) {
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied")),
        }
    }
}

#[tokio::test]
async fn a_start_with_a_broken_file_of_any_kind_goes_on_with_the_last_good_ones_and_says_so() {
    let files = tempfile::tempdir().expect("a folder");
    let app = shop(files.path()).await;
    assert_eq!(app.get("/health/ready").await.expect_json(200)["definitions"], "ok");
    for (file, from, to) in SLIPS {
        let path = files.path().join(file);
        let good = std::fs::read_to_string(&path).expect("read");
        assert!(good.contains(from), "{from} stands in {file}");
        std::fs::write(&path, good.replacen(from, to, 1)).expect("written");
        let again = app.started_again().await.unwrap_or_else(|problem| panic!("{file}: {problem}"));
        let fallback = again.app.fallback.clone().unwrap_or_else(|| panic!("{file}: nothing is told"));
        assert!(
            fallback.problem.contains(file) && fallback.problem.contains(" error "),
            "{}",
            fallback.problem
        );
        assert_eq!(fallback.since, app.now(), "the set that ran is kept");
        assert_eq!(again.app.lifecycle.hash, app.app.lifecycle.hash);
        std::fs::write(&path, good).expect("written");
    }
    let mended = app.started_again().await.expect("it starts");
    assert_eq!(mended.app.fallback, None);
}

#[tokio::test]
async fn whoever_looks_is_told_that_earlier_files_run_and_the_forms_of_before_are_there() {
    let files = tempfile::tempdir().expect("a folder");
    let app = shop(files.path()).await;
    let forms = files.path().join("config/forms.yaml");
    std::fs::write(&forms, "forms: [").expect("written");
    let again = app.started_again().await.expect("it starts");
    assert_eq!(again.get("/health/ready").await.expect_json(200)["definitions"], "kept");
    let shown = again.get("/v1/forms/white-paper?site=faro&language=en").await.expect_json(200);
    assert_ne!(shown["nonce"], json!(null));
    let today = agent(&again, Role::Sdr).await.sees("/console").await;
    assert!(today.contains("the last good files of all run"), "{today}");
}

#[tokio::test]
async fn what_was_mended_and_changed_is_the_next_good_set_and_what_never_was_good_does_not_start() {
    let files = tempfile::tempdir().expect("a folder");
    let app = shop(files.path()).await;
    let forms = files.path().join("config/forms.yaml");
    let text = std::fs::read_to_string(&forms).expect("read");
    app.clock.advance(60_000);
    std::fs::write(&forms, text.replacen("ask: 2", "ask: 3", 1)).expect("written");
    drop(app.started_again().await.expect("it starts"));
    std::fs::write(&forms, "forms: [").expect("written");
    let again = app.started_again().await.expect("it starts");
    let form = again.app.catalog.form("reading-advice").expect("it is kept");
    assert_eq!(form.ask, 3, "the last set that was right, not the first");
    assert_eq!(again.app.fallback.clone().expect("told").since, app.now());

    let mut tx = app.app.stores.db.begin().await.expect("begins");
    embudo::storage::kept::put(&mut tx, "definitions", "{}", app.now()).await.expect("put");
    tx.commit().await.expect("commits");
    let Err(problem) = app.started_again().await.map(drop) else { panic!("nothing good is kept") };
    assert!(problem.contains("config/forms.yaml:") && problem.contains("error Y001"), "{problem}");
}
