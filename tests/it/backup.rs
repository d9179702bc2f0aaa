//! `embudo backup` beside a server that goes on.

use std::path::Path;
use std::process::{Command, Output};

use embudo::hits::Words;
use embudo::ingest;
use embudo::storage::Stores;
use embudo::storage::db::Queries;
use embudo::{params, sql};

use crate::support::app::TestApp;
use crate::support::stores::{Mix, mix};

const PROGRAM: &str = env!("CARGO_BIN_EXE_embudo");

fn backup(data: &Path, to: &Path, elsewhere: &Path) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("backup").arg(to).current_dir(elsewhere).env("EMBUDO__STORAGE__DATA", data);
    command.output().expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_in_a_backup_while_more_comes_and_the_copy_is_a_store() {
    // On PostgreSQL the folder holds the journal alone, and pg_dump does the rest.
    if mix() != Mix::Embedded {
        return;
    }
    let app = TestApp::start_with(|settings| {
        crate::support::app::set(settings, "collector", "hits_burst", 1_000_000);
    })
    .await;
    let before = 60;
    for _ in 0..before {
        app.post("/v1/hit", &app.visitor().hit("/")).await.expect(202);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (data, to) = (app.app.config.storage.data.clone(), folder.path().join("copy"));
    let copying = {
        let (to, elsewhere) = (to.clone(), folder.path().to_owned());
        tokio::task::spawn_blocking(move || backup(&data, &to, &elsewhere))
    };
    while !copying.is_finished() {
        app.post("/v1/hit", &app.visitor().hit("/pricing")).await.expect(202);
    }
    let told = copying.await.expect("it ran");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));

    let mut storage = app.app.config.storage.clone();
    storage.data = to.clone();
    let copy = Stores::open(&storage).await.expect("the copy is a store");
    while ingest::drain(&copy, &Words::default()).await.expect("the journal goes on") > 0 {}
    let counted = copy
        .hits
        .read()
        .query(sql!("select count(*) as n from hits where name = 'page_view'"), params![])
        .await;
    let there: i64 = counted.expect("read")[0].get("n").expect("a number");
    assert!(there >= before, "{there} of {before}");
    assert!(!folder.path().join("copy.partial").exists());

    let again = backup(&app.app.config.storage.data, &to, folder.path());
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"));
}

#[test]
fn what_cannot_be_copied_whole_gets_no_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("made");
    std::fs::write(data.join("embudo.db"), vec![7; 20_000]).expect("written");
    let told = backup(&data, &folder.path().join("copy"), folder.path());
    assert!(!told.status.success());
    assert!(!folder.path().join("copy").exists());
}
