//! Calls to action: in how many visits one was there to be seen, in how many it was followed, and how many forms it led to.
//!
//! A call to action has a name. The page marks it (`data-embudo-event="cta:NAME"`), the form that it leads to keeps the
//! name, see [`attribution`](crate::gates::attribution), and `content.yaml` says on which pages it stands.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Filter, Question, goals, percent};
use crate::base::localized::Localized;
use crate::gates::Cta;
use crate::gates::attribution::CTA_EVENT;
use crate::sessions::Dimension;
use crate::storage::Result;
use crate::storage::db::{Db, Queries};
use crate::{params, sql};

/// One call to action.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub cta: String,
    /// What people call it; its name where nobody said.
    pub label: Localized,
    /// Visits that saw a page on which it stands; nothing where no file says on which.
    pub seen: Option<i64>,
    /// Visits in which it was clicked.
    pub clicked: i64,
    /// Of those that saw it, in percent.
    pub click_rate: Option<f64>,
    /// Forms that were sent because of it.
    pub sent: i64,
    /// People who sent them.
    pub people: i64,
    /// Forms by click, in percent; nothing where nobody clicked.
    pub send_rate: Option<f64>,
}

/// Every call to action that a file describes, then those that only forms tell of.
///
/// # Errors
/// As the stores say.
pub async fn ctas(db: &Db, hits: &Db, question: &Question<'_>, known: &[Cta]) -> Result<Vec<Row>> {
    let mut sent = submissions(db, question).await?;
    let mut rows = Vec::new();
    let unknown: Vec<Cta> = sent
        .keys()
        .filter(|id| known.iter().all(|cta| cta.id != **id))
        .map(|id| Cta { id: id.clone(), label: Localized::new(id, id), pages: Vec::new() })
        .collect();
    for cta in known.iter().chain(&unknown) {
        let (forms, people) = sent.remove(&cta.id).unwrap_or_default();
        let clicks = Filter {
            dimension: Dimension::Event,
            values: vec![format!("{CTA_EVENT}{}", cta.id)],
            is_not: false,
        };
        let pages = Filter { dimension: Dimension::Page, values: cta.pages.clone(), is_not: false };
        let clicked = visits(hits, question, clicks).await?;
        let seen = match cta.pages.is_empty() {
            true => None,
            false => Some(visits(hits, question, pages).await?),
        };
        rows.push(Row {
            cta: cta.id.clone(),
            label: cta.label.clone(),
            seen,
            clicked,
            click_rate: seen.filter(|seen| *seen > 0).map(|seen| percent(clicked, seen)),
            sent: forms,
            people,
            send_rate: (clicked > 0).then(|| percent(forms, clicked)),
        });
    }
    Ok(rows)
}

async fn visits(hits: &Db, question: &Question<'_>, goal: Filter) -> Result<i64> {
    Ok(goals(hits, question, &[goal]).await?.first().map_or(0, |goal| goal.visits))
}

/// Forms and people by call to action.
async fn submissions(db: &Db, question: &Question<'_>) -> Result<BTreeMap<String, (i64, i64)>> {
    let (from, to) = question.period.instants(&question.site.zone());
    let rows = db
        .read()
        .query(
            sql!(
                "select cta, count(*) as forms, count(distinct contact_id) as people from form_submissions
                 where site = $1 and cta is not null and at >= $2 and at < $3
                 group by cta order by cta"
            ),
            params![&question.site.key, from, to],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("cta")?, (row.get("forms")?, row.get("people")?)))).collect()
}
