//! Two servers in processes of their own on one PostgreSQL, as they stand behind a load balancer, and a crowd that is split
//! between them. On SQLite there is no second server: one process has the folder.
#![allow(clippy::unwrap_used, reason = "a panic in a test is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use embudo::storage::db::{Db, JOURNEY, Queries};
use serde_json::json;
use tempfile::TempDir;

use crate::support::answer::Client;
use crate::support::app::{SITE, repository};
use crate::support::port;
use crate::support::stores::{Mix, fresh_postgres, mix};

const PROGRAM: &str = env!("CARGO_BIN_EXE_embudo");
/// How many come at once to both together, and how often.
const CROWD: usize = 400;
const ROUNDS: i64 = 4;

/// A server of its own process. It is killed when it is dropped.
struct Server {
    client: Client,
    child: Child,
    _folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    async fn start(postgres: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let port = port::free();
        let config = folder.path().join("embudo.toml");
        std::fs::write(&config, settings(folder.path(), port, postgres)).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(&config).arg("serve").stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("it starts");
        let url = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let begun = Instant::now();
        while http.get(format!("{url}/health/ready")).send().await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "a server does not come up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let client = Client::new(&url).with("origin", SITE).with("connection", "close");
        Self { client, child, _folder: folder }
    }
}

/// Two who are both asked for in one kind of call, by turns in either part, and each alone in others.
const TEAM: &str = "reps:
  - {id: ana, name: Ana, account: ana@faro.example, zone: UTC, languages: [en], role: sdr, hours: HOURS}
  - {id: ben, name: Ben, account: ben@faro.example, zone: UTC, languages: [en], role: sdr, hours: HOURS}
meetings:
  - {id: ana, title: Ana, description: Ana, location: here, duration: 30m, interval: 5m, notice: 0m, window: 10d, reps: [ana]}
  - {id: both, title: Both, description: Both, location: here, duration: 30m, interval: 5m, notice: 0m, window: 10d, reps: [ana], with: ben}
  - {id: also, title: Also, description: Also, location: here, duration: 30m, interval: 5m, notice: 0m, window: 10d, reps: [ben], with: ana}
";

fn settings(folder: &Path, port: u16, postgres: &str) -> String {
    let path = |path: &str| repository(path).display().to_string();
    let team = folder.join("team.yaml");
    let hours = "{weekdays: 00:00-24:00, saturday: 00:00-24:00, sunday: 00:00-24:00}";
    std::fs::write(&team, TEAM.replace("HOURS", hours)).unwrap();
    std::fs::create_dir(folder.join("flows")).unwrap();
    let definitions = ["lifecycle", "forms", "content", "webinars", "notify", "topics"]
        .map(|name| format!("{name} = {:?}\n", path(&format!("config/{name}.yaml"))))
        .concat();
    format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\nworkers = 2\n\
         secret = \"the secret of the tests, forty characters\"\n\
         [bookings]\nper_minute = 1000000\nburst = 1000000\n\
         [log]\nlevel = \"error\"\n\
         [definitions]\n{definitions}team = {team:?}\nmails = {:?}\nnurture = {:?}\nflows = {:?}\n\
         [storage]\ndata = {:?}\npostgres = {postgres:?}\npostgres_pool = 8\n\
         [[site]]\nkey = \"faro\"\nname = \"Faro\"\norigins = [{SITE:?}]\n",
        path("config/mails"),
        path("config/nurture"),
        folder.join("flows"),
        folder.join("data"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_with_a_crowd_between_them_give_one_time_to_one() {
    if mix() == Mix::Embedded {
        return;
    }
    let url = fresh_postgres().await.unwrap();
    let servers = [Server::start(&url).await, Server::start(&url).await];
    let day = 24 * 60 * 60_000;
    let tomorrow = (jiff::Timestamp::now().as_millisecond() / day + 1) * day;
    for round in 0..ROUNDS {
        let mut tasks = Vec::new();
        for n in 0..CROWD {
            let client = servers[n % 2].client.clone();
            // All of these overlap one another, and each takes Ana.
            let starts_at = tomorrow + round * 2 * 60 * 60_000 + i64::try_from(n % 4).unwrap() * 5 * 60_000;
            let meeting = ["ana", "both", "also"][n % 3];
            let wish = json!({
                "site": "faro", "meeting": meeting, "starts_at": starts_at, "zone": "UTC", "name": "Nikki",
                "email": format!("p{round}-{n}@acme.example"),
            });
            tasks.push(tokio::spawn(async move { client.post("/v1/bookings", &wish).await }));
        }
        let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
        for task in tasks {
            let answer = task.await.unwrap();
            assert!(matches!(answer.status, 201 | 409), "{}: {}", answer.status, answer.body);
            *statuses.entry(answer.status).or_insert(0) += 1;
        }
        assert_eq!(statuses, BTreeMap::from([(201, 1), (409, CROWD - 1)]), "round {round}");
    }
    let db = Db::open_postgres(&url, 2, JOURNEY).await.unwrap();
    let overlaps = embudo::sql!(
        "select count(*) as n from bookings a join bookings b on a.rep = b.rep and a.id < b.id
         where a.state in ('hold', 'confirmed') and b.state in ('hold', 'confirmed')
           and a.block_from < b.block_to and b.block_from < a.block_to"
    );
    let row = db.read().query_opt(overlaps, &[]).await.unwrap().unwrap();
    assert_eq!(row.get::<i64>("n").unwrap(), 0);
}
