//! Everything that one running server consists of, built in one place and shared by all that runs.

mod definitions;
mod first_flow;
mod flows;
mod kept;
mod lifecycle;
mod lifecycle_file;
mod processors;
mod references;
mod sample;
mod sign_on;
mod workbench;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use definitions::{Definitions, Kind, LOCK, Sources, look_over};
pub use first_flow::Begun;
pub use flows::Reloaded;
pub use kept::Fallback;
pub use lifecycle::Running;
pub use lifecycle_file::Written;
pub use processors::in_use;
pub use sign_on::SignOnState;
pub use workbench::{Bench, Paper, Ran, Saved, Workbench};

use tokio::sync::watch;

use crate::base::email::Email;
use crate::base::language::Language;
use crate::base::live::Live;
use crate::base::localized::Localized;
use crate::base::network::Networks;
use crate::base::secret::Secret;
use crate::base::signing::{Keys, random_text};
use crate::base::time::{Clock, MINUTE_MS, Timestamp};
use crate::bookings::page_counts::PageCounts;
use crate::bookings::team::Team;
use crate::bookings::{earlier, former, own_week};
use crate::chat::live::replies::Replies;
use crate::chat::{self, Room};
use crate::config::Config;
use crate::crm::Connections;
use crate::gates::{Catalog, Exchanges, Screen, Tally};
use crate::hits::{Agents, Geo, Spam, Words};
use crate::ingest::{self, Collector, Follower, Following};
use crate::jobs::{self, Worker};
use crate::notify::{Desk, Mailer, Outbound, Vapid};
use crate::privacy::Notice;
use crate::privacy::notice::Told;
use crate::render::Templates;
use crate::sessions::{Cookieless, OpenVisits};
use crate::sites::Sites;
use crate::storage::Stores;
use crate::storage::personal::Personal;
use crate::{offers, sites, stages, webinars};

/// One server.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub stores: Stores,
    pub keys: Keys,
    /// Those of the settings and of the console; another one may be added while the server runs.
    pub sites: Arc<Live<Sites>>,
    pub templates: Arc<Templates>,
    pub collector: Collector,
    /// The texts of the hit log's rows.
    pub words: Arc<Words>,
    /// What whoever counts in this process remembers.
    pub follower: Follower,
    /// The version that runs; another is taken up while it does.
    pub lifecycle: Arc<Live<stages::Definition>>,
    pub offers: Arc<Live<offers::Definition>>,
    /// What is replaced together with the lifecycle.
    pub running: Arc<Running>,
    pub catalog: Arc<Catalog>,
    /// What addresses and answers of forms are held against.
    pub screen: Arc<Screen>,
    /// How often forms were shown, as far as it is not written down.
    pub shown: Arc<Tally>,
    /// How far people came on the booking page, as far as it is not written down.
    pub page_counts: Arc<PageCounts>,
    pub webinars: Arc<webinars::Definition>,
    pub team: Arc<Team>,
    /// Answers that are written once and used often.
    pub replies: Arc<Replies>,
    /// Whether earlier files run because those of now are broken.
    pub fallback: Option<Fallback>,
    /// Where conversations take place.
    pub room: Room,
    /// How people are told.
    pub desk: Desk,
    /// The CRMs that are told of booked calls.
    pub crm: Arc<Connections>,
    /// Why data of people are used, and on which ground.
    pub notice: Arc<Notice>,
    /// What became of messages in this process.
    pub sent: Arc<jobs::Counts>,
    /// What is wrong in the flows' files as they are now.
    pub workbench: Workbench,
    /// What the provider of the single sign-on said last.
    pub sign_on: SignOnState,
}

impl App {
    /// Opens the stores, reads every definition, starts the writers.
    ///
    /// # Errors
    /// A sentence for the operator about whatever could not be opened or read.
    pub async fn build(config: Config, clock: Clock) -> anyhow::Result<Self> {
        let stores = Stores::open(&config.storage).await?;
        let words = Arc::new(Words::default());
        let visits = Arc::new(OpenVisits::default());
        if config.storage.redis.is_empty() {
            ingest::reopen_visits(&stores, &words, &visits, clock.now()).await?;
        }
        let keys = keys_of(&config)?;
        let geo = Geo::open_both(&config.collector.geo_database, &config.collector.asn_database);
        let geo = Arc::new(geo.map_err(anyhow::Error::msg)?);
        let cookieless =
            Cookieless::shared(keys.clone(), stores.db.clone(), ingest::ongoing_of(&stores, visits.clone()));
        let cookieless = Arc::new(cookieless);
        tend(&geo, &cookieless, clock.clone());
        let log = ingest::log_of(&stores, visits);
        let (own, wrong) = Networks::read(&config.collector.own_addresses);
        anyhow::ensure!(wrong.is_empty(), "collector.own_addresses: no networks: {}", wrong.join(", "));
        let collector = Collector::new(log, keys.clone(), geo, Agents::default())
            .with_cookieless(cookieless)
            .with_spam(Spam::new(&config.collector.referrer_spam))
            .with_own(own);
        let kept::Chosen { sources, read, fallback } = kept::choose(&config, &stores.db, clock.now()).await?;
        let Definitions {
            lifecycle: Some(lifecycle),
            segments: Some(segments),
            offers: Some(offers),
            catalog: Some(catalog),
            webinars: Some(webinars),
            team: Some(team),
            rules: Some(rules),
            flows: Some(flows),
            topics: Some(topics),
            replies: Some(replies),
            wording: Some(wording),
            sequences: Some(sequences),
            crm: Some(crm),
            notice: Some(notice),
        } = read
        else {
            anyhow::bail!("a definition is missing although nothing is wrong with it");
        };
        let chosen = stages::versions::start(&stores.db, lifecycle, clock.now()).await?;
        if let Some(number) = chosen.needs_number {
            let is_draft = chosen.draft.is_some();
            let file = chosen.draft.as_ref().unwrap_or(&chosen.running);
            tracing::warn!(
                lifecycle.version = file.version,
                lifecycle.is_draft = is_draft,
                "lifecycle.yaml, or the titles that it names, is another text under a number that is taken: {}. Write \
                 `version: {number}` into it, or put the text of before back",
                if is_draft {
                    "it can be neither approved nor activated"
                } else {
                    "it runs, and nobody can tell whom which text moved"
                }
            );
        } else if let Some(draft) = &chosen.draft {
            tracing::warn!(
                lifecycle.version = chosen.running.version,
                draft.version = draft.version,
                "lifecycle.yaml is a draft that waits for approvals or activation; the version before it runs"
            );
        }
        let mut files = sources.flows;
        let flows = flows.with_live_chat(&mut files);
        let mut tx = stores.db.begin().await?;
        chat::versions::note(&mut tx, &flows, &files, clock.now()).await?;
        chat::versions::rewake(&mut tx).await?;
        workbench::note_texts(&mut tx, &files, clock.now()).await?;
        tx.commit().await?;
        let from = Email::parse(&config.mail.from)
            .map_err(|_| anyhow::anyhow!("mail.from: `{}` is not an e-mail address", config.mail.from))?;
        let bounces = Some(config.mail.bounces.as_str()).filter(|text| !text.is_empty());
        let bounces = bounces
            .map(|text| {
                Email::parse(text)
                    .map_err(|_| anyhow::anyhow!("mail.bounces: `{text}` is not an e-mail address"))
            })
            .transpose()?;
        let templates = Templates::calling(words_of_stages(&chosen.running))?;
        let added = sites::added::list(&mut stores.db.read()).await?;
        let desk = Desk {
            stores: stores.clone(),
            keys: keys.clone(),
            sites: Arc::new(Live::new(Sites::new(&config.sites).with_added(&added))),
            templates: Arc::new(templates),
            lifecycle: Arc::new(Live::new(chosen.running)),
            segments: Arc::new(Live::new(segments)),
            segment_costs: Arc::default(),
            catalog: Arc::new(catalog),
            webinars: Arc::new(webinars),
            team: Arc::new(team),
            rules: Arc::new(rules),
            topics: Arc::new(topics),
            sequences: Arc::new(sequences),
            wording: Arc::new(wording),
            flows: Arc::new(chat::Running::new(flows)),
            mailer: Mailer::new(&config.mail, &from, &config.folder).map_err(anyhow::Error::msg)?,
            outbound: Outbound::new(&config.outbound.allow).map_err(anyhow::Error::msg)?,
            vapid: Arc::new(Vapid::kept(&stores.db, &keys, clock.now()).await?),
            calendars: config.calendars.clone(),
            earlier: earlier::Terms {
                hold_ms: i64::from(config.bookings.earlier_minutes.max(1)) * MINUTE_MS,
                most_a_day: i64::from(config.bookings.earlier_per_day),
            },
            from,
            bounces,
            company: config.company.name.clone(),
            public_url: config.server.public_url.clone(),
        };
        let room = Room {
            stores: stores.clone(),
            keys: keys.clone(),
            flows: desk.flows.clone(),
            team: desk.team.clone(),
            lifecycle: desk.lifecycle.clone(),
            webinars: desk.webinars.clone(),
            bot: config.company.bot_name.clone(),
            counts: Arc::default(),
        };
        let offers = Arc::new(Live::new(offers));
        let running = Arc::new(Running {
            config: config.clone(),
            stores: stores.clone(),
            sites: desk.sites.clone(),
            lifecycle: desk.lifecycle.clone(),
            segments: desk.segments.clone(),
            offers: offers.clone(),
            team: desk.team.clone(),
        });
        own_week::refresh(&mut stores.db.read(), &desk.team).await?;
        remember_team(&stores, &desk.team, clock.now()).await?;
        Running::follow(&running);
        jobs::wake_on_news(&stores);
        Ok(Self {
            room,
            running,
            sites: desk.sites.clone(),
            templates: desk.templates.clone(),
            lifecycle: desk.lifecycle.clone(),
            offers,
            catalog: desk.catalog.clone(),
            screen: Arc::new(screen_of(&config)),
            shown: Arc::new(Tally::default()),
            page_counts: Arc::default(),
            webinars: desk.webinars.clone(),
            team: desk.team.clone(),
            replies: Arc::new(replies),
            fallback,
            crm: Arc::new(crm),
            notice: Arc::new(notice),
            sent: Arc::default(),
            workbench: Workbench::default(),
            sign_on: SignOnState::default(),
            desk,
            collector,
            words,
            follower: Follower::default(),
            keys,
            stores,
            clock,
            config,
        })
    }

    /// Keeps how far the demo's time machine has travelled, so that the next start goes on there.
    pub fn remember_clock(&self) {
        let file = self.config.storage.data.join("clock");
        if let Err(error) = std::fs::write(&file, self.clock.offset_ms().to_string()) {
            tracing::warn!(error = %error, "the demo's time cannot be kept");
        }
    }

    /// Why data of people are used, on which ground, and who handles them.
    pub fn privacy_told(&self, language: Language) -> Told {
        self.notice.told(&in_use(&self.config, &self.crm, &self.desk.rules), language)
    }

    /// The lists of personal tables that stand to the right of `privacy`.
    pub fn later_tables() -> [&'static [Personal]; 3] {
        jobs::later_tables()
    }

    /// What workers work with.
    pub fn worker(&self) -> Worker {
        Worker {
            desk: self.desk.clone(),
            room: self.room.clone(),
            words: self.words.clone(),
            clock: self.clock.clone(),
            retention: self.config.retention.clone(),
            crm: self.crm.clone(),
            counts: self.sent.clone(),
        }
    }

    /// Writes down how often forms and the booking page were shown until `stop` says so, and then what is left.
    pub async fn write_counts(&self, mut stop: watch::Receiver<bool>) {
        loop {
            let is_over = *stop.borrow();
            let db = &self.stores.db;
            for written in [self.shown.write(db).await, self.page_counts.write(db).await] {
                if let Err(error) = written {
                    tracing::warn!(error = %error, "how often pages were shown cannot be written down yet");
                }
            }
            if is_over {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(WRITE_EVERY) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// What carrying and counting hits needs.
    pub fn following(&self) -> Following<'_> {
        Following { stores: &self.stores, words: &self.words, sites: &self.sites, follower: &self.follower }
    }

    /// The origin that people and browsers reach this server by.
    pub fn own_origin(&self) -> &str {
        &self.config.server.public_url
    }

    /// An address of this server, for links in mails and pages.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.config.server.public_url)
    }
}

/// How often what was counted is written down.
const WRITE_EVERY: Duration = Duration::from_secs(3);
/// How many calls the log names that nobody of the team's file holds.
const LEFT_MOST: usize = 10;

/// Keeps what the team's file says, for calls that outlive its lines, and says which those are, and who of the file is gone.
async fn remember_team(stores: &Stores, team: &Team, now: Timestamp) -> anyhow::Result<()> {
    let mut tx = stores.db.begin().await?;
    former::remember(&mut tx, team, now).await?;
    tx.commit().await?;
    let left = former::left(&mut stores.db.read(), team, now).await?;
    for call in left.iter().take(LEFT_MOST) {
        tracing::warn!(booking.id = %call.call.booking, "{}; {}", call.line(), call.advice());
    }
    if left.len() > LEFT_MOST {
        tracing::warn!(
            calls = left.len(),
            "more calls ahead name what team.yaml does not; `embudo doctor calls` lists all of them"
        );
    }
    for closed in former::closed(&mut stores.db.read(), team, now).await? {
        tracing::warn!("{}; {}", closed.line(), closed.advice());
    }
    Ok(())
}

/// How often replaced databases and old salts are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks for replaced databases and old salts as long as somebody uses them.
fn tend(geo: &Arc<Geo>, cookieless: &Arc<Cookieless>, clock: Clock) {
    let (geo, cookieless) = (Arc::downgrade(geo), Arc::downgrade(cookieless));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let (Some(geo), Some(cookieless)) = (geo.upgrade(), cookieless.upgrade()) else { return };
            cookieless.forget(clock.now());
            // Reading tens of megabytes would hold up what else runs here. It panics never, so nobody waits for it in vain.
            drop(tokio::task::spawn_blocking(move || geo.look()).await);
        }
    });
}

/// Stages that are shown by an alias: the words of the console and of mails for them.
fn words_of_stages(lifecycle: &stages::Definition) -> Vec<(String, Localized)> {
    let shown = lifecycle.stages.iter().filter(|stage| stage.shown_as.is_some());
    let words = shown.map(|stage| {
        let word = stage.word().replace(['_', '-'], " ");
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
        let word = first + letters.as_str();
        (format!("console.stage.{}", stage.id), Localized::new(&word, &word))
    });
    words.collect()
}

/// The keys that every link is signed with.
///
/// # Errors
/// If the data folder cannot be read or written.
pub fn keys_of(config: &Config) -> anyhow::Result<Keys> {
    Ok(Keys::new(&secret_of(config)?))
}

/// What addresses of forms are held against.
fn screen_of(config: &Config) -> Screen {
    let forms = &config.forms;
    let servers: Vec<_> = forms.name_servers.iter().filter_map(|server| server.parse().ok()).collect();
    let exchanges = forms.check_mail_servers.then(|| Exchanges::new(&servers)).transpose();
    let exchanges = match exchanges {
        Ok(exchanges) => exchanges,
        // A machine without a name server still takes forms: nobody can be asked, so everybody is believed.
        Err(problem) => {
            tracing::warn!(error = %problem, "forms.check_mail_servers: no address can be looked up");
            None
        }
    };
    let own = &forms.disposable_domains;
    Screen::new((!own.as_os_str().is_empty()).then(|| config.path_of(own)), exchanges)
}

/// The configured secret, else the one in the data folder, made at the first start.
///
/// # Errors
/// If the folder cannot be read or written.
pub fn secret_of(config: &Config) -> anyhow::Result<Secret> {
    if !config.server.secret.is_empty() {
        return Ok(config.server.secret.clone());
    }
    std::fs::create_dir_all(&config.storage.data)?;
    let file = config.storage.data.join("secret");
    match std::fs::read_to_string(&file) {
        Ok(text) if text.trim().len() >= 32 => Ok(Secret::new(text.trim())),
        _ => {
            let made = random_text(48);
            write_private(&file, &made)?;
            Ok(Secret::new(made))
        }
    }
}

fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
