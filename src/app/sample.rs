//! A few made-up people to look around with: they are put into the store as if they had come by themselves, and taken away
//! again without a trace. Nobody is told of them, and no mail ever goes to their addresses.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::App;
use crate::base::email::Email;
use crate::base::ids::{AccountId, ContactId, VisitorId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};
use crate::base::trust::Trust;
use crate::contacts::{self, Consent, Identification};
use crate::events::outbox;
use crate::privacy::audit::{self, By};
use crate::storage::db::Tx;
use crate::storage::kept;
use crate::subscriptions::suppression::{self, ALL, Reason};
use crate::{companies, privacy, stages};

/// The name that the ids of the sample's people are kept under.
const NAME: &str = "sample people";
/// More facts than the sample's people leave.
const MOST_FACTS: i64 = 100_000;

/// Somebody who does not exist. Addresses below `.example` can be nobody's (RFC 2606).
struct Person {
    email: &'static str,
    name: (&'static str, &'static str),
    title: &'static str,
    language: Language,
    zone: &'static str,
    days_ago: i64,
    /// What she did, and about what, each a few hours after the one before.
    did: &'static [(&'static str, &'static str)],
}

const PEOPLE: &[Person] = &[
    Person {
        email: "carmen@sample-nordwind.example",
        name: ("Carmen", "Ruiz"),
        title: "Head of Learning",
        language: Language::Es,
        zone: "Europe/Madrid",
        days_ago: 12,
        did: &[
            ("form.submitted", "guide"),
            ("asset.downloaded", "guide"),
            ("webinar.registered", "first-steps"),
        ],
    },
    Person {
        email: "jonas@sample-nordwind.example",
        name: ("Jonas", "Weber"),
        title: "VP Finance",
        language: Language::En,
        zone: "Europe/Berlin",
        days_ago: 4,
        did: &[("form.submitted", "guide")],
    },
    Person {
        email: "tomas@sample-altamar.example",
        name: ("Tomás", "Ibarra"),
        title: "Director de Personas",
        language: Language::Es,
        zone: "America/Mexico_City",
        days_ago: 9,
        did: &[("form.submitted", "guide"), ("asset.downloaded", "guide")],
    },
    Person {
        email: "hannah@sample-brightside.example",
        name: ("Hannah", "Cole"),
        title: "People Operations Manager",
        language: Language::En,
        zone: "Europe/London",
        days_ago: 6,
        did: &[("form.submitted", "newsletter"), ("webinar.registered", "first-steps")],
    },
    Person {
        email: "oliver@sample-brightside.example",
        name: ("Oliver", "Grant"),
        title: "Chief Executive",
        language: Language::En,
        zone: "Europe/London",
        days_ago: 1,
        did: &[("form.submitted", "guide"), ("asset.downloaded", "guide")],
    },
];

/// What is kept of the sample that is loaded.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Loaded {
    contacts: Vec<ContactId>,
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

    /// Loads the sample's people. Who is there already, by her address, is left alone. Returns how many came.
    ///
    /// # Errors
    /// As the store says.
    pub async fn load_sample(&self, by: AccountId) -> anyhow::Result<usize> {
        let now = self.clock.now();
        let mut tx = self.stores.db.begin().await?;
        tx.lock(NAME).await?;
        let mut known = loaded(kept::get(&mut tx, NAME).await?.as_ref());
        if !known.contacts.is_empty() {
            return Ok(0);
        }
        for person in PEOPLE {
            known.contacts.extend(self.settle(&mut tx, person, now).await?);
        }
        // Nobody is to hear of people who do not exist: neither colleagues nor programs.
        for recorded in outbox::waiting(&mut tx, MOST_FACTS).await? {
            if recorded.event.contact().is_some_and(|contact| known.contacts.contains(&contact)) {
                outbox::mark_dispatched(&mut tx, recorded.id, now).await?;
            }
        }
        kept::put(&mut tx, NAME, &serde_json::to_string(&known)?, now).await?;
        let details = json!({ "what": "sample_loaded", "of": known.contacts.len().to_string() });
        audit::changed(&mut tx, By::Account(by), details, now).await?;
        tx.commit().await?;
        Ok(known.contacts.len())
    }

    /// One of them; none if somebody has her address.
    async fn settle(
        &self,
        tx: &mut Tx,
        person: &Person,
        now: Timestamp,
    ) -> anyhow::Result<Option<ContactId>> {
        let email = Email::parse(person.email)?;
        if contacts::find_by_email(tx, &email).await?.is_some() {
            return Ok(None);
        }
        suppression::suppress(tx, &self.keys, &email, ALL, Reason::Manual, Some("sample"), now).await?;
        let site = self.sites.all().next().map_or("", |site| site.key.as_str());
        let mut at = now.plus_ms(-person.days_ago * DAY_MS);
        let who = Identification {
            email: &email,
            visitor: Some(VisitorId::new()),
            site,
            trust: Trust::Claimed,
            consent: Consent::Analytics,
            language: person.language,
            time_zone: Some(person.zone),
        };
        let found = contacts::identify(tx, &who, at).await?;
        let contact = found.contact.id;
        for (name, value) in
            [("first_name", person.name.0), ("last_name", person.name.1), ("job_title", person.title)]
        {
            contacts::set_field(tx, contact, name, value, "form", Trust::Claimed, at).await?;
        }
        for (kind, subject) in person.did {
            at = at.plus_ms(2 * HOUR_MS + 7 * MINUTE_MS);
            let visitor = Some(found.visitor);
            contacts::record(tx, Some(contact), visitor, kind, Some(subject), json!({}), at).await?;
            stages::evaluate(tx, &self.lifecycle, contact, at).await?;
        }
        Ok(Some(contact))
    }

    /// Takes the sample's people away, as whoever asks to be forgotten is; returns how many went. Broken off, it can be
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
        let mut tx = self.stores.db.begin().await?;
        tx.lock(NAME).await?;
        for person in PEOPLE {
            let email = Email::parse(person.email)?;
            companies::forget_empty(&mut tx, email.domain()).await?;
            suppression::release(&mut tx, &self.keys, &email, ALL, Reason::Manual).await?;
        }
        kept::put(&mut tx, NAME, &serde_json::to_string(&Loaded::default())?, now).await?;
        let details = json!({ "what": "sample_removed", "of": known.contacts.len().to_string() });
        audit::changed(&mut tx, By::Account(by), details, now).await?;
        tx.commit().await?;
        Ok(known.contacts.len())
    }
}

fn loaded(kept: Option<&kept::Kept>) -> Loaded {
    kept.and_then(|kept| serde_json::from_str(&kept.body).ok()).unwrap_or_default()
}
