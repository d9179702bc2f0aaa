//! The doors of the traffic reports: `GET /api/v1/traffic/{site}/…`, as JSON or CSV. `docs/traffic.md` tells what they say.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::Shared;
use super::api::authorised;
use super::error::Problem;
use crate::reports::traffic::{
    self, DAYS_MOST, Filter, Interval, Numbers, Period, Question, Step, Summary, VALUES_MOST, Value, csv,
};
use crate::sessions::Dimension;
use crate::sites::Site;

/// Days that are told when none are asked for.
const DAYS: i64 = 30;
/// Values of a breakdown when no number is asked for.
const VALUES: usize = 10;
/// Goals and steps in one question.
const STEPS_MOST: usize = 20;
const HOURLY_DAYS_MOST: i64 = 31;
const HEAD: [&str; 7] = ["visitors", "visits", "views", "events", "bounce_rate", "engaged_ms", "scroll"];

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(
        web::scope("/api/v1/traffic/{site}")
            .route("/summary", web::get().to(summary))
            .route("/by/{dimension}", web::get().to(by))
            .route("/live", web::get().to(live))
            .route("/goals", web::get().to(goals))
            .route("/ctas", web::get().to(ctas))
            .route("/funnel", web::get().to(funnel)),
    );
}

/// What the address asks.
struct Asked {
    site: Site,
    period: Period,
    compared: Option<Period>,
    filters: Vec<Filter>,
    interval: Interval,
    limit: usize,
    is_csv: bool,
    goals: Vec<Filter>,
    /// The steps of a funnel, in order.
    way: Vec<Step>,
}

impl Asked {
    fn read(app: &Shared, request: &HttpRequest, site: &str) -> Result<Self, Problem> {
        authorised(app, request)?;
        let site = app.sites.find(site)?.clone();
        let today = app.clock.now().to_jiff().to_zoned(site.zone()).date();
        let (mut from, mut to) = (None, None);
        let (mut filters, mut goals, mut way) = (Vec::new(), Vec::new(), Vec::new());
        let (mut interval, mut limit, mut is_csv, mut compare) =
            (Interval::Day, VALUES, false, String::new());
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
            match &*name {
                "from" => from = Some(date(&value, today)?),
                "to" => to = Some(date(&value, today)?),
                "filter" => filters.push(filter(&value)?),
                "goal" => goals.push(filter(&value)?),
                "step" => way.push(Step::read(&value).map_err(|error| invalid(error.to_string()))?),
                "interval" if value == "hour" => interval = Interval::Hour,
                "interval" if value == "day" => interval = Interval::Day,
                "interval" if value == "week" => interval = Interval::Week,
                "compare" if value == "previous" || value == "year" => compare = value.into_owned(),
                "format" if value == "csv" || value == "json" => is_csv = value == "csv",
                "limit" => {
                    limit = value
                        .parse()
                        .ok()
                        .filter(|limit| (1..=VALUES_MOST).contains(limit))
                        .ok_or_else(|| invalid(format!("`limit` must be 1 to {VALUES_MOST}.")))?;
                }
                other => return Err(invalid(format!("`{other}={value}` is not understood."))),
            }
        }
        if [goals.len(), way.len(), filters.len()].iter().any(|count| *count > STEPS_MOST) {
            return Err(invalid(format!("At most {STEPS_MOST} filters, goals or steps.")));
        }
        let to = to.unwrap_or(today);
        let from = from.unwrap_or_else(|| traffic::date_of(traffic::day_number(to) - DAYS + 1));
        let period = Period { from, to };
        if !(1..=DAYS_MOST).contains(&period.days()) {
            return Err(invalid("`from` must not be after `to`, nor ten years before it."));
        }
        if interval == Interval::Hour && period.days() > HOURLY_DAYS_MOST {
            return Err(invalid(format!("By the hour at most {HOURLY_DAYS_MOST} days are told.")));
        }
        let compared = match compare.as_str() {
            "previous" => Some(period.previous()),
            "year" => Some(period.year_before()),
            _ => None,
        };
        Ok(Self { site, period, compared, filters, interval, limit, is_csv, goals, way })
    }

    fn question(&self, period: Period) -> Question<'_> {
        Question { site: &self.site, period, filters: &self.filters }
    }

    /// What every answer begins with.
    fn head(&self) -> Json {
        json!({
            "site": self.site.key, "zone": self.site.time_zone, "period": self.period,
            "filters": self.filters.iter().map(Filter::text).collect::<Vec<_>>(),
        })
    }

    fn answer(&self, name: &str, members: Json) -> HttpResponse {
        let mut document = self.head();
        if let (Some(document), Json::Object(members)) = (document.as_object_mut(), members) {
            document.insert("report".to_owned(), name.into());
            document.extend(members);
        }
        HttpResponse::Ok().json(document)
    }

    fn file(&self, name: &str, text: String) -> HttpResponse {
        let file = format!("{}-{name}-{}-{}.csv", self.site.key, self.period.from, self.period.to);
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
            .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")))
            .body(text)
    }
}

/// A day: `2026-11-23`, `today`, `yesterday`, or `-7d` for seven days before today.
fn date(text: &str, today: Date) -> Result<Date, Problem> {
    let back = |days: i64| traffic::date_of(traffic::day_number(today) - days);
    let ago =
        text.strip_prefix('-').and_then(|rest| rest.strip_suffix('d')).and_then(|days| days.parse().ok());
    match (text, ago) {
        ("today", _) => Ok(today),
        ("yesterday", _) => Ok(back(1)),
        (_, Some(days)) if (0..=DAYS_MOST).contains(&days) => Ok(back(days)),
        _ => text.parse().map_err(|_| {
            invalid(format!("`{text}` is no day: write 2026-11-23, `today`, `yesterday` or `-7d`."))
        }),
    }
}

fn filter(text: &str) -> Result<Filter, Problem> {
    Filter::read(text).map_err(|error| invalid(error.to_string()))
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new("traffic.question_invalid", detail)
}

/// The whole period and its curve, and the same of the period that it is compared with.
async fn summary(
    app: Shared,
    request: HttpRequest,
    site: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &site)?;
    let hits = &app.stores.hits;
    let Summary { total, series, .. } =
        traffic::summary(hits, &asked.question(asked.period), asked.interval).await?;
    if asked.is_csv {
        let rows = series.into_iter().map(|point| row(point.at, &point.numbers));
        return Ok(asked.file("summary", csv(&headed("at"), rows)));
    }
    let mut members = json!({ "total": total, "series": series });
    if let Some(period) = asked.compared {
        members["compared"] = json!(traffic::summary(hits, &asked.question(period), asked.interval).await?);
    }
    Ok(asked.answer("summary", members))
}

/// A value, and what it counted in the period that it is compared with.
#[derive(Serialize)]
struct Compared {
    #[serde(flatten)]
    now: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<Numbers>,
}

/// The largest values of a dimension. `by/bot` is what was set aside, and why.
async fn by(
    app: Shared,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (site, word) = path.into_inner();
    let asked = Asked::read(&app, &request, &site)?;
    let dimension = Dimension::of_word(&word).filter(|dimension| *dimension != Dimension::Total);
    let dimension = dimension.ok_or_else(|| {
        let words: Vec<&str> = Dimension::ALL.iter().skip(1).map(|dimension| dimension.word()).collect();
        Problem::new("traffic.dimension_unknown", format!("One of: {}.", words.join(", ")))
    })?;
    let is_unfilterable = matches!(dimension, Dimension::Property | Dimension::Bot);
    if is_unfilterable && !asked.filters.is_empty() {
        return Err(invalid(format!("`{word}` cannot be told with filters.")));
    }
    let hits = &app.stores.hits;
    let values = traffic::by(hits, &asked.question(asked.period), dimension, asked.limit).await?;
    if asked.is_csv {
        let rows = values.into_iter().map(|value| row(value.value, &value.numbers));
        return Ok(asked.file(&word, csv(&headed(&word), rows)));
    }
    let mut before = match asked.compared {
        Some(period) => traffic::by(hits, &asked.question(period), dimension, VALUES_MOST).await?,
        None => Vec::new(),
    };
    let values = values.into_iter().map(|now| {
        let place = before.iter().position(|before| before.value == now.value);
        Compared { compared: place.map(|place| before.swap_remove(place).numbers), now }
    });
    let members = json!({
        "dimension": word, "values": values.collect::<Vec<_>>(), "compared_with": asked.compared,
    });
    Ok(asked.answer("by", members))
}

/// The last half hour.
async fn live(app: Shared, request: HttpRequest, site: web::Path<String>) -> Result<HttpResponse, Problem> {
    authorised(&app, &request)?;
    let site = app.sites.find(&site)?;
    Ok(HttpResponse::Ok().json(traffic::live(&app.stores.hits, site, app.clock.now()).await?))
}

/// In how many visits each `goal` was reached.
async fn goals(app: Shared, request: HttpRequest, site: web::Path<String>) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &site)?;
    if asked.goals.is_empty() {
        return Err(invalid("Name goals: `goal=page:/thanks&goal=event:signup`."));
    }
    let goals = traffic::goals(&app.stores.hits, &asked.question(asked.period), &asked.goals).await?;
    if asked.is_csv {
        let rows =
            goals.into_iter().map(|goal| vec![goal.goal, goal.visits.to_string(), goal.rate.to_string()]);
        return Ok(asked.file("goals", csv(&["goal", "visits", "rate"], rows)));
    }
    Ok(asked.answer("goals", json!({ "goals": goals })))
}

/// How often calls to action were seen and followed, and the forms that were sent because of them.
async fn ctas(app: Shared, request: HttpRequest, site: web::Path<String>) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &site)?;
    let question = asked.question(asked.period);
    let told = traffic::ctas(&app.stores.db, &app.stores.hits, &question, &app.catalog.ctas).await?;
    if asked.is_csv {
        let perhaps = |rate: Option<f64>| rate.map(|rate| rate.to_string()).unwrap_or_default();
        let rows = told.into_iter().map(|row| {
            vec![
                row.cta,
                row.seen.map(|seen| seen.to_string()).unwrap_or_default(),
                row.clicked.to_string(),
                perhaps(row.click_rate),
                row.sent.to_string(),
                row.people.to_string(),
                perhaps(row.send_rate),
            ]
        });
        let head = ["cta", "seen", "clicked", "click_rate", "sent", "people", "send_rate"];
        return Ok(asked.file("ctas", csv(&head, rows)));
    }
    Ok(asked.answer("ctas", json!({ "ctas": told })))
}

/// How many people took each `step` after the one before.
async fn funnel(app: Shared, request: HttpRequest, site: web::Path<String>) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &site)?;
    if asked.way.len() < 2 {
        return Err(invalid(
            "Name two steps or more, each a page, an event or a stage: `step=page:/&step=event:signup&step=stage:mql`.",
        ));
    }
    let (question, lifecycle) = (asked.question(asked.period), app.lifecycle.now());
    let known: Vec<&str> = lifecycle.stages.iter().map(|stage| stage.id.as_str()).collect();
    let ways = std::slice::from_ref(&asked.way);
    let told = traffic::funnels(&app.stores.db, &app.stores.hits, &question, ways, &known).await?;
    let stages = told.into_iter().next().unwrap_or_default();
    if asked.is_csv {
        let rows = stages.into_iter().map(|stage| {
            vec![
                stage.step,
                stage.visitors.to_string(),
                stage.of_first.to_string(),
                stage.of_previous.to_string(),
            ]
        });
        return Ok(asked.file("funnel", csv(&["step", "visitors", "of_first", "of_previous"], rows)));
    }
    Ok(asked.answer("funnel", json!({ "steps": stages })))
}

fn headed(first: &str) -> Vec<&str> {
    std::iter::once(first).chain(HEAD).collect()
}

fn row(first: String, numbers: &Numbers) -> Vec<String> {
    vec![
        first,
        numbers.visitors.to_string(),
        numbers.visits.to_string(),
        numbers.views.to_string(),
        numbers.events.to_string(),
        numbers.bounce_rate.to_string(),
        numbers.engaged_ms.to_string(),
        numbers.scroll.to_string(),
    ]
}
