//! One contact's points at any moment: what counts is worked out once, and then only how much of it is left.

use std::collections::HashMap;
use std::sync::Arc;

use super::condition::{Condition, Moment};
use super::definition::{Definition, EngagementRule, FitRule, Trigger};
use super::facts::{Activity, PROFILING_OFF};
use super::history::History;
use super::score::{
    Axis, Evidence, Grade, Level, Row, Score, bound, decay, hundredths, least_words, most_words, objected,
};
use crate::base::expr::Context;
use crate::base::time::{DAY_MS, Timestamp};

/// One contact, ready to be scored at any moment: which activities each rule counts is worked out once.
pub struct Scorer<'a> {
    definition: &'a Definition,
    values: &'a Context,
    history: &'a History,
    /// For each rule of engagement what it counts, oldest first.
    counted: Arc<Vec<Vec<Counted>>>,
}

/// An activity that a rule counts.
#[derive(Debug, Clone, Copy)]
struct Counted {
    index: usize,
    at: Timestamp,
    /// When the same subject comes again, for rules that count it once.
    again_at: Timestamp,
}

/// A row of engagement before it gets its words.
#[derive(Debug, Clone, Copy)]
struct Line {
    source: Source,
    full_points: f64,
    points: f64,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    /// A rule, and the activity that set it off.
    Rule(usize, Option<usize>),
    /// A group's cap.
    Group(usize),
    Total,
    Floor,
}

impl<'a> Scorer<'a> {
    /// Looks through the activities once.
    pub fn new(definition: &'a Definition, values: &'a Context, history: &'a History) -> Self {
        let counted = definition.engagement.rules.iter().map(|rule| counted(rule, history)).collect();
        Self { definition, values, history, counted: Arc::new(counted) }
    }

    /// The same with other facts.
    #[must_use]
    pub fn with_values(&self, values: &'a Context) -> Self {
        Self { values, counted: self.counted.clone(), ..*self }
    }

    /// The level and the points of engagement.
    pub fn engagement(&self, now: Timestamp) -> (Level, f64) {
        let points = self.engagement_points(now);
        (self.definition.engagement.level(points), points)
    }

    /// The next moment after `now` at which anything changes that a condition asks for, if nothing happens any more;
    /// looks ahead to `until`.
    pub fn changes_at(&self, condition: &Condition, now: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let leaves = condition.calls().flat_map(|call| self.history.leaves(call, now)).min();
        let reads_points = condition.reads("engagement") || condition.reads("engagement_points");
        let falls = reads_points.then(|| {
            let points = self.engagement_points(now);
            // The levels' marks, and those that the condition names.
            let marks = self.definition.engagement.levels.into_iter().chain(condition.numbers());
            marks.filter(|mark| *mark <= points).filter_map(|mark| self.falls_below(mark, now, until)).min()
        });
        leaves.into_iter().chain(falls.flatten()).filter(|at| *at > now && *at <= until).min()
    }

    /// Both axes with their rows.
    pub fn score(&self, now: Timestamp) -> Score {
        let mut rows: Vec<Row> =
            self.fitting(now).map(|rule| Row { points: hundredths(rule.points), ..open_row(rule) }).collect();
        let points = bound(&mut rows, self.definition.fit.cap);
        let fit = Axis { points, band: self.definition.fit.grade(points), rows };
        if self.objects() {
            return Score { fit, engagement: objected(self.definition) };
        }
        let (lines, points) = self.lines(now);
        let rows = lines.into_iter().map(|line| self.row(line, now)).collect();
        let engagement = Axis { points, band: self.definition.engagement.level(points), rows };
        Score { fit, engagement }
    }

    /// The points of engagement: what [`score`](Self::score) says, without the rows.
    pub fn engagement_points(&self, now: Timestamp) -> f64 {
        if self.objects() { 0.0 } else { self.lines(now).1 }
    }

    /// Whether she objects to being profiled: then what she did counts for nothing.
    fn objects(&self) -> bool {
        self.values.get(PROFILING_OFF).and_then(serde_json::Value::as_bool).unwrap_or(false)
    }

    /// The grade and the points of fit.
    pub fn fit(&self, now: Timestamp) -> (Grade, f64) {
        let sum = hundredths(self.fitting(now).map(|rule| hundredths(rule.points)).sum());
        let points = hundredths(sum.min(self.definition.fit.cap).max(0.0));
        (self.definition.fit.grade(points), points)
    }

    /// The rules of fit that hold.
    pub fn fitting(&self, now: Timestamp) -> impl Iterator<Item = &'a FitRule> {
        let moment = self.moment(now);
        self.definition.fit.rules.iter().filter(move |rule| rule.condition.holds_at(&moment))
    }

    /// The rules of fit that would give points and do not: what is not known, or is otherwise.
    pub fn not_fitting(&self, now: Timestamp) -> Vec<Row> {
        let moment = self.moment(now);
        let open = |rule: &&FitRule| rule.points > 0.0 && !rule.condition.holds_at(&moment);
        self.definition.fit.rules.iter().filter(open).map(open_row).collect()
    }

    /// The rules of engagement that ever counted something up to `now`, or hold now.
    pub fn engaging(&self, now: Timestamp) -> impl Iterator<Item = &'a EngagementRule> {
        let moment = self.moment(now);
        let rules = self.definition.engagement.rules.iter().zip(self.counted.iter());
        rules
            .filter(move |(rule, counted)| match &rule.trigger {
                Trigger::On { .. } => counted.first().is_some_and(|first| first.at <= now),
                Trigger::When(condition) => condition.holds_at(&moment),
            })
            .map(|(rule, _)| rule)
    }

    /// The moments after `from` up to `to` between which the points only fall, in order: something happens that counts.
    /// What fades, or leaves its window, lowers them; where rules take points away it may also raise them, and then every
    /// day, and every moment at which such points leave, is one too.
    fn breaks(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let engagement = &self.definition.engagement;
        let mut breaks: Vec<Timestamp> = Vec::new();
        for (rule, counted) in engagement.rules.iter().zip(self.counted.iter()) {
            let first = counted.partition_point(|counted| counted.at <= from);
            let new = counted.iter().skip(first).map(|counted| counted.at).take_while(|at| *at <= to);
            breaks.extend(new);
            if rule.points < 0.0 {
                breaks.extend(counted.iter().map(|counted| counted.at.plus_ms(engagement.window_ms)));
            }
            if let Trigger::When(condition) = &rule.trigger {
                for call in condition.calls() {
                    let times = || self.history.of_kind(&call.kind).map(|(_, activity)| activity.at);
                    breaks.extend(times());
                    // A rule that waits for something not to happen gives its points when that leaves the window.
                    let window = call.window_ms.filter(|_| condition.may_come_to_hold());
                    breaks.extend(
                        window.into_iter().flat_map(|window| times().map(move |at| at.plus_ms(window))),
                    );
                }
            }
        }
        if engagement.rules.iter().any(|rule| rule.points < 0.0) {
            let days = to.since_ms(from).div_euclid(DAY_MS).clamp(0, MOST_DAYS);
            breaks.extend((1..=days).map(|day| from.plus_ms(day * DAY_MS)));
        }
        breaks.retain(|at| *at > from && *at <= to);
        breaks.sort_unstable();
        breaks.dedup();
        breaks
    }

    /// Since when the points have been below `least` without a break, if they are now; looks back to `from`.
    pub fn below_since(&self, least: f64, from: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let is_below = |at: Timestamp| self.engagement_points(at) < least;
        if !is_below(now) {
            return None;
        }
        let (mut end, mut since) = (now, now);
        let breaks = self.breaks(from, now);
        for begin in breaks.into_iter().rev().chain([from]) {
            if !is_below(end) {
                return Some(since);
            }
            if !is_below(begin) {
                return Some(first(begin, end, is_below));
            }
            (since, end) = (begin, begin.plus_ms(-1));
        }
        Some(since)
    }

    /// When the points fall below `least` if nothing happens any more; looks ahead to `until`.
    pub fn falls_below(&self, least: f64, now: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let is_below = |at: Timestamp| self.engagement_points(at) < least;
        let mut begin = now;
        for next in self.breaks(now, until).into_iter().chain([until.plus_ms(1)]) {
            if is_below(begin) {
                return Some(begin);
            }
            let end = next.plus_ms(-1);
            if is_below(end) {
                return Some(first(begin, end, is_below));
            }
            begin = next;
        }
        None
    }

    fn moment(&self, now: Timestamp) -> Moment<'a> {
        Moment {
            values: self.values,
            history: self.history,
            bands: None,
            since: None,
            counts_since: false,
            pretended: &[],
            now,
        }
    }

    fn lines(&self, now: Timestamp) -> (Vec<Line>, f64) {
        let engagement = &self.definition.engagement;
        let moment = self.moment(now);
        let mut lines: Vec<Line> = Vec::new();
        for (group, rules) in &engagement.order {
            let begin = lines.len();
            for index in rules {
                let Some(rule) = engagement.rules.get(*index) else { continue };
                match &rule.trigger {
                    Trigger::When(condition) if condition.holds_at(&moment) => lines.push(Line {
                        source: Source::Rule(*index, None),
                        full_points: rule.points,
                        points: hundredths(rule.points),
                    }),
                    Trigger::When(_) => {}
                    Trigger::On { .. } => self.count(*index, rule, now, &mut lines),
                }
            }
            if let Some(most) = engagement.groups.get(*group).map(|group| group.cap) {
                cap_lines(&mut lines, begin, Source::Group(*group), most);
            }
        }
        cap_lines(&mut lines, 0, Source::Total, engagement.cap);
        let sum = sum_lines(&lines);
        if sum < 0.0 {
            let points = hundredths(-sum);
            lines.push(Line { source: Source::Floor, full_points: points, points });
        }
        let points = sum_lines(&lines);
        (lines, points)
    }

    /// What a rule counts at `now`, newest first: where a limit bites, the newest count.
    fn count(&self, index: usize, rule: &EngagementRule, now: Timestamp, lines: &mut Vec<Line>) {
        let engagement = &self.definition.engagement;
        let half_life_ms = rule.half_life_ms.unwrap_or(engagement.half_life_ms);
        let window_from = now.plus_ms(-engagement.window_ms);
        let counted = self.counted.get(index).map_or(&[][..], Vec::as_slice);
        let known = counted.partition_point(|counted| counted.at <= now);
        let (mut day, mut in_day, mut total) = (None, 0, 0.0);
        for counted in counted.get(..known).unwrap_or_default().iter().rev() {
            if counted.at <= window_from {
                break;
            }
            if counted.again_at <= now {
                continue;
            }
            if let Some(most) = rule.max_per_day {
                let of = counted.at.0.div_euclid(DAY_MS);
                if day != Some(of) {
                    (day, in_day) = (Some(of), 0);
                }
                if in_day >= most {
                    continue;
                }
                in_day += 1;
            }
            if rule.max_total.is_some_and(|most| total + rule.points.abs() > most + 1e-9) {
                break;
            }
            total += rule.points.abs();
            lines.push(Line {
                source: Source::Rule(index, Some(counted.index)),
                full_points: rule.points,
                points: hundredths(rule.points * decay(now.since_ms(counted.at), half_life_ms)),
            });
        }
    }

    /// What the condition of a rule counted: the first and the last of it. Nothing if it holds because nothing happened.
    fn counted_by(&self, rule: usize, now: Timestamp) -> Option<(&Activity, &Activity)> {
        let Trigger::When(condition) = &self.definition.engagement.rules.get(rule)?.trigger else {
            return None;
        };
        let seen = || condition.calls().flat_map(|call| self.history.within(call, now));
        let order = |activity: &&Activity| (activity.at, activity.id);
        Some((seen().min_by_key(order)?, seen().max_by_key(order)?))
    }

    fn row(&self, line: Line, now: Timestamp) -> Row {
        let engagement = &self.definition.engagement;
        let (rule, label) = match line.source {
            Source::Rule(index, _) => engagement
                .rules
                .get(index)
                .map(|rule| (rule.id.clone(), rule.label.clone()))
                .unwrap_or_default(),
            Source::Group(index) => engagement
                .groups
                .get(index)
                .map(|group| (format!("cap.{}", group.id), group.label.clone()))
                .unwrap_or_default(),
            Source::Total => ("cap.total".to_owned(), most_words()),
            Source::Floor => ("floor".to_owned(), least_words()),
        };
        let (first, evidence) = match line.source {
            Source::Rule(_, Some(index)) => (None, self.history.at(index).map(Evidence::of)),
            Source::Rule(index, None) => match self.counted_by(index, now) {
                Some((first, last)) => {
                    ((first.id != last.id).then(|| Evidence::of(first)), Some(Evidence::of(last)))
                }
                None => (None, None),
            },
            Source::Group(_) | Source::Total | Source::Floor => (None, None),
        };
        let facts = Vec::new();
        Row { rule, label, full_points: line.full_points, points: line.points, evidence, first, facts }
    }
}

/// Longest stretch that is looked at day by day.
const MOST_DAYS: i64 = 1_000;

/// The first moment after `no` for which `is` holds: it holds for `yes`, and from some moment on.
fn first(no: Timestamp, yes: Timestamp, is: impl Fn(Timestamp) -> bool) -> Timestamp {
    let (mut no, mut yes) = (no, yes);
    while yes.since_ms(no) > 1 {
        let middle = no.plus_ms(yes.since_ms(no) / 2);
        if is(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}

/// The activities that a rule counts, each with when its subject comes again.
fn counted(rule: &EngagementRule, history: &History) -> Vec<Counted> {
    let Trigger::On { kind, condition } = &rule.trigger else { return Vec::new() };
    // Many activities are about the same thing: the same page again is not asked again.
    let mut known: HashMap<&str, bool> = HashMap::new();
    let of_subject = condition.as_ref().is_some_and(|condition| !condition.reads_details());
    let holds =
        |activity: &Activity| condition.as_ref().is_none_or(|condition| condition.holds_for(activity));
    let mut counted: Vec<Counted> = Vec::new();
    for (index, activity) in history.of_kind(kind) {
        let is_counted = match activity.subject.as_deref() {
            Some(subject) if of_subject => *known.entry(subject).or_insert_with(|| holds(activity)),
            _ => holds(activity),
        };
        if is_counted {
            counted.push(Counted { index, at: activity.at, again_at: Timestamp(i64::MAX) });
        }
    }
    if rule.once_per_subject {
        let mut next: HashMap<Option<&str>, Timestamp> = HashMap::new();
        for counted in counted.iter_mut().rev() {
            let subject = history.at(counted.index).and_then(|activity| activity.subject.as_deref());
            if let Some(again_at) = next.insert(subject, counted.at) {
                counted.again_at = again_at;
            }
        }
    }
    counted
}

fn sum_lines(lines: &[Line]) -> f64 {
    hundredths(lines.iter().map(|line| line.points).sum())
}

fn cap_lines(lines: &mut Vec<Line>, begin: usize, source: Source, most: f64) {
    let over = sum_lines(lines.get(begin..).unwrap_or_default()) - most;
    if over > 0.0 {
        let points = hundredths(-over);
        lines.push(Line { source, full_points: points, points });
    }
}

/// A rule of fit that gives nothing yet.
fn open_row(rule: &FitRule) -> Row {
    Row {
        rule: rule.id.clone(),
        label: rule.label.clone(),
        full_points: rule.points,
        points: 0.0,
        evidence: None,
        first: None,
        facts: Vec::new(),
    }
}
