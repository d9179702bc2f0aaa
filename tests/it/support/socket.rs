//! A page of the console that speaks WebSocket, by another implementation than the server's.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// An open line.
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens `url` (http) with these headers; the error is the status of a refusal.
    pub async fn open(url: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let mut request = url.replacen("http", "ws", 1).into_client_request().expect("an address");
        for (name, value) in headers {
            let name: reqwest::header::HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let address = request.uri().authority().expect("an address").to_string();
        let tcp = TcpStream::connect(address).await.expect("connected");
        match client_async(request, tcp).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn send(&mut self, message: &Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        // Fails only if the server has closed already; the next reading tells.
        let _ = self.0.send(message).await;
    }

    /// The next frame of the server; the close code once it has closed.
    pub async fn next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let read = tokio::time::timeout(Duration::from_secs(20), self.0.next());
            match read.await.expect("the server says something in time") {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text).expect("frames are JSON"));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| match frame.code {
                        CloseCode::Policy => 1008,
                        other => other.into(),
                    }));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The next frame of this name.
    pub async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let frame = self.next().await.unwrap_or_else(|code| panic!("closed: {code:?}"));
            if frame["type"] == name {
                return frame["data"].clone();
            }
        }
    }

    /// Says who the page is, and waits until that is taken.
    pub async fn hello(&mut self, csrf: &str) {
        self.send(&json!({ "type": "hello", "csrf": csrf })).await;
        self.next_of("hello").await;
    }
}
