//! `embudo backup` beside a server that goes on.

use std::path::Path;
use std::process::{Command, Output};

use embudo::base::ids::HitId;
use embudo::hits::{self, Words};
use embudo::ingest;
use embudo::storage::Stores;

use crate::support::app::TestApp;
use crate::support::nodes::Node;
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
    let mut acknowledged: Vec<HitId> = Vec::new();
    for _ in 0..60 {
        let hit = app.visitor().hit("/");
        app.post("/v1/hit", &hit).await.expect(202);
        acknowledged.push(HitId::parse(hit["id"].as_str().expect("an id")).expect("an id"));
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
    let rows = hits::lines_after(&copy.hits, 0, 1_000_000).await.expect("read");
    Node::assert_all(&rows, &acknowledged);
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
