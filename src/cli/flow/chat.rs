//! `embudo flow chat`: talk to a flow in the terminal. What is typed is what a visitor types; words with a stroke
//! before them do what the widget, the clock or a colleague would do.

use std::io::{BufRead, IsTerminal, Write};

use crate::base::language::Language;
use crate::base::yaml;
use crate::chat::body::{Author, Body, Input as Shape, Said, Slot};
use crate::chat::engine::{Input, Out, Phase};
use crate::chat::flow::Flow;
use crate::chat::rehearsal::{Rehearsal, Scene, says};
use crate::chat::script;
use crate::chat::text::{Reader, when};

/// What can be said besides what a visitor says.
const HELP: &str = "\
  type an answer, or the number before it
  /person         ask for a person          /stop           want to be left alone
  /none           none of the times fits
  /wait 30m       let time pass             /watch 60       so much of the video is seen
  /event name     the page tells of an event of its own
  /accept         a colleague comes         /return /close /books   what she does then
  /online 1       so many of the team are there (/online 0: nobody)
  /fail /work     actions fail, or work again
  /language es    the visitor's language
  /back           take the last one back    /restart        begin again
  /where          where it stands, and what it knows
  /record         all of it as a test, to be pasted into a file of tests
  /quit
";
/// Characters of a line.
const WIDTH: usize = 76;

/// A conversation with the keyboard.
struct Talk<'f, 'o> {
    flow: &'f Flow,
    scene: Scene,
    start_at: Option<&'f str>,
    play: Rehearsal<'f>,
    /// How it stood before each thing that was said, and how long the record was.
    before: Vec<(Rehearsal<'f>, usize)>,
    /// What has happened, as lines of a test.
    record: Vec<String>,
    out: &'o mut dyn Write,
    has_colours: bool,
}

/// Talks until the flow ends, the input does, or somebody has had enough.
///
/// # Errors
/// If the terminal cannot be read or written.
pub fn run(flow: &Flow, scene: Scene, start_at: Option<&str>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let has_colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    talk(flow, scene, start_at, std::io::stdin().lock(), &mut out, has_colours)
}

fn talk(
    flow: &Flow,
    scene: Scene,
    start_at: Option<&str>,
    input: impl BufRead,
    out: &mut dyn Write,
    has_colours: bool,
) -> anyhow::Result<()> {
    writeln!(out, "{} ({}), {}. /help says what else can be done here.\n", flow.title, flow.id, scene.zone)?;
    let (play, events) = Rehearsal::open(flow, scene.clone(), start_at);
    let (before, record) = (Vec::new(), Vec::new());
    let mut talk = Talk { flow, scene, start_at, play, before, record, out, has_colours };
    talk.show(&events)?;
    let mut lines = input.lines();
    loop {
        if talk.play.state.phase == Phase::Ended {
            talk.dim("it is over: /back, /restart, /record or /quit")?;
        }
        write!(talk.out, "> ")?;
        talk.out.flush()?;
        let Some(line) = lines.next() else { return Ok(writeln!(talk.out)?) };
        let line = line?;
        let line = line.trim();
        if matches!(line, "/quit" | "/exit" | "/q") {
            return Ok(());
        }
        if !line.is_empty() {
            talk.hear(line)?;
        }
    }
}

impl<'f> Talk<'f, '_> {
    fn hear(&mut self, line: &str) -> anyhow::Result<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "/help" | "/?" => write!(self.out, "{HELP}")?,
            "/where" => self.position()?,
            "/record" => self.print_record()?,
            "/back" => match self.before.pop() {
                Some((play, length)) => {
                    self.play = play;
                    self.record.truncate(length);
                    self.dim("taken back")?;
                    self.again()?;
                }
                None => self.dim("there is nothing to take back")?,
            },
            "/restart" => {
                self.remember();
                let (play, events) = Rehearsal::open(self.flow, self.scene.clone(), self.start_at);
                self.play = play;
                self.record.clear();
                self.show(&events)?;
            }
            "/online" | "/fail" | "/work" | "/language" => self.change(word, rest)?,
            "/wait" => match yaml::duration_ms(rest) {
                Some(ms) => {
                    self.remember();
                    self.record.push(format!("- advance: {rest}"));
                    let events = self.play.advance(ms);
                    self.show(&events)?;
                }
                None => self.dim("how long? /wait 30m")?,
            },
            _ => self.say(word, rest, line)?,
        }
        Ok(())
    }

    /// The world changes.
    fn change(&mut self, word: &str, rest: &str) -> anyhow::Result<()> {
        self.remember();
        let told = match word {
            "/online" => {
                self.play.scene.online = rest.parse().unwrap_or(1);
                format!("online: {}", self.play.scene.online)
            }
            "/language" => {
                self.play.scene.language = Language::parse(rest);
                format!("language: {}", self.play.scene.language.code())
            }
            _ => {
                self.play.scene.actions_work = word == "/work";
                format!("actions_work: {}", self.play.scene.actions_work)
            }
        };
        self.dim(&told)?;
        self.record.push(format!("- scene: {{{told}}}"));
        Ok(())
    }

    /// Something that the flow hears.
    fn say(&mut self, word: &str, rest: &str, line: &str) -> anyhow::Result<()> {
        let question = self.play.open_question();
        let (input, record) = match word {
            "/person" => (Input::Said(Said::HumanRequested), "visitor: {person: true}".to_owned()),
            "/stop" => (Input::Said(Said::StopRequested), "visitor: {stop: true}".to_owned()),
            "/accept" => (Input::AgentAccepted { agent: Rehearsal::agent() }, "agent: accepts".to_owned()),
            "/return" => (Input::AgentReturned, "agent: returns".to_owned()),
            "/close" => (Input::AgentClosed, "agent: closes".to_owned()),
            "/books" => match self.play.booked_by_agent() {
                Some(booked) => (booked, "agent: books".to_owned()),
                None => return self.dim("there is no free time to book"),
            },
            "/none" => (
                Input::Said(Said::Slot { question, starts_at: None, none_fit: true }),
                "visitor: {none_fits: true}".to_owned(),
            ),
            "/watch" => {
                let recording = self.play.state.shown.values().next_back().cloned().unwrap_or_default();
                let percent = rest.trim_end_matches('%').parse().unwrap_or(100);
                (Input::Watched { recording, percent }, format!("watched: {percent}%"))
            }
            "/event" => {
                let name = rest.trim().to_owned();
                let record = format!("event: {}", quoted(&name));
                (Input::Event { name }, record)
            }
            _ if word.starts_with('/') => {
                return self.dim(&format!("{word} means nothing here; /help says what does"));
            }
            _ => match slot(&self.play, line) {
                Some((number, slot)) => (
                    Input::Said(Said::Slot { question, starts_at: Some(slot.starts_at), none_fit: false }),
                    format!("visitor: {{slot: {number}}}"),
                ),
                None => (says(line), format!("visitor: {}", quoted(line))),
            },
        };
        let mut next = self.play.clone();
        match next.play(&input) {
            Ok(events) => {
                self.remember();
                self.play = next;
                self.record.push(format!("- {record}"));
                self.show(&events)
            }
            Err(refused) => self.dim(&refused.to_string()),
        }
    }

    fn remember(&mut self) {
        self.before.push((self.play.clone(), self.record.len()));
    }

    fn dim(&mut self, text: &str) -> anyhow::Result<()> {
        match self.has_colours {
            true => writeln!(self.out, "  \x1b[2m{text}\x1b[0m")?,
            false => writeln!(self.out, "  ({text})")?,
        }
        Ok(())
    }

    fn words(&mut self, text: &str) -> anyhow::Result<()> {
        for line in wrapped(text) {
            writeln!(self.out, "  {line}")?;
        }
        Ok(())
    }

    /// Says the open question once more.
    fn again(&mut self) -> anyhow::Result<()> {
        let step = self.play.state.step.clone();
        match self.play.asked.clone() {
            Some((question, shape)) if question == self.play.open_question() => {
                self.dim(&format!("at {step}"))?;
                self.shape(&shape)
            }
            _ => self.dim(&format!("at {step}")),
        }
    }

    fn show(&mut self, events: &[Out]) -> anyhow::Result<()> {
        for event in events.iter().filter(|event| event.author != Author::Visitor) {
            match &event.body {
                Body::Text { text, .. } => {
                    self.record.push(format!("- bot: {}", quoted(text)));
                    self.words(text)?;
                }
                Body::Invalid { question, text } => {
                    self.record.push(format!("- bot: {{invalid: {question}}}"));
                    self.words(text)?;
                }
                Body::Ask { question, text, input, progress, .. } => {
                    self.record.push(format!("- bot: {{ask: {question}}}"));
                    self.words(text)?;
                    if let Some(progress) = progress {
                        self.dim(&format!("{} of {}", progress.step, progress.of))?;
                    }
                    self.shape(input)?;
                }
                other => {
                    match other {
                        Body::End { outcome } => self.record.push(format!("- bot: {{end: {outcome}}}")),
                        Body::Video(video) => {
                            self.record.push(format!("- bot: {{video: {}}}", video.recording));
                        }
                        Body::Booked(_) => self.record.push("- bot: {booked: true}".to_owned()),
                        Body::Status { mode, .. } => {
                            self.record.push(format!("- bot: {{mode: {}}}", mode.word()));
                        }
                        _ => {}
                    }
                    self.dim(&script::told(other))?;
                }
            }
        }
        Ok(())
    }

    /// What can be answered.
    fn shape(&mut self, shape: &Shape) -> anyhow::Result<()> {
        match shape {
            Shape::Choice { choices } => {
                for (number, choice) in choices.iter().enumerate() {
                    writeln!(self.out, "    {} {}", number.saturating_add(1), choice.label)?;
                }
            }
            Shape::Slot { slots, more, .. } => {
                let zone = crate::base::time::zone(&self.play.scene.zone);
                let language = self.play.scene.language;
                let reader = Reader { language, zone: zone.unwrap_or(jiff::tz::TimeZone::UTC) };
                for (number, slot) in slots.iter().enumerate() {
                    let time = when(slot.starts_at, &reader);
                    writeln!(self.out, "    {} {time}", number.saturating_add(1))?;
                }
                let more = if *more { "; there are more" } else { "" };
                self.dim(&format!("times in {}; /none if none of them fits{more}", self.play.scene.zone))?;
            }
            Shape::Email { .. } => self.dim("an e-mail address")?,
            Shape::Phone { .. } => self.dim("a phone number")?,
            Shape::Number { .. } => self.dim("a number")?,
            Shape::Url { .. } => self.dim("a web address, https://…")?,
            Shape::Date { range: true, .. } => self.dim("a first and a last day, 2026-12-24/2026-12-28")?,
            Shape::Date { .. } => self.dim("a day, 2026-12-24")?,
            Shape::Time { .. } => self.dim("a time, 14:30")?,
            Shape::Rating { max, .. } => self.dim(&format!("1 to {max}"))?,
            Shape::Code { .. } => {
                let told = format!("the code from the mail; here it is {}", self.play.scene.code);
                self.dim(&told)?;
            }
            Shape::Text { .. } => {}
        }
        Ok(())
    }

    fn position(&mut self) -> anyhow::Result<()> {
        let state = &self.play.state;
        let vars: Vec<String> = state.vars.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let mut told = vec![
            format!("at {} ({})", state.step, state.path.join(" → ")),
            format!("it is {}", self.play.scene.now),
        ];
        if let Some(at) = self.play.wake_at {
            told.push(format!("it wakes at {at}"));
        }
        if !vars.is_empty() {
            told.push(vars.join(", "));
        }
        told.iter().try_for_each(|line| self.dim(line))
    }

    fn print_record(&mut self) -> anyhow::Result<()> {
        writeln!(self.out, "  - test: what happened in the terminal")?;
        if let Some(step) = self.start_at {
            writeln!(self.out, "    start_at: {step}")?;
        }
        writeln!(self.out, "    script:")?;
        for line in &self.record {
            writeln!(self.out, "      {line}")?;
        }
        Ok(())
    }
}

fn slot(play: &Rehearsal<'_>, line: &str) -> Option<(usize, Slot)> {
    let number: usize = line.parse().ok()?;
    let is_asked = matches!(play.state.phase, Phase::Slots { .. });
    let slot = play.offered().get(number.checked_sub(1)?).copied().filter(|_| is_asked)?;
    Some((number, slot))
}

/// A text in quotes, as YAML reads it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { continue };
        let length = line.chars().count().saturating_add(word.chars().count());
        if line.is_empty() {
            line.push_str(word);
        } else if length < WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::time::Timestamp;
    use crate::chat::Flows;
    use crate::chat::check::Known;

    fn said(lines: &[&str]) -> String {
        let text = include_str!("../../../bot-flows/welcome.yaml");
        let message = include_str!("../../../bot-flows/leave-message.yaml");
        said_to(&[("welcome.yaml", text), ("leave-message.yaml", message)], "welcome", lines)
    }

    fn said_to(files: &[(&str, &str)], flow: &str, lines: &[&str]) -> String {
        let report = Report::new();
        let files: Vec<(String, String)> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let flows = Flows::read(&files, &Known::default(), &report);
        let flows = flows.unwrap_or_else(|| panic!("{}", report.text()));
        let flow = flows.find(flow).expect("a flow");
        let now = Scene::default().now;
        let scene = Scene { slots: vec![Timestamp(now.0 + 86_400_000)], ..Scene::default() };
        let mut out = Vec::new();
        let input = lines.join("\n");
        talk(flow, scene, None, input.as_bytes(), &mut out, false).expect("written to memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_call_is_booked_by_typing_numbers() {
        let told = said(&["2", "ana", "ana@example.com", "1"]);
        assert!(told.contains("2 Book a call"), "{told}");
        assert!(told.contains("(an e-mail address)"), "{told}");
        assert!(told.contains("does not look like an e-mail address"), "{told}");
        assert!(told.contains("times in Europe/Madrid"), "{told}");
        assert!(told.contains("(the end (booked))"), "{told}");
    }

    #[test]
    fn a_step_can_be_taken_back_and_the_record_is_a_test() {
        let told = said(&["3", "/back", "2", "/record"]);
        let record = &told[told.find("- test:").expect("a record")..];
        assert!(!record.contains("visitor: \"3\""), "{record}");
        assert!(record.contains("- visitor: \"2\"\n      - bot: {ask: pick_slot.email}"), "{record}");
    }

    #[test]
    fn time_and_colleagues_do_as_they_are_told() {
        let told = said(&["/online 1", "/person", "/wait 90s", "/where", "/nonsense"]);
        assert!(told.contains("One moment"), "{told}");
        assert!(told.contains("Nobody can join us"), "{told}");
        assert!(told.contains("at away ("), "{told}");
        assert!(told.contains("/nonsense means nothing here"), "{told}");
    }

    #[test]
    fn every_kind_of_question_can_be_answered() {
        let files = [
            ("tour.yaml", include_str!("../../../tests/it/fixtures/flows/tour.yaml")),
            ("details.yaml", include_str!("../../../tests/it/fixtures/flows/details.yaml")),
        ];
        let answers = [
            "ana@example.com",
            "123456",
            "https://faro.example",
            "2026-03-10",
            "10:30",
            "2026-03-10/2026-03-12",
            "20",
            "4",
            "2",
            "/where",
            "/stop",
        ];
        let told = said_to(&files, "tour", &answers);
        for hint in [
            "(the picture",
            "(the file /guides/reading.pdf)",
            "(the card \"A card\")",
            "(the code from the mail; here it is 123456)",
            "(a web address, https://…)",
            "(a day, 2026-12-24)",
            "(a time, 14:30)",
            "(a first and a last day, 2026-12-24/2026-12-28)",
            "(a number)",
            "(1 to 5)",
            "2 Steel",
            "shelf = \"steel\"",
            "I leave you alone.",
        ] {
            assert!(told.contains(hint), "{hint}: {told}");
        }
    }
}
