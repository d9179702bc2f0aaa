//! The websites that may report hits, fill in forms and chat: those of the settings' file, and those that were added in the
//! console ([`added`]).

pub mod added;
mod store;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::base::language::Language;
use crate::base::secret::Secret;
use crate::base::time::zone;
use crate::config::SiteSettings;

pub use added::Added;

/// One website.
#[derive(Debug, Clone)]
pub struct Site {
    /// The snippet's `data-site`.
    pub key: String,
    /// The name people see.
    pub name: String,
    /// Where its pages come from, as browsers write it (`https://faro.example`).
    pub origins: Vec<String>,
    /// Used when a visitor's is not known.
    pub language: Language,
    /// Its privacy notice; empty if it has none.
    pub privacy_url: String,
    /// An image 32 px high for hosted pages; empty if it has none.
    pub logo_url: String,
    /// Its colours for hosted pages; empty if it has none.
    pub stylesheet_url: String,
    /// Where times are shown in until the visitor's zone is known (IANA name).
    pub time_zone: String,
    /// Days that hits and visits are kept; 0 is for ever.
    pub keep_days: i64,
    /// What the host signs identity tokens with; empty if it signs none.
    pub identity_secret: Secret,
    /// It was added in the console, and can be taken away there.
    pub is_added: bool,
}

impl Site {
    /// Whether pages of this origin belong to the site.
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin)
    }

    /// The zone of its days.
    pub fn zone(&self) -> TimeZone {
        zone(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    /// The address of the site's first origin, for links back to it.
    pub fn home(&self) -> &str {
        self.origins.first().map_or("", String::as_str)
    }
}

/// Why a request is not taken as one of a site's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No site has this key.
    #[error("no site has this key; check `data-site` in the snippet")]
    Unknown,
    /// The site exists, and the request comes from somewhere else.
    #[error("this origin is not one of the site's; add it to `origins`")]
    ForeignOrigin,
}

impl crate::base::coded::Coded for Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "site.unknown",
            Self::ForeignOrigin => "site.foreign_origin",
        }
    }
}

/// All sites of this server.
#[derive(Debug, Clone, Default)]
pub struct Sites(BTreeMap<String, Site>);

impl Sites {
    /// The sites that the settings list.
    pub fn new(settings: &[SiteSettings]) -> Self {
        Self(
            settings
                .iter()
                .map(|site| {
                    let site = Site {
                        key: site.key.clone(),
                        name: site.name.clone(),
                        origins: site.origins.clone(),
                        language: site.language,
                        privacy_url: site.privacy_url.clone(),
                        logo_url: site.logo_url.clone(),
                        stylesheet_url: site.stylesheet_url.clone(),
                        time_zone: site.time_zone.clone(),
                        keep_days: site.keep_days,
                        identity_secret: site.identity_secret.clone(),
                        is_added: false,
                    };
                    (site.key.clone(), site)
                })
                .collect(),
        )
    }

    /// The sites of the settings together with those of the console. Where both have a key, the settings say what holds.
    #[must_use]
    pub fn with_added(mut self, added: &[Added]) -> Self {
        for site in added {
            self.0.entry(site.key.clone()).or_insert_with(|| site.site());
        }
        self
    }

    /// Those that somebody can visit: all but the one of the sample data.
    pub fn real(&self) -> impl Iterator<Item = &Site> {
        self.all().filter(|site| site.key != added::SAMPLE)
    }

    /// Whether the sites of the console are these.
    pub fn has_added(&self, added: &[Added]) -> bool {
        let own: Vec<Added> = self.all().filter(|site| site.is_added).map(Added::of).collect();
        let others = |site: &&Added| self.0.get(&site.key).is_none_or(|known| known.is_added);
        own.iter().eq(added.iter().filter(others))
    }

    /// The site of this key.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn find(&self, key: &str) -> Result<&Site, Error> {
        self.0.get(key).ok_or(Error::Unknown)
    }

    /// The site of this key, if a browser's `Origin` header (or its absence) does not speak against it.
    ///
    /// # Errors
    /// [`Error::Unknown`] or [`Error::ForeignOrigin`].
    pub fn find_for(&self, key: &str, origin: Option<&str>, own_origin: &str) -> Result<&Site, Error> {
        let site = self.find(key)?;
        let is_ours = origin.is_none_or(|origin| origin == own_origin || site.allows_origin(origin));
        if is_ours { Ok(site) } else { Err(Error::ForeignOrigin) }
    }

    /// Every site, by key.
    pub fn all(&self) -> impl Iterator<Item = &Site> {
        self.0.values()
    }

    /// Whether any site's pages come from this origin.
    pub fn any_allows_origin(&self, origin: &str) -> bool {
        self.all().any(|site| site.allows_origin(origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_origin_is_not_a_site_of_ours() {
        let sites = Sites::new(&[SiteSettings {
            key: "faro".to_owned(),
            name: "Librería Faro".to_owned(),
            origins: vec!["https://faro.example".to_owned()],
            language: Language::Es,
            privacy_url: String::new(),
            logo_url: String::new(),
            stylesheet_url: String::new(),
            time_zone: "UTC".to_owned(),
            keep_days: 0,
            identity_secret: Secret::default(),
        }]);
        let own = "https://embudo.example";
        assert!(sites.find_for("faro", Some("https://faro.example"), own).is_ok());
        assert!(sites.find_for("faro", Some(own), own).is_ok());
        assert!(sites.find_for("faro", None, own).is_ok());
        for foreign in
            ["https://evil.example", "http://faro.example", "https://faro.example.evil.example", "null"]
        {
            assert_eq!(
                sites.find_for("faro", Some(foreign), own).map(|_| ()),
                Err(Error::ForeignOrigin),
                "{foreign}"
            );
        }
        assert_eq!(sites.find("fargo").map(|_| ()), Err(Error::Unknown));
    }
}
