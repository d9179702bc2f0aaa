//! Two of the team at the same thing: the second sees what the first did, and nothing is overwritten unseen.

use embudo::accounts::Role;
use embudo::base::language::Language;
use embudo::base::time::HOUR_MS;
use embudo::contacts::{self, Trust};

use crate::console::{agent, app, book, hire, known, log_in, stage_of};
use crate::support::app::repository;

#[tokio::test]
async fn what_was_found_out_in_a_call_is_no_less_in_dispute_and_the_rest_of_the_form_comes_along() {
    let app = app().await;
    let (mike, ana) = (agent(&app, Role::Sdr).await, agent(&app, Role::Admin).await);
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let door = format!("/console/contacts/{nikki}");
    ana.submits(&format!("{door}/answers"), &[("need", "Three sites"), ("was_need", "")]).await.expect(303);
    let said = |was: &'static str| {
        [
            ("outcome", "reached"),
            ("incoming", "0"),
            ("minutes", "12"),
            ("summary", "She rings back on Friday."),
            ("need", "One site"),
            ("was_need", was),
            ("timeline", "this_quarter"),
            ("was_timeline", ""),
            ("next", ""),
        ]
    };
    let page = mike.submits(&format!("{door}/call"), &said("")).await.expect(409).body;
    for part in
        ["<strong data-breaks>Three sites</strong>", "value=\"One site\"", "She rings back on Friday."]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    for carried in ["name=\"minutes\" value=\"12\"", "name=\"timeline\" value=\"this_quarter\""] {
        assert!(page.contains(carried), "{carried}: {page}");
    }
    assert!(!page.contains("name=\"was_need\" value=\"\""), "she has seen it now: {page}");
    assert!(!mike.sees(&door).await.contains("She rings back"), "nothing was written");
    mike.submits(&format!("{door}/call"), &said("Three sites")).await.expect(303);
    let told = mike.sees(&door).await;
    assert!(told.contains("She rings back on Friday.") && told.contains("One site"), "{told}");
}

#[tokio::test]
async fn of_two_who_say_how_a_call_went_the_second_is_told() {
    let app = app().await;
    hire(&app, "sdr@faro.example", Role::Sdr, Language::En).await;
    hire(&app, "admin@faro.example", Role::Admin, Language::Es).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let (booking, starts_at) = book(&app, nikki).await;
    app.clock.advance(starts_at.plus_ms(HOUR_MS).since_ms(app.now()));
    let (mike, ana) = (log_in(&app, "sdr@faro.example").await, log_in(&app, "admin@faro.example").await);
    let door = format!("/console/bookings/{booking}/outcome");
    let page = format!("/console/bookings/{booking}");
    assert!(mike.sees(&page).await.contains("name=\"was\" value=\"\""));
    mike.submits(&door, &[("outcome", "held"), ("was", "")]).await.expect(303);
    // The same is no dispute.
    ana.submits(&door, &[("outcome", "held"), ("was", "")]).await.expect(303);
    let refused = ana.submits(&door, &[("outcome", "no_show"), ("was", "")]).await.expect(409).body;
    assert!(refused.contains("ya ha dicho cómo fue esta llamada"), "in her language: {refused}");
    let booking_id = booking.to_string();
    let after = |was: &'static str| {
        [
            ("booking", booking_id.as_str()),
            ("outcome", "no_show"),
            ("was_outcome", was),
            ("summary", "Nobody came"),
            ("next", ""),
        ]
    };
    let form = format!("/console/contacts/{nikki}/call");
    let shown = ana.submits(&form, &after("")).await.expect(409).body;
    let carried = ["value=\"Nobody came\"", "name=\"was_outcome\" value=\"held\""];
    assert!(carried.iter().all(|part| shown.contains(part)), "what she wrote is kept: {shown}");
    let kept = app.rows("select outcome from bookings").await;
    assert_eq!(kept[0].get::<String>("outcome").expect("a word"), "held");
    assert!(ana.sees(&page).await.contains("name=\"was\" value=\"held\""));
    ana.submits(&door, &[("outcome", "no_show"), ("was", "held")]).await.expect(303);
}

#[tokio::test]
async fn whoever_decides_about_a_stage_that_is_over_is_told() {
    let app = app().await;
    let (mike, yuri) = (agent(&app, Role::Sdr).await, agent(&app, Role::Ae).await);
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    book(&app, nikki).await;
    let (door, page) = (format!("/console/contacts/{nikki}/stage"), format!("/console/contacts/{nikki}"));
    assert!(yuri.sees(&page).await.contains("name=\"stage\" value=\"sql\""));
    app.clock.advance(1_000);
    yuri.submits(&door, &[("role", "ae"), ("what", "accept"), ("stage", "sql")]).await.expect(303);
    app.clock.advance(1_000);
    let late = [("role", "ae"), ("what", "reject"), ("reason", "timing"), ("stage", "sql")];
    let refused = yuri.submits(&door, &late).await.expect(409).body;
    assert!(refused.contains("has come into another stage"), "{refused}");
    assert_eq!(stage_of(&app, nikki).await, "sal");
    drop(mike);
}

#[tokio::test]
async fn of_two_who_hand_over_the_second_sees_the_first_ones_and_decides() {
    let app = app().await;
    let (mike, ana) = (agent(&app, Role::Sdr).await, agent(&app, Role::Admin).await);
    agent(&app, Role::Ae).await;
    agent(&app, Role::Cs).await;
    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let (door, page) = (format!("/console/contacts/{nikki}/handover"), format!("/console/contacts/{nikki}"));
    mike.submits(&door, &[("role", "ae"), ("note", "Ask for the budget"), ("was", "")]).await.expect(303);
    let late = [("role", "cs"), ("note", "She is a customer"), ("was", "")];
    let shown = ana.submits(&door, &late).await.expect(409).body;
    for part in ["Account executive", "Ask for the budget", "Customer success", "She is a customer"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let open = app.rows("select id, role from handovers where taken_at is null and ended_at is null").await;
    assert_eq!((open.len(), open[0].get::<String>("role").expect("a word").as_str()), (1, "ae"));
    let id: String = open[0].get("id").expect("an id");
    assert!(shown.contains(&format!("name=\"was\" value=\"{id}\"")), "{shown}");
    assert!(ana.sees(&page).await.contains(&format!("name=\"was\" value=\"{id}\"")));
    ana.submits(&door, &[("role", "cs"), ("note", "She is a customer"), ("was", &id)]).await.expect(303);
    assert!(ana.sees(&page).await.contains("She is a customer"));
}

#[tokio::test]
async fn a_role_a_suggestion_and_a_definition_that_changed_meanwhile_are_looked_at_again() {
    let app = app().await;
    let ana = agent(&app, Role::Admin).await;
    hire(&app, "eva@faro.example", Role::Sdr, Language::En).await;
    let rows = app.rows("select id from accounts where email = 'eva@faro.example'").await;
    let door = format!("/console/accounts/{}/role", rows[0].get::<String>("id").expect("an id"));
    assert!(ana.sees("/console/accounts").await.contains("name=\"was\" value=\"sdr\""));
    ana.submits(&door, &[("role", "ae"), ("was", "sdr")]).await.expect(303);
    let refused = ana.submits(&door, &[("role", "viewer"), ("was", "sdr")]).await.expect(409).body;
    assert!(refused.contains("has changed this role"), "{refused}");

    let (nikki, _) = known(&app, "nikki@acme.example", "Nikki Grant").await;
    let (eva, _) = known(&app, "eva@acme.example", "Eva Ruiz").await;
    let tell_of = async |who, name: &str, value: &str, trust: Trust| {
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        contacts::set_field(&mut tx, who, name, value, "form", trust, app.now()).await.expect("set");
        tx.commit().await.expect("commits");
    };
    let tell = async |name: &str, value: &str, trust: Trust| tell_of(nikki, name, value, trust).await;
    tell("job_title", "Head of People", Trust::Confirmed).await;
    tell("job_title", "Director", Trust::Claimed).await;
    tell_of(eva, "employees", "250", Trust::Confirmed).await;
    tell("employees", "40", Trust::Claimed).await;
    let page = ana.sees(&format!("/console/contacts/{nikki}")).await;
    assert!(
        page.contains("name=\"value\" value=\"Director\"") && page.contains("name=\"value\" value=\"40\"")
    );
    app.clock.advance(1_000);
    tell("job_title", "Intern", Trust::Claimed).await;
    tell("employees", "60", Trust::Claimed).await;
    for (door, name, seen, waits) in
        [("suggestion", "job_title", "Director", "Intern"), ("company-suggestion", "employees", "40", "60")]
    {
        let door = format!("/console/contacts/{nikki}/{door}");
        let judged = |value| [("name", name), ("what", "accept"), ("value", value)];
        let refused = ana.submits(&door, &judged(seen)).await.expect(409).body;
        assert!(refused.contains("Another value waits"), "{name}: {refused}");
        ana.submits(&door, &judged(waits)).await.expect(303);
    }

    let text = std::fs::read_to_string(repository("config/lifecycle.yaml")).expect("the definition");
    let text = text.replacen("version: 1\n", "version: 2\n", 1);
    let proposed = ana.submits("/console/lifecycle/propose", &[("text", &text)]).await.expect(303);
    let page = ana.sees(proposed.header("location")).await;
    let running = &app.app.lifecycle.now().hash;
    assert!(page.contains(&format!("name=\"running\" value=\"{running}\"")), "{page}");
    let hash = proposed.header("location").rsplit('/').next().and_then(|rest| rest.split('?').next());
    let hash = hash.expect("the version's address");
    let seen = |running| [("hash", hash), ("re_evaluate", "new-events-only"), ("running", running)];
    let refused = ana.submits("/console/lifecycle/activate", &seen("another")).await.expect(409).body;
    assert!(refused.contains("has activated another version"), "{refused}");
    assert_eq!(app.app.lifecycle.now().version, 1);
}

#[tokio::test]
async fn of_two_who_write_a_prepared_answer_the_second_sees_the_first_ones_and_hers_is_kept() {
    let app = app().await;
    let (mike, ana) = (agent(&app, Role::Sdr).await, agent(&app, Role::Admin).await);
    let path = "/console/replies";
    let reply = |was: &'static str, seen: &str, en: &'static str| {
        let all = [
            ("was", was),
            ("shortcut", "parking"),
            ("title_en", "Parking"),
            ("title_es", "Aparcar"),
            ("text_en", en),
            ("text_es", "A dos calles."),
            ("seen", seen),
        ];
        let count = if seen.is_empty() { all.len() - 1 } else { all.len() };
        all[..count].iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let submit = async |who: &crate::console::Agent, fields: Vec<(String, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        who.submits(path, &fields).await
    };
    let seen = async || {
        let rows = app.rows("select changed_at from chat_replies").await;
        rows[0].get::<i64>("changed_at").expect("a time").to_string()
    };
    submit(&mike, reply("", "", "Two streets away.")).await.expect(303);
    let first = seen().await;
    assert!(ana.sees(path).await.contains(&format!("name=\"seen\" value=\"{first}\"")));
    app.clock.advance(1_000);
    submit(&mike, reply("parking", &first, "Three streets away.")).await.expect(303);
    app.clock.advance(1_000);
    let shown = submit(&ana, reply("parking", &first, "Behind the house.")).await.expect(409).body;
    assert!(shown.contains("has written this reply anew"), "{shown}");
    assert!(
        shown.contains("Three streets away.") && shown.contains("Behind the house.</textarea>"),
        "{shown}"
    );
    let second = seen().await;
    assert!(shown.contains(&format!("name=\"seen\" value=\"{second}\"")), "{shown}");
    let stale = ana.submits("/console/replies/parking/delete", &[("seen", &first)]).await.expect(409).body;
    assert!(stale.contains("Look at it; then delete it"), "{stale}");
    submit(&ana, reply("parking", &second, "Behind the house.")).await.expect(303);
    ana.submits("/console/replies/parking/delete", &[("seen", &seen().await)]).await.expect(303);
    // What is gone comes back only if somebody says so.
    let shown = submit(&mike, reply("parking", &second, "Three streets away.")).await.expect(409).body;
    assert!(
        shown.contains("has deleted this reply") && shown.contains("Three streets away.</textarea>"),
        "{shown}"
    );
    assert_eq!(app.count("chat_replies").await, 0);
}

#[tokio::test]
async fn what_is_refused_is_told_in_the_language_of_whoever_reads_it() {
    let app = app().await;
    hire(&app, "ana@faro.example", Role::Admin, Language::Es).await;
    let ana = log_in(&app, "ana@faro.example").await;
    let nobody = [("query", ""), ("what", "owner:nobody"), ("scope", "chosen")];
    let refused = ana.submits("/console/contacts/acts", &nobody).await.expect(422).body;
    assert!(refused.contains("Marca a quiénes se refiere") && !refused.contains("Tick"), "{refused}");
    let english = agent(&app, Role::Sdr).await;
    let refused = english.submits("/console/contacts/acts", &nobody).await.expect(422).body;
    assert!(refused.contains("Tick those whom"), "{refused}");
}
