//! `embudo recheck-zones`: which calls are at another local time than their visitors were told.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::ExitCode;

use crate::base::ids::BookingId;
use crate::base::time::TZDB;
use crate::bookings::zones::{self, Found, Moved, Whose};
use crate::config::Config;
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    /// `text` or `json`.
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs `embudo recheck-zones`; exits 1 if there is such a call. It writes nothing.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    super::has_data(config)?;
    let now = super::clock(config).now();
    let found = super::block_on(async {
        let stores = Stores::open(&config.storage).await?;
        Ok(zones::recheck(&mut stores.db.read(), now).await?)
    })?;
    super::tell(&match arguments.format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&found)?),
        Format::Text => told(&found, &config.server.public_url),
    });
    Ok(if found.moved.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(found: &Found, public_url: &str) -> String {
    let Found { ahead, unknown, moved } = found;
    let edition = TZDB.0;
    let mut text =
        format!("zones of edition {edition}: {ahead} calls lie ahead, {} of them moved", calls(moved));
    if *unknown > 0 {
        let _ = write!(text, ", {unknown} booked before this was kept");
    }
    text.push('\n');
    for call in moved {
        let whose = match call.whose {
            Whose::Visitor => "the visitor's",
            Whose::Rep => "the rep's",
        };
        let _ = writeln!(
            text,
            "\n{}  {} with {}, {}\n    {whose} {}: told {} (edition {}), and it is {}\n    {public_url}/console/bookings/{}",
            call.booking,
            call.meeting,
            call.rep,
            call.starts_at,
            call.time_zone,
            minute(&call.told),
            call.edition,
            minute(&call.is),
            call.booking,
        );
    }
    if !moved.is_empty() {
        text.push_str(
            "\nThe calls themselves stand where they stood, and calendars show the new local time; the mails told the old \
             one.\nWhat to do: open each call. If the old local time was meant, move the call there, and both sides get \
             a mail.\nIf the call is to stay, write to whoever stands above what her clock will say.\n",
        );
    }
    text
}

/// How many calls these are: one of which both were told wrongly stands there twice.
fn calls(moved: &[Moved]) -> usize {
    moved.iter().map(|call| call.booking).collect::<BTreeSet<BookingId>>().len()
}

/// `2026-12-01 08:00`.
fn minute(at: &jiff::civil::DateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::base::time::Timestamp;

    #[test]
    fn both_times_are_told_with_what_to_do() {
        let none = told(&Found { ahead: 3, unknown: 1, moved: Vec::new() }, "https://faro.example");
        assert_eq!(
            none,
            format!(
                "zones of edition {}: 3 calls lie ahead, 0 of them moved, 1 booked before this was kept\n",
                TZDB.0
            )
        );
        let moved = Moved {
            booking: BookingId::new(),
            meeting: "discovery".to_owned(),
            rep: "mike".to_owned(),
            contact: None,
            starts_at: Timestamp(1_796_140_800_000),
            whose: Whose::Visitor,
            time_zone: "America/Vancouver".to_owned(),
            edition: "2025b".to_owned(),
            told: date(2026, 12, 1).at(8, 0, 0, 0),
            is: date(2026, 12, 1).at(9, 0, 0, 0),
        };
        let rep = Moved { whose: Whose::Rep, time_zone: "America/Whitehorse".to_owned(), ..moved.clone() };
        let found = Found { ahead: 1, unknown: 0, moved: vec![moved, rep] };
        let one = told(&found, "https://faro.example");
        for part in [
            "1 calls lie ahead, 1 of them moved",
            "the rep's America/Whitehorse: told",
            "discovery with mike",
            "America/Vancouver: told 2026-12-01 08:00 (edition 2025b), and it is 2026-12-01 09:00",
            "https://faro.example/console/bookings/",
            "What to do",
        ] {
            assert!(one.contains(part), "{part}: {one}");
        }
    }
}
