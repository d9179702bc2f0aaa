//! The demo's folder: settings, definitions and files. What nobody has changed is brought up to date at every start.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::civil::time;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use rust_embed::RustEmbed;

use crate::base::signing::sha256_hex;
use crate::base::time::zone;

#[derive(RustEmbed)]
#[folder = "config"]
#[include = "*.yaml"]
struct Definitions;

#[derive(RustEmbed)]
#[folder = "bot-flows"]
#[include = "*.yaml"]
struct Flows;

#[derive(RustEmbed)]
#[folder = "demo/assets"]
struct Assets;

/// What was written, by digest.
const SHIPPED: &str = "data/shipped.json";
/// Where the sample company is.
const ZONE: &str = "Europe/Madrid";

/// Writes the folder and returns the path of its settings. What somebody has changed there stays hers.
pub fn prepare(folder: &Path, port: u16) -> anyhow::Result<PathBuf> {
    let config = folder.join("config");
    for sub in [&config, &folder.join("bot-flows"), &folder.join("assets"), &folder.join("data")] {
        fs::create_dir_all(sub).with_context(|| format!("{} cannot be made", sub.display()))?;
    }
    let mut shipped = Shipped::of(folder);
    shipped.write_all::<Definitions>("config", |name| name != "webinars.yaml")?;
    shipped.write_all::<Flows>("bot-flows", |_| true)?;
    shipped.write_all::<Assets>("assets", |_| true)?;
    let webinars = config.join("webinars.yaml");
    if !webinars.exists() {
        let file = Definitions::get("webinars.yaml").context("the sample webinars are built in")?;
        fs::write(&webinars, around_today(&String::from_utf8_lossy(&file.data)))?;
    }
    let settings = config.join("embudo.toml");
    let data = fs::canonicalize(folder)?.join("data");
    shipped.write("config/embudo.toml", settings_text(port, &data).as_bytes())?;
    shipped.remember()?;
    Ok(settings)
}

/// What earlier starts have written, by digest: a file that is still the same may be brought up to date.
struct Shipped<'f> {
    folder: &'f Path,
    digests: BTreeMap<String, String>,
}

impl<'f> Shipped<'f> {
    fn of(folder: &'f Path) -> Self {
        let text = fs::read_to_string(folder.join(SHIPPED)).unwrap_or_default();
        Self { folder, digests: serde_json::from_str(&text).unwrap_or_default() }
    }

    fn write_all<Files: RustEmbed>(
        &mut self,
        sub: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<()> {
        for name in Files::iter().filter(|name| is_wanted(name)) {
            let Some(file) = Files::get(&name) else { continue };
            self.write(&format!("{sub}/{name}"), &file.data)?;
        }
        Ok(())
    }

    fn write(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.folder.join(name);
        let digest = sha256_hex(bytes);
        let stands = fs::read(&path).ok().map(sha256_hex);
        let is_ours = stands.is_none() || stands.as_ref() == self.digests.get(name);
        let is_right = stands.as_ref() == Some(&digest);
        if is_ours && !is_right {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
            }
            fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        if is_ours || is_right {
            self.digests.insert(name.to_owned(), digest);
        }
        Ok(())
    }

    fn remember(&self) -> anyhow::Result<()> {
        Ok(fs::write(self.folder.join(SHIPPED), serde_json::to_string_pretty(&self.digests)?)?)
    }
}

fn settings_text(port: u16, data: &Path) -> String {
    format!(
        r#"# The demo's settings. Every key is documented in config/default.toml.
[server]
listen = "127.0.0.1:{port}"
public_url = "http://localhost:{port}"

[company]
name = "Librería Faro"
bot_name = "Faro"

[storage]
data = {data:?}

[definitions]
assets = "../assets"

[forms]
# The sample company's people live at .example, where no mail server ever was.
check_mail_servers = false

[mail]
from = "hola@faro.example"

[[site]]
key = "faro"
name = "Librería Faro"
origins = ["http://localhost:{port}", "http://127.0.0.1:{port}"]
language = "en"
time_zone = "{ZONE}"
privacy_url = "http://localhost:{port}/en/about.html#privacy"
logo_url = "http://localhost:{port}/img/mark.svg"
stylesheet_url = "http://localhost:{port}/embudo.css"

[log]
level = "warn"
"#,
        data = data.display().to_string()
    )
}

/// The sample webinars with their dates around today: the live one in five days, the past one a week ago.
fn around_today(text: &str) -> String {
    let today = zone(ZONE).map_or_else(Zoned::now, |zone: TimeZone| Zoned::now().with_time_zone(zone)).date();
    let at = |days: i64| {
        today
            .saturating_add(days.days())
            .to_datetime(time(16, 0, 0, 0))
            .strftime("%Y-%m-%dT%H:%M")
            .to_string()
    };
    let mut id = "";
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(name) = line.trim_start().strip_prefix("- id: ") {
            id = name.trim();
        }
        match line.split_once("starts_at: ") {
            Some((before, _)) => {
                let day = if id == "reading-culture-live" { 5 } else { -7 };
                out.push_str(&format!("{before}starts_at: {}", at(day)));
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_has_changed_stays_and_the_rest_follows_the_program() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = prepare(folder.path(), 1).expect("written");
        let hers = folder.path().join("config/notify.yaml");
        fs::write(&hers, "hooks: [] # mine\n").expect("written");
        prepare(folder.path(), 2).expect("written");
        assert_eq!(fs::read_to_string(&hers).expect("there"), "hooks: [] # mine\n");
        assert!(fs::read_to_string(settings).expect("there").contains("127.0.0.1:2"));
    }

    #[test]
    fn every_flow_comes_with_its_tests() {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path(), 1).expect("written");
        let named = |folder: &str, sub: &Path| -> Vec<String> {
            let files = fs::read_dir(sub.join(folder)).expect("there").flatten();
            let files = files.filter(|file| file.path().is_file());
            let mut names: Vec<_> =
                files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        };
        let flows = named("bot-flows", folder.path());
        assert!(flows.contains(&"welcome.yaml".to_owned()), "{flows:?}");
        assert_eq!(named("bot-flows/tests", folder.path()), flows);
    }

    #[test]
    fn only_the_dates_of_the_sample_webinars_are_changed() {
        let text =
            String::from_utf8_lossy(&Definitions::get("webinars.yaml").expect("built in").data).into_owned();
        let moved = around_today(&text);
        assert_eq!(text.lines().count(), moved.lines().count());
        let differ = text.lines().zip(moved.lines()).filter(|(a, b)| a != b).count();
        assert!(differ <= 2);
    }
}
