//! The program itself, as people start it.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::port;

const PROGRAM: &str = env!("CARGO_BIN_EXE_embudo");

/// A running demo. It is stopped when it is dropped.
struct Demo {
    child: Child,
    port: u16,
}

impl Demo {
    fn start(folder: &Path) -> Self {
        let port = port::free();
        let child =
            command(folder, port).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
        Self { child, port }
    }

    /// Waits until it answers with its site; `None` if it does not within `most`.
    fn answers_within(&mut self, most: Duration) -> Option<Duration> {
        use std::io::Write;
        let started = Instant::now();
        while started.elapsed() < most {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let request = "GET /en/ HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
                let mut answer = String::new();
                if stream.write_all(request.as_bytes()).is_ok()
                    && stream.read_to_string(&mut answer).is_ok()
                    && answer.starts_with("HTTP/1.1 200")
                    && answer.contains("Faro")
                {
                    return Some(started.elapsed());
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(folder: &Path, port: u16) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["demo", "--folder"]).arg(folder).args(["--port", &port.to_string()]);
    command
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn embudo(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(PROGRAM).args(arguments).current_dir(folder).output().expect("run");
    (output.status.success(), told(&output))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// The shipped definitions and flows in a folder of their own.
fn shipped() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy(&root.join("config"), &folder.path().join("config"));
    copy(&root.join("bot-flows"), &folder.path().join("bot-flows"));
    folder
}

fn change(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).expect("read");
    assert!(text.contains(from), "{from} stands in {file}");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
}

#[test]
fn the_demo_answers_and_its_folder_is_taken_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut demo = Demo::start(folder.path());
    let first = demo.answers_within(Duration::from_secs(30)).expect("it answers");
    // A figure to be looked at, not a verdict: how long it takes depends on what else the machine does.
    println!("the first start took {first:?}");

    let free = port::free();
    let settings = std::fs::read_to_string(folder.path().join("config/embudo.toml")).expect("written");
    let second = command(folder.path(), free).output().expect("run");
    assert!(!second.status.success());
    assert!(told(&second).contains("--folder FOLDER"), "{}", told(&second));
    let after = std::fs::read_to_string(folder.path().join("config/embudo.toml")).expect("there");
    assert_eq!(settings, after, "the running demo's settings are untouched");

    let elsewhere = tempfile::tempdir().expect("a folder");
    let taken = command(elsewhere.path(), demo.port).output().expect("run");
    assert!(!taken.status.success() && told(&taken).contains("--port PORT"), "{}", told(&taken));

    drop(demo);
    let again = Demo::start(folder.path()).answers_within(Duration::from_secs(30)).expect("it answers");
    println!("the second start took {again:?}");
}

#[test]
fn check_finds_several_mistakes_of_several_files_where_they_stand_and_no_others() {
    let folder = shipped();
    let (sound, text) = embudo(folder.path(), &["check"]);
    assert!(sound && text.contains("nothing is wrong"), "{text}");

    // What a test of a flow names and the flow does not have holds whatever the flow does.
    let test = "flow: needs\ntests:\n  - test: nobody is passed on\n    script:\n      - visitor: Hello\n    \
                expect:\n      never: [handofff]\n      path: [nostep]\n";
    let place = folder.path().join("bot-flows/tests/named.yaml");
    std::fs::write(&place, test).expect("written");
    let (sound, text) = embudo(folder.path(), &["check"]);
    assert!(!sound && text.contains("2 errors"), "{text}");
    for part in [
        "named.yaml:7:15 error G201 needs has no step \"handofff\"",
        "did you mean \"handoff\"",
        "needs has no step \"nostep\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    std::fs::remove_file(&place).expect("removed");

    change(folder.path(), "config/team.yaml", "Europe/Madrid", "Europe/Madird");
    change(folder.path(), "config/forms.yaml", "registers: ", "registers: x");
    change(folder.path(), "bot-flows/welcome.yaml", "goto: ", "goto: nowhere_");
    let (sound, text) = embudo(folder.path(), &["check"]);
    assert!(!sound);
    let found: Vec<&str> = text.lines().filter(|line| line.contains(" error ")).collect();
    let expected =
        [("bot-flows/welcome.yaml:", "G201"), ("config/forms.yaml:", "W102"), ("config/team.yaml:", "B102")];
    assert_eq!(found.len(), expected.len(), "{text}");
    for (line, (path, code)) in found.iter().zip(expected) {
        assert!(line.contains(path) && line.contains(code), "{line}");
    }

    let (sound, text) = embudo(folder.path(), &["check", "config/forms.yaml"]);
    assert!(!sound && text.contains("W102") && text.contains("1 error"), "{text}");
    let (sound, text) = embudo(folder.path(), &["check", "config/webinars.yaml", "config/content.yaml"]);
    assert!(sound, "{text}");
}

#[test]
fn check_tells_the_settings_mistakes_with_the_others_and_says_when_there_is_nothing() {
    let folder = shipped();
    let settings =
        "[server]\nlistn = \"127.0.0.1:80\"\n[[site]]\nkey = \"x\"\nname = \"X\"\norigins = [\"x\"]\n";
    std::fs::write(folder.path().join("config/embudo.toml"), settings).expect("written");
    change(folder.path(), "config/team.yaml", "Europe/Madrid", "Europe/Madird");
    let (sound, text) = embudo(folder.path(), &["--config", "config/embudo.toml", "check"]);
    assert!(!sound);
    for expected in
        ["config/embudo.toml:2:1 error K003", "config/embudo.toml:6:12 error K005", "B102", "3 errors"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let empty = tempfile::tempdir().expect("a folder");
    let (sound, text) = embudo(empty.path(), &["check"]);
    assert!(
        !sound && text.contains("there is nothing to check here") && text.contains("--config FILE"),
        "{text}"
    );
}

#[test]
fn flow_test_takes_flows_as_flows_and_finds_their_tests() {
    let folder = shipped();
    let (passed, all) = embudo(folder.path(), &["flow", "test"]);
    assert!(passed && all.contains("0 failed, 13 of 13 flows tested"), "{all}");
    // The folder of the flows is the same as no path at all, and a flow stands for its tests.
    let (passed, text) = embudo(folder.path(), &["flow", "test", "bot-flows"]);
    assert!(passed && text == all, "{text}");
    let (passed, one) = embudo(folder.path(), &["flow", "test", "bot-flows/welcome.yaml"]);
    assert!(passed && one.contains("0 failed, 1 of 13 flows tested"), "{one}");
    assert_eq!(embudo(folder.path(), &["flow", "test", "bot-flows/tests/welcome.yaml"]).1, one);

    // A flow that lies elsewhere is tested as it stands there.
    copy(&folder.path().join("bot-flows"), &folder.path().join("drafts"));
    change(folder.path(), "drafts/welcome.yaml", "I am the assistant", "I am the porter");
    let (passed, text) = embudo(folder.path(), &["flow", "test", "drafts/welcome.yaml"]);
    assert!(!passed && text.contains("FAILED") && text.contains("I am the porter"), "{text}");

    std::fs::remove_file(folder.path().join("bot-flows/tests/welcome.yaml")).expect("removed");
    let (passed, text) = embudo(folder.path(), &["flow", "test", "bot-flows/welcome.yaml"]);
    assert!(!passed && text.contains("S512") && text.contains("no test of it was found"), "{text}");
    std::fs::remove_dir_all(folder.path().join("bot-flows/tests")).expect("removed");
    let (passed, text) = embudo(folder.path(), &["flow", "test"]);
    assert!(!passed && text.contains("there is no such folder") && !text.contains("os error"), "{text}");
}

#[test]
fn check_explains_its_codes_and_guesses_what_was_meant() {
    let folder = tempfile::tempdir().expect("a folder");
    let (known, text) = embudo(folder.path(), &["check", "--explain", "g201"]);
    assert!(known && text.starts_with("G201 · A step that does not exist"), "{text}");
    let (known, text) = embudo(folder.path(), &["check", "--explain", "G20"]);
    assert!(!known && text.contains("did you mean G20"), "{text}");
}

#[test]
fn check_tells_a_translation_that_has_not_followed_until_somebody_looks() {
    let folder = shipped();
    let flow = "flow: hello\ntitle: Hello\nlanguages: [en, es]\nsteps:\n  hello: {say: Good day., end: greeted}\n\
                translations:\n  es:\n    hello.say: Buenas.\n";
    std::fs::write(folder.path().join("bot-flows/hello.yaml"), flow).expect("written");
    let test = "flow: hello\ntests:\n  - test: it greets\n    script:\n      - bot: {contains: Good}\n      \
                - bot: {end: greeted}\n";
    std::fs::write(folder.path().join("bot-flows/tests/hello.yaml"), test).expect("written");
    let (sound, text) = embudo(folder.path(), &["check", "--lock"]);
    assert!(sound && text.contains("nothing is wrong"), "{text}");
    let stale = |text: &str| text.lines().filter(|line| line.contains("T402")).count();

    change(folder.path(), "bot-flows/hello.yaml", "Good day.", "Good morning.");
    let (sound, text) = embudo(folder.path(), &["check"]);
    assert!(sound && stale(&text) == 1 && text.contains("hello.yaml:8:16 warning T402"), "{text}");
    // It is translated anew …
    change(folder.path(), "bot-flows/hello.yaml", "Buenas.", "Buenos días.");
    assert_eq!(stale(&embudo(folder.path(), &["check"]).1), 0);
    // … or somebody says that it is right as it is.
    change(folder.path(), "bot-flows/hello.yaml", "Buenos días.", "Buenas.");
    assert_eq!(stale(&embudo(folder.path(), &["check"]).1), 1);
    let (_, text) = embudo(folder.path(), &["check", "--lock"]);
    assert!(text.contains("nothing is wrong"), "{text}");
    assert!(embudo(folder.path(), &["check"]).1.contains("nothing is wrong"));
}
