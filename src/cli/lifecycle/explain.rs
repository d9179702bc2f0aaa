//! An explanation as a page of text.

use std::fmt::Write as _;

use super::Paint;
use crate::base::language::Language;
use crate::scoring::known::Whose;
use crate::scoring::{Known, Row};
use crate::stages::Explanation;

/// The explanation as a page of text.
pub(super) fn text(explanation: &Explanation, language: Language, paint: Paint) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write_text(&mut out, explanation, language, paint);
    out
}

fn write_text(
    out: &mut String,
    explanation: &Explanation,
    language: Language,
    paint: Paint,
) -> std::fmt::Result {
    let stage = &explanation.stage;
    let version = stage.version.map_or_else(|| "?".to_owned(), |version| version.to_string());
    let hash = stage.hash.get(..8).unwrap_or(&stage.hash);
    writeln!(out, "{}", paint.bold(&explanation.email))?;
    let label = paint.good(stage.label.get(language));
    writeln!(out, "{label} since {}  {}", stage.since, paint.faint(&format!("owner {}", stage.owner)))?;
    writeln!(out, "  because {} ({})", stage.rule_label.get(language), stage.rule)?;
    if !stage.grounds.condition.is_empty() {
        writeln!(out, "  {}", paint.faint(&stage.grounds.condition))?;
    }
    for evidence in &stage.grounds.activities {
        let subject = evidence.subject.as_deref().unwrap_or_default();
        writeln!(out, "  {}  {} {subject}", evidence.at, evidence.kind)?;
    }
    if let Some((grade, points)) = &stage.grounds.fit {
        writeln!(out, "  fit was {grade} ({points})")?;
    }
    if let Some((level, points)) = &stage.grounds.engagement {
        writeln!(out, "  engagement was {level} ({points})")?;
    }
    if let Some(reason) = &stage.reason {
        writeln!(out, "  reason: {reason}")?;
    }
    writeln!(out, "  by {}, lifecycle version {version} ({hash})", stage.actor)?;
    if let Some(disqualified) = &explanation.disqualified {
        let why = format!("disqualified: {} ({})", disqualified.reason, disqualified.rule);
        writeln!(out, "{}", paint.bold(&why))?;
        writeln!(out, "  {}. No rule moves this contact forward.", disqualified.label.get(language))?;
    }
    if let Some(deadline) = &explanation.deadline {
        let state = match (deadline.answered_at, deadline.is_breached) {
            (Some(at), false) => format!("answered {at}"),
            (Some(at), true) => format!("answered too late, {at}"),
            (None, false) => "nobody has answered yet".to_owned(),
            (None, true) => "nobody has answered, and the time is over".to_owned(),
        };
        writeln!(out, "  first response by {}: {state}", deadline.due_at)?;
    }
    if let Some(at) = explanation.cools_down_at {
        writeln!(out, "  leaves the stage on {at} unless something happens")?;
    }
    if let Some(standing) = &explanation.post_sale {
        let label = paint.good(standing.label.get(language));
        writeln!(
            out,
            "{label} since {}  {}",
            standing.since,
            paint.faint(&format!("owner {}", standing.owner))
        )?;
        writeln!(out, "  because {} ({})", standing.rule_label.get(language), standing.rule)?;
        if let Some(reason) = &standing.reason {
            writeln!(out, "  reason: {reason}")?;
        }
        if let Some(attempts) = standing.attempts {
            writeln!(out, "  {attempts} attempts to win back")?;
        }
    }
    if !explanation.later_fields.is_empty() {
        let fields = explanation.later_fields.join(", ");
        writeln!(out, "  {}", paint.faint(&format!("written only later, and unknown here: {fields}")))?;
    }

    let fit = &explanation.score.fit;
    writeln!(out, "\n{}", paint.bold(&format!("Fit {} ({} points)", fit.band.letter(), fit.points)))?;
    rows(out, &fit.rows, language, paint)?;
    for row in &explanation.fit_missing {
        let (label, rule) = (row.label.get(language), paint.faint(&row.rule));
        writeln!(
            out,
            "  {:>8}  {label} {rule} {}",
            "–",
            paint.faint(&format!("would give {}", row.full_points))
        )?;
        facts(out, &row.facts, paint)?;
    }
    let engagement = &explanation.score.engagement;
    let title = format!("Engagement {} ({} points)", engagement.band.0, engagement.points);
    writeln!(out, "\n{}", paint.bold(&title))?;
    rows(out, &engagement.rows, language, paint)?;

    if let Some(next) = &explanation.next {
        writeln!(out, "\n{}", paint.bold(&format!("For {}", next.label.get(language))))?;
        for miss in &next.misses {
            let needs: Vec<String> =
                miss.needs.iter().map(|need| need.words().get(language).to_owned()).collect();
            let needs = if needs.is_empty() { "nothing near".to_owned() } else { needs.join(" and ") };
            writeln!(out, "  {} {}: {needs}", miss.label.get(language), paint.faint(&miss.rule))?;
            facts(out, &miss.facts, paint)?;
        }
    }

    writeln!(out, "\n{}", paint.bold("History"))?;
    for passage in &explanation.history {
        let journey =
            if passage.journey > 1 { format!(" (journey {})", passage.journey) } else { String::new() };
        let rule = paint.faint(&passage.rule);
        writeln!(out, "  {}  {}{journey} {rule}", passage.since, passage.label.get(language))?;
    }
    Ok(())
}

fn rows(out: &mut String, rows: &[Row], language: Language, paint: Paint) -> std::fmt::Result {
    if rows.is_empty() {
        writeln!(out, "  {}", paint.faint("no rule counts"))?;
    }
    for row in rows {
        let what = match &row.evidence {
            Some(evidence) => {
                let subject = evidence.subject.as_deref().unwrap_or_default();
                format!("{}  {subject}", evidence.at)
            }
            None => String::new(),
        };
        let faded = match row.points == row.full_points {
            true => String::new(),
            false => format!(" of {}", row.full_points),
        };
        let label = row.label.get(language);
        let (rule, what) = (paint.faint(&row.rule), paint.faint(&what));
        writeln!(out, "  {:>8.2}{faded}  {label} {rule} {what}", row.points)?;
        facts(out, &row.facts, paint)?;
    }
    Ok(())
}

/// What a rule has read, and who said it.
fn facts(out: &mut String, facts: &[Known], paint: Paint) -> std::fmt::Result {
    for known in facts {
        let value = if known.value.is_empty() { "not known" } else { known.value.as_str() };
        let whose = match known.of {
            Whose::Nobody | Whose::Person => "",
            Whose::Company => "of the company",
            Whose::Address => "read from the address",
            Whose::Visit => "seen at a visit",
            Whose::Deals => "by what was sold",
        };
        let said = match (&known.source, known.trust, known.at) {
            (Some(source), Some(trust), Some(at)) => format!("said by {source}, {}, {at}", trust.word()),
            _ => String::new(),
        };
        let parts: Vec<&str> = [whose, said.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
        let line = format!("{} = {value}  {}", known.field, parts.join(", "));
        writeln!(out, "            {}", paint.faint(line.trim_end()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::ContactId;
    use crate::base::localized::Localized;
    use crate::base::time::Timestamp;
    use crate::base::trust::Trust;
    use crate::scoring::{Axis, Grade, Level, Score};
    use crate::stages::explain::Passage;
    use crate::stages::{Grounds, Miss, Need};

    fn explanation() -> Explanation {
        let stage = Passage {
            id: "mql".to_owned(),
            label: Localized::new("Marketing-qualified lead", "Lead cualificado por marketing"),
            owner: "marketing".to_owned(),
            since: Timestamp(1_800_000_000_000),
            until: None,
            journey: 1,
            rule: "mql.webinar".to_owned(),
            rule_label: Localized::new("Registered for a webinar", "Se inscribió a un webinar"),
            actor: "rule".to_owned(),
            reason: None,
            engagement: None,
            grounds: Grounds::default(),
            version: Some(1),
            hash: "0123456789abcdef".to_owned(),
        };
        let row = Row {
            rule: "eng.registered".to_owned(),
            label: Localized::new("Registered", "Inscrita"),
            full_points: 20.0,
            points: 14.14,
            evidence: None,
            first: None,
            facts: Vec::new(),
        };
        let fits = Row {
            rule: "fit.size".to_owned(),
            label: Localized::new("50 to 5000 employees", "De 50 a 5000 empleados"),
            full_points: 25.0,
            points: 25.0,
            evidence: None,
            first: None,
            facts: vec![Known {
                field: "contact.employees".to_owned(),
                value: "60".to_owned(),
                of: Whose::Company,
                source: Some("form".to_owned()),
                trust: Some(Trust::Claimed),
                at: Some(Timestamp(1_800_000_000_000)),
            }],
        };
        Explanation {
            contact: ContactId::new(),
            email: "nikki@acme.example".to_owned(),
            at: Timestamp(1_800_000_000_000),
            history: vec![stage.clone()],
            stage,
            score: Score {
                fit: Axis { points: 25.0, band: Grade::C, rows: vec![fits] },
                engagement: Axis { points: 14.14, band: Level(4), rows: vec![row] },
            },
            fit_missing: vec![Row {
                rule: "fit.industry".to_owned(),
                label: Localized::new("Industry we know well", "Sector que conocemos bien"),
                full_points: 15.0,
                points: 0.0,
                evidence: None,
                first: None,
                facts: vec![Known {
                    field: "contact.industry".to_owned(),
                    value: String::new(),
                    of: Whose::Nobody,
                    source: None,
                    trust: None,
                    at: None,
                }],
            }],
            next: Some(crate::stages::explain::NextStage {
                id: "sql".to_owned(),
                label: Localized::new("SQL", "SQL"),
                misses: vec![Miss {
                    facts: Vec::new(),
                    rule: "sql.booked".to_owned(),
                    label: Localized::new("Booked a call", "Reservó una llamada"),
                    condition: String::new(),
                    needs: vec![Need::Event { kind: "booking.confirmed".to_owned() }],
                }],
            }),
            reads: Default::default(),
            offers: Vec::new(),
            disqualified: None,
            cools_down_at: None,
            deadline: None,
            post_sale: None,
            later_fields: Vec::new(),
        }
    }

    #[test]
    fn colours_are_for_terminals_only() {
        let plain = text(&explanation(), Language::En, Paint { is_on: false });
        assert!(!plain.contains('\u{1b}'));
        assert!(text(&explanation(), Language::En, Paint { is_on: true }).contains("\u{1b}[1m"));
    }

    #[test]
    fn the_page_names_rule_rows_and_what_is_missing_in_the_readers_language() {
        let english = text(&explanation(), Language::En, Paint { is_on: false });
        for part in [
            "because Registered for a webinar (mql.webinar)",
            "14.14 of 20",
            "Booked a call sql.booked: a call is booked",
            "contact.employees = 60  of the company, said by form, claimed, ",
            "Industry we know well fit.industry would give 15",
            "contact.industry = not known",
        ] {
            assert!(english.contains(part), "{part}\n{english}");
        }
        assert!(
            text(&explanation(), Language::Es, Paint { is_on: false })
                .contains("Lead cualificado por marketing")
        );
    }
}
