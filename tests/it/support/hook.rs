//! A real HTTP receiver for webhooks, which can also fail on command.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

#[derive(Clone, Debug)]
pub struct Call {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The body as it came, for what is no text.
    pub bytes: Vec<u8>,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// Notes every call and answers all of them with one status (204 at first).
pub struct Hook {
    pub url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    status: Arc<AtomicU16>,
    server: ServerHandle,
}

impl Hook {
    pub async fn start() -> Self {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let status = Arc::new(AtomicU16::new(204));
        let state = (calls.clone(), status.clone());
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::new(state.clone())).default_service(web::to(note))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
        let url = format!("http://{}/hook", server.addrs()[0]);
        let running = server.run();
        let server = running.handle();
        tokio::spawn(running);
        Self { url, calls, status, server }
    }

    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no test panics in here").clone()
    }

    pub async fn stop(&self) {
        self.server.stop(false).await;
    }
}

type Notes = web::Data<(Arc<Mutex<Vec<Call>>>, Arc<AtomicU16>)>;

async fn note(request: HttpRequest, body: web::Bytes, notes: Notes) -> HttpResponse {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let (text, bytes) = (String::from_utf8_lossy(&body).into_owned(), body.to_vec());
    let call = Call { path: request.path().to_owned(), headers, body: text, bytes };
    notes.0.lock().expect("no test panics in here").push(call);
    let status = StatusCode::from_u16(notes.1.load(Ordering::SeqCst)).unwrap_or(StatusCode::NO_CONTENT);
    HttpResponse::new(status)
}
