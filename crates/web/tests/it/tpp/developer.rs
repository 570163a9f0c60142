//! The developer pages as they are served.

use std::collections::BTreeSet;
use std::sync::Arc;

use oyez_domain::catalogue::Definition;
use oyez_domain::tpp::HeaderProfile;
use oyez_jose::UnixTime;
use oyez_jose::compact::{Compact, Verifier};
use oyez_testkit::bank::key_set;
use oyez_testkit::keys;
use oyez_web::pages::{Brand, Logo};
use serde_json::{Value, json};

use super::asking::Ask;
use super::world::{BANK_ORG, Reply, World};

/// Every address that a page names, relative ones from `/developer` on.
fn addresses(page: &str) -> BTreeSet<&str> {
    let named = page.split([' ', '<']).filter_map(|word| {
        let value = word
            .strip_prefix("href=\"")
            .or_else(|| word.strip_prefix("src=\""));
        value?.split('"').next()
    });
    named.collect()
}

/// The places that can be linked to.
fn places(page: &str) -> BTreeSet<&str> {
    let ids = page.split(" id=\"").skip(1);
    ids.filter_map(|rest| rest.split('"').next()).collect()
}

/// The signed samples.
fn sets(page: &str) -> Vec<&str> {
    let samples = page.split("<code id=\"sample-").skip(1);
    let sets = samples.filter_map(|rest| rest.split('>').nth(1)?.split('<').next());
    sets.collect()
}

// W-01
#[tokio::test]
async fn the_page_runs_and_loads_nothing_that_is_not_ours() {
    let world = World::with(|choices| {
        choices.developer.brand = Brand {
            name: "<script>alert(1)</script> & Sons".to_owned(),
            logo: Some(Logo::new("<svg onload='alert(1)'></svg>".into()).unwrap()),
            ..choices.developer.brand.clone()
        };
    });
    let reply = world.get("/developer").await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let policy = reply.header("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    ] {
        assert!(
            policy.split("; ").any(|one| one == rule),
            "{rule}: {policy}"
        );
    }
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    let page = reply.text();
    assert!(!page.contains("<script>") && !page.contains("style=") && !page.contains("onclick"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; Sons"));
    for address in addresses(&page) {
        if let Some(place) = address.strip_prefix('#') {
            assert!(places(&page).contains(place), "{address}");
        } else if address != "developer/status" {
            let reply = world.get(&format!("/{address}")).await;
            assert_eq!(reply.status, 200, "{address}");
            assert_eq!(
                reply.header("x-content-type-options").is_some(),
                address != "jwks"
            );
        }
    }
    let logo = addresses(&page)
        .into_iter()
        .find(|one| one.contains("logo-"));
    let reply = world.get(&format!("/{}", logo.unwrap())).await;
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.ends_with("sandbox"));
    assert!(
        reply
            .header("cache-control")
            .unwrap()
            .ends_with("immutable")
    );
    assert_eq!(world.get("/developer/assets/pages.css").await.status, 404);
}

// W-01, G-01
#[tokio::test]
async fn the_pages_work_below_the_path_of_the_base_url() {
    let world = World::with(|choices| choices.base_url = "https://api.bank.example/ob");
    let page = world.get("/ob/developer").await.text();
    for address in addresses(&page) {
        if !address.starts_with('#') && address != "developer/status" {
            assert_eq!(
                world.get(&format!("/ob/{address}")).await.status,
                200,
                "{address}"
            );
        }
    }
    let policy = world.get("/ob/developer/policy.json").await.json();
    let url = "https://api.bank.example/ob/open-banking/v4.0/events";
    assert!(policy.to_string().contains(url));
}

// W-02
#[tokio::test]
async fn policy_and_descriptions_are_whole_and_asked_for_again_cheaply() {
    let world = World::with(|choices| {
        choices.developer.token_url = Some("https://auth.bank.example/token".to_owned());
    });
    let policy = world.get("/developer/policy.json").await;
    assert_eq!(
        policy.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    let said = policy.json();
    assert_eq!(said["bank"]["base_url"], "https://api.bank.example");
    assert_eq!(said["sets"]["algorithms"], json!(["PS256"]));
    assert_eq!(said["push"]["retry"]["window_seconds"], 259_200);
    for version in said["versions"].as_array().unwrap() {
        let url = version["openapi_url"].as_str().unwrap();
        let path = url.strip_prefix("https://api.bank.example").unwrap();
        let described = world.get(path).await.json();
        assert_eq!(described["servers"][0]["url"], version["base_url"]);
        let served: usize = described["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|path| path.as_object().unwrap().len())
            .sum();
        assert_eq!(served, version["operations"].as_array().unwrap().len());
        let flow = &described["components"]["securitySchemes"]["TPPOAuth2Security"]["flows"];
        assert_eq!(
            flow["clientCredentials"]["tokenUrl"],
            "https://auth.bank.example/token"
        );
    }
    for path in [
        "/developer",
        "/developer/policy.json",
        "/developer/openapi/v3.1.json",
    ] {
        let reply = world.get(path).await;
        let tag = (
            "if-none-match".to_owned(),
            reply.header("etag").unwrap().to_owned(),
        );
        let again = world.call(("GET", path), None, &[tag], Vec::new()).await;
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
    }
    assert_eq!(world.get("/developer/openapi/v5.0.json").await.status, 404);
}

/// What the sets of a page say, each verified as a TPP would.
async fn verified(world: &World) -> Vec<Value> {
    let page = world.get("/developer").await.text();
    let jwks = world.keys.borrow().jwks_at(now(world));
    let verifier = Verifier::sets().issuers([BANK_ORG]);
    let claims = sets(&page).into_iter().map(|set| {
        let set = Compact::parse(set).unwrap();
        let verified = verifier.verify(set, &jwks, now(world)).unwrap();
        serde_json::from_slice(&verified.payload).unwrap()
    });
    claims.collect()
}

fn now(world: &World) -> UnixTime {
    use oyez_domain::time::Clock as _;
    UnixTime::from_milliseconds(world.clock.now().unix_ms())
}

// W-01, T-01, T-07, M-06
#[tokio::test]
async fn every_event_type_has_a_sample_signed_by_the_key_of_the_moment() {
    let schema = json!({ "type": "object", "required": ["days"], "examples": [{ "weeks": 1 }, { "days": 3 }] });
    let without = json!({ "type": "object", "required": ["days"] });
    let world = World::with(|choices| {
        let own = |code: &str, schema| Definition {
            urn: format!("urn:bank:events:{}", code.to_lowercase()),
            code: format!("GB.Bank.{code}"),
            description: "something <b>of ours</b>".to_owned(),
            since: "4.0".to_owned(),
            schema: Some(schema),
        };
        let rules = &mut choices.rules;
        let own = vec![own("Arrears", schema), own("Vague", without)];
        rules.catalogue = rules
            .catalogue
            .clone()
            .with_own(own, &rules.versions)
            .unwrap();
        choices.options.header_profile = HeaderProfile::OpenBanking;
    });
    let claims = verified(&world).await;
    let types = world.bank.rules.catalogue.types();
    assert_eq!(claims.len(), types.len() - 1, "one has no example to go by");
    for (claims, of) in claims.iter().zip(types) {
        assert_eq!(claims["iss"], "https://bank.example");
        assert!(claims["events"][&of.urn.0].is_object(), "{claims}");
    }
    assert_eq!(claims[5]["events"]["urn:bank:events:arrears"]["days"], 3);
    let page = world.get("/developer").await.text();
    assert!(
        page.contains("something &lt;b&gt;of ours&lt;/b&gt;")
            || page.contains("Something &lt;b&gt;of ours&lt;/b&gt;")
    );

    let other = key_set(&[("bank-2", keys::p256())]);
    world.keys.send(Arc::new(other)).unwrap();
    let renewed = world.get("/developer").await.text();
    assert_ne!(page, renewed);
    assert_eq!(verified(&world).await.len(), claims.len());
    assert_eq!(
        world.get("/developer/policy.json").await.json()["sets"]["algorithms"],
        json!(["ES256"])
    );

    world.keys.send(Arc::new(key_set(&[]))).unwrap();
    let unsigned = world.get("/developer").await;
    assert_eq!((unsigned.status, sets(&unsigned.text()).len()), (200, 0));
}

/// The addresses that an error body leads to.
fn explained(reply: &Reply) -> Vec<String> {
    let errors = reply.json()["Errors"].take();
    let errors = errors.as_array().unwrap().iter();
    errors
        .map(|error| error["Url"].as_str().unwrap().to_owned())
        .collect()
}

// W-03, S-09, G-06
#[tokio::test]
async fn errors_and_event_types_are_explained_where_their_urls_lead() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let page = world.get("/developer").await.text();
    let known = places(&page);
    let base = "https://api.bank.example/developer#";
    let body = r#"{"Data":{"Version":"4.0","EventTypes":["UK.OBIE.Nothing"],"Colour":"red"}}"#;
    for version in ["v3.1", "v4.0"] {
        let path = format!("/open-banking/{version}/event-subscriptions");
        let reply = Ask::new(&world, &tpp, "POST", path).body(body).send().await;
        assert_eq!(reply.status, 400);
        for url in explained(&reply) {
            let place = url.strip_prefix(base).unwrap();
            assert!(known.contains(place), "{url}");
        }
    }
    let policy = world.get("/developer/policy.json").await.json();
    for list in ["event_types", "errors"] {
        for entry in policy[list].as_array().unwrap() {
            let place = entry["url"].as_str().unwrap().strip_prefix(base).unwrap();
            assert!(known.contains(place), "{entry}");
        }
    }
}
