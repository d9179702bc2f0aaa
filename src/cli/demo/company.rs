//! The people of the sample company and of its customers, settled in at the first start through the product's own doors:
//! reported hits, typed forms, registrations, bookings.

use std::net::IpAddr;

use serde_json::json;

use crate::accounts::{self, NewAccount, Role};
use crate::app::App;
use crate::base::email::Email;
use crate::base::ids::{HitId, VisitorId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp, zone};
use crate::bookings::slots::Span;
use crate::bookings::{self, Holder, Pick, Said};
use crate::contacts::{self, Consent, Identification, Trust};
use crate::events::{Event, outbox};
use crate::hits::Manner;
use crate::ingest::Sender;
use crate::webinars::attendance::Attended;
use crate::{hits, stages, webinars};

/// The SDR.
pub const MIKE: &str = "mike@faro.example";
/// The account executive.
pub const YURI: &str = "yuri@faro.example";
/// May do everything.
pub const ADMIN: &str = "admin@faro.example";
/// Theirs, in the demo only: it listens to this machine alone.
pub const PASSWORD: &str = "a lighthouse at night";

const PAST: &str = "reading-at-work";
/// More facts than the sample's people leave.
const MOST_FACTS: i64 = 1_000;
const BROWSER: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/537.36 (KHTML, like Gecko) \
                       Chrome/140.0.0.0 Safari/537.36";

/// Somebody the sample company knows already.
struct Person {
    email: &'static str,
    name: (&'static str, &'static str),
    title: &'static str,
    language: Language,
    zone: &'static str,
    /// Days ago when they came first.
    days_ago: i64,
    referrer: &'static str,
    pages: &'static [(&'static str, &'static str)],
    webinar: Option<Webinar>,
    books: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Webinar {
    Missed,
    Attended,
}

const PEOPLE: &[Person] = &[
    Person {
        email: "carmen@nordwind.example",
        name: ("Carmen", "Ruiz"),
        title: "Head of Learning",
        language: Language::Es,
        zone: "Europe/Madrid",
        days_ago: 12,
        referrer: "https://www.google.es/",
        pages: &[
            ("/es/", "Librería Faro"),
            ("/es/recursos.html", "Recursos"),
            ("/es/webinars.html", "Webinars"),
        ],
        webinar: Some(Webinar::Missed),
        books: false,
    },
    Person {
        email: "tomas@altamar.example",
        name: ("Tomás", "Ibarra"),
        title: "Director de Personas",
        language: Language::Es,
        zone: "America/Mexico_City",
        days_ago: 11,
        referrer: "https://www.linkedin.com/",
        pages: &[
            ("/es/", "Librería Faro"),
            ("/es/precios.html", "Precios"),
            ("/es/webinars.html", "Webinars"),
        ],
        webinar: Some(Webinar::Attended),
        books: true,
    },
    Person {
        email: "hannah@brightside.example",
        name: ("Hannah", "Cole"),
        title: "People Operations Manager",
        language: Language::En,
        zone: "Europe/London",
        days_ago: 9,
        referrer: "https://duckduckgo.com/",
        pages: &[
            ("/en/", "Librería Faro"),
            ("/en/resources.html", "Resources"),
            ("/en/pricing.html", "Pricing"),
        ],
        webinar: None,
        books: false,
    },
    Person {
        email: "oliver@brightside.example",
        name: ("Oliver", "Grant"),
        title: "VP Finance",
        language: Language::En,
        zone: "Europe/London",
        days_ago: 3,
        referrer: "",
        pages: &[("/en/", "Librería Faro"), ("/en/pricing.html", "Pricing")],
        webinar: None,
        books: false,
    },
];

/// Makes the accounts and the people, unless they are there.
pub async fn settle_in(app: &App) -> anyhow::Result<()> {
    let now = app.clock.now();
    let admin = Email::parse(ADMIN)?;
    if accounts::find_by_email(&mut app.stores.db.read(), &admin).await?.is_some() {
        return Ok(());
    }
    // The team first, who will own the contacts; the admin last, who says that everything is there.
    for (email, name, role, language) in [
        (MIKE, "Mike Torres", Role::Sdr, "en"),
        ("lucia@faro.example", "Lucía Vega", Role::Sdr, "es"),
        (YURI, "Yuri Navarro", Role::Ae, "en"),
        ("marta@faro.example", "Marta Soler", Role::Marketing, "es"),
    ] {
        join(app, email, name, role, language, now).await?;
    }
    for person in PEOPLE {
        settle(app, person, now).await?;
    }
    attend(app, now).await?;
    pass_over(app, now).await?;
    while crate::ingest::drain(&app.stores, &app.words).await? > 0 {}
    while crate::ingest::read_on(&app.stores, &app.words, &app.sites).await? > 0 {}
    join(app, ADMIN, "Ana Faro", Role::Admin, "en", now).await
}

async fn join(
    app: &App,
    email: &str,
    name: &str,
    role: Role,
    language: &str,
    now: Timestamp,
) -> anyhow::Result<()> {
    if accounts::find_by_email(&mut app.stores.db.read(), &Email::parse(email)?).await?.is_some() {
        return Ok(());
    }
    let mut tx = app.stores.db.begin().await?;
    let language = Language::parse(language);
    accounts::add(&mut tx, &NewAccount { email, name, role, password: PASSWORD, language }, now).await?;
    Ok(tx.commit().await?)
}

async fn settle(app: &App, person: &Person, now: Timestamp) -> anyhow::Result<()> {
    let came = now.plus_ms(-person.days_ago * DAY_MS);
    let visitor = VisitorId::new();
    visit(app, person, visitor, came).await?;
    let email = Email::parse(person.email)?;
    let at = came.plus_ms(6 * MINUTE_MS);
    let mut tx = app.stores.db.begin().await?;
    let who = Identification {
        email: &email,
        visitor: Some(visitor),
        site: "faro",
        trust: Trust::Claimed,
        consent: Consent::Analytics,
        language: person.language,
        time_zone: Some(person.zone),
    };
    let contact = contacts::identify(&mut tx, &who, at).await?.contact.id;
    for (name, value) in
        [("first_name", person.name.0), ("last_name", person.name.1), ("job_title", person.title)]
    {
        contacts::set_field(&mut tx, contact, name, value, "form", Trust::Claimed, at).await?;
    }
    let asset = json!({ "kind": "white_paper" });
    contacts::record(
        &mut tx,
        Some(contact),
        Some(visitor),
        "form.submitted",
        Some("white-paper"),
        json!({}),
        at,
    )
    .await?;
    contacts::record(
        &mut tx,
        Some(contact),
        Some(visitor),
        "asset.downloaded",
        Some("reading-guide"),
        asset,
        at,
    )
    .await?;
    stages::evaluate(&mut tx, &app.lifecycle, contact, at).await?;
    if let (Some(_), Some(webinar)) = (person.webinar, app.webinars.find(PAST)) {
        let registered = webinar.starts_at.plus_ms(-DAY_MS).max(at);
        webinars::register(&mut tx, &app.lifecycle, webinar, contact, Some(visitor), registered).await?;
    }
    if person.books {
        let desk = bookings::Desk { team: &app.team, lifecycle: &app.lifecycle };
        let meeting = desk.team.meeting("discovery").ok_or(bookings::Error::MeetingUnknown)?;
        let window = Span { from: now.plus_ms(26 * HOUR_MS), to: now.plus_ms(7 * DAY_MS) };
        let times =
            bookings::slots(&mut tx, desk.team, meeting, window, &Holder::default(), None, now).await?;
        // A time at which the person is awake, too.
        let is_by_day = |at: Timestamp| {
            zone(person.zone).is_some_and(|zone| (9..18).contains(&at.to_jiff().to_zoned(zone).hour()))
        };
        if let Some(time) = times.iter().find(|time| is_by_day(time.starts_at)) {
            let pick = Pick {
                meeting: "discovery",
                starts_at: time.starts_at,
                duration_ms: None,
                time_zone: person.zone,
                language: person.language,
                holder: Holder { visitor: Some(visitor), conversation: None },
                contact: Some(contact),
            };
            let note = "Somos 300 personas en cuatro ciudades.";
            let said = Said { notes: Some(note), answers: None };
            bookings::book(&mut tx, desk, &pick, contact, &said, now).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

async fn visit(app: &App, person: &Person, visitor: VisitorId, came: Timestamp) -> anyhow::Result<()> {
    let sender =
        Sender { address: IpAddr::from([127, 0, 0, 1]), user_agent: BROWSER, manner: Manner::default() };
    let mut referrer = person.referrer.to_owned();
    for ((path, title), minute) in person.pages.iter().zip(0_i64..) {
        let address = format!("{}{path}", app.own_origin());
        let at = came.plus_ms(minute * 2 * MINUTE_MS);
        for name in [hits::PAGE, hits::ENGAGEMENT] {
            let body = json!({
                "id": HitId::new(), "site": "faro", "name": name, "url": address, "referrer": referrer,
                "title": title, "visitor": visitor, "consent": "analytics", "language": person.language.code(),
                "engaged_ms": if name == hits::ENGAGEMENT { 74_000 } else { 0 },
            });
            let parsed = hits::parse(body.to_string().as_bytes(), hits::BATCH_MOST, at)?;
            app.collector.take(parsed, sender, at).await?;
        }
        referrer = address;
    }
    Ok(())
}

/// A place in a webinar that is over was confirmed when it was taken: nothing of it is to be told today.
async fn pass_over(app: &App, now: Timestamp) -> anyhow::Result<()> {
    let mut tx = app.stores.db.begin().await?;
    for recorded in outbox::waiting(&mut tx, MOST_FACTS).await? {
        if matches!(&recorded.event, Event::WebinarRegistered { webinar, .. } if webinar == PAST) {
            outbox::mark_dispatched(&mut tx, recorded.id, now).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Who was at the past webinar; the rest missed it.
async fn attend(app: &App, now: Timestamp) -> anyhow::Result<()> {
    let Some(webinar) = app.webinars.find(PAST).filter(|webinar| webinar.closes_at() < now) else {
        return Ok(());
    };
    let there = PEOPLE.iter().filter(|person| person.webinar == Some(Webinar::Attended));
    let list = there
        .zip(1..)
        .map(|(person, line)| Ok(Attended { line, email: Email::parse(person.email)?, minutes: Some(41) }))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut tx = app.stores.db.begin().await?;
    webinars::attend(&mut tx, &app.lifecycle, webinar, &list, webinar.ends_at()).await?;
    webinars::close(&mut tx, &app.lifecycle, webinar, webinar.closes_at()).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Clock;
    use crate::cli::demo::folder;
    use crate::config::Config;
    use crate::jobs;
    use crate::reports::outbox as mails;

    #[tokio::test]
    async fn the_first_mails_of_the_demo_are_all_kept_for_its_own_page_and_none_has_failed() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let shop = tempfile::tempdir().expect("a folder");
        let settings = folder::prepare(shop.path(), 0).expect("prepared");
        let config = Config::load(Some(&settings), std::iter::empty()).expect("right");
        // A working day: letters need not wait for the morning.
        let madrid = zone("Europe/Madrid").expect("a zone");
        let today = jiff::Timestamp::now().to_zoned(madrid.clone()).date();
        let until_monday = match today.weekday() {
            jiff::civil::Weekday::Saturday => 2,
            jiff::civil::Weekday::Sunday => 1,
            _ => 0,
        };
        let noon = today.at(12, 0, 0, 0).to_zoned(madrid).expect("a noon").timestamp();
        let clock = Clock::manual(Timestamp::from_jiff(noon).plus_ms(until_monday * DAY_MS));
        let app = App::build(config, clock.clone()).await.expect("started");
        settle_in(&app).await.expect("settled");
        for _ in 0..3 {
            jobs::drain(&app.worker()).await.expect("done");
            clock.advance(MINUTE_MS);
        }
        let reads = &mut app.stores.db.read();
        let waiting = mails::waiting(reads, clock.now()).await.expect("read");
        assert_eq!(waiting, Vec::new());
        let (kept, _) = mails::list(reads, 1).await.expect("read");
        assert!(!kept.is_empty() && kept.iter().all(|mail| mail.transport == "outbox"), "{kept:?}");
    }
}
