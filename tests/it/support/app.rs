//! A real app on a free port with stores of its own and a clock that only the test moves.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use embudo::app::App;
use embudo::base::ids::HitId;
use embudo::base::time::{Clock, Timestamp};
use embudo::config::Config;
use embudo::storage::db::{Queries, Row, Sql};
use tempfile::TempDir;
use toml::{Table, Value, toml};

use super::answer::{Answer, Client};
use super::inbox::Inbox;
use super::stores::{Mix, fresh_postgres, fresh_redis_address, fresh_sqlite, mix};
use super::visitor::Visitor;

/// A Monday morning in Madrid, ten days before the webinar of config/webinars.yaml.
pub const START: &str = "2026-11-23T09:00:00Z";

/// The origin of the test's website.
pub const SITE: &str = "https://faro.example";

/// A running server. It stops and forgets everything when it is dropped.
pub struct TestApp {
    pub app: Arc<App>,
    pub clock: Clock,
    /// The server's own address, without a slash at the end.
    pub url: String,
    pub client: Client,
    inbox: Option<Inbox>,
    server: Option<(ServerHandle, JoinHandle<()>)>,
    folder: TempDir,
}

impl TestApp {
    /// Starts an app whose mails are kept in its own outbox.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts an app that sends its mails to a real mail server: [`TestApp::inbox`].
    pub async fn start_with_mail() -> Self {
        Self::start_with_mail_and(|_| {}).await
    }

    /// Starts an app with a real mail server and other settings than those of the tests.
    pub async fn start_with_mail_and(change: impl FnOnce(&mut Table)) -> Self {
        let folder = TempDir::new().expect("a folder");
        let inbox = Inbox::start(folder.path());
        let address = format!("smtp+plain://127.0.0.1:{}", inbox.port);
        let both = |settings: &mut Table| {
            set(settings, "mail", "smtp", address);
            change(settings);
        };
        Self::build(folder, Some(inbox), starting_clock(), both).await
    }

    /// Starts an app with other settings than those of the tests: `set(settings, "forms", "burst", 1)`.
    pub async fn start_with(change: impl FnOnce(&mut Table)) -> Self {
        Self::build(TempDir::new().expect("a folder"), None, starting_clock(), change).await
    }

    /// As [`start_with`](Self::start_with), by a clock that others have as well.
    pub async fn start_at(clock: Clock, change: impl FnOnce(&mut Table)) -> Self {
        Self::build(TempDir::new().expect("a folder"), None, clock, change).await
    }

    async fn build(
        folder: TempDir,
        inbox: Option<Inbox>,
        clock: Clock,
        change: impl FnOnce(&mut Table),
    ) -> Self {
        // Fails only if another test did it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let url = format!("http://{address}");
        let mut settings = settings(&url, folder.path()).await;
        change(&mut settings);

        let file = folder.path().join("embudo.toml");
        std::fs::write(&file, written(&settings)).expect("written");
        let config =
            Config::load(Some(&file), std::iter::empty()).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let app = App::build(config, clock.clone()).await.unwrap_or_else(|error| panic!("{error:#}"));
        let app = Arc::new(app);
        let server = Some(serve(app.clone(), listener));
        Self { app, clock, client: Client::new(&url), url, inbox, server, folder }
    }

    /// What a start of this server would come to now: another one on the same stores and files.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn started_again(&self) -> Result<Self, String> {
        let config = self.app.config.clone();
        let app = App::build(config, self.clock.clone()).await.map_err(|error| format!("{error:#}"))?;
        let app = Arc::new(app);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let server = Some(serve(app.clone(), listener));
        let folder = TempDir::new().expect("a folder");
        let client = Client::new(&url);
        Ok(Self { app, clock: self.clock.clone(), client, url, inbox: None, server, folder })
    }

    /// A fresh device that agreed to be remembered.
    pub fn visitor(&self) -> Visitor<'_> {
        Visitor::new(self)
    }

    /// The real mail server of [`TestApp::start_with_mail`].
    pub fn inbox(&self) -> &Inbox {
        self.inbox.as_ref().expect("the app was started by start_with_mail")
    }

    /// The folder of the app's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The id of a hit that is reported now, by the clock of the test. Later ones sort after earlier ones.
    pub fn hit_id(&self) -> HitId {
        static DRAWN: AtomicU64 = AtomicU64::new(0);
        let ms = u64::try_from(self.now().as_ms()).expect("after 1970");
        let mut tail = [0; 10];
        tail[2..].copy_from_slice(&DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        HitId::from_uuid(uuid::Builder::from_unix_timestamp_millis(ms, &tail).into_uuid())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Does everything that is due: projects the hits, passes the events on, runs the jobs.
    pub async fn run_jobs(&self) {
        embudo::jobs::drain(&self.app.worker()).await.unwrap_or_else(|error| panic!("{error:#}"));
    }

    /// Moves the clock by `ms` and does what has become due.
    pub async fn later(&self, ms: i64) {
        self.clock.advance(ms);
        self.run_jobs().await;
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await
    }

    /// Posts JSON as a page of the site does.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.client.post(path, body).await
    }

    /// The rows of a query, for what no door shows.
    pub async fn rows(&self, text: &'static str) -> Vec<Row> {
        self.app
            .stores
            .db
            .read()
            .query(Sql(text), &[])
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// How many rows a table has.
    pub async fn count(&self, table: &str) -> i64 {
        let text = Box::leak(format!("select count(*) as n from {table}").into_boxed_str());
        let db = if table == "hits" { &self.app.stores.hits } else { &self.app.stores.db };
        while embudo::ingest::drain(&self.app.stores, &self.app.words).await.expect("carried") > 0 {}
        let rows = db.read().query(Sql(text), &[]).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        rows[0].get("n").expect("a number")
    }

    /// The number of rows of every table: two that are equal mean that nothing was added or taken away.
    pub async fn census(&self) -> Vec<(&'static str, i64)> {
        let mut census = Vec::new();
        for table in TABLES {
            census.push((*table, self.count(table).await));
        }
        census
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some((handle, thread)) = self.server.take() {
            // The order is given by the call; its end is waited for by the thread.
            drop(handle.stop(false));
            let _ = thread.join();
        }
    }
}

const TABLES: &[&str] = &[
    "hits",
    "accounts",
    "account_sessions",
    "account_recovery_codes",
    "api_keys",
    "companies",
    "contacts",
    "contact_fields",
    "visitors",
    "visits",
    "activities",
    "consents",
    "stage_intervals",
    "post_sale_intervals",
    "lifecycle_due",
    "lifecycle_activations",
    "lifecycle_trials",
    "lifecycle_trial_people",
    "form_submissions",
    "form_counts",
    "booking_page_counts",
    "form_quarantine",
    "revoked_links",
    "revoked_links_of",
    "webinar_registrations",
    "watches",
    "conversations",
    "messages",
    "chat_offers",
    "chat_notes",
    "chat_ratings",
    "chat_left",
    "approaches",
    "arrivals",
    "flow_showings",
    "flow_texts",
    "bookings",
    "earlier_wishes",
    "earlier_offers",
    "opening_wishes",
    "own_weeks",
    "team_known",
    "clock_steps",
    "freed_times",
    "calendars",
    "calendar_busy",
    "calendar_feeds",
    "calendar_writes",
    "idempotency_keys",
    "events",
    "jobs",
    "mails",
    "notifications",
    "subscriptions",
    "suppressions",
    "letter_slots",
    "mail_clicks",
    "enrolments",
    "handovers",
    "tasks",
    "deal_milestones",
    "lifecycle_proposals",
    "endpoints",
    "digest_lines",
    "crm_links",
    "crm_states",
    "traffic_goals",
    "traffic_funnels",
    "traffic_shares",
    "traffic_letters",
    "push_devices",
    "added_sites",
];

/// A clock that stands at [`START`].
pub fn starting_clock() -> Clock {
    Clock::manual(Timestamp::from_jiff(START.parse().expect("a point in time")))
}

/// Sets one key of the settings.
pub fn set(settings: &mut Table, section: &str, key: &str, value: impl Into<Value>) {
    settings
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()))
        .as_table_mut()
        .expect("a section")
        .insert(key.to_owned(), value.into());
}

/// A path below the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

async fn settings(url: &str, folder: &Path) -> Table {
    let path = |path: &str| repository(path).display().to_string();
    let (listen, data) = (url.trim_start_matches("http://"), folder.join("data").display().to_string());
    let mut settings = toml! {
        [company]
        name = "Librería Faro"
        bot_name = "Fari"
        [[site]]
        key = "faro"
        name = "Librería Faro"
        origins = ["https://faro.example"]
        language = "es"
        [log]
        level = "error"
    };
    set(&mut settings, "server", "listen", listen);
    set(&mut settings, "server", "public_url", url);
    set(&mut settings, "server", "secret", "the secret of the tests, forty characters");
    set(&mut settings, "server", "workers", 1);
    // Tests ask no name server but their own.
    set(&mut settings, "forms", "check_mail_servers", false);
    // The clock of the tests stands between two messages.
    set(&mut settings, "chat", "messages_apart_ms", 0);
    set(&mut settings, "storage", "data", data);
    for name in ["lifecycle", "forms", "content", "webinars", "team", "notify", "topics", "replies", "crm"] {
        set(&mut settings, "definitions", name, path(&format!("config/{name}.yaml")));
    }
    for name in ["mails", "nurture"] {
        set(&mut settings, "definitions", name, path(&format!("config/{name}")));
    }
    set(&mut settings, "definitions", "flows", path("bot-flows"));
    if mix() == Mix::Embedded {
        fresh_sqlite(&folder.join("data")).await;
    } else {
        let postgres = fresh_postgres().await.expect("STORES=postgres+redis has PostgreSQL");
        let (redis, prefix) = fresh_redis_address().expect("STORES=postgres+redis has Redis");
        set(&mut settings, "storage", "postgres", postgres);
        set(&mut settings, "storage", "postgres_pool", 4);
        set(&mut settings, "storage", "redis", redis);
        set(&mut settings, "storage", "redis_prefix", prefix);
    }
    settings
}

/// The settings as a file. Single values are written alike in JSON and in TOML.
fn written(settings: &Table) -> String {
    let mut text = String::new();
    let mut section = |head: String, keys: &Table| {
        text.push_str(&format!("{head}\n"));
        for (key, value) in keys {
            text.push_str(&format!("{key} = {}\n", serde_json::to_string(value).expect("a plain value")));
        }
    };
    for (name, value) in settings {
        match value {
            Value::Table(keys) => section(format!("[{name}]"), keys),
            Value::Array(list) => {
                list.iter().filter_map(Value::as_table).for_each(|keys| section(format!("[[{name}]]"), keys));
            }
            _ => panic!("{name} is no section"),
        }
    }
    text
}

/// The server on a thread of its own, so that it ends with the app and not with the test's runtime.
fn serve(app: Arc<App>, listener: TcpListener) -> (ServerHandle, JoinHandle<()>) {
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = embudo::http::serve(app, listener).expect("the listener works");
            tell.send(server.handle()).expect("the test waits");
            server.await.expect("the server ends well");
        });
    });
    (told.recv().expect("the server starts"), thread)
}
