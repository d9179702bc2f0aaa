//! Made-up data to look around with: a few people, a month of visits to a site of their own, conversations and calls. They
//! are put into the stores as if they had come by themselves, and taken away again without a trace. Nobody is told of them,
//! no mail ever goes to their addresses, and nobody's time is taken: all calls are over.

mod sales;
pub mod traffic;

use serde::{Deserialize, Serialize};
use serde_json::json;

use self::sales::{OF_STRANGERS, Talk, Who};
use self::traffic::{SITE, Visit};
use super::App;
use crate::base::email::Email;
use crate::base::ids::{AccountId, BookingId, ContactId, ConversationId, VisitorId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::base::trust::Trust;
use crate::bookings::{self, Outcome};
use crate::chat::body::Author;
use crate::chat::forget_told;
use crate::contacts::{self, Consent, Identification};
use crate::privacy::audit::{self, By, What};
use crate::sites::added;
use crate::storage::db::Tx;
use crate::storage::kept;
use crate::subscriptions::suppression::{self, ALL, Reason};
use crate::{companies, hits, privacy, sessions, stages};

/// The name that the ids of the sample's people are kept under.
const NAME: &str = "sample people";

/// Somebody who does not exist. Addresses below `.example` can be nobody's (RFC 2606).
struct Person {
    email: &'static str,
    name: (&'static str, &'static str),
    title: &'static str,
    company: &'static str,
    language: Language,
    zone: &'static str,
    days_ago: i64,
    /// What she did, and about what, each a few hours after the one before.
    did: &'static [(&'static str, &'static str)],
    /// What was said in the chat.
    talk: Option<Talk>,
    /// So many days ago she had a call, and how it went.
    call: Option<(i64, Outcome)>,
}

const PEOPLE: &[Person] = &[
    Person {
        email: "carmen@sample-nordwind.example",
        name: ("Carmen", "Ruiz"),
        title: "Head of Learning",
        company: "Nordwind",
        language: Language::Es,
        zone: "Europe/Madrid",
        days_ago: 12,
        did: &[
            ("form.submitted", "guide"),
            ("asset.downloaded", "guide"),
            ("webinar.registered", "first-steps"),
        ],
        talk: Some(Talk {
            outcome: "call_requested",
            lines: &[
                (Author::Bot, "Hola. ¿Quieres ver la grabación en diez minutos?"),
                (Author::Visitor, "Sí, y me gustaría hablar con alguien."),
                (Author::Bot, "Te propongo unas horas para una llamada."),
            ],
        }),
        call: Some((6, Outcome::Held)),
    },
    Person {
        email: "jonas@sample-nordwind.example",
        name: ("Jonas", "Weber"),
        title: "VP Finance",
        company: "Nordwind",
        language: Language::En,
        zone: "Europe/Berlin",
        days_ago: 4,
        did: &[("form.submitted", "guide")],
        talk: None,
        call: None,
    },
    Person {
        email: "tomas@sample-altamar.example",
        name: ("Tomás", "Ibarra"),
        title: "Director de Personas",
        company: "Altamar",
        language: Language::Es,
        zone: "America/Mexico_City",
        days_ago: 9,
        did: &[("form.submitted", "guide"), ("asset.downloaded", "guide")],
        talk: Some(Talk {
            outcome: "talked",
            lines: &[
                (Author::Visitor, "¿El precio es por persona o por círculo?"),
                (Author::Agent, "Por círculo, con doce personas como mucho."),
                (Author::Visitor, "Perfecto, lo hablo con mi equipo."),
            ],
        }),
        call: Some((5, Outcome::NoShow)),
    },
    Person {
        email: "hannah@sample-brightside.example",
        name: ("Hannah", "Cole"),
        title: "People Operations Manager",
        company: "Brightside",
        language: Language::En,
        zone: "Europe/London",
        days_ago: 6,
        did: &[("form.submitted", "newsletter"), ("webinar.registered", "first-steps")],
        talk: Some(Talk {
            outcome: "answered",
            lines: &[
                (Author::Visitor, "Can we begin with one office only?"),
                (Author::Bot, "Yes. Most companies begin with one circle and go on from there."),
            ],
        }),
        call: Some((3, Outcome::Held)),
    },
    Person {
        email: "oliver@sample-brightside.example",
        name: ("Oliver", "Grant"),
        title: "Chief Executive",
        company: "Brightside",
        language: Language::En,
        zone: "Europe/London",
        days_ago: 1,
        did: &[("form.submitted", "guide"), ("asset.downloaded", "guide")],
        talk: None,
        call: None,
    },
];

/// What is kept of the sample that is loaded.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Loaded {
    contacts: Vec<ContactId>,
    #[serde(default)]
    bookings: Vec<BookingId>,
    /// Those of people nobody knows.
    #[serde(default)]
    conversations: Vec<ConversationId>,
    /// When the visits were reported; none: there are none.
    #[serde(default)]
    visits_at: Option<Timestamp>,
}

impl App {
    /// How many of the sample's people are there.
    ///
    /// # Errors
    /// As the store says.
    pub async fn sample_size(&self) -> anyhow::Result<usize> {
        let kept = kept::get(&mut self.stores.db.read(), NAME).await?;
        Ok(loaded(kept.as_ref()).contacts.len())
    }

    /// Loads the sample. Who is there already, by her address, is left alone. Returns how many people came.
    ///
    /// # Errors
    /// As the store says.
    pub async fn load_sample(&self, by: AccountId) -> anyhow::Result<usize> {
        let now = self.clock.now();
        if self.sample_size().await? > 0 {
            return Ok(0);
        }
        let devices: Vec<VisitorId> = PEOPLE.iter().map(|_| VisitorId::new()).collect();
        let has_visits = self.open_sample_site(now).await?;
        if has_visits {
            // Before anybody is known by name: who is, and comes to a site, is told to colleagues.
            let mut visits = traffic::of_strangers(now);
            for (person, device) in PEOPLE.iter().zip(&devices) {
                for before in [person.days_ago * DAY_MS, person.days_ago * DAY_MS / 2 + HOUR_MS] {
                    visits.push(Visit::of(*device, now.plus_ms(-before - HOUR_MS), before / HOUR_MS));
                }
            }
            self.report_sample(visits).await?;
        }
        let mut tx = self.stores.db.begin().await?;
        tx.lock(NAME).await?;
        let mut known = loaded(kept::get(&mut tx, NAME).await?.as_ref());
        if !known.contacts.is_empty() {
            return Ok(0);
        }
        known.visits_at = has_visits.then_some(now);
        for (person, device) in PEOPLE.iter().zip(devices) {
            self.settle(&mut tx, person, device, &mut known, now).await?;
        }
        for (days_ago, talk) in &OF_STRANGERS {
            let who = Who {
                site: self.sample_site(),
                visitor: VisitorId::new(),
                contact: None,
                language: Language::En,
                zone: "Europe/Madrid",
            };
            let at = now.plus_ms(-days_ago * DAY_MS + HOUR_MS);
            known.conversations.push(sales::talk(&mut tx, &who, talk, at).await?);
        }
        kept::put(&mut tx, NAME, &serde_json::to_string(&known)?, now).await?;
        let details = What::SampleLoaded.of(&known.contacts.len().to_string());
        audit::changed(&mut tx, By::Account(by), details, now).await?;
        tx.commit().await?;
        Ok(known.contacts.len())
    }

    /// The site that the sample's people come to: their own, else the first.
    fn sample_site(&self) -> &str {
        let own = self.sites.find(SITE).ok();
        own.or_else(|| self.sites.all().next()).map_or("", |site| site.key.as_str())
    }

    /// Adds the sample's site. Returns whether it is there: a deployment may have as many sites as it can.
    async fn open_sample_site(&self, now: Timestamp) -> anyhow::Result<bool> {
        let first = self.sites.all().next();
        let (language, zone) =
            first.map_or((Language::En, "UTC"), |site| (site.language, site.time_zone.as_str()));
        let mut tx = self.stores.db.begin().await?;
        match added::add(&mut tx, &self.sites, &traffic::site(language, zone), now).await {
            Ok(()) => tx.commit().await?,
            // A load that was broken off has left it there.
            Err(added::Error::Taken) => return Ok(self.sites.find(SITE).is_ok()),
            Err(added::Error::Storage(error)) => return Err(error.into()),
            Err(_) => return Ok(false),
        }
        self.running.take_up_sites().await?;
        Ok(true)
    }

    /// One of them; nothing if somebody has her address.
    async fn settle(
        &self,
        tx: &mut Tx,
        person: &Person,
        device: VisitorId,
        known: &mut Loaded,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let email = Email::parse(person.email)?;
        if contacts::find_by_email(tx, &email).await?.is_some() {
            return Ok(());
        }
        suppression::suppress(tx, &self.keys, &email, ALL, Reason::Manual, Some("sample"), now).await?;
        let mut at = now.plus_ms(-person.days_ago * DAY_MS);
        let who = Identification {
            email: &email,
            visitor: Some(device),
            site: self.sample_site(),
            trust: Trust::Claimed,
            consent: Consent::Analytics,
            language: person.language,
            time_zone: Some(person.zone),
        };
        let found = contacts::identify(tx, &who, at).await?;
        let contact = found.contact.id;
        for (name, value) in [
            ("first_name", person.name.0),
            ("last_name", person.name.1),
            ("job_title", person.title),
            ("company", person.company),
        ] {
            contacts::set_field(tx, contact, name, value, "form", Trust::Claimed, at).await?;
        }
        for (kind, subject) in person.did {
            at = at.plus_ms(2 * HOUR_MS + 7 * MINUTE_MS);
            let visitor = Some(found.visitor);
            contacts::record(tx, Some(contact), visitor, kind, Some(subject), json!({}), at).await?;
            stages::evaluate(tx, &self.lifecycle, contact, at).await?;
        }
        let who = Who {
            site: self.sample_site(),
            visitor: found.visitor,
            contact: Some(contact),
            language: person.language,
            zone: person.zone,
        };
        if let Some(talk) = &person.talk {
            sales::talk(tx, &who, talk, at.plus_ms(HOUR_MS)).await?;
        }
        if let Some(call) = person.call {
            known.bookings.extend(sales::call(self, tx, &who, call, now).await?);
        }
        known.contacts.push(contact);
        Ok(())
    }

    /// Takes the sample away, its people as whoever asks to be forgotten is; returns how many went. Broken off, it can be
    /// done again.
    ///
    /// # Errors
    /// As the store says.
    pub async fn remove_sample(&self, by: AccountId) -> anyhow::Result<usize> {
        let now = self.clock.now();
        let known = loaded(kept::get(&mut self.stores.db.read(), NAME).await?.as_ref());
        for contact in &known.contacts {
            let later = Self::later_tables();
            match privacy::erase(&self.stores, &self.keys, &later, *contact, By::Account(by), false, now)
                .await
            {
                // Somebody erased or merged her by hand meanwhile.
                Ok(_) | Err(privacy::Error::Unknown | privacy::Error::Merged(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.close_sample_site(known.visits_at).await?;
        let mut tx = self.stores.db.begin().await?;
        tx.lock(NAME).await?;
        for person in PEOPLE {
            let email = Email::parse(person.email)?;
            companies::forget_empty(&mut tx, email.domain()).await?;
            suppression::release(&mut tx, &self.keys, &email, ALL, Reason::Manual).await?;
        }
        for booking in &known.bookings {
            bookings::forget(&mut tx, *booking).await?;
        }
        for conversation in &known.conversations {
            forget_told(&mut tx, *conversation).await?;
        }
        kept::put(&mut tx, NAME, &serde_json::to_string(&Loaded::default())?, now).await?;
        let details = What::SampleRemoved.of(&known.contacts.len().to_string());
        audit::changed(&mut tx, By::Account(by), details, now).await?;
        tx.commit().await?;
        Ok(known.contacts.len())
    }

    /// Takes the sample's site away, with every row of its visits.
    async fn close_sample_site(&self, visits_at: Option<Timestamp>) -> anyhow::Result<()> {
        let Some(loaded_at) = visits_at else { return Ok(()) };
        self.settle_hits().await?;
        let number = self.words.numbers(&self.stores.hits, std::iter::once(SITE)).await?;
        if let Some(number) = number.get(SITE) {
            let today = loaded_at.as_ms().div_euclid(DAY_MS);
            hits::forget_site(&self.stores.hits, *number, today - traffic::DAYS - 1..=today + 1).await?;
            let mut tx = self.stores.hits.begin().await?;
            sessions::store::forget_site(&mut tx, *number).await?;
            tx.commit().await?;
        }
        let mut tx = self.stores.db.begin().await?;
        match added::remove(&mut tx, SITE).await {
            Ok(()) => tx.commit().await?,
            // Somebody has taken it away by hand.
            Err(added::Error::Unknown) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.running.take_up_sites().await?)
    }
}

fn loaded(kept: Option<&kept::Kept>) -> Loaded {
    kept.and_then(|kept| serde_json::from_str(&kept.body).ok()).unwrap_or_default()
}
