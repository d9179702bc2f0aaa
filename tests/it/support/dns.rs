//! A name server of the test's own: it knows the domains it is told of, and counts what it is asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::UdpSocket;

/// What stands in the zone for a domain.
#[derive(Clone, Copy, Debug)]
pub enum Zone {
    /// A mail server.
    Mx(&'static str),
    /// The null MX: no mail, ever (RFC 7505).
    NullMx,
    /// No mail server, but an address of its own.
    OnlyA,
    /// A text.
    Txt(&'static str),
    /// A text, and a mail server.
    TxtAndMx(&'static str, &'static str),
    /// This address.
    A([u8; 4]),
    /// The name of an address.
    Ptr(&'static str),
    /// Neither.
    Nothing,
    /// The server fails.
    Broken,
    /// Nobody answers.
    Silent,
}

/// The server; every other domain does not exist.
pub struct NameServer {
    pub address: SocketAddr,
    asked: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl NameServer {
    pub async fn start(zones: &'static [(&'static str, Zone)]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1_500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                counted.fetch_add(1, Ordering::SeqCst);
                if let Some(answer) = answer(&buffer[..length], zones) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, asked, task }
    }

    /// How many questions it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The answer to one question (RFC 1035, section 4.1); nothing where nobody answers.
fn answer(question: &[u8], zones: &[(&str, Zone)]) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut labels = Vec::new();
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).to_lowercase());
        at += length + 1;
    }
    let name = labels.join(".");
    let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
    let end = at + 5;
    let zone = zones.iter().find(|(known, _)| *known == name).map(|(_, zone)| *zone);
    let (code, data): (u8, Option<Vec<u8>>) = match (zone, kind) {
        (Some(Zone::Silent), _) => return None,
        (Some(Zone::Broken), _) => (2, None),
        (None, _) => (3, None),
        (Some(Zone::Mx(exchange)), 15) => (0, Some([vec![0, 10], written(exchange)].concat())),
        (Some(Zone::NullMx), 15) => (0, Some(vec![0, 0, 0])),
        (Some(Zone::OnlyA), 1) => (0, Some(vec![192, 0, 2, 1])),
        (Some(Zone::A(address)), 1) => (0, Some(address.to_vec())),
        (Some(Zone::Ptr(name)), 12) => (0, Some(written(name))),
        (Some(Zone::Txt(text) | Zone::TxtAndMx(text, _)), 16) => (0, Some(strings(text))),
        (Some(Zone::TxtAndMx(_, exchange)), 15) => (0, Some([vec![0, 10], written(exchange)].concat())),
        (Some(_), _) => (0, None),
    };
    let count = u8::from(data.is_some());
    let mut answer = question[..2].to_vec();
    // An answer, with recursion wished for and there.
    answer.extend([0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend(&question[12..end]);
    if let Some(data) = data {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60]);
        answer.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
        answer.extend(data);
    }
    Some(answer)
}

/// A text in strings of at most 255 bytes.
fn strings(text: &str) -> Vec<u8> {
    let of_part = |part: &[u8]| [&[u8::try_from(part.len()).expect("short")], part].concat();
    text.as_bytes().chunks(255).flat_map(of_part).collect()
}

fn written(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("short"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
