//! What each report is about, by day: one small curve for each on the page that lists them.

use std::collections::BTreeMap;

use super::Span;
use crate::base::time::DAY_MS;
use crate::storage::Result;
use crate::storage::db::Queries;
use crate::{params, sql};

/// Moments by report and by piece of the span, the earliest first.
pub type Sparks = BTreeMap<String, Vec<i64>>;

/// Counts what happened in each of `pieces` equal parts of a span. The names are those of the reports; `goal` is the stage
/// that the report about sources looks at, `handed_over` the one that sales is given.
///
/// # Errors
/// As the store says.
pub async fn sparks(
    q: &mut impl Queries,
    span: Span,
    pieces: usize,
    (goal, handed_over): (&str, &str),
) -> Result<Sparks> {
    let rows = q
        .query(
            sql!(
                "select 'funnel' as report, entered_at / $3 as day, count(*) as n from stage_intervals
                 where entered_at >= $1 and entered_at < $2 group by entered_at / $3
                 union all
                 select 'velocity', left_at / $3, count(*) from stage_intervals
                 where left_at >= $1 and left_at < $2 group by left_at / $3
                 union all
                 select 'attribution', entered_at / $3, count(*) from stage_intervals
                 where stage = $4 and entered_at >= $1 and entered_at < $2 group by entered_at / $3
                 union all
                 select 'acceptance', entered_at / $3, count(*) from stage_intervals
                 where stage = $5 and entered_at >= $1 and entered_at < $2 group by entered_at / $3
                 union all
                 select 'webinars', first_at / $3, count(*)
                 from (
                     select min(r.registered_at) as first_at
                     from webinar_registrations r join contacts c on c.id = r.contact_id
                     where r.state <> 'cancelled'
                     group by r.webinar, coalesce(c.merged_into, c.id)
                 ) as registrants
                 where first_at >= $1 and first_at < $2 group by first_at / $3
                 union all
                 select 'content', at / $3, count(*) from activities
                 where kind in ('asset.downloaded', 'recording.watched') and at >= $1 and at < $2 group by at / $3
                 union all
                 select 'bot', opened_at / $3, count(*) from conversations
                 where flow is not null and opened_at >= $1 and opened_at < $2 group by opened_at / $3
                 union all
                 select 'response', at / $3, count(*) from activities
                 where kind = 'handoff.requested' and at >= $1 and at < $2 group by at / $3
                 union all
                 select 'bookings', created_at / $3, count(*) from bookings
                 where state in ('confirmed', 'cancelled') and companion_of is null
                     and created_at >= $1 and created_at < $2 group by created_at / $3
                 union all
                 select 'churn', entered_at / $3, count(*) from post_sale_intervals
                 where state in ('churned', 'do_not_pursue') and entered_at >= $1 and entered_at < $2
                 group by entered_at / $3
                 union all
                 select 'mail', sent_at / $3, count(*) from mails
                 where sent_at >= $1 and sent_at < $2 group by sent_at / $3
                 union all
                 select 'health', created_at / $3, count(*) from contacts
                 where merged_into is null and created_at >= $1 and created_at < $2 group by created_at / $3"
            ),
            params![span.from, span.to, DAY_MS, goal, handed_over],
        )
        .await?;
    let mut days: Vec<(String, i64, i64)> = Vec::with_capacity(rows.len());
    for row in &rows {
        days.push((row.get("report")?, row.get("day")?, row.get("n")?));
    }
    Ok(pieced(&days, span, pieces))
}

/// Puts days into the pieces that they lie in.
fn pieced(days: &[(String, i64, i64)], span: Span, pieces: usize) -> Sparks {
    let length = i128::from(span.to.since_ms(span.from).max(1));
    let mut sparks = Sparks::new();
    for (report, day, n) in days {
        // A day of the calendar may begin before the span: what it holds lies in the span all the same.
        let at = i128::from((day * DAY_MS - span.from.as_ms()).max(0));
        let place = i128::try_from(pieces).unwrap_or(1) * at / length;
        let place = usize::try_from(place).unwrap_or(0).min(pieces.saturating_sub(1));
        let spark = sparks.entry(report.clone()).or_insert_with(|| vec![0; pieces]);
        if let Some(piece) = spark.get_mut(place) {
            *piece += n;
        }
    }
    sparks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    #[test]
    fn days_fall_into_the_pieces_of_the_span_and_none_is_lost() {
        // Four days that begin at noon of day 10, in two pieces.
        let span =
            Span { from: Timestamp(10 * DAY_MS + DAY_MS / 2), to: Timestamp(14 * DAY_MS + DAY_MS / 2) };
        let day = |day: i64, n: i64| ("mail".to_owned(), day, n);
        let sparks = pieced(&[day(10, 1), day(11, 2), day(12, 4), day(13, 8), day(14, 16)], span, 2);
        assert_eq!(sparks["mail"], [7, 24]);
    }
}
