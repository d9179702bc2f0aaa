//! The last days of a form, drawn: bars from zero for how often it was shown and, in front of them, how often it was sent.

use serde_json::{Value as Json, json};

use super::frame::Reader;
use super::traffic::board::rate;
use crate::base::time::zone;
use crate::http::error::Problem;
use crate::render::Zone;
use crate::reports::forms::{self, Day, Days};

/// Days that are told.
pub const DAYS: i64 = 30;
/// Height of the bars' room, and the room above it, in pixels.
const HEIGHT: i64 = 120;
const ABOVE: i64 = 10;
/// Words below the bars: so many stand side by side on a phone.
const WORDS: usize = 4;
/// Height of the small picture in a list.
const SPARK_HEIGHT: i64 = 24;

/// What a form's page shows of its last days.
///
/// # Errors
/// As the store says.
pub async fn told(reader: &Reader, form: &str) -> Result<Json, Problem> {
    let days = read(reader, form).await?;
    let language = reader.account.language;
    let is_blank = days.total == forms::Numbers::default();
    Ok(json!({
        "days": DAYS,
        "is_blank": is_blank,
        "total": days.total,
        "rate": days.rate.map(|share| rate(share * 100.0, language)),
        "counted_since": days.counted_since,
        "chart": if is_blank { Json::Null } else { chart(reader, &days) },
    }))
}

/// What the list of forms shows of one: views, the share that was sent, and a small picture of the views.
///
/// # Errors
/// As the store says.
pub async fn in_short(reader: &Reader, form: &str) -> Result<Json, Problem> {
    let days = read(reader, form).await?;
    let most = days.days.iter().map(|day| day.numbers.viewed).max().unwrap_or(0);
    let bars = days.days.iter().zip(0_i64..).map(|(day, at)| {
        let tall = tall(day.numbers.viewed, most, SPARK_HEIGHT);
        json!({ "x": at * 3, "y": SPARK_HEIGHT - tall, "height": tall })
    });
    Ok(json!({
        "viewed": days.total.viewed,
        "rate": days.rate.map(|share| rate(share * 100.0, reader.account.language)),
        "spark": if most > 0 { json!(bars.collect::<Vec<_>>()) } else { Json::Null },
    }))
}

async fn read(reader: &Reader, form: &str) -> Result<Days, Problem> {
    let zone = zone(&reader.zone()).unwrap_or(jiff::tz::TimeZone::UTC);
    let reads = &mut reader.app.stores.db.read();
    Ok(forms::days(reads, form, &zone, DAYS, reader.now).await?)
}

/// How tall a bar is; what is there at all is seen.
fn tall(value: i64, most: i64, height: i64) -> i64 {
    if value > 0 { (value * height / most.max(1)).max(1) } else { 0 }
}

/// The next of 2, 4, 10, 20, 40, 100 …: its half is a whole number.
fn top(highest: i64) -> i64 {
    let mut unit = 1_i64;
    loop {
        for of_unit in [2, 4, 10] {
            let top = unit.saturating_mul(of_unit);
            if top >= highest {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[allow(clippy::cast_precision_loss, reason = "a month has some thirty days")]
fn place(at: usize, of: usize) -> f64 {
    100.0 * at as f64 / of.max(1) as f64
}

fn chart(reader: &Reader, days: &Days) -> Json {
    let (zone_name, language) = (reader.zone(), reader.account.language);
    let (written, zone) = (Zone::named(&zone_name), zone(&zone_name).unwrap_or(jiff::tz::TimeZone::UTC));
    let begins = |day: &Day| {
        let start = day.date.to_zoned(zone.clone());
        start.map_or(reader.now.as_ms(), |start| start.timestamp().as_millisecond())
    };
    let highest = days.days.iter().map(|day| day.numbers.viewed.max(day.numbers.sent)).max().unwrap_or(0);
    let top = top(highest);
    let ticks = [0, top / 2, top].map(|line| {
        let y = ABOVE + HEIGHT - line * HEIGHT / top;
        json!({ "y": y, "word_y": y + 4, "n": line })
    });
    let count = days.days.len();
    let width = place(1, count);
    let every = count.div_ceil(WORDS).max(1);
    let (mut bars, mut words, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for (at, day) in days.days.iter().enumerate() {
        let (x, numbers, starts) = (place(at, count), day.numbers, begins(day));
        let (viewed, sent) = (tall(numbers.viewed, top, HEIGHT), tall(numbers.sent, top, HEIGHT));
        let name = written.weekday_date(starts, language);
        bars.push(json!({
            "name": name,
            "x": format!("{x:.3}%"), "width": format!("{width:.3}%"),
            "bar_x": format!("{:.3}%", x + width * 0.12), "bar_width": format!("{:.3}%", width * 0.76),
            "viewed_y": ABOVE + HEIGHT - viewed, "viewed_height": viewed, "viewed": numbers.viewed,
            "sent_y": ABOVE + HEIGHT - sent, "sent_height": sent, "sent": numbers.sent,
        }));
        if at % every == 0 {
            let (x, anchor) = if at == 0 { (0.0, "start") } else { (x + width / 2.0, "middle") };
            words.push(json!({
                "x": format!("{x:.3}%"), "anchor": anchor, "text": written.short_date(starts, language),
            }));
        }
        rows.push(json!({ "name": name, "numbers": numbers }));
    }
    // The latest day is what somebody looks for first.
    rows.reverse();
    json!({
        "height": ABOVE + HEIGHT + 26, "top": ABOVE, "room": HEIGHT, "words_y": ABOVE + HEIGHT + 19,
        "ticks": ticks, "bars": bars, "words": words, "rows": rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_ends_at_a_round_even_number_that_holds_all_bars() {
        assert_eq!([0, 1, 3, 5, 11, 21, 900, 1_001].map(top), [2, 2, 4, 10, 20, 40, 1_000, 2_000]);
    }

    #[test]
    fn what_is_there_at_all_is_seen() {
        assert_eq!((tall(1, 1_000, 120), tall(0, 1_000, 120), tall(1_000, 1_000, 120)), (1, 0, 120));
    }
}
