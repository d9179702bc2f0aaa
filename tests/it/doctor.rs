//! `embudo doctor email`: what it says of a mail server and of records, right and wrong, and offline.

use std::path::Path;
use std::process::{Command, Output};

use embudo::notify::dkim::{Kind, newborn};

use crate::support::dns::{NameServer, Zone};
use crate::support::inbox::Inbox;
use crate::support::port;

const PROGRAM: &str = env!("CARGO_BIN_EXE_embudo");
const PASSWORD: &str = "correct-horse-battery";

async fn doctor(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    let config = folder.join("embudo.toml");
    command.current_dir(folder).arg("--config").arg(config).args(["doctor", "email"]).args(arguments);
    // The name server of the test answers on this runtime meanwhile.
    tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ran")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// The line of a finding.
fn line<'a>(text: &'a str, what: &str) -> &'a str {
    let found = text.lines().find(|line| line.split_whitespace().nth(1) == Some(what));
    found.unwrap_or_else(|| panic!("nothing on {what}:\n{text}"))
}

fn state<'a>(text: &'a str, what: &str) -> &'a str {
    line(text, what).split_whitespace().next().unwrap_or_default()
}

fn write(folder: &Path, mail: &str, name_server: &str) {
    let settings =
        format!("[forms]\nname_servers = [\"{name_server}\"]\n[mail]\nfrom = \"hola@faro.example\"\n{mail}");
    std::fs::write(folder.join("embudo.toml"), settings).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_right_is_told_and_a_mail_arrives_signed() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = newborn::make(Kind::Ed25519).expect("a key");
    std::fs::write(folder.path().join("key.pem"), key.expose()).expect("written");
    let record = newborn::record_of(Kind::Ed25519, &key, "embudo-ed", "faro.example").expect("a record");
    let value: &'static str = Box::leak(record.value.into_boxed_str());
    let zones: &'static [(&'static str, Zone)] = Box::leak(Box::new([
        ("faro.example", Zone::TxtAndMx("v=spf1 mx ~all", "mx.faro.example")),
        ("embudo-ed._domainkey.faro.example", Zone::Txt(value)),
        ("_dmarc.faro.example", Zone::Txt("v=DMARC1; p=none; rua=mailto:postmaster@faro.example")),
    ]));
    let names = NameServer::start(zones).await;
    let inbox = Inbox::start(folder.path());
    let mail =
        format!("smtp = \"smtp+plain://127.0.0.1:{}\"\n[mail.dkim]\ned25519_key = \"key.pem\"\n", inbox.port);
    write(folder.path(), &mail, &names.address.to_string());
    let output = doctor(folder.path(), &["--to", "ana@faro.example"]).await;
    let text = told(&output);
    assert!(output.status.success(), "{text}");
    for what in ["server", "login", "SPF", "DKIM", "DMARC", "MX", "mail"] {
        assert_eq!(state(&text, what), "ok", "{what}:\n{text}");
    }
    assert_eq!(
        state(&text, "PTR"),
        "unknown",
        "a server on this machine sends from nowhere that is seen:\n{text}"
    );
    assert!(text.contains("0 wrong"), "{text}");
    let mails = inbox.mails_to("ana@faro.example");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].headers.contains_key("dkim-signature"), "{:?}", mails[0].headers);
}

const WRONG: &[(&str, Zone)] = &[
    ("faro.example", Zone::Txt("v=spf1 +all")),
    ("embudo-ed._domainkey.faro.example", Zone::Txt("v=DKIM1; k=ed25519; p=c29tZWJvZHkgZWxzZQ==")),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_the_record_that_mends_it_and_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = newborn::make(Kind::Ed25519).expect("a key");
    std::fs::write(folder.path().join("key.pem"), key.expose()).expect("written");
    let record = newborn::record_of(Kind::Ed25519, &key, "embudo-ed", "faro.example").expect("a record");
    let names = NameServer::start(WRONG).await;
    // Nobody listens there.
    let port = port::free();
    let mail = format!(
        "smtp = \"smtp://mike:{PASSWORD}@127.0.0.1:{port}\"\nbounces = \"bounce@faro.example\"\n[mail.dkim]\ned25519_key = \"key.pem\"\n"
    );
    write(folder.path(), &mail, &names.address.to_string());
    let output = doctor(folder.path(), &[]).await;
    let text = told(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for what in ["server", "SPF", "DKIM", "DMARC", "bounces"] {
        assert_eq!(state(&text, what), "wrong", "{what}:\n{text}");
    }
    assert!(line(&text, "SPF").contains("lets everybody send"), "{text}");
    assert!(line(&text, "DKIM").contains("another key"), "{text}");
    assert!(text.contains(&record.in_zone_file()), "{text}");
    assert!(text.contains("_dmarc.faro.example. IN TXT ( \"v=DMARC1; p=none; rua="), "{text}");
    for secret in [PASSWORD, "mike", key.expose().lines().nth(1).expect("a line")] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_offers_no_encryption_is_told_before_a_password_goes_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let inbox = Inbox::start(folder.path());
    let names = NameServer::start(&[]).await;
    let mail = format!("smtp = \"smtp://mike:{PASSWORD}@127.0.0.1:{}\"\n", inbox.port);
    write(folder.path(), &mail, &names.address.to_string());
    let output = doctor(folder.path(), &[]).await;
    let text = told(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(line(&text, "server").contains("offers no STARTTLS"), "{text}");
    assert!(!text.lines().any(|line| line.split_whitespace().nth(1) == Some("login")), "{text}");
    assert_eq!(state(&text, "SPF"), "wrong", "{text}");
    assert_eq!(state(&text, "DMARC"), "wrong", "there is a name server, and it knows of none:\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_nothing_is_called_wrong_that_could_not_be_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let inbox = Inbox::start(folder.path());
    let names =
        NameServer::start(&[("faro.example", Zone::Broken), ("_dmarc.faro.example", Zone::Broken)]).await;
    let mail = format!("smtp = \"smtp+plain://127.0.0.1:{}\"\n", inbox.port);
    write(folder.path(), &mail, &names.address.to_string());
    let output = doctor(folder.path(), &[]).await;
    let text = told(&output);
    assert!(output.status.success(), "{text}");
    for what in ["SPF", "DMARC", "MX", "PTR"] {
        assert_eq!(state(&text, what), "unknown", "{what}:\n{text}");
    }
    assert!(text.contains("could not ask the DNS for faro.example"), "{text}");
    assert_eq!(state(&text, "DKIM"), "weak", "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_it_says_that_nothing_leaves() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = NameServer::start(&[]).await;
    write(folder.path(), "", &names.address.to_string());
    let output = doctor(folder.path(), &["--to", "nonsense"]).await;
    assert!(!output.status.success() && told(&output).contains("--to"), "{}", told(&output));
    let output = doctor(folder.path(), &["--to", "ana@faro.example"]).await;
    let text = told(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(line(&text, "server").contains("none leaves"), "{text}");
    assert_eq!(state(&text, "mail"), "wrong", "{text}");
}

const RELAYED: &[(&str, Zone)] = &[
    ("faro.example", Zone::TxtAndMx("v=spf1 include:_spf.relay.example ~all", "mx.faro.example")),
    ("_spf.relay.example", Zone::Txt("v=spf1 ip4:9.9.0.0/16 -all")),
    ("smtp.relay.example", Zone::A([9, 9, 9, 25])),
    ("25.9.9.9.in-addr.arpa", Zone::Ptr("smtp.relay.example")),
    ("other.example", Zone::TxtAndMx("v=spf1 mx ~all", "mx.other.example")),
    ("smtp.other.example", Zone::A([9, 9, 9, 26])),
    ("mx.other.example", Zone::A([9, 9, 9, 27])),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_spf_is_followed_to_the_mail_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = NameServer::start(RELAYED).await;
    // Nothing is reached there: the test's name server is not the system's.
    let mail = "smtp = \"smtp://smtp.relay.example\"\npatience_s = 1\n";
    write(folder.path(), mail, &names.address.to_string());
    let text = told(&doctor(folder.path(), &[]).await);
    assert_eq!((state(&text, "SPF"), state(&text, "PTR")), ("ok", "ok"), "{text}");
    let settings = std::fs::read_to_string(folder.path().join("embudo.toml")).expect("there");
    let settings =
        settings.replace("faro.example", "other.example").replace("relay.example", "other.example");
    std::fs::write(folder.path().join("embudo.toml"), settings).expect("written");
    let text = told(&doctor(folder.path(), &[]).await);
    assert_eq!((state(&text, "SPF"), state(&text, "PTR")), ("weak", "weak"), "{text}");
    assert!(text.contains("\"v=spf1 mx a:smtp.other.example ~all\""), "{text}");
}
