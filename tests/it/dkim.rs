//! Mails are signed so that a verifier of others finds them right, and wrong when somebody has touched them.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use embudo::app::App;
use embudo::base::secret::Secret;
use embudo::notify::dkim::{Kind, newborn};
use serde_json::{Value, json};
use toml::Table;

use crate::gates::submit;
use crate::support::app::{SITE, TestApp, set};
use crate::support::tools::python_says;

const PROGRAM: &str = env!("CARGO_BIN_EXE_embudo");
const NIKKI: &str = "nikki@acme.example";

/// The settings of both keys, and the records by which they are verified.
fn keys() -> (impl FnOnce(&mut Table), Value) {
    let mut records = serde_json::Map::new();
    let keys = [(Kind::Rsa, "s1"), (Kind::Ed25519, "s2")].map(|(kind, selector)| {
        let key = newborn::make(kind).expect("a key");
        let record = newborn::record_of(kind, &key, selector, "faro.example").expect("its own kind");
        records.insert(record.name, record.value.into());
        (kind.word(), selector, key)
    });
    let both = move |settings: &mut Table| {
        set(settings, "mail", "from", "calls@faro.example");
        set(settings, "mail", "bounces", "bounce@faro.example");
        for (word, selector, key) in keys {
            set(settings, "mail.dkim", &format!("{word}_selector"), selector);
            set(settings, "mail.dkim", &format!("{word}_key"), key.expose());
        }
    };
    (both, Value::Object(records))
}

/// What the verifier says: domain, selector, algorithm, whether it holds, names.
fn verified(mail: &[u8], records: &Value) -> Vec<Value> {
    let told = json!({ "mail": STANDARD.encode(mail), "records": records }).to_string();
    python_says("dkim_verify.py", told.as_bytes()).as_array().expect("a list").clone()
}

fn holds(found: &[Value]) -> Vec<bool> {
    found.iter().map(|signature| signature[3].as_bool().expect("said")).collect()
}

#[tokio::test]
async fn every_mail_is_signed_by_both_keys_and_a_verifier_of_others_agrees() {
    let (both, records) = keys();
    let app = TestApp::start_with_mail_and(both).await;
    let slots = app.get("/v1/slots?meeting=discovery&zone=Europe/Madrid").await.expect_json(200);
    let call = json!({
        "site": "faro", "meeting": "discovery", "starts_at": slots["slots"][0]["starts_at"], "zone": "Europe/Madrid",
        "language": "es", "name": "Ñandú  \t Pérez-日本", "email": NIKKI,
        // Longer than a line of a mail may be, with blanks at the end and a dot at the beginning of a line.
        "notes": format!("{}   \n.\n. \u{1f426} {}\n\n\n", "sueños ".repeat(150), "x".repeat(600)),
    });
    app.client.with("origin", SITE).post("/v1/bookings", &call).await.expect(201);
    submit(&app.visitor(), "white-paper", "pam@acme.example").await;
    app.run_jobs().await;

    let (mails, raw) = (app.inbox().mails(), app.inbox().raw());
    assert!(mails.len() >= 4, "{}", mails.len());
    assert!(mails.iter().any(|mail| mail.calendar.is_some()), "one with an invitation");
    let mut letters = 0;
    for (mail, raw) in mails.iter().zip(&raw) {
        let found = verified(raw, &records);
        let said: Vec<[&str; 3]> = found
            .iter()
            .map(|signature| [0, 1, 2].map(|at| signature[at].as_str().expect("a text")))
            .collect();
        assert_eq!(said, [["faro.example", "s1", "rsa-sha256"], ["faro.example", "s2", "ed25519-sha256"]]);
        assert_eq!(holds(&found), [true, true], "{}", mail.subject);
        let names = found[0][4].as_array().expect("names");
        assert_eq!(names.iter().filter(|name| *name == "from").count(), 2, "one that is put in would count");
        if mail.headers.contains_key("list-unsubscribe") {
            letters += 1;
            assert_eq!(names.iter().filter(|name| *name == "list-unsubscribe").count(), 2);
            assert_eq!(names.iter().filter(|name| *name == "list-unsubscribe-post").count(), 2);
        }
        assert!(raw.split(|byte| *byte == b'\n').all(|line| line.len() <= 999), "RFC 5321, 4.5.3.1.6");
    }
    assert!(letters > 0, "one that can be unsubscribed from");
}

#[tokio::test]
async fn a_mail_that_somebody_touched_is_found_out_and_one_that_was_folded_anew_is_not() {
    let (both, records) = keys();
    let app = TestApp::start_with_mail_and(both).await;
    submit(&app.visitor(), "white-paper", NIKKI).await;
    app.run_jobs().await;
    let mail = String::from_utf8(app.inbox().raw().remove(0)).expect("seven bits");
    let verdict = |text: &str| holds(&verified(text.as_bytes(), &records));
    assert_eq!(verdict(&mail), [true, true]);
    let second = mail.replacen("\r\nFrom: ", "\r\nFrom: Eve <eve@x.example>\r\nFrom: ", 1);
    let another = mail.replacen("\r\nSubject: ", "\r\nSubject: Now: ", 1);
    let more = format!("{}\r\nPay here instead.\r\n", mail.trim_end());
    for touched in [second, another, more] {
        assert_ne!(touched, mail);
        assert_eq!(verdict(&touched), [false, false]);
    }
    // What servers on the way may do.
    let folded = mail.replacen("\r\nSubject: ", "\r\nReceived: by x\r\nSUBJECT:\r\n\t  ", 1);
    assert_eq!(verdict(&format!("{folded}\r\n\r\n")), [true, true]);
}

fn embudo(folder: &Path, arguments: &[&str]) -> Output {
    let config = folder.join("embudo.toml");
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).arg("--config").arg(config).args(["mail", "dkim"]).args(arguments);
    command.output().expect("it runs")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn a_key_is_made_once_and_its_record_is_told_then_and_later() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    let settings = "[mail]\nfrom = \"calls@faro.example\"\n";
    std::fs::write(folder.path().join("embudo.toml"), settings).expect("written");
    let nothing = embudo(folder.path(), &[]);
    assert!(!nothing.status.success() && told(&nothing).contains("--new FILE"), "{}", told(&nothing));

    let mut records = Vec::new();
    for (kind, file) in [("rsa", "rsa.pem"), ("ed25519", "ed25519.pem")] {
        let made = embudo(folder.path(), &["--new", file, "--kind", kind]);
        assert!(made.status.success(), "{}", told(&made));
        let mode = std::fs::metadata(folder.path().join(file)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
        let text = told(&made);
        let value = text.lines().find_map(|line| line.strip_prefix("value  ")).expect("the record");
        assert!(value.starts_with(&format!("v=DKIM1; k={kind}; p=")), "{value}");
        records.push(value.to_owned());
        let again = embudo(folder.path(), &["--new", file]);
        assert!(!again.status.success(), "a key that is in use is not written over");
    }
    let settings = format!("{settings}[mail.dkim]\nrsa_key = \"rsa.pem\"\ned25519_key = \"ed25519.pem\"\n");
    std::fs::write(folder.path().join("embudo.toml"), settings).expect("written");
    let all = told(&embudo(folder.path(), &[]));
    for (record, name) in records.iter().zip(["embudo", "embudo-ed"]) {
        assert!(all.contains(record), "{all}");
        assert!(all.contains(&format!("name   {name}._domainkey.faro.example\n")), "{all}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_told_at_the_start() {
    let app = TestApp::start().await;
    let mut config = app.app.config.clone();
    config.mail.dkim.rsa_key = Secret::new("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----");
    let refused = App::build(config, app.clock.clone()).await.err().expect("it does not start");
    let why = format!("{refused:#}");
    assert!(why.starts_with("mail.dkim.rsa_key: ") && why.contains("embudo mail dkim --new"), "{why}");
}
