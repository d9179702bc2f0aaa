//! `embudo doctor`: what stands in the way, and what to do.

use std::process::ExitCode;

use anyhow::Context;

use crate::app::{Definitions, Sources};
use crate::base::diagnostic::Report;
use crate::base::email::Email;
use crate::base::time::{TZDB, Timestamp, tzdb_old_days};
use crate::bookings::former::{self, Closed, Left};
use crate::config::Config;
use crate::notify::doctor::{self, Finding, State};
use crate::storage::Stores;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Look at the mail server and at what the DNS says of the sender; exits 1 if something is wrong.
    Email {
        /// Send a mail to this address, too.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
    },
    /// List the calls ahead whose rep or kind stands in team.yaml no more, and reps who are booked though their account is
    /// closed; exits 1 if there are any.
    Calls,
    /// Say which edition of the time zones is built in, and whether it is old.
    Zones,
}

/// Runs `embudo doctor …`.
pub fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let to = match &arguments.command {
        Command::Email { to } => to,
        Command::Calls => return calls(config),
        Command::Zones => {
            super::tell(&zones(super::clock(config).now()));
            return Ok(ExitCode::SUCCESS);
        }
    };
    let to = to.as_deref().map(Email::parse).transpose().context("--to is not an e-mail address")?;
    let now = super::clock(config).now();
    let found = super::block_on(async {
        let mut found = doctor::examine(config).await.map_err(anyhow::Error::msg)?;
        if let Some(to) = &to {
            found.push(doctor::try_out(config, to, now).await);
        }
        Ok(found)
    })?;
    for finding in &found {
        super::tell(&told(finding));
    }
    let count = |state: State| found.iter().filter(|finding| finding.state == state).count();
    let (wrong, weak, unasked) = (count(State::Wrong), count(State::Weak), count(State::Unasked));
    super::tell(&format!("\n{wrong} wrong, {weak} weak, {unasked} unknown, {} looked at\n", found.len()));
    Ok(if wrong > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The calls ahead that name a rep or a kind of call that the team's file does not, and who of the file has no account any
/// more.
fn calls(config: &Config) -> anyhow::Result<ExitCode> {
    super::has_data(config)?;
    let now = super::clock(config).now();
    let report = Report::new();
    let team = Definitions::read(&Sources::of(config, &report), &report).team;
    let team = team.context("team.yaml cannot be read; `embudo check` says why")?;
    let (left, closed) = super::block_on(async {
        let stores = Stores::open(&config.storage).await?;
        let q = &mut stores.db.read();
        Ok((former::left(q, &team, now).await?, former::closed(q, &team, now).await?))
    })?;
    super::tell(&listed(&left, &closed, &config.server.public_url));
    Ok(if left.is_empty() && closed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn listed(left: &[Left], closed: &[Closed], public_url: &str) -> String {
    if left.is_empty() && closed.is_empty() {
        return format!(
            "{:<8} {:<8} all calls ahead have their rep and their kind\n",
            State::Good.word(),
            "calls"
        );
    }
    let mut text = String::new();
    for rep in closed {
        let word = State::Wrong.word();
        text.push_str(&format!("{word:<8} {:<8} {}\n{:18}{}\n", "calls", rep.line(), "", rep.advice()));
    }
    for call in left {
        let page = format!("{public_url}/console/bookings/{}", call.call.booking);
        text.push_str(&format!(
            "{:<8} {:<8} {}\n{:18}{}\n{:18}{page}\n",
            State::Wrong.word(),
            "calls",
            call.line(),
            "",
            call.advice(),
            ""
        ));
    }
    text
}

/// Which edition of the time zones is built in. An old one tells wrong times where a government has changed its clocks since.
fn zones(now: Timestamp) -> String {
    let (edition, day) = TZDB;
    match tzdb_old_days(now) {
        None => format!("{:<8} {:<8} edition {edition}, of {day}\n", State::Good.word(), "zones"),
        Some(days) => {
            let word = State::Weak.word();
            let advice = "install a newer version of embudo; it brings the newest edition with it";
            format!(
                "{word:<8} {:<8} edition {edition}, of {day}: {days} days old\n{:18}{advice}\n",
                "zones", ""
            )
        }
    }
}

/// A finding in lines, with what to do below it.
fn told(finding: &Finding) -> String {
    let mut text = format!("{:<8} {:<8} {}\n", finding.state.word(), finding.what, finding.line);
    if let Some(advice) = &finding.advice {
        text.push_str(&format!("{:18}{advice}\n", ""));
    }
    if let Some(record) = &finding.record {
        text.push_str(&format!("{:18}{}\n", "", record.in_zone_file()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::BookingId;
    use crate::base::time::DAY_MS;
    use crate::bookings::former::Ahead;

    #[test]
    fn calls_that_nobody_holds_are_listed_with_what_to_do() {
        assert!(listed(&[], &[], "https://faro.example").starts_with("ok       calls"));
        let call = Ahead {
            booking: BookingId::new(),
            meeting: "lunch".to_owned(),
            rep: "eva".to_owned(),
            companion: None,
            starts_at: Timestamp::from_jiff("2026-12-01T16:00:00Z".parse().expect("an instant")),
        };
        let left = Left { call, lacks_meeting: true, lacks_reps: vec!["eva".to_owned()] };
        let closed =
            Closed { rep: "mike".to_owned(), name: "Mike Torres".to_owned(), is_booked: true, calls: 2 };
        let text = listed(&[left], &[closed], "https://faro.example");
        for part in [
            "\"mike\", whose account is closed, and 2 calls lie ahead",
            "open the account again",
            "wrong",
            "2026-12-01 16:00",
            "\"lunch\"",
            "\"eva\"",
            "pass it on",
            "/console/bookings/",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn an_old_edition_of_the_zones_is_told_with_what_to_do() {
        let at = |text: &str| Timestamp::from_jiff(text.parse().expect("an instant"));
        let new = at("2026-11-23T00:00:00Z");
        assert!(zones(new).starts_with("ok       zones    edition 2026e"), "{}", zones(new));
        let old = zones(new.plus_ms(200 * DAY_MS));
        assert!(
            old.starts_with("weak ") && old.contains("248 days old") && old.contains("newer version"),
            "{old}"
        );
    }
}
