//! Links to a call: each is good for what it was made for, and what calendars hold changes nothing.

use embudo::base::time::MINUTE_MS;
use serde_json::{Value, json};

use crate::support::app::{SITE, TestApp, set};

/// What a link is for, and the deeds that it may do.
const LINKS: [(&str, [bool; 3]); 3] =
    [("view", [false, false, false]), ("move", [true, true, false]), ("cancel", [false, false, true])];

/// A call on the first free time, and another free one.
async fn booked(app: &TestApp) -> (Value, String) {
    let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let starts_at = |n: usize| slots["slots"][n]["starts_at"].as_i64().expect("a time");
    let wish = json!({
        "site": "faro", "meeting": "discovery", "starts_at": starts_at(0), "zone": "Europe/Madrid", "language": "en",
        "name": "Nikki Grant", "email": "nikki@acme.example", "notes": "Between us",
    });
    let booked = app.client.with("origin", SITE).post("/v1/bookings", &wish).await.expect_json(201);
    (booked, starts_at(3).to_string())
}

fn link<'a>(booked: &'a Value, which: &str) -> &'a str {
    booked["links"][which].as_str().expect("a path")
}

async fn state(app: &TestApp) -> (String, i64) {
    let row = &app.rows("select state, sequence from bookings").await[0];
    (row.get("state").expect("a text"), row.get("sequence").expect("a number"))
}

#[tokio::test]
async fn every_link_shows_the_call_and_none_does_what_another_is_for() {
    let app = TestApp::start_with(|settings| set(settings, "bookings", "burst", 1_000)).await;
    let (booked, to) = booked(&app).await;
    for (which, may) in LINKS {
        let path = link(&booked, which);
        let page = app.get(path).await.expect(200).body;
        for (deed, is_allowed) in ["reschedule", "wait", "cancel"].into_iter().zip(may) {
            assert_eq!(page.contains(&format!("{path}/{deed}")), is_allowed, "{which} offers {deed}: {page}");
            if is_allowed {
                continue;
            }
            let fields = [("starts_at", to.as_str()), ("day-1", "1"), ("from", "0"), ("to", "1440")];
            let refused = app.client.submit(&format!("{path}/{deed}"), &fields).await.expect(403).body;
            assert!(refused.contains("meant for something else"), "{which} {deed}: {refused}");
        }
        let token = path.strip_prefix("/b/").expect("a path");
        let [moves, _, cancels] = may;
        for (deed, is_allowed) in [("move", moves), ("cancel", cancels)] {
            if !is_allowed {
                let body = json!({ "starts_at": to.parse::<i64>().expect("a time") });
                let refused = app.post(&format!("/v1/bookings/{token}/{deed}"), &body).await;
                refused.expect_problem(403, "booking.link_other");
            }
        }
    }
    assert_eq!(state(&app).await, ("confirmed".to_owned(), 0));

    let path = link(&booked, "move");
    let moved = app.client.submit(&format!("{path}/reschedule"), &[("starts_at", &to)]).await.expect(303);
    let there = moved.header("location").split('?').next().expect("a path").to_owned();
    app.client.submit(&format!("{there}/cancel"), &[]).await.expect(403);
    app.client.submit(&format!("{}/cancel", link(&booked, "cancel")), &[]).await.expect(409);
    assert_eq!(state(&app).await, ("confirmed".to_owned(), 1));
}

#[tokio::test]
async fn her_mail_moves_and_cancels_and_the_entry_in_her_calendar_only_shows_the_call() {
    let app = TestApp::start_with_mail().await;
    booked(&app).await;
    app.run_jobs().await;
    let mails = app.inbox().mails_to("nikki@acme.example");
    let mail = mails.iter().find(|mail| mail.subject.starts_with("Booked: ")).expect("a confirmation");
    let entry = mail.calendar.clone().expect("an entry").replace("\r\n ", "").replace("\n ", "");
    let addresses = |text: &str| -> Vec<String> {
        let found = text.split(|c: char| c.is_whitespace() || c == '\\').filter_map(|word| {
            let from = word.find(&format!("{}/b/", app.url))?;
            Some(word[from + app.url.len()..].to_owned())
        });
        found.collect()
    };
    let of_entry = addresses(&entry);
    assert!(!of_entry.is_empty(), "{entry}");
    for path in &of_entry {
        let page = app.get(path).await.expect(200).body;
        assert!(!page.contains("/cancel\"") && page.contains("use the links in our mail"), "{page}");
        app.client.submit(&format!("{path}/cancel"), &[]).await.expect(403);
    }
    let of_mail = addresses(&mail.text);
    let mut deeds = Vec::new();
    for path in &of_mail {
        let page = app.get(path).await.expect(200).body;
        let offered = ["reschedule", "cancel"].map(|deed| page.contains(&format!("{path}/{deed}")));
        deeds.push(offered);
    }
    assert_eq!(deeds, [[false, true], [true, false]], "{}", mail.text);
    app.client.submit(&format!("{}/cancel", of_mail[0]), &[]).await.expect(303);
    app.run_jobs().await;
    let withdrawn = app
        .inbox()
        .mails_to("nikki@acme.example")
        .into_iter()
        .find_map(|mail| mail.calendar.filter(|file| file.contains("METHOD:CANCEL")));
    let withdrawn = withdrawn.expect("withdrawn").replace("\r\n ", "").replace("\n ", "");
    assert!(withdrawn.contains("was cancelled") && !withdrawn.contains("move or cancel"), "{withdrawn}");
}

#[tokio::test]
async fn a_call_goes_into_any_calendar_by_its_page_and_link_checkers_find_it_there() {
    let app = TestApp::start().await;
    let (booked, _) = booked(&app).await;
    let view = link(&booked, "view");
    let page = app.get(view).await.expect(200).body.replace("&#x3D;", "=").replace("&amp;", "&");
    assert!(
        page.contains("https://calendar.google.com/") && page.contains("https://outlook.live.com/"),
        "{page}"
    );
    let file = app.get(&format!("{view}/call.ics")).await.expect(200);
    assert!(file.header("content-type").starts_with("text/calendar"));
    let text = file.body.replace("\r\n ", "");
    assert!(
        text.contains("METHOD:PUBLISH") && text.contains(booked["booking"].as_str().expect("an id")),
        "{text}"
    );
    for private in ["Nikki", "nikki@", "Between us"] {
        assert!(
            !text.contains(private) && !page.contains(private),
            "{private} is told to whoever has the link"
        );
    }
    for path in [view, link(&booked, "move"), "/book/discovery"] {
        let head = reqwest::Client::new().head(format!("{}{path}", app.url)).send().await.expect("answers");
        assert_eq!(head.status().as_u16(), 200, "{path}");
    }
    app.clock.advance(MINUTE_MS);
    app.client.submit(&format!("{}/cancel", link(&booked, "cancel")), &[]).await.expect(303);
    app.get(&format!("{view}/call.ics")).await.expect_problem(409, "booking.already_cancelled");
}
