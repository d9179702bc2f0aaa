//! Reads and lays the three layers over one another, and tells every mistake at once.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::Value;

use super::layers::Layers;
use super::{Config, SignOn, sites};
use crate::base::diagnostic::{Mark, Report};
use crate::base::network::Networks;

/// The documented default file.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

const SECRET_LENGTH: usize = 32;
const API_KEY_LENGTH: usize = 24;
/// An address has at most 64 octets before the `@` (RFC 5321, 4.5.3.1.1); a plus and 48 digits of a token are ours.
const BOUNCES_LENGTH: usize = 15;
/// The words of the roles; a test of theirs holds them together.
pub const ROLES: [&str; 6] = ["admin", "marketing", "sdr", "ae", "cs", "viewer"];
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// All that is wrong with the settings, as people read it.
#[derive(Debug)]
pub struct Mistakes(String);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are wrong:\n{}", self.0.trim_end())
    }
}

impl std::error::Error for Mistakes {}

impl Config {
    /// The default with `file` and then `variables` (name, value) laid over it.
    ///
    /// # Errors
    /// [`Mistakes`]: every unknown key, wrong type and impossible value of all layers.
    pub fn load(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Mistakes> {
        let report = Report::new();
        Self::read(file, variables, &report).ok_or_else(|| Mistakes(report.text()))
    }

    /// As [`Config::load`], with the mistakes (K codes) in a report.
    pub fn read(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
        report: &Report,
    ) -> Option<Self> {
        let own = Report::new();
        let mut layers = Layers::new(DEFAULT);
        let mut folder = PathBuf::from("config");
        if let Some(file) = file {
            folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
            let name = file.display().to_string();
            match std::fs::read_to_string(file) {
                Ok(text) => layers.file(&name, &text, &own),
                Err(error) => {
                    own.error(&Mark::file(name), "K001", format!("the file cannot be read: {error}")).done();
                }
            }
        }
        layers.variables(variables, &own);
        let sites = sites::take(&mut layers, &own);
        let config = match Value::Table(layers.values.clone()).try_into::<Self>() {
            Ok(config) => {
                let config = Self { sites, folder, ..config };
                impossible(&config, &layers, &own);
                Some(config)
            }
            Err(error) => {
                own.error(&Mark::file("settings"), "K004", error.message().to_owned()).done();
                None
            }
        };
        let is_sound = !own.has_errors();
        report.absorb(own);
        config.filter(|_| is_sound)
    }
}

/// Values of the right type that cannot work (K005).
fn impossible(config: &Config, layers: &Layers, report: &Report) {
    let wrong = |name: &str, message: String| report.error(&layers.at(name), "K005", message).done();
    if config.server.listen.parse::<std::net::SocketAddr>().is_err() {
        wrong("server.listen", format!("\"{}\" is not an address with a port", config.server.listen));
    }
    let secret = config.server.secret.expose().len();
    if secret != 0 && secret < SECRET_LENGTH {
        let message = format!("the secret has {secret} characters, at least {SECRET_LENGTH} are needed");
        wrong("server.secret", message);
    }
    if secret == 0 && !config.storage.postgres.is_empty() {
        let message = "server.secret must be set when nodes share a PostgreSQL database";
        wrong("storage.postgres", message.to_owned());
    }
    match url::Url::parse(&config.server.public_url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && !config.server.public_url.ends_with('/') => {}
        _ => {
            let url = &config.server.public_url;
            let message = format!("\"{url}\" is not an http or https address without a slash at the end");
            wrong("server.public_url", message);
        }
    }
    for (name, keys) in [("api.keys", &config.api.keys), ("api.people_keys", &config.api.people_keys)] {
        for (index, key) in keys.iter().enumerate() {
            if key.expose().len() < API_KEY_LENGTH {
                let message = format!("an API key needs at least {API_KEY_LENGTH} characters");
                let item = format!("{name}[{index}]");
                wrong(if layers.knows(&item) { &item } else { name }, message);
            }
        }
    }
    for role in &config.accounts.second_factor_for {
        if !ROLES.contains(&role.as_str()) {
            let message = format!("\"{role}\" is no role; choose among {}", ROLES.join(", "));
            wrong("accounts.second_factor_for", message);
        }
    }
    sign_on(&config.sign_on, &wrong);
    let retention = &config.retention;
    for (name, days) in [
        ("retention.unconverted_lead_days", retention.unconverted_lead_days),
        ("retention.transcript_days", retention.transcript_days),
        ("retention.activity_days", retention.activity_days),
        ("retention.mail_days", retention.mail_days),
        ("retention.audit_days", retention.audit_days),
    ] {
        if !(0..=36_500).contains(&days) {
            wrong(name, format!("{days} is no number of days; 0 keeps everything"));
        }
    }
    let lists = [
        ("server.trusted_proxies", &config.server.trusted_proxies),
        ("telemetry.metrics_from", &config.telemetry.metrics_from),
    ];
    for (name, list) in lists {
        for text in Networks::read(list).1 {
            let message = format!(
                "\"{text}\" is neither an address, a network, nor one of loopback, private, cloudflare, fastly"
            );
            wrong(name, message);
        }
    }
    for server in &config.forms.name_servers {
        if server.parse::<std::net::SocketAddr>().is_err() {
            wrong("forms.name_servers", format!("\"{server}\" is not an address with a port"));
        }
    }
    for name in &config.server.client_address_header {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            wrong("server.client_address_header", format!("\"{name}\" is not the name of a header"));
        }
    }
    for (key, paths) in [
        ("collector.paths", &config.collector.paths),
        ("collector.tracker_paths", &config.collector.tracker_paths),
    ] {
        if paths.is_empty() {
            wrong(key, "at least one path is needed".to_owned());
        }
        for path in paths.iter().filter(|path| !is_path(path)) {
            let message = format!(
                "\"{path}\" is not a path: it begins with a slash and goes on with letters, digits, - _ . and slashes"
            );
            wrong(key, message);
        }
    }
    if crate::base::email::Email::parse(&config.mail.from).is_err() {
        wrong("mail.from", format!("\"{}\" is not an e-mail address", config.mail.from));
    }
    let mail = &config.mail;
    if !mail.bounces.is_empty() {
        let local = mail.bounces.rsplit_once('@').map_or(0, |(local, _)| local.len());
        if crate::base::email::Email::parse(&mail.bounces).is_err() {
            wrong("mail.bounces", format!("\"{}\" is not an e-mail address", mail.bounces));
        } else if local > BOUNCES_LENGTH {
            let message =
                format!("at most {BOUNCES_LENGTH} characters may stand before the @: a token follows them");
            wrong("mail.bounces", message);
        }
    }
    // A job is given up by its worker after 45 s.
    if !(1..=40).contains(&mail.patience_s) {
        wrong("mail.patience_s", format!("{} is not between 1 and 40 seconds", mail.patience_s));
    }
    let secret = mail.hooks.expose().len();
    if secret != 0 && secret < API_KEY_LENGTH {
        let message = format!("the secret has {secret} characters, at least {API_KEY_LENGTH} are needed");
        wrong("mail.hooks", message);
    }
    let names_a_part = config.log.level.contains(['=', ',']);
    if !names_a_part && !LEVELS.contains(&config.log.level.as_str()) {
        wrong("log.level", format!("\"{}\" is none of {}", config.log.level, LEVELS.join(", ")));
    }
    if !matches!(config.log.format.as_str(), "text" | "json") {
        wrong("log.format", format!("\"{}\" is neither text nor json", config.log.format));
    }
}

/// What a single sign-on needs to work, and what would shut everybody out.
fn sign_on(settings: &SignOn, wrong: &impl Fn(&str, String)) {
    let is_address = |text: &str| crate::base::email::Email::parse(text).is_ok();
    if !settings.is_set() {
        if settings.only {
            wrong("sign_on.only", "without an issuer nobody could log in at all".to_owned());
        }
        return;
    }
    let is_near = |host: Option<&str>| matches!(host, Some("localhost" | "127.0.0.1" | "[::1]"));
    match url::Url::parse(&settings.issuer) {
        Ok(url) if url.scheme() == "https" || url.scheme() == "http" && is_near(url.host_str()) => {}
        _ => {
            let message =
                format!("\"{}\" is no https address, as the provider itself writes it", settings.issuer);
            wrong("sign_on.issuer", message);
        }
    }
    if settings.client_id.is_empty() {
        wrong("sign_on.client_id", "the provider knows this server by a client_id; set it".to_owned());
    }
    for domain in &settings.domains {
        if !is_address(&format!("somebody@{domain}")) {
            wrong("sign_on.domains", format!("\"{domain}\" is no domain such as faro.example"));
        }
    }
    if settings.only && !is_address(&settings.recovery) {
        let message = "with `only`, one administrator must be able to come in by password: set `recovery` to the address";
        wrong("sign_on.recovery", message.to_owned());
    }
}

/// Whether a door may stand there: `/stats/v1/hit`, and not in the console.
fn is_path(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    path.strip_prefix('/').is_some_and(|rest| {
        rest.split('/').all(|segment| {
            !segment.is_empty() && segment.bytes().all(is_plain) && segment.bytes().any(|byte| byte != b'.')
        }) && !matches!(rest.split('/').next(), Some("console" | "api" | "health" | "metrics"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    #[test]
    fn the_default_file_is_a_valid_configuration() {
        let config = Config::load(None, variables(&[])).expect("valid");
        assert_eq!(config.server.listen, "127.0.0.1:8080");
    }

    #[test]
    fn variables_lie_over_the_default() {
        let set =
            [("EMBUDO__SERVER__WORKERS", "3"), ("EMBUDO__API__KEYS", "a-key-of-more-than-24-characters")];
        let config = Config::load(None, variables(&set)).expect("valid");
        assert_eq!((config.server.workers, config.api.keys.len()), (3, 1));
    }

    #[test]
    fn a_table_in_a_table_is_set_by_file_and_by_variable() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(
            file.path(),
            "[mail]\nfrom = \"a@faro.example\"\n[mail.dkim]\nrsa_selector = \"s1\"\n",
        )
        .expect("written");
        let set = [("EMBUDO__MAIL__DKIM__RSA_KEY", "env:KEY"), ("EMBUDO__MAIL__SMTP", "smtp://h")];
        let config = Config::load(Some(file.path()), variables(&set)).expect("valid");
        let dkim = &config.mail.dkim;
        assert_eq!((dkim.rsa_selector.as_str(), dkim.rsa_key.expose()), ("s1", "env:KEY"));
        assert_eq!(dkim.ed25519_selector, "embudo-ed", "what nobody set is the default");
        let (places, text) = found("[mail.dkim]\nrsa_kee = \"x\"\ndomain = 5\n");
        assert_eq!(places, ["2:1 K003", "3:10 K004"], "{text}");
        assert!(text.contains("did you mean \"rsa_key\"?"), "{text}");
        let (places, text) = found("[mail]\ndkim = 5\n");
        assert_eq!(places, ["2:8 K004"], "{text}");
    }

    /// The findings in a settings file, as `line:col CODE`.
    fn found(text: &str) -> (Vec<String>, String) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        let report = Report::new();
        let set = [("EMBUDO__MAIL__SMPT", "x"), ("EMBUDO__SERVER__WORKERS", "two"), ("PATH", "/bin")];
        assert!(Config::read(Some(file.path()), variables(&set), &report).is_none());
        let in_file = |d: &crate::base::diagnostic::Diagnostic| !d.path.starts_with("EMBUDO");
        let found = report.diagnostics();
        let places =
            found.iter().filter(|d| in_file(d)).map(|d| format!("{}:{} {}", d.line, d.col, d.code)).collect();
        (places, report.text())
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places_and_what_was_meant() {
        let (places, text) = found(
            "[sever]\nx = 1\n[server]\nlistn = \"x\"\nworkers = \"two\"\nsecret = \"a short one\"\n\
             [log]\nformat = \"xml\"\nlevel = \"loud\"\n[chat]\nmessages_burst = -1\n",
        );
        assert_eq!(
            places,
            ["1:2 K003", "4:1 K003", "5:11 K004", "6:10 K005", "8:10 K005", "9:9 K005", "11:18 K004"]
        );
        for meant in ["did you mean \"server\"?", "did you mean \"listen\"?", "did you mean \"smtp\"?"] {
            assert!(text.contains(meant), "{meant}: {text}");
        }
        assert!(text.contains("EMBUDO__SERVER__WORKERS:1:1 error K004"), "{text}");
        assert!(!text.contains("a short one"), "a secret is shown: {text}");
    }

    #[test]
    fn every_mistake_of_a_site_is_found_where_it_stands() {
        let (places, text) = found(
            "[[site]]\nkey = \"faro\"\nname = \"Faro\"\norigins = [\"https://faro.example\", \"https://faro.example/en\"]\n\
             language = \"fr\"\ntime_zone = \"Europe/Madird\"\nprivacy_url = \"faro\"\nkay = 1\n\
             [[site]]\nkey = \"faro\"\nname = 5\n",
        );
        let expected =
            ["4:36 K005", "5:12 K005", "6:13 K005", "7:15 K005", "8:1 K003", "9:1 K004", "11:8 K004"];
        assert_eq!(places, expected, "{text}");
        assert!(text.contains("did you mean \"Europe/Madrid\"?"), "{text}");
        assert!(text.contains("did you mean \"https://faro.example\"?"), "{text}");
    }

    #[test]
    fn a_return_path_leaves_room_for_its_token_and_a_webhooks_secret_cannot_be_guessed() {
        let (places, text) =
            found("[mail]\nbounces = \"returned-mail-of@faro.example\"\nhooks = \"short\"\n");
        assert_eq!(places, ["2:11 K005", "3:9 K005"], "{text}");
        assert_eq!(found("[mail]\nbounces = \"bounce\"\n").0, ["2:11 K005"]);
    }

    #[test]
    fn a_single_sign_on_that_shuts_everybody_out_is_told() {
        let (places, text) = found("[sign_on]\nonly = true\n");
        assert_eq!(places, ["2:8 K005"], "{text}");
        let (places, text) = found(
            "[sign_on]\nissuer = \"http://id.example\"\ndomains = [\"faro\", \"faro.example\"]\nonly = true\n",
        );
        let lines: Vec<&str> = places.iter().filter_map(|place| place.split(':').next()).collect();
        assert_eq!((lines.len(), lines.contains(&"2"), lines.contains(&"3")), (4, true, true), "{text}");
        for told in ["no https address", "client_id", "recovery"] {
            assert!(text.contains(told), "{told}: {text}");
        }
    }

    #[test]
    fn every_syntax_error_has_its_place() {
        let (places, _) = found("[server]\nlisten = \n[log\nlevel = \"warn\"\n");
        assert!(places.len() >= 2 && places.iter().all(|place| place.ends_with("K001")), "{places:?}");
    }

    #[test]
    fn a_secret_never_shows_in_debug() {
        let set = [("EMBUDO__SERVER__SECRET", "a very secret text of forty characters..")];
        let config = Config::load(None, variables(&set)).expect("valid");
        assert!(!format!("{config:?}").contains("very secret"));
    }
}
