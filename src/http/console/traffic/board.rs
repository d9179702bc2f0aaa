//! What a page of a site's traffic shows, for the console and for shared links alike.

use serde_json::{Value as Json, json};

use super::asked::{Asked, Compare, Metric, Range};
use super::chart::{self, Chart};
use crate::base::language::Language;
use crate::base::time::Timestamp;
use crate::http::Shared;
use crate::http::error::Problem;
use crate::render::Zone;
use crate::reports::traffic::{
    self, Board, CtaRow, Filter, NONE, Numbers, OTHERS, Period, Question, Value, Wanted,
};
use crate::sessions::Dimension;
use crate::sites::Site;
use crate::traffic as kept;

/// Values of each list.
const ROWS: usize = 8;
/// The word of the tab of calls to action.
pub const CTA: &str = "cta";

/// The lists of a page: the word of each, and its tabs. The first tab is the one that is shown unasked.
const PANELS: [(&str, &[&str]); 5] = [
    ("pages", &["page", "entry", "exit", "host"]),
    ("sources", &["channel", "source", "referrer", "campaign", "medium", "term", "content"]),
    ("places", &["country", "region", "city", "language"]),
    ("devices", &["device", "browser", "os"]),
    ("doings", &["event", CTA, "property"]),
];
/// What a shared link does not show: small places lead to people, and properties are whatever a page sends along.
const NOT_SHARED: [&str; 4] = ["region", "city", "property", CTA];

/// Who looks, at what, from where.
pub struct View<'a> {
    pub app: &'a Shared,
    pub site: &'a Site,
    pub asked: &'a Asked,
    pub language: Language,
    pub now: Timestamp,
    /// The page's own path.
    pub path: &'a str,
    /// Whether it is seen without an account.
    pub is_shared: bool,
}

impl View<'_> {
    fn text(&self, key: &str) -> Option<String> {
        self.app.templates.texts().get(self.language, key, &[])
    }

    fn said(&self, key: &str, values: &[(&str, String)]) -> String {
        self.app.templates.texts().get(self.language, key, values).unwrap_or_default()
    }

    pub fn question(&self, period: Period) -> Question<'_> {
        Question { site: self.site, period, filters: &self.asked.filters }
    }

    /// What a value is called.
    pub fn shown(&self, word: &str, value: &str) -> String {
        match value {
            NONE => {
                let own = self.text(&format!("traffic.none.{word}"));
                own.or_else(|| self.text("traffic.none.any")).unwrap_or_default()
            }
            OTHERS => self.text("traffic.others").unwrap_or_default(),
            value if word == "property" => {
                let parts: Vec<&str> = value.splitn(3, '\t').collect();
                match parts.as_slice() {
                    [event, property, value] => format!("{event} · {property}: {value}"),
                    _ => value.to_owned(),
                }
            }
            // Words of ours have names; whatever visitors bring along stays as it is.
            value if matches!(word, "channel" | "device" | "bot") => {
                let key = value.split([':', '.']).next().unwrap_or(value);
                self.text(&format!("traffic.{word}.{key}")).unwrap_or_else(|| value.to_owned())
            }
            value if word == "country" => {
                self.text(&format!("countries.{value}")).unwrap_or_else(|| value.to_owned())
            }
            value => value.to_owned(),
        }
    }

    /// The address that narrows the page to a value; none where it cannot.
    pub fn narrowed(&self, dimension: Dimension, value: &str) -> Option<String> {
        let cannot = matches!(dimension, Dimension::Property | Dimension::Bot | Dimension::Total);
        // A value with a bar or a star would be read as more than one.
        if cannot || value == OTHERS || value.is_empty() || value.contains(['|', '*']) {
            return None;
        }
        let filter = Filter { dimension, values: vec![value.to_owned()], is_not: false };
        let is_there = self.asked.filters.contains(&filter);
        let narrowed = self.asked.but(|asked| {
            if !is_there {
                asked.filters.push(filter);
            }
        });
        Some(narrowed.address(self.path, &[]))
    }

    /// The tab that is shown of a list.
    fn tab<'t>(&self, tabs: &[&'t str]) -> &'t str {
        let chosen = tabs.iter().find(|tab| self.asked.tabs.iter().any(|asked| asked == *tab));
        chosen.or_else(|| tabs.first()).copied().unwrap_or_default()
    }

    fn tabs(&self, of: &[&'static str]) -> Vec<&'static str> {
        let mut tabs = of.to_vec();
        tabs.retain(|tab| !self.is_shared || !NOT_SHARED.contains(tab));
        tabs
    }
}

/// The words of what a list leads by: exits are visits, what is done is events, all else visitors.
pub fn leading(word: &str) -> &'static str {
    match word {
        "exit" | "bot" => "visits",
        "event" | "property" => "events",
        CTA => "clicks",
        _ => "visitors",
    }
}

pub fn led(word: &str, numbers: &Numbers) -> i64 {
    match leading(word) {
        "visits" => numbers.visits,
        "events" => numbers.events,
        _ => numbers.visitors,
    }
}

/// Everything that the page shows.
///
/// # Errors
/// As the stores say.
pub async fn board(view: &View<'_>) -> Result<Json, Problem> {
    let (app, asked, hits) = (view.app, view.asked, &view.app.stores.hits);
    let panels: Vec<(&str, Vec<&str>)> = PANELS.iter().map(|(name, tabs)| (*name, view.tabs(tabs))).collect();
    let shown: Vec<&str> = panels.iter().map(|(_, tabs)| view.tab(tabs)).collect();
    let has_filters = !asked.filters.is_empty();
    let dimensions: Vec<Dimension> = shown
        .iter()
        .filter(|word| !has_filters || **word != "property")
        .filter_map(|word| Dimension::of_word(word))
        .collect();
    let goals = kept::goals(&mut app.stores.db.read(), &view.site.key).await?;
    let readable: Vec<(String, Filter)> =
        goals.into_iter().filter_map(|goal| Some((goal.name, Filter::read(&goal.goal).ok()?))).collect();
    let meant: Vec<Filter> = readable.iter().map(|(_, filter)| filter.clone()).collect();
    let question = view.question(asked.period());
    let wanted =
        Wanted { interval: asked.interval(), dimensions: &dimensions, goals: &meant, most: ROWS + 1 };
    let earlier = async {
        match asked.compared() {
            Some(period) => traffic::summary(hits, &view.question(period), asked.interval()).await.map(Some),
            None => Ok(None),
        }
    };
    let unfiltered = Question { filters: &[], ..question.clone() };
    let ctas = async {
        match shown.contains(&CTA) {
            true => traffic::ctas(&app.stores.db, hits, &question, &app.catalog.ctas).await,
            false => Ok(Vec::new()),
        }
    };
    let (found, earlier, bots, here, ctas) = tokio::try_join!(
        traffic::board(hits, &question, &wanted),
        earlier,
        traffic::by(hits, &unfiltered, Dimension::Bot, 100),
        traffic::here(hits, view.site, view.now),
        ctas,
    )?;
    let Board { summary, values, goals } = found;
    let mut found = dimensions.iter().map(|of| of.word()).zip(values);
    let mut lists = Vec::new();
    for ((name, tabs), word) in panels.iter().zip(&shown) {
        let values = match Dimension::of_word(word) {
            Some(_) if has_filters && *word == "property" => Vec::new(),
            Some(_) => found.next().map(|(_, values)| values).unwrap_or_default(),
            None => Vec::new(),
        };
        let rows = match *word {
            CTA => cta_rows(view, &ctas),
            word => rows(view, word, &values),
        };
        lists.push(panel(view, name, tabs, word, rows, has_filters));
    }
    let goals: Vec<Json> = readable
        .iter()
        .zip(goals)
        .map(|((name, filter), goal)| {
            json!({
                "name": name, "goal": goal.goal, "count": goal.visits, "rate": rate(goal.rate, view.language),
                "href": view.narrowed(filter.dimension, filter.values.first().map_or("", String::as_str)),
                "share": share_text(goal.rate),
            })
        })
        .collect();
    let before = earlier.as_ref().map(|earlier| &earlier.total);
    let chart = Chart {
        site: view.site,
        language: view.language,
        asked,
        series: &summary.series,
        before: earlier.as_ref().map(|earlier| earlier.series.as_slice()),
        path: view.path,
    };
    let filtered: i64 = bots.iter().map(|value| value.numbers.visits).sum();
    Ok(json!({
        "range": ranges(view),
        "chips": chips(view),
        "fields": fields(view),
        "cards": cards(view, &summary.total, before),
        "chart": chart.draw(),
        "intervals": asked.intervals().into_iter().map(|(interval, word)| json!({
            "word": word,
            "href": asked.cut(interval).address(view.path, &[]),
            "current": interval == asked.interval(),
        })).collect::<Vec<_>>(),
        "panels": lists,
        "goals": goals,
        "filtered": filtered,
        "here": here,
        "is_empty": summary.total.visits == 0 && summary.total.views == 0,
        "has_filters": has_filters,
        "going_on": asked.is_going_on() && asked.compared().is_some(),
    }))
}

/// The ranges, the comparison and the form for days of one's own.
pub fn ranges(view: &View<'_>) -> Json {
    let (asked, zone) = (view.asked, Zone::named(&view.site.time_zone));
    let period = asked.period();
    let written = |period: Period| {
        let ms = |day: jiff::civil::Date| {
            let start = day.to_zoned(view.site.zone());
            start.map_or(0, |start| start.timestamp().as_millisecond())
        };
        let from = zone.date(ms(period.from), view.language);
        if period.from == period.to {
            return from;
        }
        format!("{} – {}", zone.date(ms(period.from), view.language), zone.date(ms(period.to), view.language))
    };
    let ranges = Range::ALL.into_iter().filter(|range| *range != Range::Own).map(|range| {
        let there = asked.but(|asked| asked.range = range);
        json!({
            "word": range.word(), "href": there.address(view.path, &[]), "current": asked.range == range,
        })
    });
    let compares = Compare::ALL.into_iter().map(|compare| {
        let there = asked.but(|asked| asked.compare = compare);
        json!({
            "word": compare.word(), "href": there.address(view.path, &[]), "current": asked.compare == compare,
        })
    });
    // The form says its own range; everything else goes along.
    let others = asked.but(|asked| asked.range = Range::Month30).parameters();
    json!({
        "all": ranges.collect::<Vec<_>>(),
        "compares": compares.collect::<Vec<_>>(),
        "compare": asked.compare.word(),
        "word": asked.range.word(),
        "from": period.from.to_string(),
        "to": period.to.to_string(),
        "written": written(period),
        "compared": asked.compared().map(written),
        "zone": view.site.time_zone,
        "others": hidden(others),
        "path": view.path,
    })
}

/// Parameters as hidden fields of a form.
pub fn hidden(parameters: Vec<(&'static str, String)>) -> Vec<Json> {
    parameters.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// The filters, each with the ways to take it away and to turn it round.
pub fn chips(view: &View<'_>) -> Json {
    let asked = view.asked;
    let chips = asked.filters.iter().enumerate().map(|(at, filter)| {
        let without = asked.but(|asked| {
            asked.filters.remove(at);
        });
        let turned = asked.but(|asked| {
            if let Some(filter) = asked.filters.get_mut(at) {
                filter.is_not = !filter.is_not;
            }
        });
        let word = filter.dimension.word();
        let values: Vec<String> = filter.values.iter().map(|value| view.shown(word, value)).collect();
        json!({
            "by": word,
            "value": values.join(" · "),
            "not": filter.is_not,
            "remove": without.address(view.path, &[]),
            "turn": turned.address(view.path, &[]),
        })
    });
    let none = asked.but(|asked| asked.filters.clear());
    json!({
        "all": chips.collect::<Vec<_>>(),
        "clear": (asked.filters.len() > 1).then(|| none.address(view.path, &[])),
    })
}

/// What a filter can be put together of, for the form.
fn fields(view: &View<'_>) -> Json {
    let cannot = [Dimension::Total, Dimension::Property, Dimension::Bot];
    let words = Dimension::ALL.into_iter().filter(|of| !cannot.contains(of)).map(Dimension::word);
    let words: Vec<&str> = words.filter(|word| !view.is_shared || !NOT_SHARED.contains(word)).collect();
    json!({ "words": words, "others": hidden(view.asked.parameters()), "path": view.path })
}

/// The headline numbers. Each leads to its own chart.
fn cards(view: &View<'_>, now: &Numbers, before: Option<&Numbers>) -> Vec<Json> {
    let card = |metric: Metric| {
        let value = chart::value(metric, now);
        let there = view.asked.but(|asked| asked.metric = metric);
        json!({
            "word": metric.word(),
            "value": chart::told(metric, value, view.language),
            "before": before.map(|before| chart::told(metric, chart::value(metric, before), view.language)),
            "change": before.map(|before| change(view, metric, value, chart::value(metric, before))),
            "href": there.address(view.path, &[]),
            "current": view.asked.metric == metric,
        })
    };
    Metric::ALL.into_iter().map(card).collect()
}

/// Beyond so many percent only that it is more is told.
const CHANGE_MOST: i64 = 999;

/// By how much something has changed, in words and with a direction.
pub fn change(view: &View<'_>, metric: Metric, now: i64, before: i64) -> Json {
    let direction = match now.cmp(&before) {
        std::cmp::Ordering::Greater => "up",
        std::cmp::Ordering::Less => "down",
        std::cmp::Ordering::Equal => "same",
    };
    let text = match (metric, before) {
        (_, before) if before == now => view.said("traffic.change.same", &[]),
        // Shares are held against each other in points: 30 % of 40 % would be read as either.
        (Metric::Bounces, _) => {
            let n = (now - before).abs().to_string();
            view.said("traffic.change.points", &[("n", n)])
        }
        (_, 0) => view.said("traffic.change.new", &[]),
        (_, before) => {
            let percent = ((now - before).abs() * 200 + before) / (2 * before);
            format!(
                "{}{}{}",
                // Of next to nothing everything is many times as much; by how many says nothing.
                if percent > CHANGE_MOST { ">" } else { "" },
                crate::render::number(percent.min(CHANGE_MOST), view.language),
                match view.language {
                    Language::En => "%",
                    Language::Es => "\u{a0}%",
                }
            )
        }
    };
    // More is better, but for visits that ended where they began.
    let tone = match (metric, direction) {
        (_, "same") => "same",
        (Metric::Bounces, "down") => "good",
        (Metric::Bounces, _) => "bad",
        (_, "up") => "good",
        _ => "bad",
    };
    json!({ "direction": direction, "tone": tone, "text": text })
}

/// A share in percent, with one decimal where there is one.
pub fn rate(rate: f64, language: Language) -> String {
    let text = format!("{rate:.1}");
    let text = text.strip_suffix(".0").map_or(text.clone(), str::to_owned);
    match language {
        Language::En => format!("{text}%"),
        Language::Es => format!("{}\u{a0}%", text.replace('.', ",")),
    }
}

fn share_text(percent: f64) -> String {
    format!("{:.2}", percent.clamp(0.0, 100.0))
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
pub fn share_of(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn rows(view: &View<'_>, word: &'static str, values: &[Value]) -> Vec<Json> {
    let Some(dimension) = Dimension::of_word(word) else { return Vec::new() };
    let count = |value: &Value| led(word, &value.numbers);
    let most = values.iter().map(count).max().unwrap_or(0);
    values
        .iter()
        .take(ROWS)
        .map(|value| {
            json!({
                "name": view.shown(word, &value.value),
                "href": view.narrowed(dimension, &value.value),
                "count": count(value),
                "share": share_text(share_of(count(value), most)),
            })
        })
        .collect()
}

fn cta_rows(view: &View<'_>, ctas: &[CtaRow]) -> Vec<Json> {
    let most = ctas.iter().map(|row| row.clicked).max().unwrap_or(0);
    ctas.iter()
        .take(ROWS)
        .map(|row| {
            let event = format!("cta:{}", row.cta);
            json!({
                "name": row.label.get(view.language),
                "href": view.narrowed(Dimension::Event, &event),
                "count": row.clicked,
                "share": share_text(share_of(row.clicked, most)),
            })
        })
        .collect()
}

fn panel(
    view: &View<'_>,
    name: &str,
    tabs: &[&'static str],
    shown: &str,
    rows: Vec<Json>,
    has_filters: bool,
) -> Json {
    let asked = view.asked;
    let others: Vec<&str> =
        PANELS.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, tabs)| tabs).to_vec();
    let tabs = tabs.iter().map(|word| {
        let there = asked.but(|asked| {
            asked.tabs.retain(|tab| !others.contains(&tab.as_str()));
            if others.first() != Some(word) {
                asked.tabs.push((*word).to_owned());
            }
        });
        json!({
            "word": word,
            "href": format!("{}#{name}", there.address(view.path, &[])),
            "current": *word == shown,
        })
    });
    let detail = format!("/console/traffic/by/{shown}");
    let is_untold = has_filters && shown == "property";
    json!({
        "name": name,
        "shown": shown,
        "tabs": tabs.collect::<Vec<_>>(),
        "rows": rows,
        "all": (!view.is_shared).then(|| asked.address(&detail, &[])),
        "csv": (!view.is_shared && !is_untold).then(|| asked.address(&detail, &[("format", "csv")])),
        "is_untold": is_untold,
    })
}
