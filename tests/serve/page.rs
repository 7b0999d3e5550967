//! The page, and what it is told.

use serde_json::json;

use super::server::{Server, token};
use super::{problem, sql};

#[test]
fn the_page_is_served_as_it_is_and_nothing_beside_it() {
    let database = tempfile::tempdir().unwrap();
    // Whoever has no token gets the page, which asks for one, and nothing that it is about.
    token(database.path(), &["writer", "--role", "writer"]);
    let server = Server::start(database.path(), &[]);
    let index = server.get("/");
    assert_eq!((index.status, index.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(index.header("cache-control"), Some("no-cache"));
    let policy = index.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(index.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(index.header("cross-origin-opener-policy"), Some("same-origin"));
    let parts: Vec<&str> =
        index.text().split("\"assets/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(parts.len() >= 3, "{}", index.text());
    for name in parts {
        let path = format!("/assets/{name}");
        let file = server.get(&path);
        let kind = match name.rsplit_once('.').unwrap().1 {
            "js" => "text/javascript; charset=utf-8",
            "txt" => "text/plain; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!((file.status, file.header("content-type")), (200, Some(kind)), "{path}");
        assert_eq!(file.header("content-security-policy"), Some(policy), "{path}");
        let is_named_by_content = name.ends_with(".js");
        assert_eq!(file.header("cache-control").unwrap().contains("immutable"), is_named_by_content, "{path}");
        // What a client has is not sent again; what it may unpack is packed.
        let tag = file.header("etag").unwrap().to_string();
        let again = server.ask("GET", &path, &[("if-none-match", &tag)], "");
        assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, Some(&*tag)), "{path}");
        let packed = server.ask("GET", &path, &[("accept-encoding", "gzip")], "");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert!(packed.body.starts_with(&[0x1f, 0x8b]) && packed.header("etag") != Some(&*tag), "{path}");
        assert_eq!(packed.header("vary"), Some("accept-encoding"));
        assert_eq!(file.header("content-encoding"), None);
        assert_eq!(server.ask("HEAD", &path, &[], "").body.len(), 0);
    }
    for path in [
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets//etc/passwd",
        "/assets/../index.html",
        "/assets/index.html%00.js",
        "/assets/",
        "/assets/nothing.js",
    ] {
        let refused = server.get(path);
        assert!(matches!(refused.status, 400 | 401 | 404), "{path}: {}", refused.status);
        assert_eq!(refused.header("content-type"), Some("application/problem+json"), "{path}");
    }
    problem(&server.ask("POST", "/", &[], "{}"), 405, "usage");
    problem(&server.ask("GET", "/", &[("host", "evil.example")], ""), 403, "permission");
    for path in ["/v1/whoami", "/v1/countries", "/v1/countries/usa/map"] {
        problem(&server.get(path), 401, "permission");
    }
}

#[test]
fn the_page_is_told_what_it_shows() {
    let database = tempfile::tempdir().unwrap();
    let server = Server::start(database.path(), &[]);
    assert_eq!(server.get("/v1/whoami").json(), json!({ "name": "local", "role": "reader" }));
    let map = server.get("/v1/countries/usa/map");
    let said = map.json();
    let states = said["objects"]["state"]["geometries"].as_array().unwrap();
    assert!(states.len() == 52 && said["licence"].is_string(), "{}", states.len());
    let tag = map.header("etag").unwrap();
    assert_eq!(server.ask("GET", "/v1/countries/usa/map", &[("if-none-match", tag)], "").status, 304);
    problem(&server.get("/v1/countries/singapore/map"), 404, "not-found");
    problem(&server.get("/v1/countries/atlantis/map"), 404, "not-found");
    assert_eq!(server.get("/v1/countries/japan").json()["map"], "prefecture");
    assert!(server.get("/v1/countries/singapore").json().get("map").is_none());
    let states = server.get("/v1/countries/usa/variables/state?prefix=cali").json();
    assert_eq!(
        (states[0]["level"].as_str(), states[0]["label"].as_str()),
        (Some("CA"), Some("California")),
        "{states}"
    );
    let recipe = server.get("/v1/recipes/evaluation_panel").json();
    assert!(recipe["sql"].as_str().unwrap().contains("FROM stratified_sample(usa, 100,"), "{recipe}");
    // The shares behind maps and pyramids, exactly: they add up, and are those that are told of one.
    let shares = "SELECT sex, expected_share FROM rebalance((SELECT * FROM sample_persona('usa', 1, seed => 1)), 'usa', \
                  strata => (sex), given => age > 80, size => 1000000) ORDER BY sex";
    let rows = server.post("/v1/sql", sql(shares)).json();
    let told = |given: &str| {
        let asked = json!({ "country": "usa", "given": given });
        server.post("/v1/probability", asked).json()["probability"].as_f64().unwrap()
    };
    let female = told("age > 80 AND sex = 'Female'") / told("age > 80");
    assert!((rows["rows"][0]["expected_share"].as_f64().unwrap() - female).abs() < 1e-9, "{rows}");
}
