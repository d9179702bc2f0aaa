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

/// What `embudo doctor email` says of a sender whose records are these.
async fn told_of(folder: &Path, zones: &'static [(&'static str, Zone)], mail: &str) -> String {
    let names = NameServer::start(zones).await;
    write(folder, mail, &names.address.to_string());
    told(&doctor(folder, &[]).await)
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn published_keys_of_both_kinds_are_found_and_everything_else_in_their_place_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut ours = Vec::new();
    for (kind, selector, file) in
        [(Kind::Rsa, "embudo", "rsa.pem"), (Kind::Ed25519, "embudo-ed", "ed25519.pem")]
    {
        let key = newborn::make(kind).expect("a key");
        std::fs::write(folder.path().join(file), key.expose()).expect("written");
        ours.push(newborn::record_of(kind, &key, selector, "faro.example").expect("a record"));
    }
    let (rsa, ed25519) = (ours[0].value.clone(), ours[1].value.clone());
    assert!(rsa.len() > 255, "a key that stands in several strings");
    let inbox = Inbox::start(folder.path());
    let mail = format!(
        "smtp = \"smtp+plain://127.0.0.1:{}\"\n[mail.dkim]\nrsa_key = \"rsa.pem\"\ned25519_key = \"ed25519.pem\"\n",
        inbox.port
    );
    let spread = rsa.replace("p=", " p = ").replace(';', " ;");
    // What the RSA key's name holds, its verdict, and a word of the line.
    let cases: [(Zone, &str, &str); 6] = [
        (Zone::Txt(leaked(rsa.clone())), "ok", "has the key"),
        (Zone::Txt(leaked(spread)), "ok", "has the key"),
        (Zone::Txt("v=DKIM1; k=rsa; p="), "wrong", "was taken back"),
        (Zone::Txt(leaked(rsa[..rsa.len() - 4].to_owned())), "wrong", "another key"),
        (Zone::Nothing, "wrong", "has no record"),
        (Zone::Broken, "unknown", "could not ask"),
    ];
    for (zone, verdict, word) in cases {
        let zones: &'static [(&'static str, Zone)] = Box::leak(Box::new([
            ("embudo._domainkey.faro.example", zone),
            ("embudo-ed._domainkey.faro.example", Zone::Txt(leaked(ed25519.clone()))),
        ]));
        let text = told_of(folder.path(), zones, &mail).await;
        let of = |name: &str| {
            let found = text.lines().find(|line| line.contains(" DKIM ") && line.contains(name));
            found.unwrap_or_else(|| panic!("nothing on {name}:\n{text}"))
        };
        let line = of("embudo._domainkey.faro.example");
        assert!(line.starts_with(verdict) && line.contains(word), "{verdict}, {word}:\n{text}");
        assert!(of("embudo-ed._domainkey.faro.example").starts_with("ok"), "{text}");
        // What mends it stands below, in strings that a zone file can hold.
        let mended = text.contains(&ours[0].in_zone_file());
        assert_eq!(mended, verdict == "wrong", "{text}");
    }
}

/// A mail server that others see.
const RELAY: (&str, Zone) = ("smtp.relay.example", Zone::A([9, 9, 9, 25]));

/// What the DNS says, and of which finding that is which verdict, with words of its line.
type Judged = (&'static [(&'static str, Zone)], &'static str, &'static str, &'static str);

const JUDGED: &[Judged] = &[
    (
        &[("_dmarc.faro.example", Zone::Txt("v=DMARC1; p=reject; rua=mailto:d@faro.example"))],
        "DMARC",
        "ok",
        "p=reject",
    ),
    (&[("_dmarc.faro.example", Zone::Txt("v=DMARC1; p=sometimes"))], "DMARC", "wrong", "p=sometimes"),
    (&[("_dmarc.faro.example", Zone::Txt("some other text"))], "DMARC", "wrong", "has no record"),
    (&[("_dmarc.faro.example", Zone::Broken)], "DMARC", "unknown", "could not ask"),
    (&[("faro.example", Zone::Txt("v=spf1 ip4:9.9.9.25 -all")), RELAY], "SPF", "ok", "smtp.relay.example"),
    (&[("faro.example", Zone::Txt("v=spf1 ip4:9.9.9.26 -all")), RELAY], "SPF", "weak", "does not name"),
    (
        &[("faro.example", Zone::Txt("v=spf1 include:_spf.gone.example -all")), RELAY],
        "SPF",
        "wrong",
        "cannot be used",
    ),
    (&[("faro.example", Zone::Txt("v=spf1 ñ -all")), RELAY], "SPF", "wrong", "is no term"),
    (&[("faro.example", Zone::Txt("no policy of this kind")), RELAY], "SPF", "wrong", "does not say"),
    (&[("faro.example", Zone::NullMx)], "MX", "wrong", "takes no mail"),
    (&[("faro.example", Zone::Mx("mx.faro.example"))], "MX", "ok", "mx.faro.example"),
    (&[("faro.example", Zone::Nothing)], "MX", "weak", "has no MX record"),
    (&[RELAY, ("25.9.9.9.in-addr.arpa", Zone::Ptr("elsewhere.example"))], "PTR", "weak", "leads elsewhere"),
];

#[tokio::test(flavor = "multi_thread")]
async fn records_of_spf_dmarc_mail_servers_and_addresses_are_each_judged() {
    let folder = tempfile::tempdir().expect("a folder");
    let mail = "smtp = \"smtp://smtp.relay.example\"\npatience_s = 1\n";
    for (zones, what, verdict, word) in JUDGED {
        let text = told_of(folder.path(), zones, mail).await;
        assert_eq!(state(&text, what), *verdict, "{zones:?}:\n{text}");
        assert!(line(&text, what).contains(word), "{word}:\n{text}");
    }
}
