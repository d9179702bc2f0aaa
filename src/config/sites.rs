//! The websites of the settings: one `[[site]]` each.

use toml::{Table, Value};

use super::SiteSettings;
use super::layers::{Layers, SITES};
use crate::base::diagnostic::{Mark, Report};
use crate::base::language::Language;
use crate::base::secret::Secret;
use crate::base::time::{near_zone, zone};

const KEYS: [&str; 10] = [
    "key",
    "name",
    "origins",
    "language",
    "privacy_url",
    "logo_url",
    "stylesheet_url",
    "time_zone",
    "keep_days",
    "identity_secret",
];
/// Days are closed three days after; what is counted has to be counted before its rows may go.
const KEEP_DAYS_LEAST: i64 = 7;
/// A key of HS256 must not be shorter than its digest (RFC 7518, section 3.2).
const IDENTITY_SECRET_LEAST: usize = 32;

/// Takes the websites out of the settings; everything that is wrong with them goes to the report.
pub(super) fn take(layers: &mut Layers, report: &Report) -> Vec<SiteSettings> {
    let tables = match layers.values.remove(SITES) {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            report
                .error(&layers.at(SITES), "K004", "`site` must be a list of tables")
                .hint("begin each with [[site]]");
            return Vec::new();
        }
    };
    let mut sites: Vec<SiteSettings> = Vec::new();
    for (index, value) in tables.into_iter().enumerate() {
        let name = format!("{SITES}[{index}]");
        let Value::Table(table) = value else {
            report.error(&layers.at(&name), "K004", "a site must be a table").hint("begin it with [[site]]");
            continue;
        };
        let reader = Reader { table: &table, name: &name, layers, report };
        let Some(site) = reader.site() else { continue };
        if sites.iter().any(|other| other.key == site.key) {
            let message = format!("the site key \"{}\" stands twice", site.key);
            report.error(&reader.at("key"), "K005", message).done();
        }
        sites.push(site);
    }
    sites
}

struct Reader<'a> {
    table: &'a Table,
    name: &'a str,
    layers: &'a Layers,
    report: &'a Report,
}

impl Reader<'_> {
    fn at(&self, key: &str) -> Mark {
        self.layers.at(&format!("{}.{key}", self.name))
    }

    fn site(&self) -> Option<SiteSettings> {
        for key in self.table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            self.report
                .error(&self.at(&format!("{key}:key")), "K003", format!("unknown key `{key}` of a site"))
                .did_you_mean(key, KEYS);
        }
        let key = self.required("key");
        let name = self.required("name");
        let origins = self.origins();
        let language = match self.text("language") {
            None => Language::default(),
            Some(word) => Language::ALL.into_iter().find(|known| known.code() == word).unwrap_or_else(|| {
                self.wrong("language", format!("\"{word}\" is not a language that Embudo speaks: en, es"));
                Language::default()
            }),
        };
        let time_zone = self.text("time_zone").unwrap_or_else(|| "UTC".to_owned());
        if zone(&time_zone).is_none() {
            let noted = self.report.error(
                &self.at("time_zone"),
                "K005",
                format!("there is no time zone \"{time_zone}\""),
            );
            match near_zone(&time_zone) {
                Some(near) => noted.hint(format!("did you mean \"{near}\"?")),
                None => noted.hint("write it as in the IANA database: Europe/Madrid, America/Mexico_City"),
            }
        }
        Some(SiteSettings {
            key: key?,
            name: name?,
            origins: origins?,
            language,
            privacy_url: self.address("privacy_url"),
            logo_url: self.address("logo_url"),
            stylesheet_url: self.address("stylesheet_url"),
            time_zone,
            keep_days: self.keep_days(),
            identity_secret: self.identity_secret(),
        })
    }

    fn wrong(&self, key: &str, message: String) {
        self.report.error(&self.at(key), "K005", message).done();
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.table.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => {
                let message = format!("`{key}` is {}, expected string", other.type_str());
                self.report.error(&self.at(key), "K004", message).done();
                None
            }
        }
    }

    fn required(&self, key: &str) -> Option<String> {
        let text = self.text(key);
        if !self.table.contains_key(key) {
            self.report.error(&self.layers.at(self.name), "K004", format!("a site needs `{key}`")).done();
        } else if text.as_deref().is_some_and(|text| text.trim().is_empty()) {
            self.wrong(key, format!("`{key}` is empty"));
        }
        text
    }

    fn address(&self, key: &str) -> String {
        let text = self.text(key).unwrap_or_default();
        let is_address =
            |text: &str| url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !text.is_empty() && !is_address(&text) {
            self.wrong(key, format!("\"{text}\" is not an http or https address"));
        }
        text
    }

    fn identity_secret(&self) -> Secret {
        let text = self.text("identity_secret").unwrap_or_default();
        if !text.is_empty() && text.len() < IDENTITY_SECRET_LEAST {
            let message = format!(
                "`identity_secret` has {} bytes, at least {IDENTITY_SECRET_LEAST} are needed",
                text.len()
            );
            self.wrong("identity_secret", message);
        }
        Secret::new(text)
    }

    fn keep_days(&self) -> i64 {
        let days = match self.table.get("keep_days") {
            None => return 0,
            Some(Value::Integer(days)) => *days,
            Some(other) => {
                let message = format!("`keep_days` is {}, expected integer", other.type_str());
                self.report.error(&self.at("keep_days"), "K004", message).done();
                return 0;
            }
        };
        if days != 0 && days < KEEP_DAYS_LEAST {
            self.wrong(
                "keep_days",
                format!("`keep_days` must be 0 (for ever) or at least {KEEP_DAYS_LEAST}"),
            );
        }
        days
    }

    fn origins(&self) -> Option<Vec<String>> {
        let items = match self.table.get("origins") {
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.report
                    .error(&self.at("origins"), "K004", "`origins` must be a list of texts")
                    .hint("origins = [\"https://faro.example\"]");
                return None;
            }
            None => {
                self.required("origins");
                return None;
            }
        };
        let mut origins = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let text = item.as_str().unwrap_or_default();
            let parsed = url::Url::parse(text).ok().map(|url| url.origin().ascii_serialization());
            if parsed.as_deref() == Some(text) {
                origins.push(text.to_owned());
                continue;
            }
            let noted = self.report.error(
                &self.at(&format!("origins[{index}]")),
                "K005",
                format!("\"{text}\" is not an origin such as https://faro.example"),
            );
            match parsed.filter(|origin| origin != "null") {
                Some(origin) => noted.hint(format!("did you mean \"{origin}\"?")),
                None => noted.done(),
            }
        }
        Some(origins)
    }
}
