//! From what a browser sent to a durable row: label bot → source → country → device → visit and log.
//!
//! Nothing here reads a contact, and no lock is shared by all visitors.

use std::net::IpAddr;
use std::sync::Arc;

use super::HitLog;
use crate::base::ids::SessionId;
use crate::base::signing::Keys;
use crate::base::time::Timestamp;
use crate::hits::{self, Address, Agents, Geo, Hit, Known, Recorded, source_of};
use crate::sessions;

/// What the request says about who sends.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    pub address: IpAddr,
    pub user_agent: &'a str,
}

/// What became of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Hits that are on disk now.
    pub accepted: usize,
    /// Why they were set aside, if they were labelled as a machine's.
    pub bot_reason: Option<&'static str>,
    /// Whether one of them opened a page.
    pub has_page: bool,
}

/// Takes hits.
pub struct Collector {
    log: Arc<dyn HitLog>,
    keys: Keys,
    geo: Geo,
    agents: Agents,
}

impl Collector {
    /// A collector that writes to `log`.
    pub fn new(log: Arc<dyn HitLog>, keys: Keys, geo: Geo, agents: Agents) -> Self {
        Self { log, keys, geo, agents }
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
        let bot_reason = agent.bot_reason;
        let has_page = hits.iter().any(|hit| hit.name == hits::PAGE);
        let accepted = hits.len();
        let mut rows = Vec::with_capacity(accepted);
        for hit in hits {
            rows.push(self.work_out(hit, sender, &agent, now));
        }
        self.log.append(rows).await?;
        Ok(Taken { accepted, bot_reason, has_page })
    }

    fn work_out(&self, hit: Hit, sender: Sender<'_>, agent: &Known, now: Timestamp) -> Recorded {
        let visitor = hit.visitor.unwrap_or_else(|| {
            sessions::cookieless(&self.keys, &hit.site, sender.address, sender.user_agent, hit.at)
        });
        Recorded {
            seq: 0,
            source: source_of(&hit.url, hit.referrer.as_ref()),
            country: self.geo.country(sender.address),
            region: None,
            city: None,
            network: None,
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
            bot_reason: agent.bot_reason.map(str::to_owned),
            engaged_ms: hit.engaged_ms,
            scroll: hit.scroll,
            props: hit
                .props
                .as_object()
                .is_some_and(|props| !props.is_empty())
                .then(|| hit.props.to_string()),
        }
    }
}

/// A referrer without its query, which is somebody else's and may hold names.
fn origin_and_path(address: &Address) -> String {
    [address.origin(), address.path()].concat()
}
