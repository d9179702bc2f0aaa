//! What is said to a CalDAV server and what it answers (RFC 4791), as texts.

use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::feed::utc;
use crate::bookings::slots::Span;

/// Asks for everything in a calendar that touches `window`.
pub fn query(window: Span) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <c:calendar-query xmlns:d=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\">\
         <d:prop><d:getetag/><c:calendar-data/></d:prop>\
         <c:filter><c:comp-filter name=\"VCALENDAR\"><c:comp-filter name=\"VEVENT\">\
         <c:time-range start=\"{}\" end=\"{}\"/>\
         </c:comp-filter></c:comp-filter></c:filter></c:calendar-query>",
        utc(window.from),
        utc(window.to)
    )
}

/// Asks only when somebody is busy, for servers that show no more.
pub fn free_busy_query(window: Span) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <c:free-busy-query xmlns:c=\"urn:ietf:params:xml:ns:caldav\">\
         <c:time-range start=\"{}\" end=\"{}\"/></c:free-busy-query>",
        utc(window.from),
        utc(window.to)
    )
}

/// The calendar files in the answer to [`query`]; none if it is no such answer.
pub fn files(answer: &str) -> Option<Vec<String>> {
    let mut reader = Reader::from_str(answer);
    let mut files = Vec::new();
    let mut file: Option<String> = None;
    let mut is_answer = false;
    let mut depth = 0_u32;
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                depth += 1;
                match tag.local_name().as_ref() {
                    "multistatus" => is_answer = true,
                    "calendar-data" => file = Some(String::new()),
                    _ => {}
                }
            }
            Event::Empty(tag) => is_answer |= tag.local_name().as_ref() == "multistatus",
            Event::End(tag) => {
                depth = depth.checked_sub(1)?;
                if tag.local_name().as_ref() == "calendar-data" {
                    files.extend(file.take().filter(|text| !text.trim().is_empty()));
                }
            }
            Event::Text(text) => {
                if let Some(file) = &mut file {
                    file.push_str(&text.xml10_content());
                }
            }
            Event::CData(text) => {
                if let Some(file) = &mut file {
                    file.push_str(&text.xml10_content());
                }
            }
            // `&amp;` and its like stand for themselves; anything else that is declared somewhere is not followed.
            Event::GeneralRef(reference) => {
                if let Some(file) = &mut file {
                    match reference.resolve_char_ref().ok()? {
                        Some(letter) => file.push(letter),
                        None => file.push_str(quick_xml::escape::resolve_xml_entity(&reference)?),
                    }
                }
            }
            Event::Eof => return (is_answer && depth == 0).then_some(files),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    #[test]
    fn the_files_of_an_answer_are_found_whatever_its_prefixes() {
        let answer = "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\" xmlns:x=\"urn:ietf:params:xml:ns:caldav\">\
            <D:response><D:href>/a.ics</D:href><D:propstat><D:prop><x:calendar-data>BEGIN:VCALENDAR&#13;\n\
            SUMMARY:a &amp; b &lt;c&gt;\nEND:VCALENDAR</x:calendar-data></D:prop></D:propstat></D:response>\
            <D:response><x:calendar-data><![CDATA[BEGIN:VCALENDAR]]></x:calendar-data></D:response></D:multistatus>";
        let files = files(answer).expect("an answer");
        assert_eq!(files, ["BEGIN:VCALENDAR\r\nSUMMARY:a & b <c>\nEND:VCALENDAR", "BEGIN:VCALENDAR"]);
    }

    #[test]
    fn an_empty_calendar_is_an_answer_and_a_page_is_none() {
        assert_eq!(files("<multistatus xmlns=\"DAV:\"/>"), Some(vec![]));
        for wrong in
            ["", "<html><body>Log in</body></html>", "<multistatus><response>", "BEGIN:VCALENDAR", "<a></b>"]
        {
            assert_eq!(files(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn entities_of_the_answers_own_are_not_followed() {
        let bomb = "<!DOCTYPE m [<!ENTITY a \"aaaa\">]><multistatus><calendar-data>&a;</calendar-data></multistatus>";
        assert_eq!(files(bomb), None);
    }

    #[test]
    fn a_question_names_its_time_in_utc() {
        let window = Span::new(Timestamp(1_795_000_000_000), Timestamp(1_795_086_400_000));
        assert!(query(window).contains("start=\"20261118T110640Z\""), "{}", query(window));
        assert!(free_busy_query(window).contains("end=\"20261119T110640Z\""));
    }
}
