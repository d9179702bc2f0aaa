//! Lists of contacts that somebody brings: looked through before anything is taken, and weaker than what people said.

use embudo::accounts::Role;
use embudo::base::ids::ContactId;
use embudo::contacts::{self, Trust};

use crate::console::{Agent, agent};
use crate::contacts_list::known;
use crate::support::app::TestApp;

const PATH: &str = "/console/contacts/imports";

/// Brings a list; returns the address of what would become of it.
async fn bring(admin: &Agent, text: &str) -> String {
    let answer = admin.submits(PATH, &[("name", "Fair"), ("text", text)]).await.expect(303);
    let path = answer.header("location").to_owned();
    assert!(path.starts_with(&format!("{PATH}/")), "{path}");
    path
}

/// Lets it begin with these columns and waits for its end; returns the page then.
async fn taken(app: &TestApp, admin: &Agent, path: &str, columns: &[&str]) -> String {
    let fields: Vec<(&str, &str)> = columns.iter().map(|word| ("column", *word)).collect();
    admin.submits(&format!("{path}/begin"), &fields).await.expect(303);
    app.run_jobs().await;
    admin.sees(path).await
}

fn count(page: &str, what: &str) -> i64 {
    let after = page.split(&format!("<dt>{what}</dt><dd>")).nth(1).unwrap_or_default();
    after.split('<').next().unwrap_or_default().replace(',', "").parse().unwrap_or(-1)
}

async fn facts(app: &TestApp, contact: ContactId, name: &str) -> Vec<(String, String, bool)> {
    let fields = contacts::fields(&mut app.app.stores.db.read(), contact).await.expect("read");
    let mut told: Vec<_> = fields
        .into_iter()
        .filter(|field| field.name == name)
        .map(|field| (field.value, field.source, field.is_suggestion))
        .collect();
    told.sort();
    told
}

async fn of_email(app: &TestApp, email: &str) -> ContactId {
    let email = embudo::base::email::Email::parse(email).expect("an address");
    let found = contacts::find_by_email(&mut app.app.stores.db.read(), &email).await.expect("read");
    found.expect("known").id
}

#[tokio::test]
async fn a_list_is_looked_through_taken_over_and_changes_nothing_the_second_time() {
    let app = TestApp::start().await;
    let admin = agent(&app, Role::Admin).await;
    known(&app, "known@acme.example", &[("first_name", "Known")]).await;
    let list = "Correo electrónico;Nombre;Apellidos;Teléfono;Nota\n\
        ana@acme.example;Ána;Núñez;+34 600 112 233;x\n\
        known@acme.example;Known;;;\n\
        known@acme.example;;Later;;\n\
        nobody;Bob;;;\n\
        eve@acme.example;=cmd();;12;\n";
    let path = bring(&admin, list).await;
    let page = admin.sees(&path).await;
    for words in [
        "Of all 5 lines",
        "1 new",
        "1 changed",
        "1 known already",
        "2 refused",
        "Line 5:",
        "no e-mail address",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let contacts = app.rows("select id from contacts").await.len();
    assert_eq!(contacts, 1, "nothing is taken by looking");
    // Another column for the names.
    let other = admin.sees(&format!("{path}?column=email&column=last_name&column=&column=&column=")).await;
    assert!(other.contains("2 new") && other.contains("1 changed"), "{other}");
    let wrong = admin.sees(&format!("{path}?column=first_name")).await;
    assert!(wrong.contains("Say which column holds the e-mail address"));

    let columns = ["email", "first_name", "last_name", "phone", ""];
    let done = taken(&app, &admin, &path, &columns).await;
    assert_eq!(
        [
            count(&done, "New"),
            count(&done, "Changed"),
            count(&done, "Known already"),
            count(&done, "Refused")
        ],
        [1, 1, 1, 2]
    );
    let found = admin.sees("/console/contacts?q=600112233").await;
    assert!(found.contains("Ána Núñez"), "who was taken over is found");
    let ana = of_email(&app, "ana@acme.example").await;
    assert_eq!(facts(&app, ana, "first_name").await, [("Ána".to_owned(), "import".to_owned(), false)]);
    let refused = admin.get(&format!("{path}/refused.csv")).await.expect(200);
    assert_eq!(
        refused.body.lines().collect::<Vec<_>>(),
        [
            "Correo electrónico,Nombre,Apellidos,Teléfono,Nota,line,reason",
            "nobody,Bob,,,,5,There is no e-mail address.",
            "eve@acme.example,'=cmd(),,12,,6,This is no telephone number.",
        ]
    );
    admin.submits(&format!("{path}/begin"), &[("column", "email")]).await.expect(409);

    let again = bring(&admin, list).await;
    let before = app.rows("select contact_id, name, value, status from contact_fields").await.len();
    let done = taken(&app, &admin, &again, &columns).await;
    assert_eq!(
        [
            count(&done, "New"),
            count(&done, "Changed"),
            count(&done, "Known already"),
            count(&done, "Refused")
        ],
        [0, 0, 3, 2]
    );
    assert_eq!(app.rows("select contact_id, name, value, status from contact_fields").await.len(), before);
    assert!(admin.sees("/console/audit").await.contains("contacts import Fair"));
}

#[tokio::test]
async fn what_somebody_said_herself_stays_and_the_list_waits_as_a_suggestion() {
    let app = TestApp::start().await;
    let admin = agent(&app, Role::Admin).await;
    let ana = known(&app, "ana@acme.example", &[("job_title", "Head of people")]).await;
    let path = bring(&admin, "email,title,phone\nANA@acme.example,Intern,+34 600 112 233\n").await;
    taken(&app, &admin, &path, &["email", "job_title", "phone"]).await;
    assert_eq!(
        facts(&app, ana, "job_title").await,
        [
            ("Head of people".to_owned(), "test".to_owned(), false),
            ("Intern".to_owned(), "import".to_owned(), true)
        ]
    );
    assert_eq!(facts(&app, ana, "phone").await, [("+34 600 112 233".to_owned(), "import".to_owned(), false)]);
    // What a list brought, a later list puts right.
    let path = bring(&admin, "email,phone\nana@acme.example,+34 600 999 999\n").await;
    taken(&app, &admin, &path, &["email", "phone"]).await;
    assert_eq!(facts(&app, ana, "phone").await, [("+34 600 999 999".to_owned(), "import".to_owned(), false)]);
    // And she puts right what a list brought.
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    let set = contacts::set_field(&mut tx, ana, "phone", "+34 611", "form", Trust::Claimed, app.now()).await;
    assert!(set.expect("set"));
    tx.commit().await.expect("commits");
}

#[tokio::test]
async fn a_list_invents_no_consent_and_sends_no_letter() {
    let app = TestApp::start().await;
    let admin = agent(&app, Role::Admin).await;
    let list = "email,consent,consent source,consent date\n\
        ana@acme.example,,,\n\
        bob@acme.example,newsletter,,\n\
        cyd@acme.example,newsletter,Fair in Madrid,2026-05-04\n";
    for _ in 0..2 {
        let path = bring(&admin, list).await;
        let done = taken(&app, &admin, &path, &["email", "consent", "consent_source", "consent_at"]).await;
        assert_eq!(count(&done, "Refused"), 1, "a consent without proof");
    }
    let rows = app.rows("select contact_id, purpose, action, page, at from consents").await;
    assert_eq!(rows.len(), 1);
    let row = rows.first().expect("one");
    assert_eq!(row.get::<ContactId>("contact_id").expect("an id"), of_email(&app, "cyd@acme.example").await);
    assert_eq!(row.get::<String>("page").expect("a text"), "import: Fair in Madrid");
    assert_eq!(row.get::<i64>("at").expect("a time"), 1_777_896_000_000);
    assert_eq!(app.rows("select topic from subscriptions").await.len(), 0);
    assert_eq!(app.rows("select id from mails").await.len(), 0);
}

#[tokio::test]
async fn whoever_is_erased_stands_in_no_waiting_list_and_only_curators_bring_lists() {
    let app = TestApp::start().await;
    let admin = agent(&app, Role::Admin).await;
    let sdr = agent(&app, Role::Sdr).await;
    sdr.get(PATH).await.expect(403);
    sdr.submits(PATH, &[("name", "x"), ("text", "email\na@b.example\n")]).await.expect(403);
    let ana = known(&app, "ana@acme.example", &[]).await;
    let path = bring(&admin, "email,name\nana@acme.example,Ana\nbob@acme.example,Bob\n").await;
    let fields = [("email", "ana@acme.example")];
    admin.submits(&format!("/console/contacts/{ana}/erase"), &fields).await.expect(200);
    let lines = app.rows("select email from contact_import_lines").await;
    let emails: Vec<String> = lines.iter().map(|row| row.get("email").expect("a text")).collect();
    assert_eq!(emails, ["bob@acme.example"]);
    admin.submits(&format!("{path}/stop"), &[]).await.expect(303);
    assert_eq!(app.rows("select email from contact_import_lines").await.len(), 0);
    for nonsense in ["", "email\n", "ana@acme.example\n"] {
        admin.submits(PATH, &[("name", "x"), ("text", nonsense)]).await.expect(422);
    }
}

#[tokio::test]
async fn a_long_list_fits_into_the_form_and_goes_on_in_the_background() {
    let app = TestApp::start().await;
    let admin = agent(&app, Role::Admin).await;
    let mut list = "email,first name,company\n".to_owned();
    for n in 0..1_500 {
        list.push_str(&format!(
            "person{n}@company{n}.example,Person,\"A company with quite a long name, number {n}, S.L.\"\n"
        ));
    }
    assert!(list.len() > 100_000, "larger than other forms may be");
    let path = bring(&admin, &list).await;
    assert!(admin.sees(&path).await.contains("Of the first 500 lines"));
    let done = taken(&app, &admin, &path, &["email", "first_name", "company"]).await;
    assert_eq!(count(&done, "New"), 1_500);
    assert!(admin.sees("/console/contacts?q=person1499").await.contains("1 contact for"));
}
