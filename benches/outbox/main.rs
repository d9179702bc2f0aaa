//! The outbox: how long ten thousand messages take to a target that answers, while another one hangs.
//!
//! `cargo bench --bench outbox -- [--rows N] [--hanging N]`. The product's own workers on SQLite; both targets are local
//! servers in this process. A message that comes twice, or not at all, fails the run.

use std::collections::HashSet;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix_web::{App as ActixApp, HttpRequest, HttpResponse, HttpServer, web};
use embudo::app::App;
use embudo::base::time::Clock;
use embudo::config::Config;
use embudo::jobs::{self, queue};
use serde_json::json;
use tokio::sync::watch;

// As the product.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Nobody waits longer than this.
const PATIENCE: Duration = Duration::from_secs(600);

type Seen = web::Data<Arc<Mutex<(HashSet<String>, usize)>>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, or: usize| {
        let at = arguments.iter().position(|word| word == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(or)
    };
    let (rows, hanging) = (number("--rows", 10_000), number("--hanging", 1_000));
    match actix_web::rt::System::new().block_on(drain(rows, hanging)) {
        Ok(took) => {
            let seconds = took.as_secs_f64();
            #[allow(clippy::cast_precision_loss, reason = "for people")]
            let each_second = rows as f64 / seconds;
            println!("{}", json!({ "case": "outbox", "rows": rows, "hanging": hanging, "seconds": seconds }));
            eprintln!(
                "{rows} messages in {seconds:.1} s ({each_second:.0} a second) while {hanging} hang; wanted: < 60 s"
            );
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("outbox: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

/// Takes everything and counts what it has not seen.
async fn take(request: HttpRequest, seen: Seen) -> HttpResponse {
    let id = request.headers().get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let mut seen = seen.lock().expect("nobody panics in here");
    if !seen.0.insert(id.to_owned()) {
        seen.1 += 1;
    }
    HttpResponse::NoContent().finish()
}

async fn drain(rows: usize, hanging: usize) -> anyhow::Result<Duration> {
    let seen: Arc<Mutex<(HashSet<String>, usize)>> = Arc::default();
    let data = web::Data::new(seen.clone());
    let server =
        HttpServer::new(move || ActixApp::new().app_data(data.clone()).default_service(web::to(take)))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))?;
    let healthy = server.addrs().first().copied().ok_or_else(|| anyhow::anyhow!("no address"))?;
    let server = server.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    // Connections wait in its backlog and are never answered.
    let silent = TcpListener::bind("127.0.0.1:0")?;

    let folder = std::env::temp_dir().join(format!("embudo-outbox-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let key = "secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw], on: [deal_won]";
    let notify = format!(
        "hooks:\n  - {{name: a-silent, kind: webhook, url: \"http://{}/\", {key}}}\n  - {{name: healthy, kind: webhook, url: \"http://{healthy}/\", {key}}}\n",
        silent.local_addr()?
    );
    std::fs::write(folder.join("notify.yaml"), notify)?;
    let app = Arc::new(App::build(config(&folder)?, Clock::system()).await?);
    let now = app.clock.now();
    let mut tx = app.stores.db.begin().await?;
    for (hook, count) in [("a-silent", hanging), ("healthy", rows)] {
        for number in 0..count {
            let event = json!({ "kind": "endpoint_disabled", "endpoint": number.to_string() });
            let work = json!({ "by": "webhook", "hook": hook, "told": { "event": event, "at": now } });
            queue::enqueue(&mut tx, "notify", &format!("{hook}:{number}"), &work, now, now).await?;
        }
    }
    tx.commit().await?;

    let (stop, stopped) = watch::channel(false);
    let began = Instant::now();
    let work = tokio::spawn(jobs::run(app.worker(), stopped));
    let took = loop {
        let (count, twice) = {
            let seen = seen.lock().expect("nobody panics in here");
            (seen.0.len(), seen.1)
        };
        anyhow::ensure!(twice == 0, "{twice} came twice");
        if count == rows {
            break began.elapsed();
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "{count} of {rows} came");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    stop.send_replace(true);
    work.abort();
    handle.stop(false).await;
    std::fs::remove_dir_all(&folder)?;
    Ok(took)
}

fn config(folder: &std::path::Path) -> anyhow::Result<Config> {
    let root = env!("CARGO_MANIFEST_DIR");
    let names =
        ["lifecycle", "segments", "offers", "forms", "content", "webinars", "team", "topics", "replies"];
    let definitions = names.map(|name| format!("{name} = \"{root}/config/{name}.yaml\"\n")).concat();
    let at = folder.display();
    let settings = format!(
        "[server]\nsecret = \"the secret of the load runs, forty characters\"\n[storage]\ndata = \"{at}/data\"\n\
         [definitions]\n{definitions}notify = \"{at}/notify.yaml\"\nmails = \"{root}/config/mails\"\n\
         nurture = \"{root}/config/nurture\"\nflows = \"{root}/bot-flows\"\n\
         [outbound]\nallow = [\"127.0.0.0/8\"]\n[log]\nlevel = \"error\"\n\
         [[site]]\nkey = \"bench\"\nname = \"Bench\"\norigins = [\"https://faro.example\"]\n"
    );
    let file = folder.join("embudo.toml");
    std::fs::write(&file, settings)?;
    Ok(Config::load(Some(&file), std::iter::empty())?)
}
