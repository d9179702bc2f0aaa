//! The servers that are loaded: an empty handler, the product's steps one on top of the other, and the product.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::{App as ActixApp, HttpRequest, HttpResponse, HttpServer, web};
use async_trait::async_trait;
use embudo::app::App;
use embudo::base::time::Clock;
use embudo::config::Config;
use embudo::hits::{self, Agents, Geo, Recorded};
use embudo::ingest::{self, Collector, HitLog};
use embudo::sessions::OpenVisits;
use embudo::storage::limits::{Limits, Local, Quota};

#[path = "../../tests/it/support/mmdb.rs"]
mod mmdb;

/// Gives hits their visits and keeps nothing.
struct Discard(OpenVisits);

#[async_trait]
impl HitLog for Discard {
    async fn append(&self, mut hits: Vec<Recorded>) -> Result<(), hits::Error> {
        for hit in &mut hits {
            hit.session = self.0.attach(&hit.site, hit.visitor, hit.at);
        }
        std::hint::black_box(hits);
        Ok(())
    }
}

/// How many of the steps a server takes.
const STEPS: [&str; 6] = ["raw", "parse", "limit", "agent", "geo", "session"];

struct Steps {
    upto: usize,
    limits: Local,
    agents: Agents,
    geo: Geo,
    visits: OpenVisits,
    clock: Clock,
}

async fn take(steps: web::Data<Steps>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let now = steps.clock.now();
    let upto = steps.upto;
    let text =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if upto == 0 {
        std::hint::black_box(&body);
        return HttpResponse::Accepted().finish();
    }
    let Ok(hits) = hits::parse(&body, 20, now) else { return HttpResponse::BadRequest().finish() };
    if upto >= 2 {
        let quota = Quota { per_minute: 1_000_000, burst: 1_000_000 };
        if steps.limits.check("hits", text("x-forwarded-for"), quota, now).await.is_err() {
            return HttpResponse::TooManyRequests().finish();
        }
    }
    if upto >= 3 {
        std::hint::black_box(steps.agents.read(text("user-agent")));
    }
    if upto >= 4 {
        let address = text("x-forwarded-for").parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        std::hint::black_box(steps.geo.country(address));
    }
    if upto >= 5 {
        for hit in &hits {
            std::hint::black_box(hits::source_of(&hit.url, hit.referrer.as_ref()));
            if let Some(visitor) = hit.visitor {
                std::hint::black_box(steps.visits.attach(&hit.site, visitor, hit.at));
            }
        }
    }
    std::hint::black_box(hits);
    HttpResponse::Accepted().finish()
}

/// Serves a case until it is killed.
pub fn serve(case: &str, port: &str, workers: &str, folder: &str, storage: &str) -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port is free");
    let countries = format!("{folder}/country.mmdb");
    let networks: Vec<mmdb::Network> = (1..=223)
        .flat_map(|a| {
            (0..16_u8)
                .map(move |b| (Ipv4Addr::new(a, b * 16, 0, 0), 12, if b % 2 == 0 { "ES" } else { "MX" }))
        })
        .collect();
    mmdb::write(Path::new(&countries), &networks);
    let workers: usize = workers.parse().expect("a number");
    let work = async {
        match STEPS.iter().position(|step| *step == case) {
            Some(upto) => {
                let steps = web::Data::new(Steps {
                    upto,
                    limits: Local::default(),
                    agents: Agents::default(),
                    geo: Geo::open(&countries).expect("just written"),
                    visits: OpenVisits::default(),
                    clock: Clock::system(),
                });
                let app =
                    move || ActixApp::new().app_data(steps.clone()).route("/v1/hit", web::post().to(take));
                HttpServer::new(app).workers(workers).listen(listener)?.run().await
            }
            None => product(case, listener, port, workers, folder, storage).await,
        }
    };
    // A runtime of few threads: what the server is measured by are its workers.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{case}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn product(
    case: &str,
    listener: TcpListener,
    port: &str,
    workers: usize,
    folder: &str,
    storage: &str,
) -> std::io::Result<()> {
    let countries = format!("{folder}/country.mmdb");
    let file = format!("{folder}/embudo.toml");
    let settings = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\nworkers = {workers}\n\
         trusted_proxies = [\"127.0.0.1\"]\nsecret = \"the secret of the load runs, forty characters\"\n\
         [storage]\ndata = \"{folder}/data\"\n{storage}\n\
         [collector]\nhits_per_minute = 1000000\nhits_burst = 1000000\ngeo_database = \"{countries}\"\n\
         [log]\nlevel = \"warn\"\n[[site]]\nkey = \"bench\"\nname = \"Bench\"\norigins = [\"https://faro.example\"]\n"
    );
    std::fs::write(&file, settings)?;
    let config = Config::load(Some(Path::new(&file)), std::iter::empty()).expect("valid settings");
    let mut app = App::build(config, Clock::system()).await.expect("an app");
    if case == "product-nothing-stored" {
        let geo = Geo::open(&countries).expect("just written");
        let log = Arc::new(Discard(OpenVisits::default()));
        app.collector = Collector::new(log, app.keys.clone(), geo, Agents::default());
    }
    let app = Arc::new(app);
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let is_followed = matches!(case, "embedded-carried" | "redis-carried");
    if is_followed || case == "redis-drained" {
        let carrier = app.clone();
        let carried = stopped.clone();
        tokio::spawn(async move { ingest::carry(carrier.following(), carried).await });
    }
    if is_followed {
        let reader = app.clone();
        let read = stopped.clone();
        tokio::spawn(async move { ingest::follow(reader.following(), read).await });
        tokio::spawn(embudo::jobs::run(app.worker(), stopped));
    }
    embudo::http::serve(app, listener)?.await
}
