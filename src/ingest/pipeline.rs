//! From what a browser sent to a durable row: label bot → source → place → device → visit and log.
//!
//! Nothing here reads a contact, and no lock is shared by all visitors.

use std::net::IpAddr;
use std::sync::Arc;

use super::HitLog;
use crate::base::ids::{SessionId, VisitorId};
use crate::base::network::Networks;
use crate::base::signing::Keys;
use crate::base::time::Timestamp;
use crate::hits::{
    self, Address, Agents, BotReason, Counts, Geo, Hit, Known, Manner, Place, Recorded, Spam, source_of,
};
use crate::sessions::Cookieless;

/// What the request says about who sends.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    pub address: IpAddr,
    pub user_agent: &'a str,
    /// How it was sent.
    pub manner: Manner,
}

/// What became of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Hits that are on disk now.
    pub accepted: usize,
    /// Why one of them was labelled as a machine's: the first reason.
    pub bot_reason: Option<BotReason>,
    /// Whether one of them opened a page.
    pub has_page: bool,
}

/// Takes hits.
pub struct Collector {
    log: Arc<dyn HitLog>,
    cookieless: Arc<Cookieless>,
    geo: Arc<Geo>,
    agents: Agents,
    spam: Spam,
    own: Networks,
    counts: Arc<Counts>,
}

impl Collector {
    /// A collector that writes to `log`.
    pub fn new(log: Arc<dyn HitLog>, keys: Keys, geo: impl Into<Arc<Geo>>, agents: Agents) -> Self {
        let cookieless = Arc::new(Cookieless::alone(keys));
        Self {
            log,
            cookieless,
            geo: geo.into(),
            agents,
            spam: Spam::default(),
            own: Networks::default(),
            counts: Arc::default(),
        }
    }

    /// The same, with identifiers for those who allow none that other nodes make, too.
    #[must_use]
    pub fn with_cookieless(self, cookieless: Arc<Cookieless>) -> Self {
        Self { cookieless, ..self }
    }

    /// The same, with a list of referrers that are advertised by made-up visits.
    #[must_use]
    pub fn with_spam(self, spam: Spam) -> Self {
        Self { spam, ..self }
    }

    /// The same, setting the company's own people aside.
    #[must_use]
    pub fn with_own(self, own: Networks) -> Self {
        Self { own, ..self }
    }

    /// What was taken and what not, so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Where addresses are looked up.
    pub fn geo(&self) -> &Geo {
        &self.geo
    }

    /// Works the hits out and returns when they are on disk.
    ///
    /// # Errors
    /// [`hits::Error::Unavailable`] if they are not; then the client keeps them.
    pub async fn take(
        &self,
        hits: Vec<Hit>,
        sender: Sender<'_>,
        now: Timestamp,
    ) -> Result<Taken, hits::Error> {
        let agent = self.agents.read(sender.user_agent);
        let place = self.geo.find(sender.address);
        let has_page = hits.iter().any(|hit| hit.name == hits::PAGE);
        let own = self.own.contain(sender.address).then_some(BotReason::OwnAddress);
        let accepted = hits.len();
        let (mut rows, mut reasons) = (Vec::with_capacity(accepted), Vec::new());
        for hit in hits {
            if let Some(clamped) = hit.clamped {
                self.counts.clamped.add(clamped.word(), 1);
            }
            let reason = own.or_else(|| self.bot_reason(&hit, &agent, &place, sender.manner));
            reasons.extend(reason);
            let visitor = match hit.visitor {
                Some(visitor) => visitor,
                None => {
                    let made = self.cookieless.visitor(&hit.site, sender.address, sender.user_agent, hit.at);
                    made.await
                }
            };
            rows.push(work_out(hit, visitor, &agent, &place, reason, now));
        }
        self.log.append(rows).await?;
        self.counts.accepted.add(u64::try_from(accepted - reasons.len()).unwrap_or(0));
        for reason in &reasons {
            self.counts.labelled.add(reason.word(), 1);
        }
        Ok(Taken { accepted, bot_reason: reasons.first().copied(), has_page })
    }

    /// What a `User-Agent` header says of the browser.
    pub fn agent(&self, user_agent: &str) -> Arc<Known> {
        self.agents.read(user_agent)
    }

    fn bot_reason(&self, hit: &Hit, agent: &Known, place: &Place, manner: Manner) -> Option<BotReason> {
        if agent.bot_reason.is_some() {
            return agent.bot_reason;
        }
        if hit.is_automated {
            return Some(BotReason::Automation);
        }
        let referrer = hit.referrer.as_ref().map(Address::host).filter(|host| *host != hit.host);
        if referrer.is_some_and(|host| self.spam.has(host)) {
            return Some(BotReason::ReferrerSpam);
        }
        (place.is_hosting && manner.is_odd(agent.expected)).then_some(BotReason::Signals)
    }
}

fn work_out(
    hit: Hit,
    visitor: VisitorId,
    agent: &Known,
    place: &Place,
    reason: Option<BotReason>,
    now: Timestamp,
) -> Recorded {
    let place = place.clone();
    Recorded {
        seq: 0,
        source: source_of(&hit.url, hit.referrer.as_ref()),
        country: place.country,
        region: place.region,
        city: place.city,
        network: place.network,
        agent: agent.agent.clone(),
        id: hit.id,
        site: hit.site,
        at: hit.at,
        received_at: now,
        visitor,
        session: SessionId::from_uuid(uuid::Uuid::nil()),
        name: hit.name,
        host: hit.host,
        path: hit.path,
        title: hit.title,
        referrer: hit.referrer.map(|referrer| origin_and_path(&referrer)),
        language: hit.language,
        consent: hit.consent,
        bot_reason: reason.map(|reason| reason.word().to_owned()),
        engaged_ms: hit.engaged_ms,
        scroll: hit.scroll,
        props: hit.props.as_object().is_some_and(|props| !props.is_empty()).then(|| hit.props.to_string()),
    }
}

/// A referrer without its query, which is somebody else's and may hold names.
fn origin_and_path(address: &Address) -> String {
    [address.origin(), address.path()].concat()
}
