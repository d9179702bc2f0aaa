//! The tools of tests/tools that read what they are given and print what they make of it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::app::repository;
use super::inbox::python;

/// What a tool, such as `webhook_verify.py` or `push_read.py new`, makes of its input.
pub fn python_says(tool: &str, input: &[u8]) -> Value {
    let mut words = tool.split(' ');
    let mut child = Command::new(python())
        .arg(repository(&format!("tests/tools/{}", words.next().expect("a name"))))
        .args(words)
        .env("PYTHONTZPATH", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3; `scripts/test` installs what it needs into target/tools/venv");
    let mut pipe = child.stdin.take().expect("piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || pipe.write_all(&input));
    let output = child.wait_with_output().expect("it ends");
    // Whoever needs no input may end without having read it.
    let _ = writer.join().expect("no panic");
    assert!(output.status.success(), "{tool}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
