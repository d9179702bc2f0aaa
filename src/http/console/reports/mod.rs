//! Reports: one page that lists them, and one for each. An address holds all that a page shows (`asked.rs`); every report is
//! a [`Sheet`](sheet::Sheet): numbers, a picture, tables, and a file for each table.

mod acceptance;
mod asked;
mod attribution;
mod bookings;
mod bot;
mod churn;
mod content;
mod funnel;
mod health;
mod mail;
mod response;
mod sheet;
mod velocity;
mod webinars;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use self::asked::Asked;
use self::sheet::{Choice, Sheet};
use super::frame::Reader;
use crate::base::language::Language;
use crate::base::time::zone;
use crate::http::error::Problem;
use crate::reports::journeys::Span;
use crate::reports::journeys::attribution::UNKNOWN;
use crate::reports::journeys::people::{By, NONE, Only, only};
use crate::reports::journeys::sparks::sparks;

/// The page that lists them.
const PATH: &str = "/console/reports";
/// Bars of a small curve.
const PIECES: usize = 12;
/// The stage that sources are told for, and the one that sales is given, unless something else is chosen.
const GOAL: &str = "sql";
const HANDED_OVER: &str = "mql";

/// Every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    Funnel,
    Velocity,
    Attribution,
    Acceptance,
    Webinars,
    Content,
    Bot,
    Response,
    Bookings,
    Churn,
    Mail,
    Health,
}

impl Report {
    /// All of them, in the order in which they are listed.
    const ALL: [Self; 12] = [
        Self::Funnel,
        Self::Velocity,
        Self::Attribution,
        Self::Acceptance,
        Self::Webinars,
        Self::Content,
        Self::Bot,
        Self::Response,
        Self::Bookings,
        Self::Churn,
        Self::Mail,
        Self::Health,
    ];

    /// Its word in addresses and texts.
    fn word(self) -> &'static str {
        match self {
            Self::Funnel => "funnel",
            Self::Velocity => "velocity",
            Self::Attribution => "attribution",
            Self::Acceptance => "acceptance",
            Self::Webinars => "webinars",
            Self::Content => "content",
            Self::Bot => "bot",
            Self::Response => "response",
            Self::Bookings => "bookings",
            Self::Churn => "churn",
            Self::Mail => "mail",
            Self::Health => "health",
        }
    }

    /// Counts it.
    async fn sheet(self, view: &View<'_>) -> Result<Sheet, Problem> {
        match self {
            Self::Funnel => funnel::sheet(view).await,
            Self::Velocity => velocity::sheet(view).await,
            Self::Attribution => attribution::sheet(view).await,
            Self::Acceptance => acceptance::sheet(view).await,
            Self::Webinars => webinars::sheet(view).await,
            Self::Content => content::sheet(view).await,
            Self::Bot => bot::sheet(view).await,
            Self::Response => response::sheet(view).await,
            Self::Bookings => bookings::sheet(view).await,
            Self::Churn => churn::sheet(view).await,
            Self::Mail => mail::sheet(view).await,
            Self::Health => health::sheet(view).await,
        }
    }
}

/// Who asks for a report, what is asked, and who is meant.
struct View<'a> {
    reader: &'a Reader,
    asked: &'a Asked,
    only: Only,
    path: String,
}

impl View<'_> {
    fn language(&self) -> Language {
        self.reader.account.language
    }

    fn text(&self, key: &str) -> String {
        self.reader.text(key).unwrap_or_default()
    }

    /// The span that is asked about, and then the one that it is held against.
    fn spans(&self) -> (Span, Option<Span>) {
        (self.asked.span(), self.asked.before())
    }

    /// A stage, or a state after the sale, in words.
    fn stage(&self, id: &str) -> String {
        let word = self.reader.app.lifecycle.word(id);
        self.reader.text(&format!("console.stage.{word}")).unwrap_or_else(|| word.to_owned())
    }

    /// The stage that was chosen, by its name or an alias, else `or`.
    fn chosen_stage(&self, or: &str) -> String {
        let lifecycle = &self.reader.app.lifecycle;
        let chosen = self.asked.chose("stage").and_then(|name| lifecycle.stage(name));
        chosen.or_else(|| lifecycle.stage(or)).map_or_else(|| or.to_owned(), |stage| stage.id.clone())
    }

    /// The stages after the first one, to choose from.
    fn stages(&self, current: &str) -> Choice {
        let stages = self.reader.app.lifecycle.stages.iter().skip(1);
        let options = stages.map(|stage| (stage.id.as_str(), self.stage(&stage.id)));
        self.choice("stage", options, current)
    }

    /// Chips for a choice: values of the address with their words.
    fn choice<'v>(
        &self,
        word: &'static str,
        options: impl Iterator<Item = (&'v str, String)>,
        current: &str,
    ) -> Choice {
        let all = options.map(|(value, text)| {
            (text, self.asked.choosing(word, value).address(&self.path, &[]), value == current)
        });
        Choice { word, all: all.collect() }
    }

    /// The word of something that people came by: ours have names, what visitors bring along stays as it is.
    fn brought(&self, by: &str, value: &str) -> String {
        // A visit that came without a campaign is known; one of which nobody knows how it came is not.
        if matches!((by, value), ("source" | "campaign", NONE)) {
            return self.text("reports.without");
        }
        if matches!(value, NONE | UNKNOWN) {
            return self.text("reports.none");
        }
        let key = match by {
            "channel" => format!("traffic.channel.{value}"),
            "country" => format!("countries.{value}"),
            _ => return value.to_owned(),
        };
        self.reader.text(&key).unwrap_or_else(|| value.to_owned())
    }

    /// The address that narrows the report to a value; none where nothing can be asked by it.
    fn narrowed(&self, by: &str, value: &str) -> Option<String> {
        let value = if value == UNKNOWN { NONE } else { value };
        By::of_word(by).map(|by| self.asked.narrowed(by, value).address(&self.path, &[]))
    }
}

fn asked_of(reader: &Reader) -> Result<Asked, Problem> {
    let zone = zone(&reader.zone()).unwrap_or(TimeZone::UTC);
    Asked::read(reader.query(), zone, reader.now)
}

/// `GET /console/reports`.
pub async fn list(reader: Reader) -> Result<HttpResponse, Problem> {
    let asked = asked_of(&reader)?;
    let known = sparks(&mut reader.app.stores.db.read(), asked.span(), PIECES, (GOAL, HANDED_OVER)).await?;
    let language = reader.account.language;
    let reports: Vec<Json> = Report::ALL
        .into_iter()
        .map(|report| {
            let spark = known.get(report.word());
            let total: i64 = spark.into_iter().flatten().sum();
            json!({
                "word": report.word(),
                "href": asked.elsewhere().address(&format!("{PATH}/{}", report.word()), &[]),
                "total": crate::render::number(total, language),
                "n": total,
                "spark": spark.map(|spark| drawn_spark(spark)),
            })
        })
        .collect();
    let mut board = asked.bar(PATH, language, false);
    board["chips"] = json!({ "all": [], "clear": null });
    reader.page("console/reports", json!({ "board": board, "reports": reports })).await
}

/// Bars from zero in a room of 120 by 32.
fn drawn_spark(spark: &[i64]) -> Vec<Json> {
    let most = spark.iter().copied().max().unwrap_or(0).max(1);
    let width = 120 / PIECES;
    let bars = spark.iter().enumerate().map(|(at, n)| {
        // What is there at all is seen.
        let tall = if *n > 0 { (n * 32 / most).max(1) } else { 0 };
        json!({ "x": at * width, "y": 32 - tall, "height": tall })
    });
    bars.collect()
}

/// `GET /console/reports/{report}`: `format=csv&table=…` is a table as a file.
pub async fn show(reader: Reader, word: web::Path<String>) -> Result<HttpResponse, Problem> {
    let report = Report::ALL.into_iter().find(|report| report.word() == word.as_str());
    let report =
        report.ok_or_else(|| Problem::new("report.unknown", format!("There is no report `{word}`.")))?;
    let asked = asked_of(&reader)?;
    let only = only(&mut reader.app.stores.db.read(), &asked.filters).await?;
    let path = format!("{PATH}/{}", report.word());
    let view = View { reader: &reader, asked: &asked, only, path };
    let sheet = report.sheet(&view).await?;
    if reader.asked("format").as_deref() == Some("csv") {
        let table = reader.asked("table").unwrap_or_default();
        let file = sheet.csv(&table);
        let file =
            file.ok_or_else(|| Problem::new("report.unknown", format!("There is no table `{table}` here.")))?;
        let period = asked.period();
        let name = format!("{}-{table}-{}-{}.csv", report.word(), period.from, period.to);
        return Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
            .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
            .body(file));
    }
    let language = view.language();
    let mut board = asked.bar(&view.path, language, true);
    board["chips"] = asked.chips(&view.path, |by, value| view.brought(by.word(), value));
    let file = |table: &str| asked.address(&view.path, &[("format", "csv"), ("table", table)]);
    let others = Report::ALL.into_iter().map(|other| {
        let href = asked.elsewhere().address(&format!("{PATH}/{}", other.word()), &[]);
        json!({ "word": other.word(), "href": href, "current": other == report })
    });
    let body = json!({
        "word": report.word(),
        "board": board,
        "has_filters": !asked.filters.is_empty(),
        "all": asked.elsewhere().address(PATH, &[]),
        "others": others.collect::<Vec<_>>(),
        "sheet": sheet.draw(language, file),
    });
    reader.page("console/report", body).await
}
