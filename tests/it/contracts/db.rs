//! One SQL text for both engines: every statement of the sources is prepared on each, and each tells one story.

use embudo::base::time::Timestamp;
use embudo::storage::Error;
use embudo::storage::db::{Db, HITS, JOURNEY, Queries};
use embudo::{params, sql};
use tempfile::TempDir;

use crate::support::sources::sources;
use crate::support::stores::fresh_postgres;

/// The journey's tables on each engine of this run, and the folder of the files.
async fn engines() -> (Vec<Db>, TempDir) {
    let folder = TempDir::new().expect("a folder");
    let beside = folder.path().join("hits.db");
    drop(Db::open_sqlite(&beside, HITS).await.expect("SQLite"));
    let sqlite =
        Db::open_sqlite_beside(&folder.path().join("journey.db"), &beside, JOURNEY).await.expect("SQLite");
    let mut engines = vec![sqlite];
    if let Some(url) = fresh_postgres().await {
        engines.push(Db::open_postgres(&url, 4, JOURNEY).await.expect("PostgreSQL"));
    }
    (engines, folder)
}

#[tokio::test]
async fn every_statement_of_the_sources_is_understood_by_both_engines() {
    let (engines, _folder) = engines().await;
    let (mut count, mut failures) = (0, Vec::new());
    for source in sources() {
        for (at, text) in source.statements() {
            count += 1;
            for db in &engines {
                if let Err(error) = db.prepare(&text).await {
                    failures.push(format!("{}\n    {}: {error}", source.place(at), db.engine()));
                }
            }
        }
    }
    assert!(count > 0, "no statement was found: is sql! written otherwise now?");
    assert!(failures.is_empty(), "of {count} statements:\n{}", failures.join("\n"));
}

#[tokio::test]
async fn a_statement_with_a_mistake_is_not_understood() {
    for db in engines().await.0 {
        for wrong in
            ["select nothing from nowhere", "select id frm events", "select no_such_column from events"]
        {
            assert!(db.prepare(wrong).await.is_err(), "{}: {wrong}", db.engine());
        }
    }
}

#[tokio::test]
async fn what_no_text_can_hold_is_left_out_and_the_rest_is_kept() {
    for db in engines().await.0 {
        let engine = db.engine();
        let sql = sql!("select cast($1 as text) as a, cast($2 as text) as b");
        let rows = db.read().query(sql, params!["x\0y", "\0".to_owned()]).await.expect(engine);
        assert_eq!(rows[0].get::<String>("a").expect(engine), "xy", "{engine}");
        assert_eq!(rows[0].get::<String>("b").expect(engine), "", "{engine}");
    }
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    for db in engines().await.0 {
        let engine = db.engine();
        let text = "ñ 'quoted' \"doubly\" $1 \u{1f600}";
        let mut tx = db.begin().await.expect(engine);
        tx.execute(
            sql!(
                "insert into notifications (id, account_id, kind, title, body, link, at, read_at)
                  values ($1, $2, $3, $4, $5, $6, $7, $8)"
            ),
            params![
                "n1",
                None::<String>,
                "booking",
                text,
                "",
                "/console",
                Timestamp(i64::MAX),
                None::<Timestamp>
            ],
        )
        .await
        .expect(engine);
        tx.commit().await.expect(engine);
        let row = db
            .read()
            .query_opt(
                sql!("select title, body, account_id, at, read_at from notifications where id = $1"),
                params!["n1"],
            )
            .await
            .expect(engine)
            .expect("the row");
        assert_eq!(row.get::<String>("title").expect(engine), text, "{engine}");
        assert_eq!(row.get::<String>("body").expect(engine), "", "{engine}: an empty text is not null");
        assert_eq!(row.get::<Option<String>>("account_id").expect(engine), None, "{engine}");
        assert_eq!(row.get::<Timestamp>("at").expect(engine), Timestamp(i64::MAX), "{engine}");
        assert_eq!(row.get::<Option<Timestamp>>("read_at").expect(engine), None, "{engine}");
        assert!(matches!(row.get::<i64>("title"), Err(Error::Shape { .. })), "{engine}: a text is no number");
        assert!(row.get::<i64>("no_such_column").is_err(), "{engine}");
    }
}

async fn revoke(db: &Db, nonce: &str) -> Result<u64, Error> {
    db.execute(sql!("insert into revoked_links (nonce, revoked_at) values ($1, $2)"), params![nonce, 1_i64])
        .await
}

async fn revoked(db: &Db) -> Vec<String> {
    let rows = db
        .read()
        .query(sql!("select nonce from revoked_links order by nonce"), params![])
        .await
        .expect("rows");
    rows.iter().map(|row| row.get("nonce").expect("text")).collect()
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    for db in engines().await.0 {
        {
            let mut tx = db.begin().await.expect("begin");
            tx.execute(
                sql!("insert into revoked_links (nonce, revoked_at) values ($1, $2)"),
                params!["a", 1_i64],
            )
            .await
            .expect("insert");
        }
        assert!(revoked(&db).await.is_empty(), "{}", db.engine());
        revoke(&db, "b").await.expect("the next transaction works");
        assert_eq!(revoked(&db).await, ["b"], "{}", db.engine());
    }
}

#[tokio::test]
async fn whoever_goes_away_in_the_middle_of_anything_leaves_the_next_one_a_clean_start() {
    for db in engines().await.0 {
        let engine = db.engine();
        let insert = sql!("insert into revoked_links (nonce, revoked_at) values ($1, $2)");
        for steps in 0..40_i32 {
            let nonce = format!("gone {steps}");
            let change = async {
                let mut tx = db.begin().await?;
                tx.execute(insert, params![nonce, 1_i64]).await?;
                tx.commit().await
            };
            let mut change = std::pin::pin!(change);
            let mut left = steps;
            // So many steps, and then nobody waits any more, as when a browser hangs up.
            std::future::poll_fn(|context| {
                left -= 1;
                match left {
                    0.. => change.as_mut().poll(context).map(drop),
                    _ => std::task::Poll::Ready(()),
                }
            })
            .await;
        }
        for n in 0..8 {
            revoke(&db, &format!("next {n}")).await.expect(engine);
            let rows = db.read().query(sql!("select count(*) as n from revoked_links"), &[]).await;
            rows.expect(engine);
        }
        assert!(revoked(&db).await.len() >= 8, "{engine}");
    }
}

#[tokio::test]
async fn a_constraint_is_a_conflict_and_a_savepoint_survives_it() {
    for db in engines().await.0 {
        let engine = db.engine();
        revoke(&db, "a").await.expect(engine);
        assert!(matches!(revoke(&db, "a").await, Err(Error::Conflict(_))), "{engine}");

        let mut tx = db.begin().await.expect(engine);
        let statement = sql!("insert into revoked_links (nonce, revoked_at) values ($1, $2)");
        tx.execute(statement, params!["b", 1_i64]).await.expect(engine);
        tx.savepoint().await.expect(engine);
        tx.execute(statement, params!["a", 1_i64]).await.expect_err("it is there already");
        tx.rollback_to_savepoint().await.expect(engine);
        tx.execute(statement, params!["c", 1_i64]).await.expect(engine);
        tx.commit().await.expect(engine);
        assert_eq!(revoked(&db).await, ["a", "b", "c"], "{engine}");
    }
}

#[tokio::test]
async fn who_holds_the_lock_is_alone() {
    for db in engines().await.0 {
        let engine = db.engine();
        revoke(&db, "0").await.expect(engine);
        let adders: Vec<_> = (0..8)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    for _ in 0..5 {
                        let mut tx = db.begin().await.expect("begin");
                        tx.lock("counter").await.expect("lock");
                        let row = tx
                            .query_opt(
                                sql!("select revoked_at from revoked_links where nonce = $1"),
                                params!["0"],
                            )
                            .await
                            .expect("read")
                            .expect("the row");
                        let count: i64 = row.get("revoked_at").expect("a number");
                        tx.execute(
                            sql!("update revoked_links set revoked_at = $1 where nonce = $2"),
                            params![count + 1, "0"],
                        )
                        .await
                        .expect("write");
                        tx.commit().await.expect("commit");
                    }
                })
            })
            .collect();
        for adder in adders {
            adder.await.expect("no panic");
        }
        let row = db
            .read()
            .query_opt(sql!("select revoked_at from revoked_links where nonce = $1"), params!["0"])
            .await
            .expect(engine)
            .expect("the row");
        assert_eq!(row.get::<i64>("revoked_at").expect(engine), 41, "{engine}");
    }
}

#[tokio::test]
async fn opening_again_finds_the_tables_done() {
    let folder = TempDir::new().expect("a folder");
    for _ in 0..2 {
        let path = folder.path().join("journey.db");
        let db = Db::open_sqlite(&path, JOURNEY).await.expect("SQLite");
        let _ = revoke(&db, "a").await;
        assert_eq!(revoked(&db).await, ["a"]);
    }
    if let Some(url) = fresh_postgres().await {
        for _ in 0..2 {
            let db = Db::open_postgres(&url, 2, JOURNEY).await.expect("PostgreSQL");
            let _ = revoke(&db, "a").await;
            assert_eq!(revoked(&db).await, ["a"]);
        }
    }
}
