//! The doors of the reports about journeys: `GET /api/v1/reports/…`, as JSON or CSV. `docs/reports.md` tells what they say.

pub mod counted;

use std::collections::{BTreeMap, HashMap};

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;

use super::Shared;
use super::api::authorised;
use super::error::Problem;
use crate::base::time::{DAY_MS, Timestamp, zone};
use crate::campaigns;
use crate::reports::journeys::acceptance::{acceptance, hand_overs};
use crate::reports::journeys::attribution::{Key, Model, attribute, conversions};
use crate::reports::journeys::churn::{Churn, churn, customers, money, standings, values};
use crate::reports::journeys::costs::costs;
use crate::reports::journeys::frequency::{self, frequency};
use crate::reports::journeys::funnel::{self, Step, funnel, strangers};
use crate::reports::journeys::losses;
use crate::reports::journeys::people::{By, Filter};
use crate::reports::journeys::shows::{self, shows};
use crate::reports::journeys::splits::{splits, through};
use crate::reports::journeys::talks::{self, talks};
use crate::reports::journeys::velocity::{Lengths, stays, velocity};
use crate::reports::journeys::{Span, reached};
use crate::reports::traffic::csv;

/// Days that are told when none are asked for.
const DAYS: i64 = 90;
/// The longest time that can be asked for.
const DAYS_MOST: i64 = 3_660;

/// The parameter that narrows a report to some people; it can be said several times.
const FILTER: &str = "filter";

/// The states of those who are customers no more, unless something else is asked for.
const GONE: [&str; 2] = ["churned", "do_not_pursue"];

/// Mounts the doors.
pub fn routes(doors: &mut web::ServiceConfig) {
    doors.service(
        web::scope("/api/v1/reports")
            .route("/funnel", web::get().to(by_cohort))
            .route("/velocity", web::get().to(pace))
            .route("/attribution", web::get().to(credit))
            .route("/acceptance", web::get().to(accepted))
            .route("/no-shows", web::get().to(no_shows))
            .route("/splits", web::get().to(tried))
            .route("/costs", web::get().to(cost))
            .route("/churn", web::get().to(churned))
            .route("/losses", web::get().to(lost))
            .route("/frequency", web::get().to(how_often))
            .route("/talks", web::get().to(talked))
            .route("/webinars", web::get().to(counted::of_webinars))
            .route("/content", web::get().to(counted::of_content))
            .route("/bot", web::get().to(counted::of_bot))
            .route("/response", web::get().to(counted::of_response))
            .route("/bookings", web::get().to(counted::of_bookings))
            .route("/mail", web::get().to(counted::of_mail))
            .route("/health", web::get().to(counted::of_health)),
    );
}

/// What the address asks.
struct Asked {
    from: Date,
    to: Date,
    span: Span,
    zone: TimeZone,
    is_csv: bool,
    /// Only those of whom these hold.
    filters: Vec<Filter>,
    others: HashMap<String, String>,
}

impl Asked {
    /// Reads `from`, `to` (days, the last one included), `zone` and `format`; the others must be among `known`.
    fn read(app: &Shared, request: &HttpRequest, known: &[&str]) -> Result<Self, Problem> {
        authorised(app, request)?;
        let mut others: HashMap<String, String> = HashMap::new();
        let mut filters = Vec::new();
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()) {
            if !["from", "to", "zone", "format"].contains(&&*name) && !known.contains(&&*name) {
                return Err(invalid(format!("`{name}` is not understood here.")));
            }
            if name == FILTER {
                filters.push(filter(&value)?);
                continue;
            }
            others.insert(name.into_owned(), value.into_owned());
        }
        let zone = match others.remove("zone") {
            Some(name) => zone(&name).ok_or_else(|| invalid(format!("`{name}` is no time zone.")))?,
            None => TimeZone::UTC,
        };
        let is_csv = match others.remove("format").as_deref() {
            None | Some("json") => false,
            Some("csv") => true,
            Some(other) => return Err(invalid(format!("`{other}` is neither `json` nor `csv`."))),
        };
        let today = app.clock.now().to_jiff().to_zoned(zone.clone()).date();
        let date = |text: Option<String>, or: Date| match text {
            Some(text) => text.parse().map_err(|_| invalid(format!("`{text}` is no day: write 2026-11-23."))),
            None => Ok(or),
        };
        let to = date(others.remove("to"), today)?;
        let from = date(others.remove("from"), plus(to, 1 - DAYS))?;
        let span = Span { from: midnight(from, &zone)?, to: midnight(plus(to, 1), &zone)? };
        if from > to || span.to.since_ms(span.from) > DAYS_MOST * DAY_MS {
            return Err(invalid("`from` must not be after `to`, nor ten years before it."));
        }
        Ok(Self { from, to, span, zone, is_csv, filters, others })
    }

    fn days(&self, name: &str, or: i64) -> Result<i64, Problem> {
        let Some(text) = self.others.get(name) else { return Ok(or) };
        let days = text.trim_end_matches('d').parse().ok().filter(|days| (1..=DAYS_MOST).contains(days));
        days.ok_or_else(|| invalid(format!("`{name}` must be a number of days, such as 30d.")))
    }

    fn answer(
        &self,
        name: &str,
        answer: impl Serialize,
        rows: impl FnOnce() -> (Vec<&'static str>, Vec<Vec<String>>),
    ) -> HttpResponse {
        if self.is_csv {
            let (head, rows) = rows();
            let file = format!("{name}-{}-{}.csv", self.from, self.to);
            return HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
                .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")))
                .body(csv(&head, rows));
        }
        let mut document = json!({
            "report": name, "from": self.from, "to": self.to, "zone": self.zone.iana_name().unwrap_or("UTC"),
        });
        if let (Some(document), Ok(serde_json::Value::Object(members))) =
            (document.as_object_mut(), serde_json::to_value(answer))
        {
            document.extend(members);
        }
        HttpResponse::Ok().json(document)
    }
}

fn filter(text: &str) -> Result<Filter, Problem> {
    Filter::read(text).ok_or_else(|| {
        let words: Vec<&str> = By::ALL.iter().map(|by| by.word()).collect();
        invalid(format!("`{text}` is no filter: write one of {}, a colon and a value.", words.join(", ")))
    })
}

fn plus(day: Date, days: i64) -> Date {
    day.saturating_add(jiff::Span::new().days(days))
}

fn midnight(day: Date, zone: &TimeZone) -> Result<Timestamp, Problem> {
    let start = day.to_zoned(zone.clone()).and_then(|zoned| zoned.start_of_day());
    let start = start.map_err(|_| invalid(format!("`{day}` lies outside of the calendar.")))?;
    Ok(Timestamp(start.timestamp().as_millisecond()))
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new("report.question_invalid", detail)
}

fn perhaps<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The stage that an address names, by its name or an alias.
fn stage_of<'a>(app: &'a Shared, asked: &Asked, or: &'a str) -> Result<&'a str, Problem> {
    let name = asked.others.get("stage").map_or(or, String::as_str);
    let stage = app.lifecycle.stage(name);
    let stage = stage.ok_or_else(|| Problem::new("stage.unknown", format!("There is no stage `{name}`.")))?;
    Ok(&stage.id)
}

/// `funnel?within=30d&journey=1`: by the week in which people reached a stage, how many reached the next in time.
async fn by_cohort(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &["within", "journey"])?;
    let stages: Vec<&str> = app.lifecycle.stages.iter().map(|stage| stage.id.as_str()).collect();
    let journey = match asked.others.get("journey") {
        Some(text) => Some(text.parse().map_err(|_| invalid("`journey` must be a number from 1 on."))?),
        None => None,
    };
    let question = funnel::Question {
        stages: &stages,
        span: asked.span,
        within_ms: asked.days("within", 30)? * DAY_MS,
        journey,
        zone: &asked.zone,
    };
    let q = &mut app.stores.db.read();
    let (rows, strangers) = (reached(q, asked.span.from).await?, strangers(q, asked.span).await?);
    let mut told = funnel(&question, &rows, &strangers);
    for step in told.cohorts.iter_mut().flat_map(|cohort| &mut cohort.steps).chain(&mut told.total) {
        step.stage = app.lifecycle.word(&step.stage).to_owned();
    }
    let cells = |week: String, step: &Step| {
        vec![week, step.stage.clone(), step.reached.to_string(), perhaps(step.went_on), perhaps(step.share)]
    };
    Ok(asked.answer("funnel", &told, || {
        let weeks = told
            .cohorts
            .iter()
            .flat_map(|cohort| cohort.steps.iter().map(|step| cells(cohort.week.to_string(), step)));
        let total = told.total.iter().map(|step| cells("total".to_owned(), step));
        (vec!["week", "stage", "reached", "went_on", "share"], weeks.chain(total).collect())
    }))
}

/// `velocity?stage=sql`: how long people stay in each stage, and how long the way to one takes.
async fn pace(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &["stage"])?;
    let target = stage_of(&app, &asked, "sql")?;
    let stages: Vec<&str> = app.lifecycle.stages.iter().map(|stage| stage.id.as_str()).collect();
    let stays = stays(&mut app.stores.db.read(), &stages, asked.span.from).await?;
    let mut told = velocity(&stages, target, asked.span, app.clock.now(), &stays);
    for pace in &mut told.stages {
        pace.stage = app.lifecycle.word(&pace.stage).to_owned();
    }
    Ok(asked.answer("velocity", &told, || {
        let cells = |stage: &str, what: &str, lengths: Option<Lengths>| {
            let of = |pick: fn(Lengths) -> i64| perhaps(lengths.map(pick));
            let n = perhaps(lengths.map(|lengths| lengths.n));
            vec![stage.to_owned(), what.to_owned(), n, of(|l| l.p50), of(|l| l.p75), of(|l| l.p90)]
        };
        let rows = told.stages.iter().flat_map(|pace| {
            [
                cells(&pace.stage, "latest", pace.latest),
                cells(&pace.stage, "cumulative", pace.cumulative),
                cells(&pace.stage, "open", pace.open),
            ]
        });
        let total = cells(target, "total", told.total);
        let head = vec!["stage", "what", "n", "p50_ms", "p75_ms", "p90_ms"];
        (head, rows.chain(std::iter::once(total)).collect())
    }))
}

/// `attribution?stage=sql&model=u_shape&by=campaign&look_back=90d`: what brought those who reached a stage.
async fn credit(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &["stage", "model", "by", "look_back"])?;
    let stage = stage_of(&app, &asked, "sql")?;
    let model = model_of(&asked)?;
    let by = asked.others.get("by").map_or("channel", String::as_str);
    let key = Key::of_word(by).ok_or_else(|| invalid("`by` is one of channel, source, campaign."))?;
    let look_back_ms = asked.days("look_back", 90)? * DAY_MS;
    let mut q = app.stores.db.read();
    let rows = reached(&mut q, Timestamp(0)).await?;
    let conversions = conversions(&mut q, &rows, stage, asked.span, look_back_ms).await?;
    let credits = attribute(model, key, &conversions);
    let told = json!({
        "stage": app.lifecycle.word(stage), "model": model, "by": by, "conversions": conversions.len(), "credits": credits,
    });
    Ok(asked.answer("attribution", told, || {
        let rows = credits
            .iter()
            .map(|credit| vec![credit.key.clone(), credit.credit.to_string(), credit.touched.to_string()]);
        (vec!["key", "credit", "touched"], rows.collect())
    }))
}

fn model_of(asked: &Asked) -> Result<Model, Problem> {
    let word = asked.others.get("model").map_or("last_non_direct", String::as_str);
    Model::of_word(word).ok_or_else(|| {
        let words: Vec<&str> = Model::ALL.iter().map(|model| model.word()).collect();
        invalid(format!("`model` is one of {}.", words.join(", ")))
    })
}

/// `acceptance?stage=mql`: what sales made of those who were handed over, by cell and reason.
async fn accepted(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &["stage"])?;
    let stage = stage_of(&app, &asked, "mql")?;
    let people = hand_overs(&mut app.stores.db.read(), &app.lifecycle, stage, asked.span).await?;
    let told = acceptance(&people);
    Ok(asked.answer("acceptance", &told, || {
        let rows = told.cells.iter().map(|cell| {
            vec![
                cell.grade.clone(),
                cell.level.to_string(),
                cell.handed_over.to_string(),
                cell.accepted.to_string(),
                cell.rejected.to_string(),
                perhaps(cell.rate),
                String::new(),
                String::new(),
            ]
        });
        let versions = told.by_version.iter().map(|one| {
            let counts = [one.handed_over, one.accepted, one.rejected].map(|n| n.to_string());
            let cells = [String::new(), String::new()].into_iter().chain(counts);
            cells.chain([perhaps(one.rate), perhaps(one.version), one.hash.clone()]).collect()
        });
        let head =
            vec!["fit", "engagement", "handed_over", "accepted", "rejected", "rate", "version", "hash"];
        (head, rows.chain(versions).collect())
    }))
}

/// `no-shows`: who came to the calls that were booked.
async fn no_shows(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &[])?;
    let told = shows(&shows::calls(&mut app.stores.db.read(), asked.span).await?);
    Ok(asked.answer("no-shows", &told, || {
        let cells = |by: &str, key: &str, shows: &shows::Shows| {
            let counts = [shows.held, shows.no_show, shows.untold].map(|n| n.to_string());
            [by.to_owned(), key.to_owned()]
                .into_iter()
                .chain(counts)
                .chain([perhaps(shows.no_show_rate)])
                .collect()
        };
        let mut rows: Vec<Vec<String>> = vec![cells("total", "", &told.total)];
        rows.extend(told.by_meeting.iter().map(|(key, shows)| cells("meeting", key, shows)));
        rows.extend(told.by_rep.iter().map(|(key, shows)| cells("rep", key, shows)));
        rows.extend(told.by_lead_time.iter().map(|(key, shows)| cells("lead_time", key, shows)));
        (vec!["by", "key", "held", "no_show", "untold", "no_show_rate"], rows)
    }))
}

/// `splits?flow=welcome`: what became of those who went through each arm of the flows' A/B tests.
async fn tried(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &["flow"])?;
    let flow = asked.others.get("flow").map(String::as_str);
    if let Some(flow) = flow.filter(|flow| app.room.flows.now().find(flow).is_none()) {
        return Err(invalid(format!("there is no flow `{flow}`.")));
    }
    let told = splits(&through(&mut app.stores.db.read(), asked.span, flow).await?);
    Ok(asked.answer("splits", &told, || {
        let arms =
            told.splits.iter().flat_map(|split| split.arms.iter().map(move |(name, arm)| (split, name, arm)));
        let rows = arms.map(|(split, name, arm)| {
            let counts = [arm.conversations, arm.answered, arm.booked].map(|n| n.to_string());
            let (least, most) = arm.booked_between.unzip();
            [split.flow.clone(), split.step.clone(), name.clone()]
                .into_iter()
                .chain(counts)
                .chain([perhaps(arm.booked_rate), perhaps(least), perhaps(most)])
                .collect()
        });
        let head = [
            "flow",
            "step",
            "arm",
            "conversations",
            "answered",
            "booked",
            "booked_rate",
            "at_least",
            "at_most",
        ];
        (head.to_vec(), rows.collect())
    }))
}

/// `costs?model=linear`: what campaigns cost, beside what they brought to each stage.
async fn cost(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &["model", "look_back"])?;
    let model = model_of(&asked)?;
    let look_back_ms = asked.days("look_back", 90)? * DAY_MS;
    let mut q = app.stores.db.read();
    let rows = reached(&mut q, Timestamp(0)).await?;
    let (mut credits, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for stage in app.lifecycle.stages.iter().skip(1) {
        let found = conversions(&mut q, &rows, &stage.id, asked.span, look_back_ms).await?;
        counts.insert(stage.word().to_owned(), found.len());
        credits.insert(stage.word().to_owned(), attribute(model, Key::Campaign, &found));
    }
    let (from, until) = (asked.from.to_string(), plus(asked.to, 1).to_string());
    let paid = campaigns::costs(&mut q, &from, &until).await?;
    let standings = standings(&mut q, asked.span.to).await?;
    let told = costs(&paid, &credits, &counts, customers(&GONE, asked.span, &standings));
    Ok(asked.answer("costs", &told, || {
        let mut rows = Vec::new();
        for row in told.campaigns.iter().chain(&told.total) {
            for (stage, credit) in &row.credits {
                let per = row.cost_per.get(stage).copied().flatten();
                let cells =
                    [row.campaign.clone(), row.currency.clone(), row.amount.to_string(), stage.clone()];
                rows.push(cells.into_iter().chain([credit.to_string(), perhaps(per)]).collect());
            }
        }
        for sides in &told.winning_and_keeping {
            let row = |what: &str, amount: i64, stage: &str, n: usize, per: Option<f64>| {
                let cells = [what.to_owned(), sides.currency.clone(), amount.to_string(), stage.to_owned()];
                cells.into_iter().chain([n.to_string(), perhaps(per)]).collect::<Vec<String>>()
            };
            rows.push(row(
                "(winning)",
                sides.winning,
                "new customers",
                sides.new_customers,
                sides.per_new_customer,
            ));
            rows.push(row("(keeping)", sides.keeping, "customers", sides.customers, sides.per_customer));
        }
        (vec!["campaign", "currency", "amount", "stage", "credit", "cost_per"], rows)
    }))
}

/// `churn?lost=churned,do_not_pursue`: who left, of those who were customers when the time began, and who was won back.
async fn churned(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &["lost"])?;
    let lost = asked.others.get("lost").map_or("churned,do_not_pursue", String::as_str);
    let lost: Vec<&str> = lost.split(',').map(str::trim).collect();
    let track = app.lifecycle.post_sale.as_ref();
    let unknown =
        |state: &&&str| asked.others.contains_key("lost") && track.is_none_or(|t| t.state(state).is_none());
    if let Some(state) = lost.iter().find(unknown) {
        return Err(invalid(format!("`{state}` is no state of the track after the sale.")));
    }
    let q = &mut app.stores.db.read();
    let rows = standings(q, asked.span.to).await?;
    let money = money(&lost, asked.span, &rows, &values(q, asked.span.from).await?);
    let told = Churn { money, ..churn(&lost, asked.span, &rows) };
    Ok(asked.answer("churn", &told, || {
        let counts =
            [told.at_start, told.lost, told.new, told.lost_of_new, told.recovered].map(|n| n.to_string());
        let nothing = |n| std::iter::repeat_n(String::new(), n);
        let row = counts.into_iter().chain([perhaps(told.churn_rate), perhaps(told.recovery_rate)]);
        let row = row.chain(nothing(5)).collect();
        let money = told.money.iter().map(|sum| {
            let cells = [sum.customers.to_string(), sum.at_start.to_string(), sum.lost.to_string()];
            let cells = nothing(7).chain([sum.currency.clone()]).chain(cells);
            cells.chain([perhaps(sum.churn_rate)]).collect::<Vec<String>>()
        });
        let head = [
            "at_start",
            "lost",
            "new",
            "lost_of_new",
            "recovered",
            "churn_rate",
            "recovery_rate",
            "currency",
            "customers_of_known_value",
            "value_at_start",
            "value_lost",
            "value_churn_rate",
        ];
        (head.to_vec(), std::iter::once(row).chain(money).collect())
    }))
}

async fn talked(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &[])?;
    let report = talks::report(&talks(&mut app.stores.db.read(), asked.span).await?);
    Ok(asked.answer("talks", &report, || {
        let all = [("".to_owned(), report.total.clone())];
        let rows = report.by_colleague.clone().into_iter().chain(all).map(|(name, numbers)| {
            vec![
                name,
                numbers.conversations.to_string(),
                numbers.asked.to_string(),
                numbers.accepted.to_string(),
                perhaps(numbers.accepted_after_ms_p50),
                numbers.ratings.to_string(),
                perhaps(numbers.satisfaction),
                perhaps(numbers.content_rate),
            ]
        });
        let head = vec![
            "colleague",
            "conversations",
            "asked",
            "accepted",
            "accepted_after_ms_p50",
            "ratings",
            "satisfaction",
            "content_rate",
        ];
        (head, rows.collect())
    }))
}

/// `losses`: deals that were lost, people who were sent back, customers who left, and why.
async fn lost(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &[])?;
    let mut q = app.stores.db.read();
    let deals = losses::deals(&losses::ended(&mut q, asked.span).await?);
    let back = losses::taken_back(&mut q, asked.span).await?;
    let left = churn(&GONE, asked.span, &standings(&mut q, asked.span.to).await?);
    let told = json!({ "deals": deals, "taken_back": back, "customers": left });
    Ok(asked.answer("losses", told, || {
        let row = |what: &str, key: &str, reason: &str, n: usize| {
            vec![what.to_owned(), key.to_owned(), reason.to_owned(), n.to_string()]
        };
        let of_deals = deals.reasons.iter().map(|reason| row("deal", "lost", &reason.reason, reason.n));
        let of_people = back.iter().map(|back| row("taken_back", &back.rule, &back.reason, back.n));
        let of_customers =
            left.reasons.iter().map(|reason| row("customer", "left", &reason.reason, reason.n));
        (vec!["what", "key", "reason", "n"], of_deals.chain(of_people).chain(of_customers).collect())
    }))
}

/// `frequency`: how often people come and for how long, by the stage that they stand in now.
async fn how_often(app: Shared, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asked = Asked::read(&app, &request, &[])?;
    let mut told = frequency(&frequency::groups(&mut app.stores.db.read(), asked.span).await?);
    let words = std::mem::take(&mut told.by_stage).into_iter();
    told.by_stage = words.map(|(stage, numbers)| (app.lifecycle.word(&stage).to_owned(), numbers)).collect();
    Ok(asked.answer("frequency", &told, || {
        let row = |stage: &str, numbers: &frequency::Numbers| {
            vec![
                stage.to_owned(),
                numbers.visitors.to_string(),
                numbers.visits.to_string(),
                numbers.visits_per_visitor.to_string(),
                perhaps(numbers.returning),
                perhaps(numbers.between_ms),
                numbers.engaged_ms_per_visit.to_string(),
                numbers.engaged_ms_per_visitor.to_string(),
            ]
        };
        let stages = told.by_stage.iter().map(|(stage, numbers)| row(stage, numbers));
        let head = [
            "stage",
            "visitors",
            "visits",
            "visits_per_visitor",
            "returning",
            "between_ms",
            "engaged_ms_per_visit",
            "engaged_ms_per_visitor",
        ];
        (head.to_vec(), stages.chain([row("total", &told.total)]).collect())
    }))
}
