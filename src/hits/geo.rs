//! The country of an address, from a MaxMind DB file if one is given. The address itself is never stored.

use std::net::IpAddr;
use std::path::Path;

use maxminddb::{Reader, geoip2};

/// Looks countries up.
#[derive(Default)]
pub struct Geo(Option<Reader<Vec<u8>>>);

impl Geo {
    /// Opens the file at `path`; an empty path knows no country.
    ///
    /// # Errors
    /// A sentence for the operator if the file cannot be read.
    pub fn open(path: &str) -> Result<Self, String> {
        if path.is_empty() {
            return Ok(Self(None));
        }
        Reader::open_readfile(Path::new(path))
            .map(|reader| Self(Some(reader)))
            .map_err(|error| format!("{path}: {error}"))
    }

    /// The country's two letters (ISO 3166-1), if the file knows.
    pub fn country(&self, address: IpAddr) -> Option<String> {
        let found = self.0.as_ref()?.lookup(address).ok()?;
        let country: geoip2::Country<'_> = found.decode().ok()??;
        country.country.iso_code.map(str::to_owned)
    }
}
