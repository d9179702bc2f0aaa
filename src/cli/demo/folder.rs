//! The demo's folder: settings, definitions and files, written at every start; the data and the webinars' dates stay.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::civil::time;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use rust_embed::RustEmbed;

use crate::base::time::zone;

#[derive(RustEmbed)]
#[folder = "config"]
#[include = "*.yaml"]
struct Definitions;

#[derive(RustEmbed)]
#[folder = "bot-flows"]
#[include = "*.yaml"]
#[exclude = "tests/*"]
struct Flows;

#[derive(RustEmbed)]
#[folder = "demo/assets"]
struct Assets;

/// Where the sample company is.
const ZONE: &str = "Europe/Madrid";

/// Writes the folder and returns the path of its settings.
pub fn prepare(folder: &Path, port: u16) -> anyhow::Result<PathBuf> {
    let config = folder.join("config");
    for sub in [&config, &folder.join("bot-flows"), &folder.join("assets")] {
        fs::create_dir_all(sub).with_context(|| format!("{} cannot be made", sub.display()))?;
    }
    write_all::<Definitions>(&config, |name| name != "webinars.yaml")?;
    write_all::<Flows>(&folder.join("bot-flows"), |_| true)?;
    write_all::<Assets>(&folder.join("assets"), |_| true)?;
    let webinars = config.join("webinars.yaml");
    if !webinars.exists() {
        let file = Definitions::get("webinars.yaml").context("the sample webinars are built in")?;
        fs::write(&webinars, around_today(&String::from_utf8_lossy(&file.data)))?;
    }
    let settings = config.join("embudo.toml");
    let data = fs::canonicalize(folder)?.join("data");
    fs::write(&settings, settings_text(port, &data))?;
    Ok(settings)
}

fn write_all<Files: RustEmbed>(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    for name in Files::iter().filter(|name| is_wanted(name)) {
        let Some(file) = Files::get(&name) else { continue };
        let path = folder.join(name.as_ref());
        // An unchanged file is left alone, so that a running editor is not disturbed.
        if fs::read(&path).ok().as_deref() != Some(&*file.data) {
            fs::write(&path, &file.data).with_context(|| format!("{} cannot be written", path.display()))?;
        }
    }
    Ok(())
}

fn settings_text(port: u16, data: &Path) -> String {
    format!(
        r#"# The demo's settings, written at every start. Every key is documented in config/default.toml.
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
    fn only_the_dates_of_the_sample_webinars_are_changed() {
        let text =
            String::from_utf8_lossy(&Definitions::get("webinars.yaml").expect("built in").data).into_owned();
        let moved = around_today(&text);
        assert_eq!(text.lines().count(), moved.lines().count());
        let differ = text.lines().zip(moved.lines()).filter(|(a, b)| a != b).count();
        assert!(differ <= 2);
    }
}
