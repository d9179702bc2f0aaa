//! The mail server: does it answer, is the line encrypted, does it let us in?

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Finding, Sentence, State, said};
use crate::base::email::Email;
use crate::config::Config;
use crate::notify::Mailer;

/// Lines of a greeting, and of what a server can do; more say nothing.
const LINES_MOST: usize = 100;
/// Longest line of an answer, in bytes (RFC 5321, 4.5.3.1.5, and a good deal more).
const LINE_MOST: u64 = 4_096;

/// The host of `mail.smtp`.
pub(super) fn host_of(config: &Config) -> Option<String> {
    let url = url::Url::parse(config.mail.smtp.expose()).ok()?;
    url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
}

/// Looks at the mail server; nothing of the login is told.
pub(super) async fn look(config: &Config, from: &Email) -> Vec<Finding> {
    let mail = &config.mail;
    if mail.smtp.is_empty() {
        let none = said!(
            "mail.smtp is empty: mails are kept and none leaves",
            "mail.smtp está vacío: los correos se guardan y no sale ninguno"
        );
        return vec![Finding::new("server", State::Wrong, none).advised(said!(
            "set mail.smtp, for example to smtp://user:password@smtp.example.com:587",
            "pon mail.smtp, por ejemplo smtp://usuario:clave@smtp.example.com:587"
        ))];
    }
    let wrong = |why: Sentence| vec![Finding::new("server", State::Wrong, why)];
    let mailer = match Mailer::new(mail, from, &config.folder) {
        Ok(mailer) => mailer,
        Err(why) => return wrong(why.into()),
    };
    let Ok(url) = url::Url::parse(mail.smtp.expose()) else {
        return wrong(said!("mail.smtp is not an address", "mail.smtp no es una dirección"));
    };
    let host = host_of(config).unwrap_or_default();
    let scheme = url.scheme();
    let port = url.port().unwrap_or(match scheme {
        "smtps" => 465,
        "smtp" => 587,
        _ => 25,
    });
    let has_login = !url.username().is_empty();
    let patience = Duration::from_secs(mail.patience_s);
    let mut found = Vec::new();
    if scheme != "smtps" {
        let greeted = match tokio::time::timeout(patience, greet(&host, port)).await {
            Ok(greeted) => greeted.map_err(Sentence::from),
            Err(_) => {
                let s = mail.patience_s;
                Err(said!("it said nothing for {s} s", "no dijo nada en {s} s"))
            }
        };
        match greeted {
            Ok(can) => found.push(of_line(&format!("{host}:{port}"), scheme, &host, has_login, &can)),
            Err(why) => {
                let Sentence { en, es } = why;
                let silent = said!("{host}:{port} does not answer: {en}", "{host}:{port} no contesta: {es}");
                return vec![Finding::new("server", State::Wrong, silent).advised(said!(
                    "look at the host and the port of mail.smtp, and at firewalls between",
                    "mira el servidor y el puerto de mail.smtp, y los cortafuegos de por medio"
                ))];
            }
        }
        // Without encryption there is no way in where we insist on it.
        if found.iter().any(|finding| finding.state == State::Wrong) {
            return found;
        }
    }
    found.push(match mailer.reach().await {
        Ok(()) => {
            let (how, in_spanish) = match (scheme, has_login) {
                ("smtp+plain", false) => (
                    "takes our connection, unencrypted and without a login",
                    "acepta nuestra conexión, sin cifrar y sin usuario",
                ),
                ("smtp+plain", true) => ("takes our login", "acepta nuestro usuario"),
                (_, false) => (
                    "takes our connection, encrypted and without a login",
                    "acepta nuestra conexión, cifrada y sin usuario",
                ),
                (_, true) => {
                    ("takes our login over an encrypted line", "acepta nuestro usuario por una línea cifrada")
                }
            };
            Finding::new("login", State::Good, said!("{host}:{port} {how}", "{host}:{port} {in_spanish}"))
        }
        Err(why) => {
            let refused =
                said!("{host}:{port} does not let us in: {why}", "{host}:{port} no nos deja entrar: {why}");
            Finding::new("login", State::Wrong, refused).advised(said!(
                "look at the user and the password of mail.smtp; characters such as @ : / are written as %40 %3A %2F",
                "mira el usuario y la clave de mail.smtp; caracteres como @ : / se escriben %40 %3A %2F"
            ))
        }
    });
    found
}

/// What the first words with a server say of the line.
fn of_line(place: &str, scheme: &str, host: &str, has_login: bool, can: &[String]) -> Finding {
    let offers = |word: &str| {
        can.iter()
            .any(|line| line.split_whitespace().next().is_some_and(|first| first.eq_ignore_ascii_case(word)))
    };
    let is_near = matches!(host, "localhost" | "127.0.0.1" | "::1");
    match (scheme, offers("STARTTLS")) {
        ("smtp", true) => Finding::new(
            "server",
            State::Good,
            said!("{place} answers and offers STARTTLS", "{place} contesta y ofrece STARTTLS"),
        ),
        ("smtp", false) => {
            let why = said!(
                "{place} answers and offers no STARTTLS, so nothing is sent there",
                "{place} contesta y no ofrece STARTTLS, así que no se envía nada ahí"
            );
            Finding::new("server", State::Wrong, why).advised(said!(
                "use smtps:// where the server speaks TLS from the first byte (port 465), or smtp+plain:// for one on this machine",
                "usa smtps:// si el servidor habla TLS desde el primer byte (puerto 465), o smtp+plain:// para uno de esta máquina"
            ))
        }
        (_, _) if is_near => Finding::new(
            "server",
            State::Good,
            said!(
                "{place} answers; the line does not leave this machine",
                "{place} contesta; la línea no sale de esta máquina"
            ),
        ),
        (_, is_offered) => {
            let (state, what) = match has_login {
                true => (
                    State::Wrong,
                    said!(
                        "{place} answers; the password and the mails go there unencrypted",
                        "{place} contesta; la clave y los correos van ahí sin cifrar"
                    ),
                ),
                false => (
                    State::Weak,
                    said!(
                        "{place} answers; mails go there unencrypted",
                        "{place} contesta; los correos van ahí sin cifrar"
                    ),
                ),
            };
            let advice = match is_offered {
                true => said!(
                    "the server offers STARTTLS: write smtp:// instead of smtp+plain://",
                    "el servidor ofrece STARTTLS: escribe smtp:// en lugar de smtp+plain://"
                ),
                false => said!(
                    "use a server that offers STARTTLS, or smtps://",
                    "usa un servidor que ofrezca STARTTLS, o smtps://"
                ),
            };
            Finding::new("server", state, what).advised(advice)
        }
    }
}

/// Connects, greets, and returns what the server says that it can do (RFC 5321, 4.1.1.1).
async fn greet(host: &str, port: u16) -> Result<Vec<String>, String> {
    let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    let mut line = BufReader::new(stream);
    answer(&mut line, "220").await?;
    line.write_all(b"EHLO localhost\r\n").await.map_err(|error| error.to_string())?;
    let can = answer(&mut line, "250").await?;
    // It has said what was asked; whether it hears the farewell does not matter.
    let _ = line.write_all(b"QUIT\r\n").await;
    Ok(can.into_iter().skip(1).collect())
}

/// The lines of one answer, without their code.
async fn answer(line: &mut BufReader<TcpStream>, wanted: &str) -> Result<Vec<String>, String> {
    use tokio::io::AsyncReadExt;

    let mut lines = Vec::new();
    while lines.len() < LINES_MOST {
        let mut bytes = Vec::new();
        let read =
            line.take(LINE_MOST).read_until(b'\n', &mut bytes).await.map_err(|error| error.to_string())?;
        if read == 0 {
            return Err("it hung up".to_owned());
        }
        let text: String =
            String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).take(200).collect();
        let Some(rest) = text.strip_prefix(wanted) else { return Err(format!("it said: {text}")) };
        let is_last = !rest.starts_with('-');
        lines.push(rest.trim_start_matches(['-', ' ']).to_owned());
        if is_last {
            return Ok(lines);
        }
    }
    Err("it does not stop talking".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_encrypted_is_told_by_what_it_carries() {
        let can = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let state = |scheme: &str, host: &str, has_login: bool, words: &[&str]| {
            of_line("place", scheme, host, has_login, &can(words)).state
        };
        assert_eq!(state("smtp", "mx.example", true, &["SIZE 1000", "starttls"]), State::Good);
        assert_eq!(state("smtp", "mx.example", true, &["AUTH STARTTLS"]), State::Wrong);
        assert_eq!(state("smtp+plain", "127.0.0.1", true, &[]), State::Good);
        assert_eq!(state("smtp+plain", "mx.example", true, &["STARTTLS"]), State::Wrong);
        assert_eq!(state("smtp+plain", "mx.example", false, &[]), State::Weak);
    }
}
