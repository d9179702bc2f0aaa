//! Lists of contacts that somebody of the company brings: read, looked through, then taken over line by line.
//!
//! What people said themselves counts more than what a list says of them: where another value is known that no list brought,
//! the list's waits as a suggestion. Taking the same list twice changes nothing the second time. A list gives nobody letters:
//! a consent is written into the ledger only with its date and where it comes from, and letters go to whoever confirmed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Consent, ConsentEntry, Field, Identification, Trust, marks, note_consent, of_address, set_field, store,
};
use crate::base::coded::Coded;
use crate::base::email::Email;
use crate::base::fold;
use crate::base::ids::{AccountId, ImportId};
use crate::base::language::Language;
use crate::base::time::{DAY_MS, Timestamp};
use crate::storage;
use crate::storage::db::{Db, Queries, Tx};

pub use store::imports::{find, latest, lines, refused};

/// Larger lists are refused.
pub const MOST_BYTES: usize = 6 * 1024 * 1024;
/// Longer lists are refused.
pub const MOST_LINES: usize = 50_000;
/// Columns beyond these are not read.
const MOST_COLUMNS: usize = 40;
/// Longest cell that is taken, in characters.
const CELL_MOST: usize = 500;
/// Lines that one turn takes over.
const IN_A_TURN: i64 = 200;
/// Refused lines are kept so long, to be put right.
const KEPT_MS: i64 = 7 * DAY_MS;
/// Where the facts come from.
const SOURCE: &str = "import";

/// What a column can be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Email,
    FirstName,
    LastName,
    Company,
    JobTitle,
    Phone,
    Country,
    Language,
    Consent,
    ConsentSource,
    ConsentAt,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Email,
        Self::FirstName,
        Self::LastName,
        Self::Company,
        Self::JobTitle,
        Self::Phone,
        Self::Country,
        Self::Language,
        Self::Consent,
        Self::ConsentSource,
        Self::ConsentAt,
    ];

    /// The word in forms, and the name of the fact.
    pub fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Company => "company",
            Self::JobTitle => "job_title",
            Self::Phone => "phone",
            Self::Country => "country",
            Self::Language => "language",
            Self::Consent => "consent",
            Self::ConsentSource => "consent_source",
            Self::ConsentAt => "consent_at",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.word() == word)
    }

    fn is_fact(self) -> bool {
        !matches!(self, Self::Email | Self::Consent | Self::ConsentSource | Self::ConsentAt)
    }

    /// What a column with this head is probably meant for.
    fn guessed(head: &str) -> Option<Self> {
        let head = fold::words(head).join(" ");
        Some(match head.as_str() {
            "email" | "e mail" | "mail" | "email address" | "correo" | "correo electronico" => Self::Email,
            "first name" | "firstname" | "given name" | "nombre" => Self::FirstName,
            "last name" | "lastname" | "surname" | "family name" | "apellido" | "apellidos" => Self::LastName,
            "company" | "company name" | "organization" | "empresa" => Self::Company,
            "job title" | "title" | "position" | "puesto" | "cargo" => Self::JobTitle,
            "phone" | "telephone" | "phone number" | "mobile" | "telefono" | "movil" => Self::Phone,
            "country" | "country code" | "pais" => Self::Country,
            "language" | "idioma" => Self::Language,
            "consent" | "consentimiento" => Self::Consent,
            "consent source" | "origen del consentimiento" => Self::ConsentSource,
            "consent at" | "consent date" | "fecha del consentimiento" => Self::ConsentAt,
            _ => return None,
        })
    }
}

/// What each column is taken for, in the order of the columns.
pub type Mapping = Vec<Option<Target>>;

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Somebody looks through it.
    Draft,
    Running,
    Done,
    Stopped,
}

impl State {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Draft, Self::Running, Self::Done, Self::Stopped].into_iter().find(|state| state.word() == word)
    }
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub id: ImportId,
    pub account: AccountId,
    /// What the list is called.
    pub name: String,
    /// The cells of its head.
    pub head: Vec<String>,
    pub mapping: Mapping,
    pub state: State,
    pub total: i64,
    pub made: i64,
    pub changed: i64,
    pub same: i64,
    pub refused: i64,
    pub created_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

impl Import {
    /// Lines that were taken or refused.
    pub fn looked_at(&self) -> i64 {
        self.made + self.changed + self.same + self.refused
    }
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place in the list, the head is 1.
    pub line: i64,
    pub cells: Vec<String>,
    /// Why it was refused, if it was.
    pub reason: Option<Reason>,
}

/// Why a line is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No address, or what stands there is none.
    NoAddress,
    CountryUnknown,
    LanguageUnknown,
    NoPhone,
    TooLong,
    /// A consent without its date or without where it comes from proves nothing.
    NoProof,
    /// The date of the consent cannot be read, or lies ahead.
    NoDate,
}

impl Reason {
    const ALL: [Self; 7] = [
        Self::NoAddress,
        Self::CountryUnknown,
        Self::LanguageUnknown,
        Self::NoPhone,
        Self::TooLong,
        Self::NoProof,
        Self::NoDate,
    ];

    /// The word in the table and in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoAddress => "no_address",
            Self::CountryUnknown => "country_unknown",
            Self::LanguageUnknown => "language_unknown",
            Self::NoPhone => "no_phone",
            Self::TooLong => "too_long",
            Self::NoProof => "no_proof",
            Self::NoDate => "no_date",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nobody has the address yet.
    New,
    /// Something about her is new.
    Changed,
    /// Everything is known.
    Same,
    Refused(Reason),
}

impl Verdict {
    /// The word in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Same => "same",
            Self::Refused(_) => "refused",
        }
    }
}

/// What can go wrong with an import.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is wrong with the list, in a sentence.
    #[error("{0}")]
    Unreadable(String),
    /// Nothing of this id.
    #[error("there is no such import, or it was forgotten")]
    Unknown,
    /// It has begun, or is over.
    #[error("the import has begun already")]
    Begun,
    /// The contacts, or the store.
    #[error(transparent)]
    Contacts(#[from] super::Error),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "import.unreadable",
            Self::Unknown => "import.unknown",
            Self::Begun => "import.begun",
            Self::Contacts(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}

/// A list as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    pub head: Vec<String>,
    /// What each column is probably meant for.
    pub mapping: Mapping,
    /// Each with its place, the head is 1.
    pub lines: Vec<(i64, Vec<String>)>,
}

/// Reads a list (RFC 4180, and what spreadsheets make of it): a head, then a line for each person.
///
/// # Errors
/// [`Error::Unreadable`] says what is expected.
pub fn read(text: &str) -> Result<List, Error> {
    let unreadable = |what: &str| Error::Unreadable(what.to_owned());
    if text.len() > MOST_BYTES {
        return Err(Error::Unreadable(format!(
            "The list is larger than {} MB. Cut it in parts.",
            MOST_BYTES >> 20
        )));
    }
    if text.contains('\0') {
        return Err(unreadable("This is no text. Save the list as CSV first."));
    }
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter(text))
        .from_reader(text.as_bytes());
    let mut head: Option<Vec<String>> = None;
    let mut lines = Vec::new();
    for record in reader.records() {
        let record =
            record.map_err(|_| unreadable("A line of the list cannot be read. Save it as CSV in UTF-8."))?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        let at = record.position().map_or(0, |place| line_of(text, place));
        let cells: Vec<String> =
            record.iter().take(MOST_COLUMNS).map(|cell| bare(cell).into_owned()).collect();
        match head {
            None => head = Some(cells),
            Some(_) if lines.len() >= MOST_LINES => {
                return Err(Error::Unreadable(format!(
                    "The list has more than {MOST_LINES} lines. Cut it in parts."
                )));
            }
            Some(_) => lines.push((at, cells)),
        }
    }
    let head = head.ok_or_else(|| unreadable("The list is empty."))?;
    if head.iter().any(|cell| cell.contains('@')) {
        return Err(unreadable("The first line has to say what stands in the columns: email, first name …."));
    }
    if lines.is_empty() {
        return Err(unreadable("There is a head and nobody below it."));
    }
    let mut mapping: Mapping = Vec::new();
    for cell in &head {
        let target = Target::guessed(cell);
        mapping.push(target.filter(|target| !mapping.contains(&Some(*target))));
    }
    Ok(List { head, mapping, lines })
}

/// The line on which a record begins. The reader tells where it stood before: ends of lines and empty lines come first.
fn line_of(text: &str, place: &csv::Position) -> i64 {
    let from = usize::try_from(place.byte()).unwrap_or(usize::MAX);
    let before = text.bytes().skip(from).take_while(|byte| matches!(byte, b'\n' | b'\r'));
    let passed = before.filter(|byte| *byte == b'\n').count();
    i64::try_from(place.line()).unwrap_or(i64::MAX).saturating_add(i64::try_from(passed).unwrap_or(0))
}

/// A cell without the mark that keeps spreadsheets from running it: our own files have it.
fn bare(cell: &str) -> Cow<'_, str> {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@']) => Cow::Borrowed(rest),
        _ => Cow::Borrowed(cell),
    }
}

/// What stands between the cells: whichever the head has most of.
fn delimiter(text: &str) -> u8 {
    let head = text.lines().next().unwrap_or_default();
    let count = |delimiter: u8| head.bytes().filter(|byte| *byte == delimiter).count();
    [b';', b'\t']
        .into_iter()
        .filter(|it| count(*it) > count(b','))
        .max_by_key(|it| count(*it))
        .unwrap_or(b',')
}

/// A line as it is understood.
struct Understood<'a> {
    email: Email,
    facts: BTreeMap<Target, Cow<'a, str>>,
    /// The purpose, where it comes from, and when it was said.
    consent: Option<(&'a str, &'a str, Timestamp)>,
}

fn understood<'a>(
    cells: &'a [String],
    mapping: &Mapping,
    is_country: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Result<Understood<'a>, Reason> {
    let cell = |target: Target| {
        let at = mapping.iter().position(|known| *known == Some(target))?;
        cells.get(at).map(String::as_str).filter(|cell| !cell.is_empty())
    };
    let email = cell(Target::Email).and_then(|cell| Email::parse(cell).ok()).ok_or(Reason::NoAddress)?;
    let mut facts = BTreeMap::new();
    for target in Target::ALL.into_iter().filter(|target| target.is_fact()) {
        let Some(text) = cell(target) else { continue };
        if text.chars().count() > CELL_MOST {
            return Err(Reason::TooLong);
        }
        let value: Cow<'_, str> = match target {
            Target::FirstName | Target::LastName => super::name_of(text).into(),
            Target::Country => {
                let code = text.to_uppercase();
                if code.len() != 2 || !is_country(&code) {
                    return Err(Reason::CountryUnknown);
                }
                code.into()
            }
            Target::Language => Language::of_tag(text).ok_or(Reason::LanguageUnknown)?.code().into(),
            Target::Phone => match text.chars().filter(char::is_ascii_digit).count() {
                5..=20 => text.into(),
                _ => return Err(Reason::NoPhone),
            },
            _ => text.split_whitespace().collect::<Vec<_>>().join(" ").into(),
        };
        facts.insert(target, value);
    }
    let consent = match (cell(Target::Consent), cell(Target::ConsentSource), cell(Target::ConsentAt)) {
        (None, _, _) => None,
        (Some(purpose), Some(source), Some(at)) => {
            let at = moment(at).filter(|at| *at <= now).ok_or(Reason::NoDate)?;
            Some((purpose, source, at))
        }
        (Some(_), _, _) => return Err(Reason::NoProof),
    };
    if consent.is_some_and(|(purpose, source, _)| purpose.len() > CELL_MOST || source.len() > CELL_MOST) {
        return Err(Reason::TooLong);
    }
    Ok(Understood { email, facts, consent })
}

/// An instant, or the noon of a day.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(Timestamp::from_jiff(instant));
    }
    let day = text.parse::<jiff::civil::Date>().ok()?;
    Some(Timestamp::from_jiff(day.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()))
}

/// Whether a list's value takes the place of what is known: where nothing is, or where a list brought it.
fn takes_place(known: Option<&Field>) -> bool {
    known.is_none_or(|known| known.source == SOURCE && known.trust <= Trust::Claimed)
}

/// What would become of a line. Changes nothing.
///
/// # Errors
/// As the store says.
pub async fn judge(
    q: &mut impl Queries,
    cells: &[String],
    mapping: &Mapping,
    is_country: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Result<Verdict, Error> {
    let line = match understood(cells, mapping, is_country, now) {
        Ok(line) => line,
        Err(reason) => return Ok(Verdict::Refused(reason)),
    };
    let Some(contact) = store::find_by_email(q, &line.email).await? else { return Ok(Verdict::New) };
    let fields = store::fields(q, contact.id).await?;
    let has = |target: Target, value: &str| {
        fields.iter().any(|field| field.name == target.word() && field.value == value)
    };
    let says_more = line.facts.iter().any(|(target, value)| !has(*target, value));
    let is_told = match line.consent {
        Some((purpose, source, at)) => {
            store::imports::has_consent(q, contact.id, purpose, &page_of(source), at).await?
        }
        None => true,
    };
    Ok(if says_more || !is_told { Verdict::Changed } else { Verdict::Same })
}

fn page_of(source: &str) -> String {
    format!("import: {source}")
}

/// Takes a line over.
async fn take(
    tx: &mut Tx,
    cells: &[String],
    mapping: &Mapping,
    is_country: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Result<Verdict, Error> {
    let verdict = judge(tx, cells, mapping, &is_country, now).await?;
    let Ok(line) = understood(cells, mapping, &is_country, now) else { return Ok(verdict) };
    if matches!(verdict, Verdict::Same | Verdict::Refused(_)) {
        return Ok(verdict);
    }
    let language = line.facts.get(&Target::Language).map_or(Language::En, |tag| Language::parse(tag));
    let who = Identification {
        email: &line.email,
        visitor: None,
        site: "",
        trust: Trust::Claimed,
        consent: Consent::None,
        language,
        time_zone: None,
    };
    // Whoever stands in a list was not seen by that.
    let contact = match store::find_by_email(tx, &line.email).await? {
        Some(contact) => contact,
        None => of_address(tx, &who, now).await?,
    };
    for (target, value) in &line.facts {
        let known = store::field(tx, contact.id, target.word()).await?;
        // Less than anything that somebody said: it waits beside that.
        let trust = if takes_place(known.as_ref()) { Trust::Claimed } else { Trust::Anonymous };
        set_field(tx, contact.id, target.word(), value, SOURCE, trust, now).await?;
    }
    if let Some((purpose, source, at)) = line.consent {
        let page = page_of(source);
        if !store::imports::has_consent(tx, contact.id, purpose, &page, at).await? {
            let entry = ConsentEntry { page: Some(&page), ..ConsentEntry::of(purpose, "granted") };
            note_consent(tx, Some(contact.id), None, &entry, at).await?;
        }
    }
    marks::mark(tx, contact.id, marks::HITS, now).await?;
    Ok(verdict)
}

/// Keeps a list for somebody to look through.
///
/// # Errors
/// As the store says.
pub async fn keep(
    tx: &mut Tx,
    list: List,
    name: &str,
    by: AccountId,
    now: Timestamp,
) -> Result<ImportId, Error> {
    store::imports::forget_before(tx, now.plus_ms(-KEPT_MS)).await?;
    let id = ImportId::new();
    let name: String = name.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(80).collect();
    store::imports::insert(tx, id, by, &name, &list, now).await?;
    Ok(id)
}

/// Lets an import begin with these columns; a worker takes it up once that is committed.
///
/// # Errors
/// [`Error::Unknown`], [`Error::Begun`], [`Error::Unreadable`] if no column holds the address, or two hold the same.
pub async fn begin(tx: &mut Tx, id: ImportId, mapping: &Mapping) -> Result<(), Error> {
    let import = store::imports::find(tx, id).await?.ok_or(Error::Unknown)?;
    if import.state != State::Draft {
        return Err(Error::Begun);
    }
    check(mapping)?;
    let at = mapping.iter().position(|target| *target == Some(Target::Email)).unwrap_or(0);
    store::imports::begin(tx, id, mapping, at).await?;
    tx.ring();
    Ok(())
}

/// Whether a list can be read with these columns.
///
/// # Errors
/// [`Error::Unreadable`] says what is missing.
pub fn check(mapping: &Mapping) -> Result<(), Error> {
    let of = |target: Target| mapping.iter().filter(|known| **known == Some(target)).count();
    if of(Target::Email) == 0 {
        return Err(Error::Unreadable("Say which column holds the e-mail address.".to_owned()));
    }
    match Target::ALL.into_iter().find(|target| of(*target) > 1) {
        Some(twice) => Err(Error::Unreadable(format!("Two columns are taken for `{}`.", twice.word()))),
        None => Ok(()),
    }
}

/// Stops an import; what was taken stays. Returns whether it was under way.
///
/// # Errors
/// As the store says.
pub async fn stop(tx: &mut Tx, id: ImportId, now: Timestamp) -> Result<bool, Error> {
    let import = store::imports::find(tx, id).await?.ok_or(Error::Unknown)?;
    if !matches!(import.state, State::Draft | State::Running) {
        return Ok(false);
    }
    store::imports::end(tx, id, State::Stopped, now).await?;
    Ok(true)
}

/// Takes over the next lines of the import that waits longest; returns its id if there was one.
///
/// # Errors
/// As the store says.
pub async fn work(
    db: &Db,
    is_country: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Result<Option<ImportId>, Error> {
    let Some(id) = store::imports::open(&mut db.read()).await? else { return Ok(None) };
    let mut tx = db.begin().await?;
    tx.lock(&format!("contact import:{id}")).await?;
    let Some(import) = store::imports::find(&mut tx, id).await? else { return Ok(None) };
    if import.state != State::Running {
        return Ok(Some(id));
    }
    let waiting = store::imports::waiting(&mut tx, id, IN_A_TURN).await?;
    let mut counts = [0_i64; 4];
    for line in &waiting {
        let verdict = take(&mut tx, &line.cells, &import.mapping, &is_country, now).await?;
        let [made, changed, same, refused] = &mut counts;
        match verdict {
            Verdict::New => *made += 1,
            Verdict::Changed => *changed += 1,
            Verdict::Same => *same += 1,
            Verdict::Refused(_) => *refused += 1,
        }
        store::imports::looked_at(&mut tx, id, line.line, verdict).await?;
    }
    store::imports::count(&mut tx, id, counts).await?;
    if i64::try_from(waiting.len()).unwrap_or(i64::MAX) < IN_A_TURN {
        store::imports::end(&mut tx, id, State::Done, now).await?;
    }
    tx.commit().await?;
    Ok(Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_several_programs_are_read() {
        let list = read("\u{feff}Correo electrónico;Nombre;Teléfono\r\nana@acme.example;Ana;'+34 600 112 233\r\n\r\n;;\r\nx;y\r\n")
            .expect("a list");
        assert_eq!(list.mapping, [Some(Target::Email), Some(Target::FirstName), Some(Target::Phone)]);
        let [(_, ana), (at, x)] = list.lines.as_slice() else { panic!("{:?}", list.lines) };
        assert_eq!(ana, &["ana@acme.example", "Ana", "+34 600 112 233"]);
        assert_eq!((*at, x.len()), (5, 2), "short lines are lines, and empty ones count as places");
        let quoted = read("email,company\n\"a@b.example\",\"Acme, \"\"S.A.\"\"\"\n").expect("a list");
        assert_eq!(quoted.lines, [(2, vec!["a@b.example".to_owned(), "Acme, \"S.A.\"".to_owned()])]);
    }

    #[test]
    fn what_is_no_list_is_told_so() {
        for (text, says) in [
            ("", "empty"),
            ("email,name\n", "nobody below"),
            ("ana@acme.example,Ana\n", "first line"),
            ("PK\u{3}\0\0", "no text"),
        ] {
            let Err(Error::Unreadable(told)) = read(text) else { panic!("{text}") };
            assert!(told.contains(says), "{told}");
        }
        let long = format!("email\n{}", "a@b.example\n".repeat(MOST_LINES + 1));
        assert!(matches!(read(&long), Err(Error::Unreadable(told)) if told.contains("50000")));
    }

    #[test]
    fn a_line_says_what_is_wrong_with_it() {
        let mapping: Mapping =
            ["email", "country", "phone", "language", "consent", "consent_source", "consent_at"]
                .into_iter()
                .map(Target::of_word)
                .collect();
        let now = Timestamp(1_800_000_000_000);
        let judged = |line: &str| {
            let cells: Vec<String> = line.split('|').map(str::to_owned).collect();
            understood(&cells, &mapping, |code| code == "ES", now).map(|it| it.consent.is_some())
        };
        for (line, verdict) in [
            ("a@b.example", Ok(false)),
            ("a@b.example|es|600 112|en", Ok(false)),
            ("nobody", Err(Reason::NoAddress)),
            ("", Err(Reason::NoAddress)),
            ("a@b.example|Atlantis", Err(Reason::CountryUnknown)),
            ("a@b.example||12", Err(Reason::NoPhone)),
            ("a@b.example|||xx", Err(Reason::LanguageUnknown)),
            ("a@b.example||||news", Err(Reason::NoProof)),
            ("a@b.example||||news|fair", Err(Reason::NoProof)),
            ("a@b.example||||news|fair|soon", Err(Reason::NoDate)),
            ("a@b.example||||news|fair|2050-01-01", Err(Reason::NoDate)),
            ("a@b.example||||news|fair|2026-05-04", Ok(true)),
        ] {
            assert_eq!(judged(line), verdict, "{line}");
        }
        let long = format!("a@b.example|||{}", "x".repeat(501));
        assert_eq!(judged(&long), Err(Reason::TooLong));
    }

    #[test]
    fn columns_have_to_name_the_address_and_nothing_twice() {
        assert!(check(&vec![None, Some(Target::Email)]).is_ok());
        assert!(check(&vec![Some(Target::Phone)]).is_err());
        assert!(check(&vec![Some(Target::Email), Some(Target::Email)]).is_err());
    }
}
