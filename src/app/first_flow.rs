//! The first flow of a company that has none: a small file that works as it is, and is meant to be changed.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use super::{App, Reloaded};
use crate::base::ids::AccountId;
use crate::privacy::audit::{self, By, What};

/// What stands in it.
const TEXT: &str = include_str!("first-flow.yaml");
/// Its file in the folder of flows, and how the flow calls itself.
const FILE: &str = "welcome.yaml";
pub const FLOW: &str = "welcome";

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is written and runs.
    Done,
    /// There are flows already, or a file of this name.
    Known,
    /// It cannot be written here.
    NotWritable(String),
    /// It stands there and does not run beside the other files.
    Refused(String),
}

impl App {
    /// Whether the company has written a flow; what is built in does not count.
    pub fn has_own_flow(&self) -> bool {
        let folder = self.config.path_of(&self.config.definitions.flows);
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| file.path()).any(|path| path.extension().is_some_and(|kind| kind == "yaml"))
    }

    /// Writes the first flow, if there is none.
    ///
    /// # Errors
    /// If the store cannot note it; the file stands there by then, and is met again when the folder is looked at.
    pub async fn write_first_flow(&self, by: AccountId) -> anyhow::Result<Begun> {
        if self.has_own_flow() {
            return Ok(Begun::Known);
        }
        let folder = self.config.path_of(&self.config.definitions.flows);
        match write(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Begun::Known),
            Err(error) => return Ok(Begun::NotWritable(error.to_string())),
        }
        let mut tx = self.stores.db.begin().await?;
        let details = What::FirstFlow.of(FLOW);
        audit::changed(&mut tx, By::Account(by), details, self.clock.now()).await?;
        tx.commit().await?;
        Ok(match self.reload_flows().await? {
            Reloaded::Same | Reloaded::Replaced => Begun::Done,
            Reloaded::Refused(problem) => Begun::Refused(problem),
        })
    }
}

/// Writes the file; one that is there is left alone.
fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = OpenOptions::new().write(true).create_new(true).open(folder.join(FILE))?;
    file.write_all(TEXT.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Definitions, Sources};
    use crate::base::diagnostic::Report;
    use crate::chat::rehearsal::Scene;
    use crate::chat::script::{Explore, explore};

    #[test]
    fn the_first_flow_is_sound_on_a_server_that_has_no_other_file() {
        let mut sources = Sources::default();
        sources.flows.push((FILE.to_owned(), TEXT.to_owned()));
        let report = Report::new();
        let flows = Definitions::read(&sources, &report).flows.expect("it is read");
        let of_it: Vec<_> = report
            .diagnostics()
            .into_iter()
            .filter(|found| found.path == FILE)
            .map(|found| found.message)
            .collect();
        assert_eq!(of_it, Vec::<String>::new());
        let flow = flows.find(FLOW).expect("it is there");
        for language in flow.languages.clone() {
            let scene = Scene { language, ..Scene::default() };
            let found = explore(flow, &scene, None, &Explore::default());
            assert!(found.findings.is_empty(), "{:#?}", found.findings);
        }
    }

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let flows = folder.path().join("config/../bot-flows");
        write(&flows).expect("written");
        assert!(write(&flows).is_err());
        assert_eq!(std::fs::read_to_string(flows.join(FILE)).expect("there"), TEXT);
    }
}
