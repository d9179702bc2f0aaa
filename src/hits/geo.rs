//! Where an address is and who runs its network, from MaxMind DB files if they are given. The address is never stored.
//!
//! The files are looked at now and then, away from the hits: a new one takes the place of the old one at once and whole,
//! and one that cannot be read is told and leaves the old one in place.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use maxminddb::{Reader, geoip2};
use quick_cache::sync::Cache;

/// Addresses whose place is remembered.
const CACHED: usize = 16_384;

static HOSTING: LazyLock<BTreeSet<u32>> = LazyLock::new(|| {
    let lines = include_str!("hosting.txt").lines();
    lines.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
});

/// What is known of an address; nothing of most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// ISO 3166-1, two letters.
    pub country: Option<String>,
    /// ISO 3166-2, without the country.
    pub region: Option<String>,
    /// Its English name.
    pub city: Option<String>,
    /// Who runs the network.
    pub network: Option<String>,
    /// Whether the network is one of servers.
    pub is_hosting: bool,
}

/// A file in use, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    pub path: PathBuf,
    /// What it calls itself: `GeoLite2-City`.
    pub kind: String,
    pub built_at: Option<SystemTime>,
}

/// What tells a file from the one that stood there before.
type Stamp = Option<(SystemTime, u64, u64)>;

#[derive(Clone)]
struct Database {
    reader: Arc<Reader<Vec<u8>>>,
}

/// A file that may be replaced.
#[derive(Default)]
struct Source {
    path: Option<PathBuf>,
    seen: Stamp,
}

/// The databases as they stand, and what was found in them.
struct Open {
    places: Option<Database>,
    networks: Option<Database>,
    found: Cache<IpAddr, Arc<Place>>,
}

impl Default for Open {
    fn default() -> Self {
        Self::new(None, None)
    }
}

impl Open {
    fn new(places: Option<Database>, networks: Option<Database>) -> Self {
        Self { places, networks, found: Cache::new(CACHED) }
    }
}

/// Looks addresses up.
#[derive(Default)]
pub struct Geo {
    open: RwLock<Arc<Open>>,
    /// Places, networks.
    sources: Mutex<[Source; 2]>,
}

impl Geo {
    /// Opens a file of countries or cities; an empty path knows none.
    ///
    /// # Errors
    /// A sentence for the operator if the file cannot be read.
    pub fn open(places: &str) -> Result<Self, String> {
        Self::open_both(places, "")
    }

    /// As [`Geo::open`], with a file of networks (autonomous systems) beside it.
    ///
    /// # Errors
    /// A sentence for the operator if a file cannot be read.
    pub fn open_both(places: &str, networks: &str) -> Result<Self, String> {
        let source = |path: &str| {
            let path = (!path.is_empty()).then(|| PathBuf::from(path));
            Source { seen: path.as_deref().and_then(stamp), path }
        };
        let sources = [source(places), source(networks)];
        let [places, networks] = &sources;
        let open = |source: &Source| source.path.as_deref().map(read).transpose();
        let open = Open::new(open(places)?, open(networks)?);
        Ok(Self { open: RwLock::new(Arc::new(open)), sources: Mutex::new(sources) })
    }

    /// What is known of the address.
    pub fn find(&self, address: IpAddr) -> Arc<Place> {
        let open = self.now();
        if open.places.is_none() && open.networks.is_none() {
            return NOWHERE.clone();
        }
        if let Some(place) = open.found.get(&address) {
            return place;
        }
        let place = Arc::new(place_of(&open, address));
        open.found.insert(address, place.clone());
        place
    }

    /// The country's two letters (ISO 3166-1), if the file knows.
    pub fn country(&self, address: IpAddr) -> Option<String> {
        self.find(address).country.clone()
    }

    /// Looks whether the files were replaced, and takes what is new. Reads from the disk; not for the way of a hit.
    pub fn look(&self) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let open = self.now();
        let [places, networks] = &mut *sources;
        let newer = (replaced(places), replaced(networks));
        if newer.0.is_none() && newer.1.is_none() {
            return;
        }
        let places = newer.0.or_else(|| open.places.clone());
        let networks = newer.1.or_else(|| open.networks.clone());
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Open::new(places, networks));
    }

    /// The files that are in use.
    pub fn in_use(&self) -> Vec<InUse> {
        let open = self.now();
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let databases = [&open.places, &open.networks];
        let used = sources.iter().zip(databases).filter_map(|(source, database)| {
            let about = database.as_ref()?.reader.metadata();
            Some(InUse {
                path: source.path.clone()?,
                kind: about.database_type.clone(),
                built_at: about.build_time().ok().filter(|built| *built > SystemTime::UNIX_EPOCH),
            })
        });
        used.collect()
    }

    fn now(&self) -> Arc<Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

static NOWHERE: LazyLock<Arc<Place>> = LazyLock::new(Arc::default);

fn read(path: &Path) -> Result<Database, String> {
    let reader = Reader::open_readfile(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Database { reader: Arc::new(reader) })
}

fn stamp(path: &Path) -> Stamp {
    let about = std::fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.ino(), about.len()))
}

/// The database of a file that was replaced and can be read.
fn replaced(source: &mut Source) -> Option<Database> {
    let path = source.path.as_deref()?;
    let stands = stamp(path);
    if stands == source.seen {
        return None;
    }
    source.seen = stands;
    match read(path) {
        Ok(database) => {
            tracing::info!(geo.path = %path.display(), "a geo database was replaced");
            Some(database)
        }
        Err(error) => {
            tracing::error!(error, "a new geo database cannot be read; the old one stays in use");
            None
        }
    }
}

fn place_of(open: &Open, address: IpAddr) -> Place {
    let mut place = Place::default();
    let text = |text: Option<&str>| text.map(str::to_owned);
    if let Some(database) = &open.places {
        let found = database.reader.lookup(address).ok();
        // A file of countries holds a part of what one of cities does.
        let city: Option<geoip2::City<'_>> = found.and_then(|found| found.decode().ok()?);
        if let Some(city) = city {
            place.country = text(city.country.iso_code);
            place.region = text(city.subdivisions.first().and_then(|region| region.iso_code));
            place.city = text(city.city.names.english);
        }
    }
    if let Some(database) = &open.networks {
        let found = database.reader.lookup(address).ok();
        let network: Option<geoip2::Asn<'_>> = found.and_then(|found| found.decode().ok()?);
        if let Some(network) = network {
            place.network = text(network.autonomous_system_organization);
            place.is_hosting =
                network.autonomous_system_number.is_some_and(|number| HOSTING.contains(&number));
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_networks_is_a_number_and_a_name() {
        let lines = include_str!("hosting.txt").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(lines.count(), HOSTING.len());
        assert!(HOSTING.contains(&16509) && !HOSTING.contains(&13335));
    }

    #[test]
    fn without_files_nothing_is_known() {
        let geo = Geo::open("").expect("nothing to open");
        assert_eq!(*geo.find([192, 0, 2, 1].into()), Place::default());
        assert!(geo.in_use().is_empty());
    }
}
