//! `book`: offers free times and books the one that is picked. Asks for an e-mail address first where none is known. Whoever
//! finds nothing can have herself written to when a time is free (`waiting_list: true`).

use crate::base::time::Timestamp;
use crate::base::yaml::{Map, Spanned, View};

use super::{name, unread, words};
use crate::chat::body::{self, Body, Said, Slot};
use crate::chat::effects::Effect;
use crate::chat::engine::{After, Input, Phase, Refused, Run};
use crate::chat::flow::{Load, Outcome, Step, Words};
use crate::chat::phrases::Phrase;

/// How many times as many slots are shown to somebody who wants other ones.
const MANY: usize = 8;

#[derive(Clone, Debug)]
pub struct Book {
    pub meeting: Spanned<String>,
    pub within_ms: i64,
    pub offer: usize,
    /// Whether somebody for whom nothing is free, or nothing fits, is offered the list of those who wait.
    pub waiting_list: bool,
    pub ask: Words,
}

/// The answers to whether she wants to wait, by their ids.
const YES: &str = "yes";
const NO: &str = "no";

impl Book {
    pub fn read<'a>(id: &str, map: &mut Map<'a>, load: &mut Load<'a>) -> Book {
        let (mut meeting, mut within_ms, mut offer, mut waiting_list) = (unread(map.at), None, None, None);
        if let Some(mut book) = map.required("book").and_then(View::map) {
            meeting = name("meeting", &mut book);
            within_ms = book.optional("within").and_then(View::duration_ms);
            offer = book.optional("offer").and_then(|v| {
                v.parsed("a number from 1 to 12", |t| t.parse().ok().filter(|n| (1..=12).contains(n)))
            });
            waiting_list = book.optional("waiting_list").and_then(View::bool);
            book.finish();
        }
        Book {
            meeting,
            within_ms: within_ms.unwrap_or(10 * 86_400_000),
            offer: offer.unwrap_or(3),
            waiting_list: waiting_list.unwrap_or(false),
            ask: words(id, "ask", map, load),
        }
    }

    pub fn enter(&self, step: &Step, run: &mut Run<'_>) -> After {
        if run.has_email() {
            return self.load(None, self.offer, run);
        }
        run.state.phase = Phase::Email;
        run.patience(step);
        run.bot(Body::Ask {
            question: email_question(step),
            text: Phrase::WhichEmail.text(run.world.reader.language).to_owned(),
            input: body::Input::Email { placeholder: None },
            progress: None,
            typing_ms: None,
        });
        After::Stay
    }

    /// Asks for free times: the first ones, or those after the last that was offered.
    fn load(&self, after: Option<Timestamp>, offer: usize, run: &mut Run<'_>) -> After {
        run.state.phase = Phase::Answer;
        run.state.deadline = None;
        let meeting = self.meeting.value.clone();
        run.effects.push(Effect::OfferSlots { meeting, after, within_ms: self.within_ms, offer });
        After::Stay
    }

    fn offer(&self, step: &Step, text: String, slots: Vec<Slot>, more: bool, run: &mut Run<'_>) -> After {
        run.state.phase = Phase::Slots { last: slots.last().map(|slot| slot.starts_at), more };
        run.patience(step);
        let zone = run.world.zone.clone();
        let input = body::Input::Slot { meeting: self.meeting.value.clone(), slots, zone, more };
        run.bot(Body::Ask { question: step.id.clone(), text, input, progress: None, typing_ms: None });
        After::Stay
    }

    pub fn hear(&self, step: &Step, input: &Input, run: &mut Run<'_>) -> Result<After, Refused> {
        let language = run.world.reader.language;
        match (run.state.phase.clone(), input) {
            (_, Input::Tick) => Ok(After::Outcome(Outcome::Timeout)),
            (_, Input::Watched { .. }) => Ok(After::Stay),
            (Phase::Email, Input::Said(said)) => {
                let question = email_question(step);
                run.for_question(said, &question)?;
                Ok(self.hear_email(step, &question, said, run))
            }
            (Phase::Answer, Input::Slots { slots, more }) if !slots.is_empty() => {
                let text = run.render(&self.ask);
                Ok(self.offer(step, text, slots.clone(), *more, run))
            }
            (Phase::Answer, Input::Slots { .. } | Input::NoSlots) => {
                let looked = run.state.looked_on;
                Ok(self.nothing(step, looked, run))
            }
            // She is on the list, or could not be put there: the flow goes on as it would have.
            (Phase::Waitlist { looked }, Input::Done) => {
                run.phrase(Phrase::WillTell);
                Ok(After::Outcome(without_time(looked)))
            }
            (Phase::Waitlist { looked }, Input::Failed) => Ok(After::Outcome(without_time(looked))),
            (Phase::Waitlist { looked }, Input::Said(said)) => self.hear_wish(step, looked, said, run),
            (Phase::Answer, Input::SlotTaken { alternatives } | Input::NotBooked { alternatives }) => {
                if alternatives.is_empty() {
                    return Ok(After::Outcome(Outcome::Unavailable));
                }
                let taken = matches!(input, Input::SlotTaken { .. });
                let phrase = if taken { Phrase::SlotTaken } else { Phrase::NotBooked };
                Ok(self.offer(step, phrase.text(language).to_owned(), alternatives.clone(), true, run))
            }
            (Phase::Answer, Input::Booked(booked)) => {
                run.booked(booked);
                Ok(After::Outcome(Outcome::Booked))
            }
            (Phase::Slots { last, more }, Input::Said(Said::Slot { question, starts_at, none_fit })) => {
                if *question != step.id {
                    return Err(Refused::QuestionOver);
                }
                match (starts_at, none_fit) {
                    (Some(starts_at), false) => {
                        run.visitor(picked(step, Some(*starts_at), run));
                        run.state.phase = Phase::Answer;
                        run.state.deadline = None;
                        run.state.visit = run.state.visit.saturating_add(1);
                        let key = run.key(step);
                        let meeting = self.meeting.value.clone();
                        run.effects.push(Effect::Book { meeting, starts_at: *starts_at, key });
                        Ok(After::Stay)
                    }
                    _ => {
                        run.visitor(picked(step, None, run));
                        if !more {
                            return Ok(self.nothing(step, true, run));
                        }
                        // “Other times” is answered with many at once, to choose a day from.
                        run.state.looked_on = true;
                        Ok(self.load(last, self.offer.saturating_mul(MANY), run))
                    }
                }
            }
            (Phase::Slots { .. }, Input::Said(said)) => {
                run.for_question(said, &step.id)?;
                run.echo(said)?;
                run.overheard(said);
                run.state.retries = run.state.retries.saturating_add(1);
                if run.state.retries > run.flow.retries(step) {
                    return Ok(After::Outcome(Outcome::NoneFit));
                }
                let text = Phrase::PickASlot.text(language).to_owned();
                run.bot(Body::Invalid { question: step.id.clone(), text });
                run.patience(step);
                Ok(After::Stay)
            }
            _ => Err(Refused::NotNow),
        }
    }

    /// Nothing is free, or (`looked`) nothing of it fits: she is asked whether she wants to be told, where the flow says so.
    fn nothing(&self, step: &Step, looked: bool, run: &mut Run<'_>) -> After {
        if !self.waiting_list || !run.has_email() {
            return After::Outcome(without_time(looked));
        }
        run.state.phase = Phase::Waitlist { looked };
        run.state.retries = 0;
        run.patience(step);
        let language = run.world.reader.language;
        let phrase = if looked { Phrase::WaitForOther } else { Phrase::WaitForAny };
        let choice = |id: &str, phrase: Phrase| body::Choice {
            id: id.to_owned(),
            label: phrase.text(language).to_owned(),
            image: None,
            alt: None,
        };
        let choices = vec![choice(YES, Phrase::WaitYes), choice(NO, Phrase::WaitNo)];
        run.bot(Body::Ask {
            question: wish_question(step),
            text: phrase.text(language).to_owned(),
            input: body::Input::Choice { choices },
            progress: None,
            typing_ms: None,
        });
        After::Stay
    }

    /// Whether she wants to wait; typed words that are no answer are kept for whoever reads them.
    fn hear_wish(&self, step: &Step, looked: bool, said: &Said, run: &mut Run<'_>) -> Result<After, Refused> {
        let question = wish_question(step);
        run.for_question(said, &question)?;
        let language = run.world.reader.language;
        let is = |word: &str, id: &str, number: &str, phrase: Phrase| {
            let word = word.trim().to_lowercase();
            word == id || word == number || word == phrase.text(language).to_lowercase()
        };
        let wants = match said {
            Said::Choice { choice: word, .. }
            | Said::Text { text: word }
            | Said::Answer { value: word, .. } => match word {
                word if is(word, YES, "1", Phrase::WaitYes) => Some(true),
                word if is(word, NO, "2", Phrase::WaitNo) => Some(false),
                _ if matches!(said, Said::Choice { .. }) => return Err(Refused::QuestionOver),
                _ => None,
            },
            Said::Slot { .. } | Said::HumanRequested | Said::StopRequested => None,
        };
        let Some(wants) = wants else {
            run.echo(said)?;
            run.overheard(said);
            run.state.retries = run.state.retries.saturating_add(1);
            if run.state.retries > run.flow.retries(step) {
                return Ok(After::Outcome(without_time(looked)));
            }
            let text = Phrase::PickOne.text(language).to_owned();
            run.bot(Body::Invalid { question, text });
            run.patience(step);
            return Ok(After::Stay);
        };
        let (id, phrase) = if wants { (YES, Phrase::WaitYes) } else { (NO, Phrase::WaitNo) };
        let label = phrase.text(language).to_owned();
        run.visitor(Body::Choice { question, choice: id.to_owned(), label });
        if !wants {
            return Ok(After::Outcome(without_time(looked)));
        }
        run.state.deadline = None;
        run.effects.push(Effect::WaitForTime { meeting: self.meeting.value.clone(), looked });
        Ok(After::Stay)
    }

    fn hear_email(&self, step: &Step, question: &str, said: &Said, run: &mut Run<'_>) -> After {
        let typed = match said {
            Said::Text { text } => text,
            Said::Answer { value, .. } => value,
            Said::Choice { .. } | Said::Slot { .. } | Said::HumanRequested | Said::StopRequested => "",
        };
        match crate::base::email::Email::parse(typed.trim()) {
            Ok(email) => {
                run.visitor(Body::Answer { question: question.to_owned(), text: typed.trim().to_owned() });
                run.identify(email.as_str());
                self.load(None, self.offer, run)
            }
            Err(_) => {
                run.visitor(Body::Answer { question: question.to_owned(), text: typed.trim().to_owned() });
                run.state.retries = run.state.retries.saturating_add(1);
                if run.state.retries > run.flow.retries(step) {
                    return After::Outcome(Outcome::NoneFit);
                }
                let text = Phrase::NotAnEmail.text(run.world.reader.language).to_owned();
                run.bot(Body::Invalid { question: question.to_owned(), text });
                run.patience(step);
                After::Stay
            }
        }
    }
}

/// How the step ends where no time was found: none that fits, or none at all.
fn without_time(looked: bool) -> Outcome {
    if looked { Outcome::NoneFit } else { Outcome::Unavailable }
}

fn wish_question(step: &Step) -> String {
    format!("{}.wait", step.id)
}

fn email_question(step: &Step) -> String {
    format!("{}.email", step.id)
}

fn picked(step: &Step, starts_at: Option<Timestamp>, run: &Run<'_>) -> Body {
    let zone = starts_at.map(|_| run.world.zone.clone());
    Body::Slot { question: step.id.clone(), starts_at, none_fit: starts_at.is_none(), zone }
}
