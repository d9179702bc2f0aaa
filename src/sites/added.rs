//! Websites that are added while the server runs, in the console. They stand in the store, so that every node knows them;
//! what else a site may have (a privacy notice, colours, a secret for identity tokens) is set in the settings' file.

use url::Url;

use super::{Site, Sites, store};
use crate::base::coded::Coded;
use crate::base::language::Language;
use crate::base::secret::Secret;
use crate::base::time::{Timestamp, zone};
use crate::storage;
use crate::storage::db::{Queries, Tx};

/// The key of the site that made-up visits are counted on. It sorts behind those of real sites, which are shown first.
pub const SAMPLE: &str = "zz-sample";
/// Longest name, in characters.
const NAME_LENGTH: usize = 80;
/// Longest key, in characters.
const KEY_LENGTH: usize = 40;
/// Sites that can be added in the console.
const MOST: usize = 200;

/// A website of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    pub key: String,
    pub name: String,
    pub origins: Vec<String>,
    pub language: Language,
    pub time_zone: String,
}

/// Why a site cannot be added or taken away.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not one of a website.
    #[error("write the website's address as https://example.com")]
    Address,
    /// No key can be made of the address, or there are too many sites.
    #[error("this site cannot be added here; write it into the settings' file")]
    Impossible,
    /// There is such a site.
    #[error("there is a site with this address already")]
    Taken,
    /// There is none, or it stands in the settings' file.
    #[error("no site of the console has this key")]
    Unknown,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Address => "site.address_invalid",
            Self::Impossible => "site.impossible",
            Self::Taken => "site.taken",
            Self::Unknown => "site.unknown",
            Self::Storage(error) => error.code(),
        }
    }
}

impl Added {
    /// A site by what somebody types: its name (else its host stands for it) and its address. Pages with and without `www.`
    /// are the same site.
    ///
    /// # Errors
    /// [`Error::Address`], [`Error::Impossible`].
    pub fn parse(name: &str, address: &str, language: Language, time_zone: &str) -> Result<Self, Error> {
        let address = address.trim();
        let whole = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
        let url = Url::parse(&whole).map_err(|_| Error::Address)?;
        let host =
            url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")).ok_or(Error::Address)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Address);
        }
        let is_named = url.domain().is_some();
        // A name without a dot is a slip, unless it is this machine.
        if is_named && !host.contains('.') && host != "localhost" {
            return Err(Error::Address);
        }
        let bare = host.strip_prefix("www.").unwrap_or(host);
        let origin = |host: &str| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{host}{port}", url.scheme())
        };
        let mut origins = vec![origin(host)];
        if is_named && bare.contains('.') {
            let other = if bare == host { format!("www.{bare}") } else { bare.to_owned() };
            origins.push(origin(&other));
        }
        let name: String = name.trim().chars().filter(|c| !c.is_control()).take(NAME_LENGTH).collect();
        Ok(Self {
            key: key_of(bare, url.port()).ok_or(Error::Impossible)?,
            name: Some(name).filter(|name| !name.trim().is_empty()).unwrap_or_else(|| bare.to_owned()),
            origins,
            language,
            time_zone: if zone(time_zone).is_some() { time_zone.to_owned() } else { "UTC".to_owned() },
        })
    }

    pub(super) fn of(site: &Site) -> Self {
        Self {
            key: site.key.clone(),
            name: site.name.clone(),
            origins: site.origins.clone(),
            language: site.language,
            time_zone: site.time_zone.clone(),
        }
    }

    pub(super) fn site(&self) -> Site {
        Site {
            key: self.key.clone(),
            name: self.name.clone(),
            origins: self.origins.clone(),
            language: self.language,
            privacy_url: String::new(),
            logo_url: String::new(),
            stylesheet_url: String::new(),
            time_zone: self.time_zone.clone(),
            keep_days: 0,
            identity_secret: Secret::default(),
            is_added: true,
        }
    }
}

/// What `data-site` says: the host in letters, digits and hyphens. `faro.example` is `faro-example`.
fn key_of(host: &str, port: Option<u16>) -> Option<String> {
    let port = port.map(|port| format!("-{port}")).unwrap_or_default();
    let text: String = format!("{host}{port}")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let key = text.trim_matches('-');
    (!key.is_empty() && key.len() <= KEY_LENGTH).then(|| key.to_owned())
}

/// The sites of the console, by key.
///
/// # Errors
/// As the store says.
pub async fn list(q: &mut impl Queries) -> storage::Result<Vec<Added>> {
    let mut added = store::list(q).await?;
    // As bytes: a database sorts by the rules of its language.
    added.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(added)
}

/// Adds a site that none of `known` is.
///
/// # Errors
/// [`Error::Taken`], [`Error::Impossible`] if there are too many.
pub async fn add(tx: &mut Tx, known: &Sites, site: &Added, now: Timestamp) -> Result<(), Error> {
    if store::list(tx).await?.len() >= MOST {
        return Err(Error::Impossible);
    }
    let is_known =
        known.find(&site.key).is_ok() || site.origins.iter().any(|own| known.any_allows_origin(own));
    if is_known || !store::insert(tx, site, now).await? {
        return Err(Error::Taken);
    }
    Ok(())
}

/// Takes a site of the console away. What it reported stays, by its key.
///
/// # Errors
/// [`Error::Unknown`].
pub async fn remove(tx: &mut Tx, key: &str) -> Result<(), Error> {
    if store::delete(tx, key).await? { Ok(()) } else { Err(Error::Unknown) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(address: &str) -> Option<(String, Vec<String>)> {
        Added::parse("", address, Language::En, "UTC").ok().map(|site| (site.key, site.origins))
    }

    #[test]
    fn a_site_is_known_by_the_address_that_somebody_types() {
        let both = |one: &str, other: &str| vec![one.to_owned(), other.to_owned()];
        let faro = both("https://faro.example", "https://www.faro.example");
        for typed in ["faro.example", " https://faro.example/es/?a=1 ", "HTTPS://Faro.Example"] {
            assert_eq!(read(typed), Some(("faro-example".to_owned(), faro.clone())), "{typed}");
        }
        assert_eq!(
            read("www.faro.example"),
            Some(("faro-example".to_owned(), both("https://www.faro.example", "https://faro.example")))
        );
        assert_eq!(
            read("http://localhost:3000"),
            Some(("localhost-3000".to_owned(), vec!["http://localhost:3000".to_owned()]))
        );
        assert_eq!(
            read("http://127.0.0.1:3000").map(|(_, origins)| origins),
            Some(vec!["http://127.0.0.1:3000".to_owned()])
        );
        for wrong in
            ["", "faro", "ftp://faro.example", "javascript:alert(1)", "https://a:b@faro.example", "two words"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_the_settings_say_of_a_key_holds() {
        let added = Added::parse("Faro", "faro.example", Language::Es, "Nowhere/Else").expect("a site");
        assert_eq!(added.time_zone, "UTC");
        let sites = Sites::default().with_added(std::slice::from_ref(&added));
        assert!(sites.has_added(std::slice::from_ref(&added)) && !sites.has_added(&[]));
        let mut of_file = sites.clone();
        if let Some(site) = of_file.0.get_mut("faro-example") {
            site.is_added = false;
            "Of the file".clone_into(&mut site.name);
        }
        let both = of_file.with_added(std::slice::from_ref(&added));
        assert_eq!(both.find("faro-example").map(|site| site.name.as_str()), Ok("Of the file"));
        assert!(both.has_added(std::slice::from_ref(&added)), "the file stands before it: nothing is new");
    }
}
