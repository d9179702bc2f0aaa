//! Tells those who asked for it of a site's traffic by mail: on Mondays of the week before, and once a day at most that far
//! more come than usual.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};

use super::{Worker, queue};
use crate::base::time::Timestamp;
use crate::notify::{Counted, Mail, Spike, TrafficRow, Week, Work};
use crate::reports::traffic::{
    self as report, Filter, Interval, Numbers, OTHERS, Period, Question, date_of, day_number, monday_of,
};
use crate::sessions::Dimension;
use crate::sites::Site;
use crate::traffic::{self, Letters};

/// When the week is told, by the clock of the site.
const MORNING: Time = Time::constant(8, 0, 0, 0);
/// Pages and sources that a mail names.
const ROWS: usize = 5;

/// Tells whoever is to be told now; returns how many mails that were.
pub(super) async fn tell(worker: &Worker, now: Timestamp) -> anyhow::Result<usize> {
    let desk = &worker.desk;
    let letters = traffic::due_letters(&mut desk.stores.db.read()).await?;
    // What is asked of a site is asked once, however many are told.
    let mut weeks: BTreeMap<String, Week> = BTreeMap::new();
    let mut told = 0;
    for letter in &letters {
        let Ok(site) = desk.sites.find(&letter.site) else { continue };
        let local = now.to_jiff().to_zoned(site.zone());
        let today = day_number(local.date());
        let monday = monday_of(today);
        let is_morning = today > monday || local.time() >= MORNING;
        if letter.wish.weekly && letter.week_told < monday && is_morning {
            let week = match weeks.get(&site.key) {
                Some(week) => week.clone(),
                None => week_of(worker, site, monday).await?,
            };
            weeks.insert(site.key.clone(), week.clone());
            told += usize::from(tell_week(worker, letter, monday, week, now).await?);
        }
        if letter.wish.spikes && letter.spike_told < today {
            let pulse = report::pulse(&desk.stores.hits, site, now).await?;
            if pulse.is_spike(letter.wish.factor, letter.wish.at_least) {
                let spike =
                    Spike { site: site.key.clone(), visits: pulse.visits, usual: pulse.usual, at: now };
                told += usize::from(tell_spike(worker, letter, today, spike, now).await?);
            }
        }
    }
    Ok(told)
}

async fn tell_week(
    worker: &Worker,
    letter: &Letters,
    monday: i64,
    week: Week,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let mut tx = worker.desk.stores.db.begin().await?;
    if !traffic::told_week(&mut tx, letter, monday).await? {
        return Ok(false);
    }
    // A week in which nobody came is no news.
    let is_news = week.now.visits > 0 || week.before.is_some();
    if is_news {
        let key = format!("traffic-week:{}:{}:{monday}", letter.account, letter.site);
        let work = Work::Mail { mail: Mail::TrafficWeek { account: letter.account, week } };
        queue::enqueue(&mut tx, "notify", &key, &serde_json::to_value(work)?, now, now).await?;
    }
    tx.commit().await?;
    Ok(is_news)
}

async fn tell_spike(
    worker: &Worker,
    letter: &Letters,
    today: i64,
    spike: Spike,
    now: Timestamp,
) -> anyhow::Result<bool> {
    let mut tx = worker.desk.stores.db.begin().await?;
    if !traffic::told_spike(&mut tx, letter, today).await? {
        return Ok(false);
    }
    let key = format!("traffic-spike:{}:{}:{today}", letter.account, letter.site);
    let work = Work::Mail { mail: Mail::TrafficSpike { account: letter.account, spike } };
    queue::enqueue(&mut tx, "notify", &key, &serde_json::to_value(work)?, now, now).await?;
    tx.commit().await?;
    Ok(true)
}

/// The week before a Monday.
async fn week_of(worker: &Worker, site: &Site, monday: i64) -> anyhow::Result<Week> {
    let stores = &worker.desk.stores;
    let period = Period { from: date_of(monday - 7), to: date_of(monday - 1) };
    let question = Question { site, period, filters: &[] };
    let total = report::summary(&stores.hits, &question, Interval::Day).await?.total;
    let earlier = Question { period: period.previous(), ..question.clone() };
    let before = report::summary(&stores.hits, &earlier, Interval::Day).await?.total;
    let kept = traffic::goals(&mut stores.db.read(), &site.key).await?;
    let mut goals = Vec::new();
    for goal in kept {
        let Ok(filter) = Filter::read(&goal.goal) else { continue };
        let reached = report::goals(&stores.hits, &question, &[filter]).await?;
        let count = reached.first().map_or(0, |reached| reached.visits);
        goals.push(TrafficRow { name: goal.name, count });
    }
    Ok(Week {
        site: site.key.clone(),
        from: midnight(site, period.from),
        to: midnight(site, period.to),
        now: counted(&total),
        before: (before.visits > 0).then(|| counted(&before)),
        pages: rows(worker, &question, Dimension::Page).await?,
        sources: rows(worker, &question, Dimension::Source).await?,
        goals,
    })
}

async fn rows(
    worker: &Worker,
    question: &Question<'_>,
    dimension: Dimension,
) -> anyhow::Result<Vec<TrafficRow>> {
    let values = report::by(&worker.desk.stores.hits, question, dimension, ROWS + 2).await?;
    let named = values.into_iter().filter(|value| value.value != OTHERS && value.value != report::NONE);
    Ok(named
        .take(ROWS)
        .map(|value| TrafficRow { name: value.value, count: value.numbers.visitors })
        .collect())
}

#[allow(clippy::cast_possible_truncation, reason = "a share lies between 0 and 100")]
fn counted(numbers: &Numbers) -> Counted {
    Counted {
        visitors: numbers.visitors,
        visits: numbers.visits,
        views: numbers.views,
        bounce_rate: numbers.bounce_rate.round() as i64,
        engaged_ms: numbers.engaged_ms,
    }
}

fn midnight(site: &Site, day: Date) -> Timestamp {
    let at = day.to_zoned(site.zone());
    at.map_or(Timestamp(0), |midnight| Timestamp::from_jiff(midnight.timestamp()))
}
