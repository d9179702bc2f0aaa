//! Reads and lays the three layers over one another, and tells every mistake at once.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::Config;

/// The documented default file.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

const VARIABLE_PREFIX: &str = "EMBUDO__";
const SECRET_LENGTH: usize = 32;
const API_KEY_LENGTH: usize = 24;

/// All that is wrong with the settings, one line each.
#[derive(Debug)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
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
        let mut settings: Table = DEFAULT.parse().expect("the built-in default file is valid");
        let shape = settings.clone();
        let mut mistakes = Vec::new();
        let mut folder = PathBuf::from("config");
        if let Some(file) = file {
            folder = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
            match std::fs::read_to_string(file) {
                Ok(text) => match text.parse::<Table>() {
                    Ok(table) => {
                        lay_over(&mut settings, &shape, table, &file.display().to_string(), &mut mistakes)
                    }
                    Err(error) => mistakes.push(format!("{}: {error}", file.display())),
                },
                Err(error) => mistakes.push(format!("{}: {error}", file.display())),
            }
        }
        for (name, value) in variables.filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)) {
            set_variable(&mut settings, &shape, &name, &value, &mut mistakes);
        }
        let config = Value::Table(settings).try_into::<Self>().map_err(|error| error.to_string());
        match config {
            Ok(mut config) => {
                config.folder = folder;
                mistakes.extend(impossible(&config));
                if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
            }
            Err(error) => {
                mistakes.push(error);
                Err(Mistakes(mistakes))
            }
        }
    }
}

fn lay_over(settings: &mut Table, shape: &Table, layer: Table, source: &str, mistakes: &mut Vec<String>) {
    for (section, value) in layer {
        if section == "site" {
            settings.insert(section, value);
            continue;
        }
        let (Some(Value::Table(known)), Value::Table(values)) = (shape.get(&section), value) else {
            mistakes.push(unknown(source, &section, shape.keys()));
            continue;
        };
        for (key, value) in values {
            let name = format!("{section}.{key}");
            match known.get(&key) {
                None => mistakes.push(unknown(source, &name, known.keys())),
                Some(default) if !default.same_type(&value) => mistakes.push(format!(
                    "{source}: `{name}` is {}, expected {}",
                    value.type_str(),
                    default.type_str()
                )),
                Some(_) => {
                    if let Some(Value::Table(target)) = settings.get_mut(&section) {
                        target.insert(key, value);
                    }
                }
            }
        }
    }
}

fn unknown<'a>(source: &str, name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    let near = known.min_by_key(|key| strsim::damerau_levenshtein(key, last));
    let hint = near
        .filter(|key| strsim::damerau_levenshtein(key, last) <= 3)
        .map_or_else(String::new, |key| format!(" (did you mean `{key}`?)"));
    format!("{source}: unknown key `{name}`{hint}")
}

fn set_variable(settings: &mut Table, shape: &Table, name: &str, text: &str, mistakes: &mut Vec<String>) {
    let path = name.trim_start_matches(VARIABLE_PREFIX).to_lowercase();
    let Some((section, key)) = path.split_once("__") else {
        mistakes.push(format!("{name}: expected {VARIABLE_PREFIX}SECTION__KEY"));
        return;
    };
    let default = shape.get(section).and_then(Value::as_table).and_then(|table| table.get(key));
    let value = match default {
        Some(Value::String(_)) => Some(Value::String(text.to_owned())),
        Some(Value::Integer(_)) => text.parse().ok().map(Value::Integer),
        Some(Value::Boolean(_)) => text.parse().ok().map(Value::Boolean),
        Some(Value::Array(_)) => Some(Value::Array(
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| part.into()).collect(),
        )),
        Some(_) | None => {
            let known = shape.get(section).and_then(Value::as_table);
            mistakes.push(unknown(name, &format!("{section}.{key}"), known.unwrap_or(shape).keys()));
            return;
        }
    };
    match (value, settings.get_mut(section).and_then(Value::as_table_mut)) {
        (Some(value), Some(table)) => {
            table.insert(key.to_owned(), value);
        }
        _ => mistakes.push(format!(
            "{name}: `{text}` is not {}",
            default.map_or("known", |default| default.type_str())
        )),
    }
}

fn impossible(config: &Config) -> Vec<String> {
    let mut out = Vec::new();
    if config.server.listen.parse::<std::net::SocketAddr>().is_err() {
        out.push(format!("server.listen: `{}` is not an address with a port", config.server.listen));
    }
    let secret = config.server.secret.expose().len();
    if secret != 0 && secret < SECRET_LENGTH {
        out.push(format!("server.secret has {secret} characters, at least {SECRET_LENGTH} are needed"));
    }
    if secret == 0 && !config.storage.postgres.is_empty() {
        out.push("server.secret must be set when nodes share a PostgreSQL database".to_owned());
    }
    match url::Url::parse(&config.server.public_url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && !config.server.public_url.ends_with('/') => {}
        _ => out.push(format!(
            "server.public_url: `{}` is not an http or https address without a slash at the end",
            config.server.public_url
        )),
    }
    if config.api.keys.iter().any(|key| key.expose().len() < API_KEY_LENGTH) {
        out.push(format!("api.keys: every key needs at least {API_KEY_LENGTH} characters"));
    }
    for site in &config.sites {
        if crate::base::time::zone(&site.time_zone).is_none() {
            out.push(format!(
                "site `{}`: `{}` is no time zone such as Europe/Madrid",
                site.key, site.time_zone
            ));
        }
        for origin in &site.origins {
            let is_origin =
                url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !is_origin {
                out.push(format!(
                    "site `{}`: `{origin}` is not an origin such as https://faro.example",
                    site.key
                ));
            }
        }
    }
    out
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
    fn all_mistakes_are_told_at_once_with_what_was_meant() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "[sever]\nx = 1\n[server]\nlistn = \"x\"\nworkers = \"two\"\n")
            .expect("written");
        let mistakes =
            Config::load(Some(file.path()), variables(&[("EMBUDO__MAIL__SMPT", "x")])).expect_err("wrong");
        let text = mistakes.to_string();
        assert!(text.contains("unknown key `sever` (did you mean `server`?)"), "{text}");
        assert!(text.contains("unknown key `server.listn` (did you mean `listen`?)"), "{text}");
        assert!(text.contains("`server.workers` is string, expected integer"), "{text}");
        assert!(text.contains("unknown key `mail.smpt` (did you mean `smtp`?)"), "{text}");
    }

    #[test]
    fn a_secret_never_shows_in_debug() {
        let set = [("EMBUDO__SERVER__SECRET", "a very secret text of forty characters..")];
        let config = Config::load(None, variables(&set)).expect("valid");
        assert!(!format!("{config:?}").contains("very secret"));
    }
}
