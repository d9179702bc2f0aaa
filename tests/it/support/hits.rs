//! The rows of hits with their texts.

use std::collections::HashMap;

use embudo::app::App;
use embudo::base::ids::{SessionId, VisitorId};
use embudo::base::time::Timestamp;
use embudo::hits;

/// A row, as far as tests want to see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub at: Timestamp,
    pub visitor: VisitorId,
    pub session: SessionId,
    pub name: String,
    pub path: String,
    pub title: Option<String>,
    pub country: Option<String>,
    pub region: Option<String>,
    pub city: Option<String>,
    pub network: Option<String>,
    pub bot_reason: Option<String>,
    pub scroll: i64,
}

/// Everything that was stored, in the order in which it was sent: on Redis rows of different visitors may be exchanged.
pub async fn all(app: &App) -> Vec<Told> {
    while embudo::ingest::drain(&app.stores, &app.words).await.expect("carried") > 0 {}
    let mut lines = hits::lines_after(&app.stores.hits, 0, 1_000).await.expect("read");
    lines.sort_by_key(|line| line.id);
    let mut told = Vec::new();
    for line in lines {
        let numbers = [
            Some(line.name),
            Some(line.path),
            line.title,
            line.country,
            line.region,
            line.city,
            line.network,
            line.bot,
        ];
        let texts: HashMap<i64, String> =
            hits::texts_of(&mut app.stores.hits.read(), numbers.into_iter().flatten()).await.expect("read");
        let text = |number: Option<i64>| number.and_then(|number| texts.get(&number).cloned());
        told.push(Told {
            at: line.at,
            visitor: line.visitor,
            session: line.session,
            name: text(Some(line.name)).unwrap_or_default(),
            path: text(Some(line.path)).unwrap_or_default(),
            title: text(line.title),
            country: text(line.country),
            region: text(line.region),
            city: text(line.city),
            network: text(line.network),
            bot_reason: text(line.bot),
            scroll: line.scroll,
        });
    }
    told
}
