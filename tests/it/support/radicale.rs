//! A real CalDAV server (Radicale) with one user, which a test can take down and bring back.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};

use super::inbox::python;
use super::port;

pub const USER: &str = "mike";
pub const PASSWORD: &str = "pa55-of-the-calendar";

pub struct Radicale {
    /// The user's calendar.
    pub url: String,
    config: PathBuf,
    port: u16,
    child: Option<Child>,
    client: reqwest::Client,
}

impl Radicale {
    /// Starts a server that keeps its calendars below `folder`, with one empty calendar.
    pub async fn start(folder: &Path) -> Self {
        let port = port::free();
        let users = folder.join("radicale-users");
        std::fs::write(&users, format!("{USER}:{PASSWORD}\n")).expect("written");
        let config = folder.join("radicale.conf");
        let text = format!(
            "[server]\nhosts = 127.0.0.1:{port}\n[auth]\ntype = htpasswd\nhtpasswd_filename = {}\n\
             htpasswd_encryption = plain\ndelay = 0\n[storage]\nfilesystem_folder = {}\n[logging]\nlevel = error\n",
            users.display(),
            folder.join("collections").display()
        );
        std::fs::write(&config, text).expect("written");
        let url = format!("http://127.0.0.1:{port}/{USER}/calls/");
        let mut server = Self { url, config, port, child: None, client: reqwest::Client::new() };
        server.up();
        let made = server.send("MKCALENDAR", "", None).await;
        assert_eq!(made.0, StatusCode::CREATED, "{}", made.1);
        server
    }

    /// Brings it up, and waits until it answers.
    pub fn up(&mut self) {
        let child = Command::new(python())
            .args(["-m", "radicale", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 with radicale; `scripts/test` installs it into target/tools/venv");
        self.child = Some(child);
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "Radicale does not come up");
            std::thread::yield_now();
        }
    }

    pub fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a request about something in the calendar as the user's own program does.
    pub async fn send(&self, method: &str, name: &str, body: Option<String>) -> (StatusCode, String) {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request =
            self.client.request(method, format!("{}{name}", self.url)).basic_auth(USER, Some(PASSWORD));
        if let Some(body) = body {
            request = request.header("content-type", "text/calendar").body(body);
        }
        let answer = request.send().await.expect("Radicale answers");
        (answer.status(), answer.text().await.expect("a text"))
    }

    /// Everything in the calendar as one file.
    pub async fn everything(&self) -> String {
        self.send("GET", "", None).await.1
    }
}

impl Drop for Radicale {
    fn drop(&mut self) {
        self.down();
    }
}
