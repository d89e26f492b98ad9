//! `/openapi.json` describes the REST door, and `/docs` shows it.

use std::collections::BTreeSet;
use std::{fs, path};

use chinwag::{Config, Registration};
use serde_json::{Value, json};

use crate::support::TestServer;
use crate::support::http::{PASSWORD, registration};
use crate::support::live::Live;

const API_KEY: &str = "the service's key";

/// A method, a path and a status.
type Case = (String, String, u16);

/// The description of this door; other tests check the events and the files.
async fn description(server: &TestServer) -> Value {
    let mut description = server.request("GET", "/openapi.json").send().await.json;
    let paths = description["paths"].as_object_mut().unwrap();
    let others = ["/api/events/", "/api/files", "/rpc"];
    paths.retain(|path, _| !others.iter().any(|other| path.starts_with(other)));
    description
}

/// The documented cases, with methods in capitals.
fn cases(description: &Value) -> BTreeSet<Case> {
    let mut cases = BTreeSet::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for status in operation["responses"].as_object().unwrap().keys() {
                cases.insert((method.to_uppercase(), path.clone(), status.parse().unwrap()));
            }
        }
    }
    cases
}

/// The paths under `/api` that the source has routes for.
fn routes() -> BTreeSet<String> {
    let root = path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doors");
    let mut routes = BTreeSet::new();
    for folder in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let files = fs::read_dir(folder).into_iter().flatten();
        for file in files.map(|entry| entry.unwrap().path()).filter(|file| file.is_file()) {
            let text = fs::read_to_string(file).unwrap();
            let paths = text.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
            routes.extend(paths.filter(|path| path.starts_with("/api")).map(str::to_owned));
        }
    }
    routes
}

#[tokio::test]
async fn every_route_is_described_with_its_methods() {
    let server = TestServer::start().await;
    let description = description(&server).await;
    let mut routes = routes();
    for own in
        ["/api/openapi.json", "/api/docs", "/api/events/{event}", "/api/files", "/api/files/{id}"]
    {
        assert!(routes.remove(own), "{own}");
    }
    let described = description["paths"].as_object().unwrap();
    assert_eq!(described.keys().cloned().collect::<BTreeSet<_>>(), routes);
    for (path, methods) in described {
        let mut methods: BTreeSet<_> = methods.as_object().unwrap().keys().cloned().collect();
        if methods.contains("get") {
            methods.insert("head".into());
        }
        let answer = server.request("PATCH", &path.replace("{username}", "bob")).send().await;
        let allow = answer.header("allow").unwrap().to_lowercase();
        assert_eq!(allow.split(',').map(str::to_owned).collect::<BTreeSet<_>>(), methods);
    }
}

#[tokio::test]
async fn the_described_statuses_are_those_that_are_answered() {
    let mut met = met_where_all_is_open().await;
    met.extend(met_where_little_is_allowed().await);
    let server = TestServer::start().await;
    assert_eq!(met, cases(&description(&server).await));
}

#[tokio::test]
async fn every_answer_is_described_and_every_refusal_is_in_the_envelope() {
    let server = TestServer::start().await;
    let description = description(&server).await;
    let refusal = json!({ "schema": { "$ref": "#/components/schemas/Envelope_Value" } });
    assert!(description["components"]["schemas"]["Envelope_Value"].is_object());
    for (method, path, status) in cases(&description) {
        let operation = &description["paths"][&path][method.to_lowercase()];
        let response = &operation["responses"][status.to_string()];
        assert!(response["description"].is_string(), "{method} {path} {status}: {response}");
        let body = &response["content"]["application/json"];
        match status {
            101 => assert!(body.is_null()),
            200 => assert!(body["schema"]["$ref"].is_string(), "{body}"),
            _ => assert_eq!(body, &refusal, "{method} {path} {status}"),
        }
    }
}

async fn met_where_all_is_open() -> BTreeSet<Case> {
    let server = TestServer::with(|config| config.api_key = Some(API_KEY.into())).await;
    let (bob, _) = (server.sign_up("bob").await, server.sign_up("alice").await);
    let mut met = BTreeSet::new();
    let login = |password: &str| json!({ "username": "bob", "password": password });
    let refresh = |token: &Value| json!({ "refresh_token": token });
    for (path, body) in [
        ("/api/register", registration("rob")),
        ("/api/register", json!({})),
        ("/api/accounts", login("not the other's")),
        ("/api/accounts", json!({ "username": "eve", "password": PASSWORD })),
        ("/api/auth_token", login(PASSWORD)),
        ("/api/auth_token", login("wrong")),
        ("/api/auth_token", json!({})),
        ("/api/auth_token/refresh", refresh(&"x".into())),
        ("/api/auth_token/refresh", json!({})),
    ] {
        met.insert(("POST".to_owned(), path.to_owned(), server.post(path, body).await.status));
    }
    for (path, query, token) in [
        ("/api/inbox", "", bob.access()),
        ("/api/inbox", "", API_KEY),
        ("/api/inbox", "", "x"),
        ("/api/inbox", "?user=alice", bob.access()),
        ("/api/inbox", "?user=nobody", API_KEY),
        ("/api/thread/alice", "", bob.access()),
        ("/api/thread/alice", "", API_KEY),
        ("/api/thread/nobody", "", bob.access()),
        ("/api/thread/alice", "", "x"),
        ("/api/thread/alice", "?user=alice", bob.access()),
        ("/api/thread/alice", "?user=nobody", API_KEY),
        ("/api/thread/bob", "", bob.access()),
        ("/api/ws", "", "x"),
        ("/api/ws", "", bob.access()),
    ] {
        let asked = format!("{path}{query}");
        let answer = server.request("GET", &asked).bearer(token).send().await;
        let thread = path.starts_with("/api/thread/");
        let path = if thread { "/api/thread/{username}" } else { path };
        met.insert(("GET".to_owned(), path.to_owned(), answer.status));
    }
    Live::connect(&server, bob.access()).await;
    met.insert(("GET".to_owned(), "/api/ws".to_owned(), 101));
    let refreshed = server.post("/api/auth_token/refresh", refresh(&bob.token["refresh_token"]));
    let refreshed = refreshed.await;
    met.insert(("POST".to_owned(), "/api/auth_token/refresh".to_owned(), refreshed.status));
    let new = refreshed.data()[0]["access_token"].clone();
    for token in [new.as_str().unwrap(), "x", API_KEY] {
        let answer = server.request("DELETE", "/api/auth_token").bearer(token).send().await;
        met.insert(("DELETE".to_owned(), "/api/auth_token".to_owned(), answer.status));
    }
    met
}

async fn met_where_little_is_allowed() -> BTreeSet<Case> {
    let server = TestServer::with(|config: &mut Config| {
        config.registration = Registration::Closed;
        config.limits.requests_per_address = 2;
        config.limits.connects_per_address = 1;
    })
    .await;
    let mut met = BTreeSet::new();
    for path in ["/api/register", "/api/accounts"] {
        let refused = server.post(path, registration("bob")).await.status;
        met.insert(("POST".to_owned(), path.to_owned(), refused));
    }
    server.request("GET", "/api/ws").send().await;
    for (method, path) in [
        ("POST", "/api/register"),
        ("POST", "/api/accounts"),
        ("POST", "/api/auth_token"),
        ("DELETE", "/api/auth_token"),
        ("POST", "/api/auth_token/refresh"),
        ("GET", "/api/inbox"),
        ("GET", "/api/thread/{username}"),
        ("GET", "/api/ws"),
    ] {
        let answer = server.request(method, &path.replace("{username}", "bob")).send().await;
        met.insert((method.to_owned(), path.to_owned(), answer.status));
    }
    met
}

#[tokio::test]
async fn the_docs_page_has_no_scripts() {
    let server = TestServer::start().await;
    let page = server.request("GET", "/docs").send().await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'self'; img-src 'self' data:; "), "{policy}");
    assert!(!["http", "blob:", "unsafe", "*"].iter().any(|wide| policy.contains(wide)), "{policy}");
    assert!(!page.text.contains("<script"));
    for (path, kind) in [
        ("/docs.css", "text/css; charset=utf-8"),
        ("/asyncapi.json", "application/json"),
        ("/openapi.json", "application/json"),
        ("/chinwag.d.ts", "text/plain; charset=utf-8"),
    ] {
        assert!(page.text.contains(path), "{path}");
        let file = server.request("GET", path).send().await;
        assert_eq!((file.status, file.header("content-type")), (200, Some(kind)), "{path}");
        let known = format!("If-None-Match: {}\r\n", file.header("etag").unwrap());
        let again = server.request("GET", path).header(&known).send().await;
        assert_eq!(again.status, 304, "{path}");
    }
    for (before, now) in [("/api/docs", "/docs"), ("/api/openapi.json", "/openapi.json")] {
        let moved = server.request("GET", before).send().await;
        assert_eq!((moved.status, moved.header("location")), (308, Some(now)));
    }
}
