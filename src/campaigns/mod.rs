//! What campaigns cost, by day, imported from the platforms' exports.
//!
//! Importing a day again replaces it, so a corrected export can be sent as often as one likes.

mod store;

use serde::Serialize;

pub use store::{Cost, costs};

use crate::base::coded::Coded;
use crate::storage;
use crate::storage::db::Tx;

/// Larger files are refused.
pub const MOST_BYTES: usize = 8 * 1024 * 1024;

/// One campaign on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The day (ISO 8601), as the platform counts days.
    pub day: String,
    /// Who was paid, such as `google`; as `utm_source` says.
    pub source: String,
    /// As `utm_campaign` says; empty if it was for none.
    pub campaign: String,
    /// In the smallest unit of the currency.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// What it was paid for.
    pub purpose: Purpose,
}

/// What a campaign is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To win customers.
    Winning,
    /// To keep those that there are.
    Keeping,
}

impl Purpose {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Winning => "winning",
            Self::Keeping => "keeping",
        }
    }

    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Winning, Self::Keeping].into_iter().find(|purpose| purpose.word() == word)
    }
}

/// A line that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// The line of the file, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Days of campaigns that are new.
    pub added: usize,
    /// That were known otherwise.
    pub replaced: usize,
    /// That were known just so.
    pub unchanged: usize,
    /// Lines that could not be used.
    pub unusable: Vec<Unusable>,
}

/// Why a file was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no such file.
    #[error("{0}")]
    NotThis(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::NotThis(_) => "costs.unreadable",
            Self::Store(error) => error.code(),
        }
    }
}

/// Reads `day,source,campaign,amount,currency` and perhaps `purpose` (`winning` where it is empty) with a headline, in any
/// order of columns; commas or semicolons between.
///
/// # Errors
/// [`Error::NotThis`] if no column of these names is there, or it is no text.
pub fn read(bytes: &[u8]) -> Result<(Vec<Line>, Vec<Unusable>), Error> {
    if bytes.len() > MOST_BYTES {
        return Err(Error::NotThis(format!("the file is larger than {MOST_BYTES} bytes")));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::NotThis("this is no text; export it as CSV in UTF-8".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    let delimiter = if head.contains(';') && !head.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| Error::NotThis(error.to_string());
    let headers = reader.headers().map_err(unreadable)?.clone();
    let column = |name: &str| headers.iter().position(|known| known.eq_ignore_ascii_case(name));
    let wanted = ["day", "source", "campaign", "amount", "currency"];
    let places = wanted.map(column);
    let [Some(day), Some(source), Some(campaign), Some(amount), Some(currency)] = places else {
        let missing: Vec<&str> =
            wanted.iter().zip(places).filter(|(_, place)| place.is_none()).map(|(name, _)| *name).collect();
        return Err(Error::NotThis(format!("the headline lacks {}", missing.join(", "))));
    };
    let purpose = column("purpose");
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
        let cell = |place: usize| record.get(place).unwrap_or_default();
        let purpose = purpose.map(cell).unwrap_or_default();
        match line_of(cell(day), cell(source), cell(campaign), (cell(amount), cell(currency)), purpose) {
            Ok(read) => lines.push(read),
            Err(reason) => unusable.push(Unusable { line, reason }),
        }
    }
    Ok((lines, unusable))
}

fn line_of(
    day: &str,
    source: &str,
    campaign: &str,
    (amount, currency): (&str, &str),
    purpose: &str,
) -> Result<Line, String> {
    let date: jiff::civil::Date = day.parse().map_err(|_| format!("`{day}` is no day like 2026-11-23"))?;
    let is_word = |text: &str| text.chars().count() <= 200 && !text.contains(char::is_control);
    if source.is_empty() || !is_word(source) || !is_word(campaign) {
        return Err("source and campaign must be words of at most 200 characters".to_owned());
    }
    let currency = currency.to_ascii_uppercase();
    if currency.len() != 3 || !currency.bytes().all(|c| c.is_ascii_uppercase()) {
        return Err(format!("`{currency}` is no currency like EUR"));
    }
    let word = if purpose.is_empty() { Purpose::Winning.word() } else { purpose };
    let purpose = Purpose::of_word(&word.to_ascii_lowercase())
        .ok_or_else(|| format!("`{word}` is no purpose: winning or keeping"))?;
    let amount = hundredths(amount).ok_or_else(|| format!("`{amount}` is no amount like 12.50"))?;
    Ok(Line {
        day: date.to_string(),
        source: source.to_owned(),
        campaign: campaign.to_owned(),
        amount,
        currency,
        purpose,
    })
}

/// Hundredths of `12`, `12.5` and `12,50`; nothing of anything else, and nothing below zero.
fn hundredths(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once(['.', ',']).unwrap_or((text, ""));
    if part.len() > 2
        || !part.bytes().all(|c| c.is_ascii_digit())
        || !whole.bytes().all(|c| c.is_ascii_digit())
    {
        return None;
    }
    let part: i64 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(part)
}

/// Writes what a file says.
///
/// # Errors
/// As the store says.
pub async fn import(tx: &mut Tx, lines: &[Line], unusable: Vec<Unusable>) -> Result<Imported, Error> {
    let mut imported = Imported { unusable, ..Imported::default() };
    for line in lines {
        match store::put(tx, line).await? {
            store::Put::Added => imported.added += 1,
            store::Put::Replaced => imported.replaced += 1,
            store::Put::Unchanged => imported.unchanged += 1,
        }
    }
    Ok(imported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::db::{Db, JOURNEY};

    const FILE: &str = "\
Day,Source,Campaign,Amount,Currency,Clicks
2026-11-01,google,autumn,12.50,EUR,40
2026-11-01,linkedin,\"autumn, people\",7,eur,3
2026-13-01,google,autumn,1,EUR,1
2026-11-02,,autumn,1,EUR,1
2026-11-02,google,autumn,-1,EUR,1
";

    #[test]
    fn good_lines_are_read_and_bad_ones_told_with_their_number() {
        let (lines, unusable) = read(FILE.as_bytes()).expect("a file");
        let told: Vec<(&str, &str, i64)> =
            lines.iter().map(|line| (line.day.as_str(), line.campaign.as_str(), line.amount)).collect();
        assert_eq!(told, [("2026-11-01", "autumn", 1250), ("2026-11-01", "autumn, people", 700)]);
        assert_eq!(unusable.iter().map(|line| line.line).collect::<Vec<_>>(), [4, 5, 6]);
        let lacking = read(b"day;source;cost\n").expect_err("columns are missing").to_string();
        assert_eq!(lacking, "the headline lacks campaign, amount, currency");
        assert!(read(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn amounts_are_read_with_a_point_or_a_comma() {
        let amounts = ["12", "12.5", "12,50", "0.05", "1.234", "x", "", "-3", "1e3"].map(hundredths);
        assert_eq!(amounts, [Some(1200), Some(1250), Some(1250), Some(5), None, None, None, None, None]);
    }

    #[tokio::test]
    async fn a_second_import_changes_nothing_and_a_corrected_one_replaces() {
        let folder = tempfile::tempdir().expect("a folder");
        let db = Db::open_sqlite(&folder.path().join("embudo.db"), JOURNEY).await.expect("opens");
        let mut tx = db.begin().await.expect("begins");
        let (mut lines, _) = read(FILE.as_bytes()).expect("a file");
        let first = import(&mut tx, &lines, Vec::new()).await.expect("imported");
        let second = import(&mut tx, &lines, Vec::new()).await.expect("imported");
        lines[0].amount = 1300;
        let third = import(&mut tx, &lines, Vec::new()).await.expect("imported");
        assert_eq!((first.added, second.unchanged), (2, 2));
        assert_eq!((third.replaced, third.unchanged), (1, 1));
        let sum: i64 =
            costs(&mut tx, "2026-11-01", "2026-12-01").await.expect("read").iter().map(|c| c.amount).sum();
        assert_eq!(sum, 2000);
    }
}
