//! What brought those who reached a stage: one credit each, shared among the visits that came before.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{Reached, Span};
use crate::base::ids::ContactId;
use crate::base::time::Timestamp;
use crate::contacts;
use crate::storage::Result;
use crate::storage::db::Queries;

/// Visits of one person that are looked at.
const VISITS_MOST: i64 = 500;
/// What a credit goes to if no visit is known.
pub const UNKNOWN: &str = "(unknown)";
/// The channel of those who typed the address.
const DIRECT: &str = "direct";

/// Who gets the credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// The first visit.
    First,
    /// The last one.
    Last,
    /// The last one that came from somewhere.
    LastNonDirect,
    /// All alike.
    Linear,
    /// 40 % the first, 40 % the last, 20 % those between.
    UShape,
    /// 30 % each the first, the one that made a lead and the one that made an opportunity; 10 % the others.
    WShape,
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::First, Self::Last, Self::LastNonDirect, Self::Linear, Self::UShape, Self::WShape];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::LastNonDirect => "last_non_direct",
            Self::Linear => "linear",
            Self::UShape => "u_shape",
            Self::WShape => "w_shape",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.word() == word)
    }
}

/// What the credit is told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Channel,
    Source,
    Campaign,
}

impl Key {
    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "channel" => Some(Self::Channel),
            "source" => Some(Self::Source),
            "campaign" => Some(Self::Campaign),
            _ => None,
        }
    }
}

/// A visit that may have helped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    pub at: Timestamp,
    pub channel: String,
    pub source: Option<String>,
    pub campaign: Option<String>,
}

impl Touch {
    fn key(&self, key: Key) -> String {
        match key {
            Key::Channel => self.channel.clone(),
            Key::Source => self.source.clone().unwrap_or_else(|| "(none)".to_owned()),
            Key::Campaign => self.campaign.clone().unwrap_or_else(|| "(none)".to_owned()),
        }
    }
}

/// Somebody reached the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// Her visits before, oldest first.
    pub touches: Vec<Touch>,
    /// When she became a lead, and when sales took an interest, on this journey.
    pub lead_at: Option<Timestamp>,
    pub opportunity_at: Option<Timestamp>,
}

/// What one key is credited with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Credit {
    pub key: String,
    /// Conversions, in parts.
    pub credit: f64,
    /// Conversions that it had any part in.
    pub touched: usize,
}

/// The conversions of a stage in a span, with what came before them.
///
/// # Errors
/// As the store says.
pub async fn conversions(
    q: &mut impl Queries,
    reached: &[Reached],
    stage: &str,
    span: Span,
    look_back_ms: i64,
) -> Result<Vec<Conversion>> {
    let mut conversions = Vec::new();
    let mut firsts: HashMap<(ContactId, i64, &str), Timestamp> = HashMap::new();
    for row in reached {
        firsts.entry((row.contact, row.journey, &row.stage)).or_insert(row.at);
    }
    let first = |contact: ContactId, journey: i64, stage: &'static str| {
        firsts.get(&(contact, journey, stage)).copied()
    };
    for row in reached.iter().filter(|row| row.stage == stage && span.has(row.at)) {
        let visits = contacts::visits(q, row.contact, row.at.plus_ms(1), VISITS_MOST).await?;
        let from = row.at.plus_ms(-look_back_ms);
        let mut touches: Vec<Touch> = visits
            .into_iter()
            .filter(|visit| !visit.is_bot && visit.started_at >= from)
            .map(|visit| Touch {
                at: visit.started_at,
                channel: visit.channel,
                source: visit.source,
                campaign: visit.campaign,
            })
            .collect();
        touches.sort_by_key(|touch| touch.at);
        conversions.push(Conversion {
            touches,
            lead_at: first(row.contact, row.journey, "lead"),
            opportunity_at: first(row.contact, row.journey, "sql"),
        });
    }
    Ok(conversions)
}

/// Shares one credit of each conversion among its keys, the most credited first.
pub fn attribute(model: Model, key: Key, conversions: &[Conversion]) -> Vec<Credit> {
    let mut credits: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for conversion in conversions {
        let mut own: BTreeMap<String, f64> = BTreeMap::new();
        if conversion.touches.is_empty() {
            own.insert(UNKNOWN.to_owned(), 1.0);
        }
        for (touch, weight) in conversion.touches.iter().zip(weights(model, conversion)) {
            if weight > 0.0 {
                *own.entry(touch.key(key)).or_default() += weight;
            }
        }
        for (key, weight) in own {
            let (credit, touched) = credits.entry(key).or_default();
            *credit += weight;
            *touched += 1;
        }
    }
    let mut credits: Vec<Credit> =
        credits.into_iter().map(|(key, (credit, touched))| Credit { key, credit, touched }).collect();
    credits.sort_by(|a, b| b.credit.total_cmp(&a.credit).then_with(|| a.key.cmp(&b.key)));
    credits
}

/// What each touch weighs; together 1.
#[allow(clippy::cast_precision_loss, reason = "a few hundred visits")]
fn weights(model: Model, conversion: &Conversion) -> Vec<f64> {
    let touches = &conversion.touches;
    let n = touches.len();
    let Some(last) = n.checked_sub(1) else { return Vec::new() };
    let shared = |anchors: &[usize], each: f64| {
        let mut weights = vec![0.0; n];
        let others: Vec<usize> = (0..n).filter(|place| !anchors.contains(place)).collect();
        // Where there is nobody for the rest, the anchors share it.
        let (each, rest) = match others.len() {
            0 => (1.0 / anchors.len() as f64, 0.0),
            others => (each, (1.0 - each * anchors.len() as f64) / others as f64),
        };
        for place in anchors {
            if let Some(weight) = weights.get_mut(*place) {
                *weight += each;
            }
        }
        for place in others {
            if let Some(weight) = weights.get_mut(place) {
                *weight += rest;
            }
        }
        weights
    };
    let one = |place: usize| shared(&[place], 1.0);
    let touch_before = |at: Option<Timestamp>| {
        at.and_then(|at| touches.iter().rposition(|touch| touch.at <= at)).unwrap_or(last)
    };
    match model {
        Model::First => one(0),
        Model::Last => one(last),
        Model::LastNonDirect => {
            one(touches.iter().rposition(|touch| touch.channel != DIRECT).unwrap_or(last))
        }
        Model::Linear => vec![1.0 / n as f64; n],
        Model::UShape => shared(&[0, last], 0.4),
        Model::WShape => {
            let anchors = [0, touch_before(conversion.lead_at), touch_before(conversion.opportunity_at)];
            shared(&anchors, 0.3)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn touch(at: i64, channel: &str) -> Touch {
        Touch { at: Timestamp(at), channel: channel.to_owned(), source: None, campaign: None }
    }

    fn conversion(channels: &[&str]) -> Conversion {
        let touches = (0..).zip(channels).map(|(at, channel)| touch(at * 10, channel)).collect();
        Conversion { touches, lead_at: Some(Timestamp(10)), opportunity_at: Some(Timestamp(1_000)) }
    }

    fn credits(model: Model, channels: &[&str]) -> Vec<(String, f64)> {
        attribute(model, Key::Channel, &[conversion(channels)])
            .into_iter()
            .map(|credit| (credit.key, (credit.credit * 1_000.0).round() / 1_000.0))
            .collect()
    }

    fn told(pairs: &[(&str, f64)]) -> Vec<(String, f64)> {
        pairs.iter().map(|(key, credit)| ((*key).to_owned(), *credit)).collect()
    }

    const WAY: [&str; 5] = ["paid", "search", "social", "email", "direct"];

    #[test]
    fn five_visits_are_credited_by_the_book() {
        assert_eq!(credits(Model::First, &WAY), told(&[("paid", 1.0)]));
        assert_eq!(credits(Model::Last, &WAY), told(&[("direct", 1.0)]));
        assert_eq!(credits(Model::LastNonDirect, &WAY), told(&[("email", 1.0)]));
        assert_eq!(
            credits(Model::Linear, &WAY),
            told(&[("direct", 0.2), ("email", 0.2), ("paid", 0.2), ("search", 0.2), ("social", 0.2)])
        );
        assert_eq!(
            credits(Model::UShape, &WAY),
            told(&[("direct", 0.4), ("paid", 0.4), ("email", 0.067), ("search", 0.067), ("social", 0.067)])
        );
        // The second visit made a lead, the last one an opportunity.
        assert_eq!(
            credits(Model::WShape, &WAY),
            told(&[("direct", 0.3), ("paid", 0.3), ("search", 0.3), ("email", 0.05), ("social", 0.05)])
        );
    }

    #[test]
    fn one_or_two_visits_share_the_whole() {
        for model in Model::ALL {
            assert_eq!(credits(model, &["paid"]), told(&[("paid", 1.0)]), "{model:?}");
        }
        assert_eq!(credits(Model::UShape, &["paid", "email"]), told(&[("email", 0.5), ("paid", 0.5)]));
        assert_eq!(credits(Model::WShape, &["paid", "email"]), told(&[("email", 0.667), ("paid", 0.333)]));
        assert_eq!(credits(Model::First, &[]), told(&[(UNKNOWN, 1.0)]));
        assert_eq!(credits(Model::LastNonDirect, &["direct", "direct"]), told(&[("direct", 1.0)]));
    }

    proptest! {
        #[test]
        fn credits_always_add_up_to_the_conversions(
            ways in prop::collection::vec(prop::collection::vec(0_usize..5, 0..40), 0..30),
            lead_at in 0_i64..400,
        ) {
            let conversions: Vec<Conversion> = ways
                .iter()
                .map(|way| {
                    let channels: Vec<&str> = way.iter().map(|place| WAY[*place]).collect();
                    Conversion { lead_at: Some(Timestamp(lead_at)), ..conversion(&channels) }
                })
                .collect();
            for model in Model::ALL {
                let sum: f64 =
                    attribute(model, Key::Channel, &conversions).iter().map(|credit| credit.credit).sum();
                prop_assert!((sum - f64::from(u32::try_from(conversions.len()).unwrap())).abs() < 1e-9);
            }
        }
    }
}
