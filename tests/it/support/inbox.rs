//! A real mail server (aiosmtpd, tests/tools/smtp.py) that a test can take down and bring back.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde::Deserialize;

/// How the server behaves from now on; the words are those of tests/tools/smtp.py.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    Accept,
    /// Cuts every open line and listens no more.
    Down,
    /// 451 to every recipient: try again later.
    Busy,
    /// 550 to every recipient: never try again.
    Refuse,
    /// 550 to recipients whose address begins with `gone`.
    Picky,
    /// Cuts the line after the whole mail and keeps nothing.
    Drop,
    /// Keeps the mail and cuts the line without an answer.
    Lost,
    /// Takes connections and says nothing more.
    Tarpit,
}

impl Manner {
    fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Down => "down",
            Self::Busy => "busy",
            Self::Refuse => "refuse",
            Self::Picky => "picky",
            Self::Drop => "drop",
            Self::Lost => "lost",
            Self::Tarpit => "tarpit",
        }
    }
}

/// A mail as its reader sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    pub envelope_from: String,
    pub envelope_to: Vec<String>,
    pub from: String,
    pub to: String,
    pub subject: String,
    pub message_id: String,
    pub headers: BTreeMap<String, String>,
    pub text: String,
    pub html: String,
    pub calendar: Option<String>,
}

impl Mail {
    /// The first link of the text part whose path begins with `path`, such as `/d/`.
    pub fn link(&self, path: &str) -> String {
        self.text
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| "<>()[].,".contains(c)))
            .find(|word| {
                word.split_once("://")
                    .and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].starts_with(path)))
                    .unwrap_or(false)
            })
            .unwrap_or_else(|| panic!("no link to {path} in the mail {:?}:\n{}", self.subject, self.text))
            .to_owned()
    }
}

pub struct Inbox {
    pub port: u16,
    folder: PathBuf,
    lines: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    child: Mutex<Child>,
}

impl Inbox {
    /// Starts a server that keeps its mails below `folder`.
    pub fn start(folder: &Path) -> Self {
        let folder = folder.join("mails");
        let mut child = Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/smtp.py"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 with aiosmtpd; `scripts/test` installs it into target/tools/venv");
        let orders = child.stdin.take().expect("piped");
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let port = read_line(&mut answers)
            .strip_prefix("port ")
            .and_then(|port| port.parse().ok())
            .expect("the mail server says its port; is aiosmtpd installed? `scripts/test` does it");
        Self { port, folder, lines: Mutex::new((orders, answers)), child: Mutex::new(child) }
    }

    pub fn behave(&self, manner: Manner) {
        let mut lines = self.lines.lock().expect("no test panics in here");
        writeln!(lines.0, "{}", manner.word()).expect("the mail server reads");
        assert_eq!(read_line(&mut lines.1), manner.word());
    }

    /// Everything that was kept so far, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.folder)
            .expect("the mail server made its folder")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        paths.sort();
        paths
            .iter()
            .map(|path| {
                serde_json::from_slice(&fs::read(path).expect("readable")).expect("smtp.py's own shape")
            })
            .collect()
    }

    /// The mails as they came over the line, oldest first.
    pub fn raw(&self) -> Vec<Vec<u8>> {
        // What the server has not told of yet may be half written.
        let count = self.mails().len();
        let path = |number: usize| self.folder.join(format!("{number:04}.eml"));
        (1..=count).map(|number| fs::read(path(number)).expect("readable")).collect()
    }

    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        self.mails().into_iter().filter(|mail| mail.envelope_to.iter().any(|to| to == address)).collect()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The Python of the tests: that of `scripts/test` where it ran once, else the machine's.
pub fn python() -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin/python");
    match std::env::var_os("EMBUDO_TEST_PYTHON") {
        Some(path) => path.into(),
        None if venv.exists() => venv,
        None => "python3".into(),
    }
}

fn read_line(answers: &mut impl BufRead) -> String {
    let mut line = String::new();
    answers.read_line(&mut line).expect("the mail server writes lines");
    line.trim_end().to_owned()
}
