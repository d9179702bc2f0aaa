//! The list of contacts: how people are found, filtered, sorted and counted, and which ways to look at them are kept.

use embudo::accounts::Role;
use embudo::base::email::Email;
use embudo::base::ids::ContactId;
use embudo::base::language::Language;
use embudo::base::time::{DAY_MS, MINUTE_MS};
use embudo::companies;
use embudo::contacts::{self, Consent, Identification, Trust, merge};
use embudo::reports::people::{self, Order, Search};

use crate::console::{Agent, agent, hire, log_in};
use crate::support::app::TestApp;

/// Makes a contact with these facts, a minute after the last one.
pub async fn known(app: &TestApp, email: &str, facts: &[(&str, &str)]) -> ContactId {
    app.clock.advance(MINUTE_MS);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let who = Identification {
        email: &Email::parse(email).expect("an address"),
        visitor: None,
        site: "faro",
        trust: Trust::Claimed,
        consent: Consent::None,
        language: Language::Es,
        time_zone: None,
    };
    let contact = contacts::of_address(&mut tx, &who, app.now()).await.expect("made");
    for (name, value) in facts {
        contacts::set_field(&mut tx, contact.id, name, value, "test", Trust::Claimed, app.now())
            .await
            .expect("set");
    }
    tx.commit().await.expect("commits");
    contact.id
}

fn named<'a>(first: &'a str, last: &'a str) -> [(&'a str, &'a str); 2] {
    [("first_name", first), ("last_name", last)]
}

/// The addresses of the list, in its order.
async fn listed(agent: &Agent, query: &str) -> Vec<String> {
    let page = agent.sees(&format!("/console/contacts?{query}")).await;
    let rows = page.split("<tr class=\"row-link\">").skip(1);
    let name_of = |row: &str| {
        let after = row.split("<a href=").nth(1).and_then(|rest| rest.split_once('>')).unwrap_or_default().1;
        after.split("</a>").next().unwrap_or_default().to_owned()
    };
    rows.map(name_of).collect()
}

fn link(page: &str, rel: &str) -> Option<String> {
    let after = page.split(&format!("rel=\"{rel}\" href=\"")).nth(1)?;
    Some(after.split('"').next()?.replace("&amp;", "&").replace("&#x3D;", "="))
}

#[tokio::test]
async fn people_are_found_by_any_word_that_begins_so_without_accents() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    known(&app, "jordi.puig@tallers.example", &[("first_name", "Jordi"), ("last_name", "Puig")]).await;
    known(
        &app,
        "ana@acme.example",
        &[("first_name", "Ána"), ("last_name", "Núñez"), ("phone", "+34 600 11 22 33")],
    )
    .await;
    known(&app, "hanna@acme.example", &[("first_name", "Hanna"), ("last_name", "Anders")]).await;
    known(
        &app,
        "zoe@gmail.com",
        &[("first_name", "Zoë"), ("company", "Lärm & Söhne"), ("competitors", "Lecturama")],
    )
    .await;
    for (search, found) in [
        ("ana", vec!["Ána Núñez"]),
        ("ÁNA", vec!["Ána Núñez"]),
        ("an", vec!["Hanna Anders", "Ána Núñez"]),
        ("nunez", vec!["Ána Núñez"]),
        ("núñ an", vec!["Ána Núñez"]),
        ("acme", vec!["Hanna Anders", "Ána Núñez"]),
        ("hanna acme", vec!["Hanna Anders"]),
        ("ana@acme.example", vec!["Ána Núñez"]),
        ("@acme.example", vec!["Hanna Anders", "Ána Núñez"]),
        ("jordi.puig@ta", vec!["Jordi Puig"]),
        ("puig", vec!["Jordi Puig"]),
        ("600 11 22", vec!["Ána Núñez"]),
        ("+34600112233", vec!["Ána Núñez"]),
        ("0034 600 112 233", vec!["Ána Núñez"]),
        ("11 22 33", vec!["Ána Núñez"]),
        ("lecturama", vec!["Zoë"]),
        ("zoe", vec!["Zoë"]),
        // Not in the middle of a word, and not as a pattern.
        ("anna", vec![]),
        ("%25", vec![]),
        ("_na", vec![]),
        ("nobody at all", vec![]),
    ] {
        let query = search.replace(' ', "+").replace("+34", "%2B34");
        assert_eq!(listed(&mike, &format!("q={query}")).await, found, "{search}");
    }
    // What is said later is found later, and what is said no more is not found.
    known(&app, "ana@acme.example", &[("last_name", "Ibarra")]).await;
    assert_eq!(listed(&mike, "q=ibarra").await, ["Ána Ibarra"]);
    assert_eq!(listed(&mike, "q=nunez").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_company_is_found_with_its_people_by_the_name_it_has_now() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    known(&app, "ana@qx7.example", &named("Ana", "Ruiz")).await;
    assert_eq!(listed(&mike, "q=qx7").await, ["Ana Ruiz"]);
    known(&app, "ana@qx7.example", &[("company", "Energía Límpida")]).await;
    assert_eq!(listed(&mike, "q=limpida").await, ["Ana Ruiz"]);
    assert_eq!(listed(&mike, "q=ana+energia").await, ["Ana Ruiz"]);
    let company = companies::list(&mut app.app.stores.db.read(), "", 0, 9).await.expect("read");
    let id = company.first().expect("one").id;
    assert_eq!(listed(&mike, &format!("company={id}")).await, ["Ana Ruiz"]);
    let page = mike.sees(&format!("/console/contacts?company={id}")).await;
    assert!(page.contains("Company: <strong>Energía Límpida</strong>"), "the chip says the name");
}

#[tokio::test]
async fn whoever_was_merged_is_found_as_the_one_who_stays_and_again_alone_when_it_is_undone() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    let stays = known(&app, "ana@acme.example", &named("Ana", "Ruiz")).await;
    let goes = known(&app, "ani@home.example", &named("Anita", "Ruiz")).await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    merge::merge(&mut tx, stays, goes, "test", app.now()).await.expect("merged");
    tx.commit().await.expect("commits");
    assert_eq!(listed(&mike, "q=ani@home.example").await, ["Ana Ruiz"]);
    assert_eq!(listed(&mike, "q=ruiz").await, ["Ana Ruiz"]);
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    merge::unmerge(&mut tx, goes, "test", app.now()).await.expect("undone");
    tx.commit().await.expect("commits");
    assert_eq!(listed(&mike, "q=ani@home.example").await, ["Anita Ruiz"]);
    assert_eq!(listed(&mike, "q=ana@acme.example").await, ["Ana Ruiz"]);
}

#[tokio::test]
async fn filters_narrow_the_list_and_each_chip_takes_its_own_away() {
    let app = TestApp::start().await;
    hire(&app, "sdr@faro.example", Role::Sdr, Language::En).await;
    let old = known(&app, "old@acme.example", &[("first_name", "Old"), ("country", "ES")]).await;
    app.clock.advance(40 * DAY_MS);
    // The session ended meanwhile.
    let mike = log_in(&app, "sdr@faro.example").await;
    known(&app, "new@acme.example", &[("first_name", "New"), ("country", "MX")]).await;
    let account = embudo::accounts::list(&mut app.app.stores.db.read()).await.expect("read");
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::assign(&mut tx, old, account.first().expect("one").id).await.expect("assigned");
    tx.commit().await.expect("commits");
    for (query, found) in [
        ("", vec!["New", "Old"]),
        ("owner=me", vec!["Old"]),
        ("owner=-", vec!["New"]),
        ("country=es", vec!["Old"]),
        ("country=mx&owner=me", vec![]),
        ("seen=7", vec!["New"]),
        ("seen=-30", vec!["Old"]),
        ("seen=-90", vec![]),
        ("sort=name", vec!["New", "Old"]),
        ("stage=customer", vec![]),
        ("source=nowhere", vec![]),
        // What cannot be understood counts as no filter.
        ("country=Atlantis&owner=x&seen=soon&segment=nobody&sort=shoe&after=x", vec!["New", "Old"]),
    ] {
        assert_eq!(listed(&mike, query).await, found, "{query}");
    }
    let page = mike.sees("/console/contacts?q=o&owner=me&country=es").await;
    assert!(page.contains("Owner: <strong>Me</strong>") && page.contains("Country: <strong>Spain</strong>"));
    assert!(
        page.contains("href=\"/console/contacts?q&#x3D;o&amp;country&#x3D;ES\"")
            || page.contains("/console/contacts?q=o&amp;country=ES"),
        "the chip of the owner leaves the rest: {page}"
    );
}

#[tokio::test]
async fn pages_begin_where_the_one_before_ended_and_miss_nobody() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    for n in 0..120 {
        // Several of one name, and of one moment: the order is still one.
        let email = format!("p{n:03}@acme{}.example", n % 7);
        let mut tx = app.app.stores.db.begin().await.expect("begins");
        let who = Identification {
            email: &Email::parse(&email).expect("an address"),
            visitor: None,
            site: "faro",
            trust: Trust::Claimed,
            consent: Consent::None,
            language: Language::Es,
            time_zone: None,
        };
        contacts::of_address(&mut tx, &who, app.now()).await.expect("made");
        tx.commit().await.expect("commits");
        if n % 10 == 0 {
            app.clock.advance(MINUTE_MS);
        }
    }
    for (query, all) in [
        ("sort=seen", 120),
        ("sort=name", 120),
        ("sort=created", 120),
        ("q=acme3", 17),
        ("q=acme&sort=name", 120),
    ] {
        let mut next = Some(format!("/console/contacts?{query}"));
        let mut seen = Vec::new();
        while let Some(path) = next {
            let page = mike.sees(&path).await;
            let rows = page.split("<tr class=\"row-link\"").skip(1);
            let ids =
                rows.filter_map(|row| row.split("<a href=\"/console/contacts/").nth(1)?.split('"').next());
            seen.extend(ids.map(str::to_owned));
            next = link(&page, "next");
            assert!(seen.len() <= 200, "{query} goes round in circles");
        }
        assert_eq!(seen.len(), all, "{query}");
        let once: std::collections::BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), all, "{query} tells nobody twice");
    }
    let names = listed(&mike, "sort=name").await;
    assert!(names.is_sorted(), "{names:?}");
    assert!(mike.sees("/console/contacts?q=acme").await.contains("120 contacts for"));
}

#[tokio::test]
async fn a_view_is_kept_for_oneself_or_for_all_and_columns_are_of_choice() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    hire(&app, "yuri@faro.example", Role::Ae, Language::En).await;
    let yuri = log_in(&app, "yuri@faro.example").await;
    known(&app, "ana@acme.example", &[("first_name", "Ana"), ("job_title", "Head of people")]).await;
    let view = [("name", "Without owner"), ("query", "owner=-&seen=30&nonsense=1&after=x"), ("shared", "1")];
    let answer = mike.submits("/console/contacts/views", &view).await.expect(303);
    assert_eq!(answer.header("location"), "/console/contacts?owner=-&seen=30&done=view");
    mike.submits("/console/contacts/views", &[("name", "My own"), ("query", "owner=me")]).await.expect(303);
    let page = yuri.sees("/console/contacts").await;
    assert!(page.contains("Without owner") && !page.contains("My own"));
    let id = page.split("/console/contacts/views/").nth(1);
    assert_eq!(id, None, "what another shares is not hers to take away");
    let page = mike.sees("/console/contacts").await;
    assert!(page.contains("Without owner") && page.contains("My own"));
    let paths: Vec<String> = page
        .split("action=\"/console/contacts/views/")
        .skip(1)
        .map(|rest| format!("/console/contacts/views/{}", rest.split('"').next().unwrap_or_default()))
        .collect();
    assert_eq!(paths.len(), 2);
    for path in &paths {
        yuri.submits(path, &[]).await.expect(404);
        mike.submits(path, &[]).await.expect(303);
    }
    assert!(!mike.sees("/console/contacts").await.contains("Without owner"));
    mike.submits("/console/contacts/views", &[("name", "  "), ("query", "")]).await.expect(422);

    assert!(!mike.sees("/console/contacts").await.contains("Head of people"));
    let columns = [("query", "owner=-"), ("column", "job_title"), ("column", "seen"), ("column", "shoe")];
    let answer = mike.submits("/console/contacts/columns", &columns).await.expect(303);
    assert_eq!(answer.header("location"), "/console/contacts?owner=-");
    let page = mike.sees("/console/contacts").await;
    assert!(page.contains("Head of people") && !page.contains("<th scope=\"col\">Stage</th>"));
    assert!(!yuri.sees("/console/contacts").await.contains("Head of people"), "each has columns of her own");
}

#[tokio::test]
async fn the_list_is_given_out_as_a_file_that_no_spreadsheet_runs_and_it_is_written_down() {
    let app = TestApp::start().await;
    let admin = agent(&app, Role::Admin).await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    let mike = log_in(&app, "mike@faro.example").await;
    known(
        &app,
        "ana@acme.example",
        &[("first_name", "=cmd()"), ("last_name", "Ruiz, \"A\""), ("phone", "+34 600")],
    )
    .await;
    known(&app, "bob@other.example", &named("Bob", "Roe")).await;
    mike.submits("/console/contacts/export", &[("query", "")]).await.expect(403);
    let file = admin.submits("/console/contacts/export", &[("query", "q=acme")]).await.expect(200);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<&str> = file.body.lines().collect();
    assert_eq!(lines.len(), 2, "{}", file.body);
    assert!(lines[0].starts_with("email,first_name,last_name,company,"), "{}", lines[0]);
    assert!(
        lines[1].starts_with("ana@acme.example,'=cmd(),\"Ruiz, \"\"A\"\"\",Acme,,'+34 600,"),
        "{}",
        lines[1]
    );
    let all = admin.submits("/console/contacts/export", &[("query", "")]).await.expect(200);
    assert_eq!(all.body.lines().count(), 3);
    let audit = admin.sees("/console/audit").await;
    assert!(audit.contains("exported") && audit.contains("the list: contacts"));
}

#[tokio::test]
async fn people_who_came_before_there_were_words_are_found_after_a_while() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    known(&app, "ana@acme.example", &named("Ana", "Ruiz")).await;
    for forget in [
        "delete from contact_words",
        "delete from company_words",
        "update contacts set is_indexed = 0, sort_name = ''",
        "update companies set is_indexed = 0, sort_name = ''",
    ] {
        let sql = embudo::storage::db::Sql(Box::leak(forget.to_owned().into_boxed_str()));
        app.app.stores.db.execute(sql, &[]).await.expect("forgotten");
    }
    assert_eq!(listed(&mike, "q=ana").await, Vec::<String>::new());
    app.run_jobs().await;
    assert_eq!(listed(&mike, "q=ana+acme").await, ["Ana Ruiz"]);
    let reads = &mut app.app.stores.db.read();
    let found = people::find(reads, &Search::default(), Order::Name, None, 9).await.expect("found");
    assert_eq!(people::rows(reads, &found.ids).await.expect("read").len(), 1);
}

#[tokio::test]
async fn everybody_who_is_found_is_given_to_somebody_and_taken_back_within_a_minute() {
    let app = TestApp::start().await;
    hire(&app, "sdr@faro.example", Role::Sdr, Language::En).await;
    hire(&app, "yuri@faro.example", Role::Ae, Language::En).await;
    let accounts = embudo::accounts::list(&mut app.app.stores.db.read()).await.expect("read");
    let of = |email: &str| accounts.iter().find(|it| it.email.as_str() == email).expect("hired").id;
    let (own, yuri) = (of("sdr@faro.example"), of("yuri@faro.example"));
    let to_yuri = format!("owner:{yuri}");
    let ana = known(&app, "ana@acme.example", &named("Ana", "Ruiz")).await;
    let bob = known(&app, "bob@acme.example", &named("Bob", "Roe")).await;
    let other = known(&app, "cyd@other.example", &named("Cyd", "Low")).await;
    for n in 0..600 {
        known(&app, &format!("p{n}@many.example"), &[]).await;
    }
    // After all of these minutes.
    let mike = log_in(&app, "sdr@faro.example").await;
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::assign(&mut tx, ana, own).await.expect("assigned");
    tx.commit().await.expect("commits");
    let owner = async |id: ContactId| {
        contacts::find(&mut app.app.stores.db.read(), id).await.expect("read").expect("known").owner
    };
    let give = [("query", "q=acme"), ("what", to_yuri.as_str()), ("found", "2")];
    let answer = mike.submits("/console/contacts/acts", &give).await.expect(303);
    let path = answer.header("location").to_owned();
    app.run_jobs().await;
    assert_eq!((owner(ana).await, owner(bob).await, owner(other).await), (Some(yuri), Some(yuri), None));
    let page = mike.sees(&path).await;
    assert!(page.contains("2 contacts have another owner") && page.contains("To yuri"), "{page}");
    // Somebody takes one of them meanwhile: that stays.
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    contacts::assign(&mut tx, bob, own).await.expect("assigned");
    tx.commit().await.expect("commits");
    mike.submits(&format!("{path}/undo"), &[]).await.expect(303);
    app.run_jobs().await;
    assert_eq!((owner(ana).await, owner(bob).await), (Some(own), Some(own)));
    let page = mike.sees(&path).await;
    assert!(page.contains("It was taken back for 2 contacts") && !page.contains("another owner"), "{page}");
    mike.submits(&format!("{path}/undo"), &[]).await.expect(409);

    // Whoever has no owner goes out of the search while it goes on, and nobody is left out.
    let give = [("query", "owner=-"), ("what", to_yuri.as_str()), ("found", "601")];
    let answer = mike.submits("/console/contacts/acts", &give).await.expect(303);
    let path = answer.header("location").to_owned();
    app.run_jobs().await;
    assert!(mike.sees(&path).await.contains("601 contacts have another owner"));
    assert_eq!(listed(&mike, "owner=-").await, Vec::<String>::new());
    app.clock.advance(2 * MINUTE_MS);
    mike.submits(&format!("{path}/undo"), &[]).await.expect(409);
    assert!(mike.sees(&path).await.contains("It can be undone no more"));
    let nobody = format!("owner:{}", ContactId::new());
    mike.submits("/console/contacts/acts", &[("query", ""), ("what", &nobody)]).await.expect(404);
}

#[tokio::test]
async fn companies_are_listed_by_name_found_by_words_and_tell_their_people_and_what_waits() {
    let app = TestApp::start().await;
    let mike = agent(&app, Role::Sdr).await;
    known(
        &app,
        "ana@acme.example",
        &[("first_name", "Ana"), ("company", "Énergie Verte"), ("employees", "250")],
    )
    .await;
    known(&app, "bob@acme.example", &[("first_name", "Bob"), ("employees", "9")]).await;
    for n in 0..60 {
        known(&app, &format!("p@zeta{n:02}.example"), &[]).await;
    }
    let page = mike.sees("/console/companies").await;
    let (first, zeta) = (page.find("Énergie Verte").expect("listed"), page.find("Zeta00").expect("listed"));
    assert!(first < zeta && page.contains("61 companies"), "by name, accents aside");
    let next = link(&page, "next").expect("more follow");
    let rest = mike.sees(&next).await;
    assert!(rest.contains("Zeta59") && !rest.contains("Zeta00") && !rest.contains("rel=\"next\""));
    let found = mike.sees("/console/companies?q=energie").await;
    assert!(found.contains("1 company") && !found.contains("Zeta00"));
    assert!(mike.sees("/console/companies?q=%25").await.contains("No company matches"));
    let path = found.split("cell-main\"><a href=\"").nth(1).and_then(|rest| rest.split('"').next());
    let path = path.expect("a link").to_owned();
    let company = mike.sees(&path).await;
    for words in ["Énergie Verte", "Ana", "Bob", "250", "accept"] {
        assert!(company.contains(words), "{words}: {company}");
    }
    let judged = [("name", "employees"), ("what", "accept")];
    mike.submits(&format!("{path}/suggestion"), &judged).await.expect(303);
    mike.submits(&format!("{path}/suggestion"), &judged).await.expect(404);
    assert!(!mike.sees(&path).await.contains("value=\"accept\""));
    mike.get(&format!("/console/companies/{}", ContactId::new())).await.expect(404);
}

#[tokio::test]
async fn nothing_is_done_to_more_people_than_the_list_said_nor_to_all_for_what_is_not_understood() {
    let app = TestApp::start().await;
    hire(&app, "sdr@faro.example", Role::Sdr, Language::En).await;
    let ana = known(&app, "ana@acme.example", &named("Ana", "Ruiz")).await;
    let mike = log_in(&app, "sdr@faro.example").await;
    let accounts = embudo::accounts::list(&mut app.app.stores.db.read()).await.expect("read");
    let to_mike = format!("owner:{}", accounts[0].id);
    let page = mike.sees("/console/contacts?q=acme").await;
    assert!(page.contains("name=\"found\" value=\"1\""), "the list says how many it shows");
    let give = |query: &'static str, found: &'static str| {
        let what = to_mike.clone();
        let mike = &mike;
        async move {
            let form = [("query", query), ("what", what.as_str()), ("scope", "all"), ("found", found)];
            mike.submits("/console/contacts/acts", &form).await
        }
    };
    let owner = async || {
        contacts::find(&mut app.app.stores.db.read(), ana).await.expect("read").expect("known").owner
    };
    for garbled in ["segment=gone", "stagee=lead", "q=acme&q=other", "seen=soon", "country=xyz", "%25%25"] {
        give(garbled, "1").await.expect(400);
    }
    // Somebody came since.
    known(&app, "bob@acme.example", &named("Bob", "Roe")).await;
    let asked = give("q=acme", "1").await.expect(200).body;
    assert!(asked.contains("They are 2 contacts by now") && asked.contains("The list said 1"), "{asked}");
    assert!(asked.contains("name=\"found\" value=\"2\""), "{asked}");
    give("q=acme", "").await.expect(200);
    app.run_jobs().await;
    assert_eq!((owner().await, app.count("contact_acts").await), (None, 0));
    give("q=acme", "2").await.expect(303);
    app.run_jobs().await;
    assert_eq!(owner().await, Some(accounts[0].id));
}

#[tokio::test]
async fn what_somebody_typed_to_find_people_is_kept_no_longer_than_it_takes() {
    let app = TestApp::start().await;
    let admin = agent(&app, Role::Admin).await;
    let zed = "zedunique@erasemeplease.example";
    let typed = "zedunique%40erasemeplease.example";
    let query = format!("q={typed}");
    let kept = async || {
        let rows = app.rows("select search, after_place, chosen from contact_acts").await;
        rows.iter().map(|row| format!("{row:?}")).collect::<String>()
    };
    let id = known(&app, zed, &[]).await;
    let give = [("query", query.as_str()), ("what", "owner:-"), ("scope", "all"), ("found", "1")];
    let path = admin.submits("/console/contacts/acts", &give).await.expect(303).header("location").to_owned();
    assert!(kept().await.contains("zedunique"), "for as long as it is at work");
    app.run_jobs().await;
    assert!(!kept().await.contains("zedunique"), "{}", kept().await);
    // It can be undone without it.
    admin.submits(&format!("{path}/undo"), &[]).await.expect(303);
    app.run_jobs().await;
    assert!(admin.sees(&path).await.contains("Undone."));

    let ticked = [("query", query.as_str()), ("what", "erase"), ("scope", "all"), ("typed", "1")];
    admin.submits("/console/contacts/acts", &ticked).await.expect(303);
    app.run_jobs().await;
    let reads = &mut app.app.stores.db.read();
    assert!(contacts::find(reads, id).await.expect("read").is_none());
    assert!(!kept().await.contains("zedunique"), "{}", kept().await);
    assert_eq!(app.count("contact_acts").await, 2);
    app.later(8 * DAY_MS).await;
    assert_eq!(app.count("contact_acts").await, 0, "after a week nothing is known of it");
}
