//! Writes an activated version of the lifecycle into its file: whole or not at all, with the text of before kept beside it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::base::diagnostic::Report;
use crate::base::ids::new_key;
use crate::base::signing::sha256_hex;
use crate::stages::{Definition, text};

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It holds the text already.
    AsItIs,
    /// It holds the text now; what stood there is kept, if anything did.
    Done {
        /// The file.
        path: PathBuf,
        /// The text of before.
        kept: Option<PathBuf>,
    },
    /// It holds a text with a higher number, which somebody is at work on: it stays.
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be written here: a person puts the text there.
    NotWritable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl Written {
    /// The word for programs and for the console's texts.
    pub fn word(&self) -> &'static str {
        match self {
            Self::AsItIs => "same",
            Self::Done { .. } => "written",
            Self::Newer { .. } => "newer",
            Self::NotWritable { .. } => "not_writable",
        }
    }
}

/// Writes it.
pub(super) fn write(path: &Path, definition: &Definition) -> Written {
    let before = match fs::read_to_string(path) {
        Ok(text) => Some(with_titles(path, text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Written::NotWritable { path: path.to_owned(), why: error.to_string() },
    };
    if before.as_ref() == Some(&definition.body) {
        return Written::AsItIs;
    }
    let old = before.as_ref().and_then(|text| Definition::parse("lifecycle.yaml", text, &Report::new()));
    if old.as_ref().is_some_and(|old| old.version > definition.version) {
        return Written::Newer { path: path.to_owned() };
    }
    let parts = text::parts(&definition.body);
    // The titles first: the lifecycle that names them must not stand there without.
    if let Some((name, titles)) = parts.titles {
        let beside = path.with_file_name(name);
        let stands = fs::read_to_string(&beside).ok();
        if stands.as_deref() != Some(titles)
            && let Err(error) = replace(&beside, stands.as_deref(), old.as_ref(), titles)
        {
            return Written::NotWritable { path: beside, why: error.to_string() };
        }
    }
    let own = before.as_deref().map(|before| text::parts(before).own);
    match replace(path, own, old.as_ref(), parts.own) {
        Ok(kept) => Written::Done { path: path.to_owned(), kept },
        Err(error) => Written::NotWritable { path: path.to_owned(), why: error.to_string() },
    }
}

/// A lifecycle's text with the titles that it names, if they lie beside it.
fn with_titles(path: &Path, own: String) -> String {
    let titles = text::names_titles(&own)
        .and_then(|name| Some((fs::read_to_string(path.with_file_name(&name)).ok()?, name)));
    titles.map_or(own.clone(), |(titles, name)| text::joined(&own, &name, &titles))
}

fn replace(
    path: &Path,
    before: Option<&str>,
    old: Option<&Definition>,
    text: &str,
) -> io::Result<Option<PathBuf>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path
        .file_name()
        .map_or_else(|| "lifecycle.yaml".to_owned(), |name| name.to_string_lossy().into_owned());
    let kept = before.map(|before| {
        let hash = sha256_hex(before);
        let version = old.map_or_else(|| "before".to_owned(), |old| format!("v{}", old.version));
        (folder.join(format!("{name}.{version}-{}.old", hash.get(..8).unwrap_or(&hash))), before)
    });
    if let Some((kept, before)) = &kept {
        put(kept, before)?;
    }
    let fresh = folder.join(format!(".{name}.{}", new_key()));
    let put_there = put(&fresh, text).and_then(|()| {
        if let Ok(known) = fs::metadata(path) {
            fs::set_permissions(&fresh, known.permissions())?;
        }
        fs::rename(&fresh, path)
    });
    if let Err(error) = put_there {
        // What is left over stands in nobody's way; the first error says more.
        drop(fs::remove_file(&fresh));
        return Err(error);
    }
    // So that a loss of power leaves the one or the other.
    File::open(folder).and_then(|folder| folder.sync_all())?;
    Ok(kept.map(|(kept, _)| kept))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: i64) -> Definition {
        let text = include_str!("../../config/lifecycle.yaml")
            .replace("version: 1\n", &format!("version: {number}\n"));
        let report = Report::new();
        Definition::parse("lifecycle.yaml", &text, &report).unwrap_or_else(|| panic!("{}", report.text()))
    }

    #[test]
    fn the_file_holds_the_new_text_and_the_old_one_lies_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lifecycle.yaml");
        let (first, second) = (version(1), version(2));
        assert_eq!(write(&path, &first), Written::Done { path: path.clone(), kept: None });
        assert_eq!(write(&path, &first), Written::AsItIs);
        let Written::Done { kept: Some(kept), .. } = write(&path, &second) else { panic!("not written") };
        assert_eq!(fs::read_to_string(&path).expect("read"), second.body);
        assert_eq!(fs::read_to_string(&kept).expect("read"), first.body);
        let name = kept.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name.starts_with("lifecycle.yaml.v1-") && name.ends_with(".old"), "{name}");
        let files = fs::read_dir(folder.path()).expect("listed").count();
        assert_eq!(files, 2, "nothing else is left");
        // Somebody is at work on a newer one.
        assert_eq!(write(&path, &first), Written::Newer { path: path.clone() });
        // A broken text is kept, too.
        fs::write(&path, "version: [").expect("written");
        let Written::Done { kept: Some(kept), .. } = write(&path, &second) else { panic!("not written") };
        assert_eq!(fs::read_to_string(kept).expect("read"), "version: [");
    }

    #[test]
    fn titles_are_written_beside_the_lifecycle_that_names_them_and_the_old_ones_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lifecycle.yaml");
        let of = |number: i64, title: &str| {
            let own = version(number).body.replacen(
                "facts:",
                "facts:\n  seniority: {from: job_title, map: titles.yaml}",
                1,
            );
            let titles = format!("seniority: {{c_level: [{title}]}}\n");
            let report = Report::new();
            let whole = text::joined(&own, "titles.yaml", &titles);
            let read = Definition::parse("lifecycle.yaml", &whole, &report);
            (read.unwrap_or_else(|| panic!("{}", report.text())), own, titles)
        };
        let (first, own, titles) = of(1, "decana");
        assert_eq!(write(&path, &first), Written::Done { path: path.clone(), kept: None });
        let there = |name: &str| fs::read_to_string(folder.path().join(name)).expect("read");
        assert_eq!((there("lifecycle.yaml"), there("titles.yaml")), (own, titles.clone()));
        assert_eq!(write(&path, &first), Written::AsItIs);
        let (second, own, newer) = of(2, "rectora");
        assert!(matches!(write(&path, &second), Written::Done { kept: Some(_), .. }));
        assert_eq!((there("lifecycle.yaml"), there("titles.yaml")), (own, newer));
        let names = fs::read_dir(folder.path()).expect("listed").map(|file| file.expect("one").file_name());
        let kept: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        let kept = kept.into_iter().find(|name| name.starts_with("titles.yaml.v1-")).expect("it is kept");
        assert_eq!(there(&kept), titles);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nowhere/lifecycle.yaml");
        assert!(matches!(write(&path, &version(1)), Written::NotWritable { .. }));
    }
}
