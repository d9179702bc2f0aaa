//! Logging in by OpenID Connect: who comes in, who does not, and that nothing of a provider is believed before it is proven.

use embudo::accounts::{self, Role};
use embudo::base::email::Email;
use embudo::base::language::Language;
use embudo::base::time::{MINUTE_MS, SECOND_MS};
use serde_json::{Value, json};

use crate::console::{PASSWORD, agent, cookie_of, hire};
use crate::support::answer::Answer;
use crate::support::app::{TestApp, set};
use crate::support::port;
use crate::support::provider::{CLIENT, Key, Lies, Provider, SECRET};

async fn app(provider: &Provider, change: impl FnOnce(&mut toml::Table)) -> TestApp {
    app_with(&provider.url, change).await
}

async fn app_with(issuer: &str, change: impl FnOnce(&mut toml::Table)) -> TestApp {
    TestApp::start_with(|settings| {
        set(settings, "server", "workers", 2);
        set(settings, "outbound", "allow", vec!["127.0.0.0/8"]);
        set(settings, "sign_on", "issuer", issuer);
        set(settings, "sign_on", "client_id", CLIENT);
        set(settings, "sign_on", "client_secret", SECRET);
        set(settings, "sign_on", "name", "Faro ID");
        change(settings);
    })
    .await
}

/// Somebody leaves for the provider: her cookie, and where she is sent.
async fn leave(app: &TestApp) -> (String, String) {
    let left = app.get("/console/login/sso?next=/console/contacts").await.expect(303);
    assert!(
        left.header("set-cookie").contains("HttpOnly") && left.header("set-cookie").contains("SameSite=Lax")
    );
    (cookie_of(&left), left.header("location").to_owned())
}

/// She comes back to the browser that she left from.
async fn sign_on(app: &TestApp, provider: &Provider, email: &str) -> Answer {
    let (cookie, address) = leave(app).await;
    let back = provider.agree(&address, email, app.now());
    app.client.with("cookie", &cookie).get(&back).await
}

#[track_caller]
fn comes_in(answer: Answer) -> String {
    let answer = answer.expect(303);
    assert_eq!(answer.header("location"), "/console/contacts");
    cookie_of(&answer)
}

#[track_caller]
fn stays_out(answer: Answer, why: &str) {
    let answer = answer.expect(303);
    assert_eq!(answer.header("location"), format!("/console/login?problem={why}"));
    assert!(!cookie_of(&answer).starts_with("embudo="), "a session was opened");
}

async fn sessions(app: &TestApp) -> i64 {
    app.count("account_sessions").await
}

#[tokio::test]
async fn who_is_invited_comes_in_by_either_algorithm_and_with_her_own_role() {
    for key in [Key::rsa(), Key::ec()] {
        let provider = Provider::start(key);
        let app = app(&provider, |_| {}).await;
        hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
        let page = app.get("/console/login").await.expect(200).body;
        assert!(page.contains("Log in with Faro ID") && page.contains("Or with your password"), "{page}");
        let cookie = comes_in(sign_on(&app, &provider, "Mike@Faro.example").await);
        let mike = app.client.with("cookie", &cookie);
        let page = mike.get("/console").await.expect(200).body;
        assert!(page.contains("mike"), "{page}");
        mike.get("/console/accounts").await.expect(403);
        // It is a session as any other: in the list, and in the audit.
        assert!(mike.get("/console/account").await.expect(200).body.contains("This one"));
        let admin = agent(&app, Role::Admin).await;
        let audit = admin.sees("/console/audit?did=changed").await;
        assert!(audit.contains("signing on") && audit.contains("mike@faro.example"), "{audit}");
    }
}

#[tokio::test]
async fn nobody_gets_an_account_by_signing_on_unless_her_domain_is_named() {
    let provider = Provider::start(Key::ec());
    let app = app(&provider, |settings| set(settings, "sign_on", "domains", vec!["faro.example"])).await;
    stays_out(sign_on(&app, &provider, "eve@evil.example").await, "sign_on_unknown");
    stays_out(sign_on(&app, &provider, "eve@faro.example.evil.example").await, "sign_on_unknown");
    assert_eq!(app.count("accounts").await, 0);
    let cookie = comes_in(sign_on(&app, &provider, "ana@faro.example").await);
    let ana = Email::parse("ana@faro.example").expect("an address");
    let known =
        accounts::find_by_email(&mut app.app.stores.db.read(), &ana).await.expect("read").expect("made");
    assert_eq!((known.role, known.name.as_str()), (Role::Viewer, "Somebody of the Provider"));
    app.client.with("cookie", &cookie).get("/console/contacts").await.expect(200);
    // The same person again, and no second account.
    comes_in(sign_on(&app, &provider, "ana@faro.example").await);
    assert_eq!(app.count("accounts").await, 1);
    // She has no password, and none is taken from her.
    let empty = [("email", "ana@faro.example"), ("password", "")];
    app.client.submit("/console/login", &empty).await.expect(401);
    // Sent away, she stays away.
    let mut tx = app.app.stores.db.begin().await.expect("begins");
    accounts::disable(&mut tx, "ana@faro.example", app.now()).await.expect("disabled");
    tx.commit().await.expect("commits");
    stays_out(sign_on(&app, &provider, "ana@faro.example").await, "sign_on_unknown");
    let admin = agent(&app, Role::Admin).await;
    assert!(admin.sees("/console/audit?did=changed").await.contains("account, by signing on"));
}

#[tokio::test]
async fn nothing_of_a_hostile_provider_is_believed() {
    let provider = Provider::start(Key::rsa());
    let app = app(&provider, |_| {}).await;
    hire(&app, "mike@faro.example", Role::Admin, Language::En).await;
    let now = app.now().as_ms() / 1000;
    let claim = |name: &'static str, value: Value| Lies { claims: [(name, value)].into(), ..Lies::default() };
    let head = |name: &'static str, value: Value| Lies { head: [(name, value)].into(), ..Lies::default() };
    let lies: Vec<(&str, Lies)> = vec![
        ("another nonce", claim("nonce", json!("guessed"))),
        ("no nonce", claim("nonce", Value::Null)),
        ("another issuer", claim("iss", json!("https://evil.example"))),
        ("another audience", claim("aud", json!("another program"))),
        ("two audiences and no party", claim("aud", json!([CLIENT, "another program"]))),
        ("another party", claim("azp", json!("another program"))),
        ("run out", claim("exp", json!(now - 120))),
        ("never runs out", claim("exp", Value::Null)),
        ("from the future", claim("iat", json!(now + 3_600))),
        ("nobody", claim("sub", Value::Null)),
        ("no address", claim("email", Value::Null)),
        ("not signed at all", Lies { unsigned: true, ..head("alg", json!("none")) }),
        ("without its signature", Lies { unsigned: true, ..Lies::default() }),
        ("a shared secret", head("alg", json!("HS256"))),
        ("another algorithm than the key's", head("alg", json!("ES256"))),
        ("a key of somebody else", Lies { signed_by: Some(Key::ec()), ..Lies::default() }),
        (
            "a key of somebody else under a name of ours",
            Lies { signed_by: Some(Key::ec()), ..head("alg", json!("RS256")) },
        ),
        ("a key that is not there", head("kid", json!("k9"))),
        ("an extension that nobody knows", head("crit", json!(["exp"]))),
    ];
    let before = sessions(&app).await;
    for (what, lie) in lies {
        println!("{what}");
        provider.lie(lie);
        stays_out(sign_on(&app, &provider, "mike@faro.example").await, "sign_on");
    }
    for (what, value) in [("unverified", json!(false)), ("not said", Value::Null), ("a word", json!("yes"))] {
        println!("{what}");
        provider.lie(claim("email_verified", value));
        stays_out(sign_on(&app, &provider, "mike@faro.example").await, "sign_on_unverified");
    }
    assert_eq!(sessions(&app).await, before);
    // And the honest one is still let in.
    provider.lie(Lies::default());
    comes_in(sign_on(&app, &provider, "mike@faro.example").await);
}

#[tokio::test]
async fn a_provider_that_names_another_one_or_is_away_is_told_at_the_login() {
    let provider = Provider::start(Key::ec());
    let app = app(&provider, |_| {}).await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    provider.lie(Lies { document: [("issuer", json!("https://evil.example"))].into(), ..Lies::default() });
    stays_out(app.get("/console/login/sso").await, "sign_on");
    provider
        .lie(Lies { document: [("token_endpoint", json!("ftp://evil.example/"))].into(), ..Lies::default() });
    stays_out(app.get("/console/login/sso").await, "sign_on");
    // Nobody at all is at its address.
    let nobody = format!("http://127.0.0.1:{}", port::free());
    let app = app_with(&nobody, |_| {}).await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    stays_out(app.get("/console/login/sso").await, "sign_on_unreachable");
    let page = app.get("/console/login?problem=sign_on_unreachable").await.expect(200).body;
    assert!(page.contains("cannot be reached at the moment"), "{page}");
}

#[tokio::test]
async fn an_answer_is_good_once_and_in_the_browser_that_left() {
    let provider = Provider::start(Key::ec());
    let app = app(&provider, |_| {}).await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    let (cookie, address) = leave(&app).await;
    let back = provider.agree(&address, "mike@faro.example", app.now());
    // Another browser, one that left by itself, and one whose state was altered.
    stays_out(app.get(&back).await, "sign_on");
    let (other, _) = leave(&app).await;
    stays_out(app.client.with("cookie", &other).get(&back).await, "sign_on");
    stays_out(app.client.with("cookie", &cookie).get(&format!("{back}x")).await, "sign_on");
    // Another server's answer at this door (mix-up), and a plain no.
    let mixed = format!("{back}&iss=https%3A%2F%2Fevil.example");
    stays_out(app.client.with("cookie", &cookie).get(&mixed).await, "sign_on");
    let state = back.split("state=").nth(1).expect("a state");
    let no = format!("/console/login/sso/back?error=access_denied&state={state}");
    stays_out(app.client.with("cookie", &cookie).get(&no).await, "sign_on");
    assert!(provider.refused().is_empty(), "no code was sent to anybody yet");
    // The right one comes in; its cookie is taken back; whoever plays it again does not.
    let answer = app.client.with("cookie", &cookie).get(&back).await.expect(303);
    let cookies: Vec<&str> =
        answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("embudo_sso=;") && cookie.contains("Max-Age=0")));
    stays_out(app.client.with("cookie", &cookie).get(&back).await, "sign_on");
    assert_eq!(provider.refused(), ["invalid_grant"]);
    // A code that was meant for another sign-on of the same browser has another verifier.
    let (first, address) = leave(&app).await;
    let stolen = provider.agree(&address, "mike@faro.example", app.now());
    let (second, address) = leave(&app).await;
    let own = provider.agree(&address, "mike@faro.example", app.now());
    let code = stolen.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code");
    let own_code = own.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code");
    let injected = own.replace(own_code, code);
    stays_out(app.client.with("cookie", &second).get(&injected).await, "sign_on");
    assert_eq!(provider.refused().last(), Some(&"invalid_grant"));
    drop(first);
    // Too late.
    let (cookie, address) = leave(&app).await;
    let back = provider.agree(&address, "mike@faro.example", app.now());
    app.clock.advance(10 * MINUTE_MS);
    stays_out(app.client.with("cookie", &cookie).get(&back).await, "sign_on");
    // And nobody is sent out of the console by what she wanted to see.
    let left = app.get("/console/login/sso?next=https://evil.example/").await.expect(303);
    let back = provider.agree(left.header("location"), "mike@faro.example", app.now());
    let answer = app.client.with("cookie", &cookie_of(&left)).get(&back).await.expect(303);
    assert_eq!(answer.header("location"), "/console");
}

#[tokio::test]
async fn a_provider_changes_its_keys_and_made_up_names_of_keys_ask_for_none() {
    let provider = Provider::start(Key::ec());
    let app = app(&provider, |_| {}).await;
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    comes_in(sign_on(&app, &provider, "mike@faro.example").await);
    comes_in(sign_on(&app, &provider, "mike@faro.example").await);
    assert_eq!(provider.keys_asked(), 1, "they are kept");
    app.clock.advance(11 * SECOND_MS);
    provider.rotate("k2", Key::rsa());
    comes_in(sign_on(&app, &provider, "mike@faro.example").await);
    assert_eq!(provider.keys_asked(), 2);
    for name in ["x1", "x2", "x3"] {
        provider.lie(Lies { head: [("kid", json!(name))].into(), ..Lies::default() });
        stays_out(sign_on(&app, &provider, "mike@faro.example").await, "sign_on");
    }
    assert_eq!(provider.keys_asked(), 2, "not within ten seconds");
}

#[tokio::test]
async fn where_everybody_signs_on_only_the_one_who_mends_things_has_a_password() {
    let provider = Provider::start(Key::ec());
    let app = app(&provider, |settings| {
        set(settings, "sign_on", "only", true);
        set(settings, "sign_on", "recovery", "admin@faro.example");
    })
    .await;
    for (email, role) in [("mike@faro.example", Role::Sdr), ("admin@faro.example", Role::Admin)] {
        hire(&app, email, role, Language::En).await;
    }
    let enter = async |email: &str, password: &str| {
        app.client.submit("/console/login", &[("email", email), ("password", password)]).await
    };
    // Right or wrong, known or not: the answer is the same.
    for (email, password) in
        [("mike@faro.example", PASSWORD), ("mike@faro.example", "wrong"), ("nobody@faro.example", PASSWORD)]
    {
        let answer = enter(email, password).await.expect(403);
        assert!(answer.body.contains("Please log in by the button above"), "{}", answer.body);
    }
    assert_eq!(sessions(&app).await, 0);
    enter("Admin@faro.example", PASSWORD).await.expect(303);
    let cookie = comes_in(sign_on(&app, &provider, "mike@faro.example").await);
    // She logs out here, and is shown how to do so there.
    let mike = app.client.with("cookie", &cookie);
    let page = mike.get("/console").await.expect(200).body;
    let csrf = page
        .split("name=\"csrf\" content=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a token");
    let left = mike
        .with("sec-fetch-site", "same-origin")
        .submit("/console/logout", &[("csrf", csrf)])
        .await
        .expect(303);
    let page = app.get(left.header("location")).await.expect(200).body;
    assert!(
        page.contains("Log out of Faro ID, too") && page.contains(&format!("{}/logout", provider.url)),
        "{page}"
    );
    mike.get("/console").await.expect(303);
}

#[tokio::test]
async fn without_a_provider_there_is_no_such_door() {
    let app = TestApp::start().await;
    app.get("/console/login/sso").await.expect(404);
    app.get("/console/login/sso/back?code=x&state=y").await.expect(404);
    hire(&app, "mike@faro.example", Role::Sdr, Language::En).await;
    assert!(!app.get("/console/login").await.expect(200).body.contains("/console/login/sso"));
}
