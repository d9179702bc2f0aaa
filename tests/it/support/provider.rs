//! A provider of OpenID Connect, honest unless it is told otherwise: it gives codes, takes each once and with the verifier
//! that belongs to it, and signs tokens by RS256 or ES256.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use embudo::base::time::Timestamp;
use embudo::notify::dkim::{Kind, newborn};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

pub const CLIENT: &str = "embudo";
pub const SECRET: &str = "what the provider and we know";

/// What it signs with.
#[derive(Clone)]
pub enum Key {
    Rsa(Arc<RsaKeyPair>),
    Ec(Arc<EcdsaKeyPair>),
}

impl Key {
    /// One that all tests share: making it takes a second.
    pub fn rsa() -> Self {
        static MADE: OnceLock<Arc<RsaKeyPair>> = OnceLock::new();
        let pair = MADE.get_or_init(|| {
            let pem = newborn::make(Kind::Rsa).expect("a key");
            let text: String = pem.expose().lines().filter(|line| !line.starts_with("-----")).collect();
            let der = STANDARD.decode(text).expect("PEM");
            let read = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der));
            Arc::new(read.expect("an RSA key"))
        });
        Self::Rsa(pair.clone())
    }

    pub fn ec() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        Self::Ec(Arc::new(EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).expect("a key")))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).expect("signed");
                signature
            }
            Self::Ec(pair) => pair.sign(&random, text).expect("signed").as_ref().to_vec(),
        }
    }

    fn published(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair) => {
                let public: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": text(&public.n), "e": text(&public.e) })
            }
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": kid, "x": text(&point[1..33]), "y": text(&point[33..65]) })
            }
        }
    }
}

/// What is altered of all that it would honestly say.
#[derive(Default, Clone)]
pub struct Lies {
    /// Members of the token's head and claims, put in the place of the right ones; null takes one away.
    pub head: BTreeMap<&'static str, Value>,
    pub claims: BTreeMap<&'static str, Value>,
    /// The token is signed with this key instead of the published one.
    pub signed_by: Option<Key>,
    /// The token has no signature.
    pub unsigned: bool,
    /// Members of the discovery document.
    pub document: BTreeMap<&'static str, Value>,
}

struct Grant {
    nonce: String,
    challenge: String,
    address: String,
    email: String,
    at: Timestamp,
}

struct State {
    url: String,
    kid: String,
    key: Key,
    grants: BTreeMap<String, Grant>,
    lies: Lies,
    keys_asked: usize,
    tokens_refused: Vec<&'static str>,
}

pub struct Provider {
    pub url: String,
    state: Arc<Mutex<State>>,
}

type Shared = web::Data<Arc<Mutex<State>>>;

impl Provider {
    pub fn start(key: Key) -> Self {
        let state = Arc::new(Mutex::new(State {
            url: String::new(),
            kid: "k1".to_owned(),
            key,
            grants: BTreeMap::new(),
            lies: Lies::default(),
            keys_asked: 0,
            tokens_refused: Vec::new(),
        }));
        let shared = state.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::new(shared.clone()))
                .route("/.well-known/openid-configuration", web::get().to(document))
                .route("/keys", web::get().to(keys))
                .route("/token", web::post().to(token))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .expect("a free port");
        let url = format!("http://{}", server.addrs()[0]);
        state.lock().expect("free").url.clone_from(&url);
        tokio::spawn(server.run());
        Self { url, state }
    }

    /// From now on it lies.
    pub fn lie(&self, lies: Lies) {
        self.state.lock().expect("free").lies = lies;
    }

    /// Signs with another key from now on, and publishes that one alone.
    pub fn rotate(&self, kid: &str, key: Key) {
        let mut state = self.state.lock().expect("free");
        kid.clone_into(&mut state.kid);
        state.key = key;
    }

    /// How often its keys were asked for.
    pub fn keys_asked(&self) -> usize {
        self.state.lock().expect("free").keys_asked
    }

    /// Why it gave no token, one word each time.
    pub fn refused(&self) -> Vec<&'static str> {
        self.state.lock().expect("free").tokens_refused.clone()
    }

    /// Somebody who was sent to `address` logs in there as `email`: the path and query that she is sent back to.
    pub fn agree(&self, address: &str, email: &str, now: Timestamp) -> String {
        let url = Url::parse(address).expect("an address");
        let of = |name: &str| -> String {
            url.query_pairs()
                .find(|(known, _)| known == name)
                .map_or_else(String::new, |(_, value)| value.into_owned())
        };
        assert!(address.starts_with(&self.url), "sent elsewhere: {address}");
        assert_eq!((of("response_type"), of("client_id")), ("code".to_owned(), CLIENT.to_owned()));
        assert_eq!(of("code_challenge_method"), "S256");
        assert!(of("scope").split(' ').any(|scope| scope == "openid"));
        let mut state = self.state.lock().expect("free");
        let code = format!("code-{}", state.grants.len());
        let grant = Grant {
            nonce: of("nonce"),
            challenge: of("code_challenge"),
            address: of("redirect_uri"),
            email: email.to_owned(),
            at: now,
        };
        state.grants.insert(code.clone(), grant);
        let back = Url::parse(&of("redirect_uri")).expect("an address");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &of("state"))
            .finish();
        format!("{}?{query}", back.path())
    }
}

fn overlaid(mut honest: Value, lies: &BTreeMap<&'static str, Value>) -> Value {
    let members = honest.as_object_mut().expect("an object");
    for (name, value) in lies {
        match value {
            Value::Null => drop(members.remove(*name)),
            value => drop(members.insert((*name).to_owned(), value.clone())),
        }
    }
    honest
}

async fn document(state: Shared) -> HttpResponse {
    let state = state.lock().expect("free");
    let url = &state.url;
    let honest = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/keys"),
        "end_session_endpoint": format!("{url}/logout"),
    });
    HttpResponse::Ok().json(overlaid(honest, &state.lies.document))
}

async fn keys(state: Shared) -> HttpResponse {
    let mut state = state.lock().expect("free");
    state.keys_asked += 1;
    HttpResponse::Ok().json(json!({ "keys": [state.key.published(&state.kid)] }))
}

async fn token(
    request: HttpRequest,
    form: web::Form<BTreeMap<String, String>>,
    state: Shared,
) -> HttpResponse {
    let mut state = state.lock().expect("free");
    let given =
        request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let basic = |secret: &str| {
        let secret: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{secret}")))
    };
    let refused = |state: &mut State, why: &'static str| {
        state.tokens_refused.push(why);
        HttpResponse::BadRequest().json(json!({ "error": why }))
    };
    if given != basic(SECRET) {
        return refused(&mut state, "invalid_client");
    }
    // A code is good once.
    let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let Some(grant) = state.grants.remove(of("code")) else { return refused(&mut state, "invalid_grant") };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(of("code_verifier")));
    if of("grant_type") != "authorization_code"
        || of("redirect_uri") != grant.address
        || challenge != grant.challenge
    {
        return refused(&mut state, "invalid_grant");
    }
    let now = grant.at.as_ms() / 1000;
    let claims = json!({
        "iss": state.url, "sub": format!("id of {}", grant.email), "aud": CLIENT, "iat": now, "exp": now + 300,
        "nonce": grant.nonce, "email": grant.email, "email_verified": true, "name": "Somebody of the Provider",
    });
    let key = state.lies.signed_by.clone().unwrap_or_else(|| state.key.clone());
    let head = overlaid(json!({ "alg": key.algorithm(), "kid": state.kid, "typ": "JWT" }), &state.lies.head);
    let claims = overlaid(claims, &state.lies.claims);
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", part(&head), part(&claims));
    let signature =
        if state.lies.unsigned { String::new() } else { URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes())) };
    HttpResponse::Ok().json(json!({
        "access_token": "not needed", "token_type": "Bearer", "id_token": format!("{text}.{signature}"),
    }))
}
