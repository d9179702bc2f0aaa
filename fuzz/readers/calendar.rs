// What must hold for any calendar file: stretches within the window, in order and apart, or a reason.

use embudo::base::email::Email;
use embudo::base::time::{DAY_MS, Timestamp};
use embudo::bookings::calendars::busy::Reading;
use embudo::bookings::calendars::dav;
use embudo::bookings::slots::Span;
use jiff::tz::TimeZone;

const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// Reads a calendar, and the same bytes as the answer of a CalDAV server. Tells how many stretches it found.
pub fn read(bytes: &[u8]) -> usize {
    let (zone, owner) = (
        TimeZone::get("Europe/Madrid").expect("a zone"),
        Email::parse("mike@faro.example").expect("an address"),
    );
    let window = Span::new(NOW, NOW.plus_ms(60 * DAY_MS));
    let reading =
        Reading { window, zone: &zone, owner: &owner, own_domain: "faro.example", counts_tentative: true };
    let busy = match reading.busy(&[bytes]) {
        Ok(busy) => busy,
        Err(fault) => {
            assert!(!fault.word().is_empty());
            Vec::new()
        }
    };
    for span in &busy {
        assert!(span.from < span.to && span.from >= window.from && span.to <= window.to, "{span:?}");
    }
    assert!(busy.windows(2).all(|pair| pair[0].to < pair[1].from), "{busy:?}");
    let text = String::from_utf8_lossy(bytes);
    for file in dav::files(&text).into_iter().flatten() {
        assert!(file.len() <= text.len());
    }
    busy.len()
}
