//! What the company's own programs and people say that a contact did: a purchase, a complaint, a new interest, a follow.
//!
//! No page can say it, see [`kinds`]. Each event may carry an id of the teller's; told twice, it happened once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{Definition, Error, MEMORY_MS, Transition, evaluate, lock_name};
use crate::base::email::Email;
use crate::base::ids::{ActivityId, ContactId};
use crate::base::signing::sha256_hex;
use crate::base::time::{MINUTE_MS, Timestamp};
use crate::contacts;
use crate::scoring::kinds;
use crate::storage::db::{Db, Tx};

/// Longest id and subject, in characters.
const TEXT_MOST: usize = 200;
/// Largest details, as JSON.
const PROPS_MOST: usize = 4_096;
/// Longest list, in bytes.
pub const LIST_MOST: usize = 4 * 1024 * 1024;
/// Lines of a list in one transaction.
const LINES_AT_ONCE: usize = 200;
/// A teller's clock may be ahead by so much.
const AHEAD_MS: i64 = 5 * MINUTE_MS;

/// One event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// What happened, such as `purchase`.
    pub kind: String,
    /// The teller's own name of it: with the same one it is not told again.
    pub id: Option<String>,
    /// What it was about, such as the order's number.
    pub subject: Option<String>,
    /// Further details.
    pub props: Map<String, Json>,
    /// When it happened, if not now.
    pub at: Option<Timestamp>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The activity that it is.
    pub activity: ActivityId,
    /// Whether it was told before: then nothing new happened.
    pub is_repeated: bool,
    /// The moves that it led to.
    pub moves: Vec<Transition>,
}

/// Takes an event of a contact and runs the rules.
///
/// # Errors
/// [`Error::NoContact`], [`Error::EventInvalid`], [`Error::EventIdReused`], or as the store says.
pub async fn tell(
    tx: &mut Tx,
    definition: &Definition,
    contact: ContactId,
    by: &str,
    told: &Told,
    now: Timestamp,
) -> Result<Outcome, Error> {
    check(told, now)?;
    let contact = contacts::find(tx, contact).await?.ok_or(Error::NoContact)?.id;
    tx.lock(&lock_name(contact)).await?;
    let (activity, is_repeated) = note(tx, contact, by, told, now).await?;
    let moves = if is_repeated { Vec::new() } else { evaluate(tx, definition, contact, now).await? };
    Ok(Outcome { activity, is_repeated, moves })
}

/// Writes an event down without running the rules; also whether it was told before.
async fn note(
    tx: &mut Tx,
    contact: ContactId,
    by: &str,
    told: &Told,
    now: Timestamp,
) -> Result<(ActivityId, bool), Error> {
    let activity = told.id.as_deref().map_or_else(ActivityId::new, activity_of);
    let mut props = told.props.clone();
    props.insert("by".to_owned(), json!(by));
    let record = contacts::Told {
        id: activity,
        kind: &told.kind,
        subject: told.subject.as_deref(),
        props: &Json::Object(props),
        at: told.at.unwrap_or(now).min(now),
    };
    if !contacts::record_told(tx, contact, &record, now).await? {
        let (of, kind) = contacts::told_as(tx, activity).await?.unwrap_or_default();
        let of = match of {
            Some(of) => Some(contacts::survivor(tx, of).await?),
            None => None,
        };
        if of != Some(contact) || kind != told.kind {
            return Err(Error::EventIdReused(told.id.clone().unwrap_or_default()));
        }
        return Ok((activity, true));
    }
    Ok((activity, false))
}

fn check(told: &Told, now: Timestamp) -> Result<(), Error> {
    let invalid = |what: String| Err(Error::EventInvalid(what));
    if !kinds::may_program_tell(&told.kind) {
        return invalid(format!(
            "`{}` is no kind that can be told: a word of small letters, digits, `.`, `_` and `-` that is not ours",
            told.kind
        ));
    }
    for (name, text) in [("id", &told.id), ("subject", &told.subject)] {
        let is_plain = |text: &String| {
            !text.is_empty() && text.chars().count() <= TEXT_MOST && !text.contains(char::is_control)
        };
        if !text.as_ref().is_none_or(is_plain) {
            return invalid(format!("`{name}` must be a text of at most {TEXT_MOST} characters on one line"));
        }
    }
    if Json::Object(told.props.clone()).to_string().len() > PROPS_MOST {
        return invalid(format!("`props` must not be larger than {PROPS_MOST} bytes"));
    }
    match told.at {
        Some(at) if at > now.plus_ms(AHEAD_MS) => invalid("`at` lies in the future".to_owned()),
        Some(at) if at < now.plus_ms(-MEMORY_MS) => {
            invalid("`at` lies more than 400 days back, where no rule looks".to_owned())
        }
        Some(_) | None => Ok(()),
    }
}

/// The same id makes the same activity.
fn activity_of(id: &str) -> ActivityId {
    let digest = sha256_hex(format!("told {id}"));
    let number = u128::from_str_radix(digest.get(..32).unwrap_or_default(), 16).unwrap_or_default();
    ActivityId::from_uuid(uuid::Builder::from_u128(number).with_version(uuid::Version::Custom).into_uuid())
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The line of the file, from 1.
    pub line: u64,
    /// Of whom.
    pub email: Email,
    /// What.
    pub told: Told,
}

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// The line of the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What became of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Events that are new.
    pub added: usize,
    /// That were told before.
    pub known: usize,
    /// Lines that could not be used.
    pub unusable: Vec<Unusable>,
}

/// Reads `email,kind` and perhaps `at,subject,id` with a headline, in any order of columns; commas or semicolons between.
/// A line without an id is told by what it says: the same list again changes nothing.
///
/// # Errors
/// [`Error::ListUnreadable`].
pub fn read_list(bytes: &[u8]) -> Result<(Vec<Line>, Vec<Unusable>), Error> {
    let unreadable = |what: String| Error::ListUnreadable(what);
    if bytes.len() > LIST_MOST {
        return Err(unreadable(format!("the list is larger than {LIST_MOST} bytes")));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| unreadable("this is no text; export it as CSV in UTF-8".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let delimiter = if head.contains(';') && !head.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| unreadable(error.to_string()))?.clone();
    let column = |name: &str| headers.iter().position(|known| known.eq_ignore_ascii_case(name));
    let (Some(email), Some(kind)) = (column("email"), column("kind")) else {
        return Err(unreadable("the headline lacks email or kind".to_owned()));
    };
    let (at, subject, id) = (column("at"), column("subject"), column("id"));
    let (mut lines, mut unusable) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                unusable.push(Unusable { line, reason: error.to_string() });
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |place: Option<usize>| {
            place.and_then(|place| record.get(place)).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let read = || {
            let address = cell(Some(email)).unwrap_or_default();
            let email = Email::parse(&address).map_err(|_| format!("`{address}` is no e-mail address"))?;
            let at = cell(at)
                .map(|text| {
                    moment(&text)
                        .ok_or_else(|| format!("`{text}` is no moment: 2026-11-23 or 2026-11-23T09:00:00Z"))
                })
                .transpose()?;
            let kind = cell(Some(kind)).unwrap_or_default();
            let subject = cell(subject);
            let said = || {
                format!(
                    "{email} {kind} {} {}",
                    subject.as_deref().unwrap_or(""),
                    at.map_or(0, Timestamp::as_ms)
                )
            };
            let id = cell(id).unwrap_or_else(|| format!("list:{}", sha256_hex(said())));
            let told = Told { kind, id: Some(id), subject, at, props: Map::new() };
            Ok::<_, String>(Line { line, email, told })
        };
        match read() {
            Ok(line) => lines.push(line),
            Err(reason) => unusable.push(Unusable { line, reason }),
        }
    }
    Ok((lines, unusable))
}

/// A day (its beginning in UTC) or an instant.
pub fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_jiff(instant));
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    Some(Timestamp::from_jiff(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()))
}

/// Takes a list line by line: what is wrong with one holds up no other. Some lines at a time, so that whoever writes
/// meanwhile gets a turn; what was taken stays taken if a later part fails, and the same list again adds the rest.
///
/// # Errors
/// As the store says.
pub async fn import(
    db: &Db,
    definition: &Definition,
    lines: &[Line],
    unusable: Vec<Unusable>,
    now: Timestamp,
) -> Result<Imported, Error> {
    let mut done = Imported { unusable, ..Imported::default() };
    for part in lines.chunks(LINES_AT_ONCE) {
        let mut tx = db.begin().await?;
        take(&mut tx, definition, part, &mut done, now).await?;
        tx.commit().await?;
    }
    done.unusable.sort_by_key(|unusable| unusable.line);
    Ok(done)
}

/// Takes a part of a list in one transaction; the rules are asked once about each person in it.
async fn take(
    tx: &mut Tx,
    definition: &Definition,
    part: &[Line],
    done: &mut Imported,
    now: Timestamp,
) -> Result<(), Error> {
    let mut known: BTreeMap<&str, Option<ContactId>> = BTreeMap::new();
    for one in part {
        if let Entry::Vacant(place) = known.entry(one.email.as_str()) {
            place.insert(contacts::find_by_email(tx, &one.email).await?.map(|contact| contact.id));
        }
    }
    // Always in the same order: two lists at once do not wait for each other in a circle.
    let concerned: BTreeSet<ContactId> = known.values().copied().flatten().collect();
    for contact in concerned {
        tx.lock(&lock_name(contact)).await?;
    }
    let mut changed = BTreeSet::new();
    for one in part {
        let told = async {
            check(&one.told, now)?;
            let contact = known.get(one.email.as_str()).copied().flatten().ok_or(Error::NoContact)?;
            let (_, is_repeated) = note(tx, contact, "import", &one.told, now).await?;
            Ok::<_, Error>((contact, is_repeated))
        };
        match told.await {
            Ok((_, true)) => done.known += 1,
            Ok((contact, false)) => {
                done.added += 1;
                changed.insert(contact);
            }
            Err(error @ (Error::NoContact | Error::EventInvalid(_) | Error::EventIdReused(_))) => {
                done.unusable.push(Unusable { line: one.line, reason: error.to_string() });
            }
            Err(error) => return Err(error),
        }
    }
    for contact in changed {
        evaluate(tx, definition, contact, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_in_any_order_of_columns_and_its_mistakes_have_their_lines() {
        let list = "kind;E-mail;at\n".replace("E-mail", "email")
            + "purchase;ana@acme.example;2026-11-02\nsocial.followed;nobody;\npurchase;eva@acme.example;soon\n";
        let (lines, unusable) = read_list(list.as_bytes()).expect("a list");
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].told.kind.as_str(), lines[0].told.at), ("purchase", moment("2026-11-02")));
        assert_eq!(unusable.iter().map(|one| one.line).collect::<Vec<_>>(), [3, 4]);
        let (again, _) = read_list(list.as_bytes()).expect("a list");
        assert_eq!(lines[0].told.id, again[0].told.id, "the same line is the same event");
        assert!(matches!(read_list(b"a,b\n1,2\n"), Err(Error::ListUnreadable(_))));
        assert!(matches!(read_list(&[0xff, 0xfe]), Err(Error::ListUnreadable(_))));
    }

    #[test]
    fn the_same_id_makes_the_same_activity_and_another_another() {
        assert_eq!(activity_of("order-17"), activity_of("order-17"));
        assert_ne!(activity_of("order-17"), activity_of("order-18"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let now = Timestamp(1_800_000_000_000);
        let told = |change: &dyn Fn(&mut Told)| {
            let mut told = Told { kind: "purchase".to_owned(), ..Told::default() };
            change(&mut told);
            check(&told, now).is_ok()
        };
        assert!(told(&|_| {}));
        assert!(!told(&|told| told.kind = "booking.confirmed".to_owned()));
        assert!(!told(&|told| told.subject = Some("a\nb".to_owned())));
        assert!(!told(&|told| told.id = Some(String::new())));
        assert!(!told(&|told| told.at = Some(now.plus_ms(AHEAD_MS + 1))));
        assert!(told(&|told| told.at = Some(now.plus_ms(-MEMORY_MS))));
        assert!(!told(&|told| told.at = Some(now.plus_ms(-MEMORY_MS - 1))));
        assert!(!told(&|told| {
            told.props.insert("x".to_owned(), Json::from("x".repeat(PROPS_MOST)));
        }));
    }
}
