//! The embedded files: templates, their examples, texts, and the assets that pages link to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::OnceLock;

use rust_embed::Embed;

#[derive(Embed)]
#[folder = "src/"]
#[include = "http/console/templates/*"]
#[include = "http/pages/templates/*"]
#[include = "notify/mails/*"]
#[exclude = "*.example.json"]
#[exclude = "*.rs"]
#[exclude = "*.md"]
struct Sources;

#[derive(Embed)]
#[folder = "src/render/texts/"]
#[include = "*.yaml"]
struct Words;

#[derive(Embed)]
#[folder = "src/http/assets/"]
struct Assets;

/// The folders that hold templates, and the first part of their names.
const FOLDERS: [(&str, &str); 3] = [
    ("http/console/templates/", "console/"),
    ("http/pages/templates/", "pages/"),
    ("notify/mails/", "mails/"),
];

/// Every template as (name, source). The source of a mail's HTML is MJML.
pub fn templates() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in Sources::iter() {
        let is_mjml = path.ends_with(".mjml");
        let Some(stem) = path.strip_suffix(".hbs").or_else(|| path.strip_suffix(".mjml")) else { continue };
        let name = FOLDERS
            .iter()
            .find_map(|(folder, prefix)| stem.strip_prefix(folder).map(|rest| format!("{prefix}{rest}")))
            .map(|name| if is_mjml { format!("{name}.html") } else { name });
        let source = Sources::get(&path).and_then(|file| String::from_utf8(file.data.into_owned()).ok());
        if let (Some(name), Some(source)) = (name, source) {
            found.push((name, source));
        }
    }
    found.sort();
    found
}

/// Layouts and partials begin with `_` and are rendered only as a part of others.
#[cfg(test)]
pub fn is_partial(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|file| file.starts_with('_'))
}

/// The example contexts that stand next to a template: `today.example.json`, `today.empty.example.json`.
/// A mail's `.html`, `.txt` and `.subject` share one.
#[cfg(test)]
pub fn examples(name: &str) -> Vec<(String, serde_json::Value)> {
    let (prefix, rest) = name.split_once('/').unwrap();
    let (folder, _) = FOLDERS.iter().find(|(_, p)| p.trim_end_matches('/') == prefix).unwrap();
    let rest = rest.trim_end_matches(".html").trim_end_matches(".txt").trim_end_matches(".subject");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        let Some(label) = file.strip_suffix(".example.json").and_then(|f| f.strip_prefix(rest)) else {
            continue;
        };
        if label.is_empty() || label.starts_with('.') {
            let json = std::fs::read_to_string(&path).unwrap();
            let mut value: serde_json::Value =
                serde_json::from_str(&json).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            // The switch in the frame of every page of the console, where an example does not say how it stands.
            if let Some(presence) = value.get_mut("presence").and_then(|presence| presence.as_object_mut()) {
                presence.entry("state").or_insert("online".into());
                presence.entry("quiet").or_insert(false.into());
            }
            found.push((label.trim_start_matches('.').to_owned(), value));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Every text file as (language, area, source): `en/console.yaml` is (`en`, `console`, …).
pub fn words() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for path in Words::iter() {
        let parts = path.strip_suffix(".yaml").and_then(|stem| stem.split_once('/'));
        let source = Words::get(&path).and_then(|file| String::from_utf8(file.data.into_owned()).ok());
        if let (Some((language, area)), Some(source)) = (parts, source) {
            found.push((language.to_owned(), area.to_owned(), source));
        }
    }
    found
}

/// One file that pages link to, as it is served under `/assets/{name}`.
pub struct Asset {
    pub body: Vec<u8>,
    pub content_type: &'static str,
    /// The first 16 hex digits of the SHA-256 of the body: the `v` of its address.
    pub hash: String,
}

/// An asset by its file name, or none.
pub fn asset(name: &str) -> Option<Asset> {
    let content_type = match name.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    };
    let file = Assets::get(name)?;
    let hash = file.metadata.sha256_hash().iter().take(8).fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Some(Asset { body: file.data.into_owned(), content_type, hash })
}

/// Where a page finds an asset: the address changes whenever the file does, so it can be cached for ever.
pub fn asset_address(name: &str) -> Option<String> {
    // The answer cannot change while a release runs; in a debug build files are edited under our hands.
    if cfg!(debug_assertions) {
        return asset(name).map(|file| format!("/assets/{name}?v={}", file.hash));
    }
    static ADDRESSES: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    ADDRESSES
        .get_or_init(|| {
            Assets::iter()
                .filter_map(|name| {
                    asset(&name).map(|file| (name.to_string(), format!("/assets/{name}?v={}", file.hash)))
                })
                .collect()
        })
        .get(name)
        .cloned()
}

/// The icons of `icons.svg` by id, each as the inside of its `<symbol>`.
pub fn icons() -> BTreeMap<String, String> {
    let Some(file) = Assets::get("icons.svg") else { return BTreeMap::new() };
    let sprite = String::from_utf8_lossy(&file.data).into_owned();
    sprite
        .split("<symbol ")
        .skip(1)
        .filter_map(|part| {
            let id = part.split_once("id=\"")?.1.split_once('"')?.0;
            let inside = part.split_once('>')?.1.split_once("</symbol>")?.0;
            Some((id.to_owned(), inside.trim().to_owned()))
        })
        .collect()
}
