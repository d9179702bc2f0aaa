//! Simulations, back-tests, lifts, differences and versions as tables for people.

use std::fmt::Write as _;

use serde::Serialize;

use super::Paint;
use crate::base::email::Email;
use crate::base::language::Language;
use crate::bookings::capacity::Loaded;
use crate::stages::trial::{Change, Figures, Lift, Simulation};
use crate::stages::versions::{self, Activation, Standing};
use crate::stages::{Definition, Error};
use crate::storage::db::Queries;

/// Names that are listed; the rest is counted.
const LISTED: usize = 20;

/// A table whose columns are as wide as they must be; the first is aligned left, numbers right.
struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    fn new(head: &[(&str, bool)]) -> Self {
        let names = head.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self { rows: vec![names], right: head.iter().map(|(_, right)| *right).collect() }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn write(&self, out: &mut String, paint: Paint) {
        let wide = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let gap = " ".repeat(wide(column).saturating_sub(cell.chars().count()));
                let is_right = self.right.get(column).copied().unwrap_or(false);
                let (before, after) = if is_right { (gap.as_str(), "") } else { ("", gap.as_str()) };
                line.push_str(&format!("  {before}{cell}{after}"));
            }
            let line = line.trim_end();
            let line = if number == 0 { paint.faint(line) } else { line.to_owned() };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{line}");
        }
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn number(n: Option<f64>) -> String {
    n.map_or_else(|| "–".to_owned(), |n| format!("{n}"))
}

pub(super) fn simulation(
    told: &Simulation,
    definition: &Definition,
    language: Language,
    paint: Paint,
) -> String {
    let mut out = super::explain::text(&told.explanation, language, paint);
    if !told.moves.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("If nothing happens any more"));
        for step in &told.moves {
            let stage =
                definition.stage(&step.to).map_or(step.to.as_str(), |stage| stage.label.get(language));
            let _ = writeln!(out, "  {}  {stage} {}", step.at, paint.faint(&step.rule));
        }
    }
    out
}

pub(super) fn backtest(loaded: &Loaded, language: Language, paint: Paint) -> String {
    let told = &loaded.backtest;
    let mut out = String::new();
    let title = format!("{} as of {} to {}", told.qualified.to_uppercase(), told.since, told.until);
    let _ = writeln!(out, "{}", paint.bold(&title));
    let _ = writeln!(out, "  {} contacts, outcome: {}\n", told.contacts, told.outcome.join(" or "));
    let mut table = Table::new(&[("", false), ("model", true), ("running", true)]);
    let mut row = |name: &str, of: &dyn Fn(&Figures) -> String| {
        table.row([name.to_owned(), of(&told.model), of(&told.running)]);
    };
    row("qualified, and it came true", &|f| f.true_positives.to_string());
    row("qualified in vain", &|f| f.false_positives.to_string());
    row("missed", &|f| f.false_negatives.to_string());
    row("  of these too late", &|f| f.late.to_string());
    row("rightly left alone", &|f| f.true_negatives.to_string());
    row("precision", &|f| percent(f.precision));
    row("recall", &|f| percent(f.recall));
    row("a week, on average", &|f| f.mean_per_week.to_string());
    row("a week, at most", &|f| f.per_week.values().max().copied().unwrap_or(0).to_string());
    row("days ahead, median", &|f| number(f.median_lead_days));
    let (ours, theirs) = (&loaded.model_load, &loaded.running_load);
    table.row(["of what the SDRs can hold".to_owned(), percent(ours.share), percent(theirs.share)]);
    table.row(["weeks with more".to_owned(), ours.weeks_above.to_string(), theirs.weeks_above.to_string()]);
    table.write(&mut out, paint);
    let calls = loaded.capacity.calls_per_week;
    let _ = writeln!(out, "\n{}", paint.bold(&format!("The SDRs can hold {calls} first calls a week")));
    for share in &loaded.capacity.reps {
        let _ = writeln!(out, "  {} {} {}", share.calls_per_week, share.name, paint.faint(&share.meeting));
    }
    people(&mut out, "Would be qualified too", &told.entering, paint);
    people(&mut out, "Would not be qualified any more", &told.leaving, paint);
    if !told.refused.is_empty() {
        let title = "Refused as evidence";
        let _ = writeln!(out, "\n{}", paint.bold(title));
        for leak in &told.refused {
            let (label, asks) = (leak.label.get(language), paint.faint(&leak.asks));
            let _ = writeln!(out, "  {} {label} {asks}: {}", leak.rule, leak.because.words());
        }
    }
    out
}

fn people(out: &mut String, title: &str, emails: &[Email], paint: Paint) {
    let _ = writeln!(out, "\n{}", paint.bold(&format!("{title}: {}", emails.len())));
    for email in emails.iter().take(LISTED) {
        let _ = writeln!(out, "  {email}");
    }
    if emails.len() > LISTED {
        let _ =
            writeln!(out, "  {}", paint.faint(&format!("and {} more: --format json", emails.len() - LISTED)));
    }
}

pub(super) fn lift(told: &Lift, language: Language, paint: Paint) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}",
        paint.bold(&format!("{} won, {} not, since {}", told.won, told.not_won, told.since))
    );
    let _ = writeln!(out);
    let head = [
        ("rule", false),
        ("points", true),
        ("n", true),
        ("of the won", true),
        ("of the others", true),
        ("lift", true),
        ("", false),
    ];
    let mut table = Table::new(&head);
    for rule in &told.rules {
        let lift = match (rule.is_insufficient, rule.lift) {
            (true, _) => "insufficient".to_owned(),
            (false, lift) => number(lift),
        };
        let ahead = if rule.looks_ahead { "  (looks ahead)" } else { "" };
        let (won, others) = (percent(rule.of_won), percent(rule.of_not_won));
        let label = format!("{}{ahead}", rule.label.get(language));
        table.row([rule.rule.clone(), rule.points.to_string(), rule.n.to_string(), won, others, lift, label]);
    }
    table.write(&mut out, paint);
    let _ = writeln!(out);
    let head = [("band", false), ("n", true), ("of the won", true), ("of the others", true), ("lift", true)];
    let mut table = Table::new(&head);
    for band in &told.bands {
        let lift = if band.is_insufficient { "insufficient".to_owned() } else { number(band.lift) };
        let name = format!("{} {}", band.axis, band.band);
        table.row([name, band.n.to_string(), percent(band.of_won), percent(band.of_not_won), lift]);
    }
    table.write(&mut out, paint);
    out
}

pub(super) fn diff(changes: &[Change], contacts: usize, paint: Paint) -> String {
    let mut out = String::new();
    let title = format!("{} of {contacts} contacts would stand elsewhere", changes.len());
    let _ = writeln!(out, "{}", paint.bold(&title));
    if changes.is_empty() {
        return out;
    }
    let head = [("contact", false), ("old", false), ("by", false), ("new", false), ("by", false)];
    let mut table = Table::new(&head);
    for change in changes {
        let cells = [change.email.as_str(), &change.from, &change.from_rule, &change.to, &change.to_rule];
        table.row(cells.map(str::to_owned));
    }
    table.write(&mut out, paint);
    out
}

/// Which definitions ran, and how the file's stands.
#[derive(Debug, Serialize)]
pub(super) struct Versions {
    /// The file's.
    file: Standing,
    /// Those that ran, the newest first.
    history: Vec<Activation>,
}

impl Versions {
    pub(super) async fn of(q: &mut impl Queries, file: Definition) -> Result<Self, Error> {
        let history = versions::activations(q, 50).await?;
        Ok(Self { file: versions::standing(q, &file).await?, history })
    }

    pub(super) fn text(&self, paint: Paint) -> String {
        let mut out = String::new();
        let file = &self.file;
        let hash = |hash: &str| hash.get(..8).unwrap_or(hash).to_owned();
        let state = match (file.is_running, file.missing.as_slice()) {
            (true, _) => "runs".to_owned(),
            (false, []) => "waits for its activation".to_owned(),
            (false, missing) => format!("is a draft, needs the approval of {}", missing.join(" and ")),
        };
        let title = format!("lifecycle.yaml: version {} ({}) {state}", file.version, hash(&file.hash));
        let _ = writeln!(out, "{}", paint.bold(&title));
        for approval in &file.approvals {
            let _ = writeln!(out, "  {} approved for {} at {}", approval.email, approval.side, approval.at);
        }
        if self.history.is_empty() {
            return out;
        }
        let _ = writeln!(out);
        let mut table =
            Table::new(&[("since", false), ("version", true), ("hash", false), ("asked about", false)]);
        for ran in &self.history {
            table.row([ran.at.to_string(), ran.version.to_string(), hash(&ran.hash), ran.reevaluate.clone()]);
        }
        table.write(&mut out, paint);
        out
    }
}
