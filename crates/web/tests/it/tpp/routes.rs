//! The list of routes, and what must hold for each of them.

use std::collections::BTreeSet;

use oyez_domain::catalogue::Catalogue;
use oyez_domain::registration::Registrations;
use oyez_domain::rules::Rules;
use oyez_web::tokens::TokenError;
use oyez_web::tpp::{Features, Route, routes};
use serde_json::{Value, json};

use super::asking::Ask;
use super::world::{World, certificate, claims};

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

fn ask<'w>(world: &'w World, caller: &oyez_testkit::tpp::Caller, route: &Route) -> Ask<'w> {
    let method = route.operation.method();
    let method = METHODS.into_iter().find(|one| method == *one).unwrap();
    let path = route
        .path
        .replace("{id}", "0b7dd3a6-9a5c-4a0f-9f5b-1f1d3a8e7c11");
    Ask::new(world, caller, method, path).body("{}")
}

// G-01
#[test]
fn each_operation_is_listed_once_per_version() {
    let listed = routes(&Rules::default(), Features::default());
    assert_eq!(listed.len(), 2 * (9 + 1) + 5);
    let names: BTreeSet<_> = listed
        .iter()
        .map(|route| (route.api, route.operation.id()))
        .collect();
    assert_eq!(names.len(), listed.len());
    let places: BTreeSet<_> = listed
        .iter()
        .map(|route| (route.path.as_str(), route.operation.method().to_string()))
        .collect();
    assert_eq!(places.len(), listed.len());
    assert!(places.contains(&("/open-banking/v3.1/callback-urls/{id}", "PUT".to_owned())));
    assert!(places.contains(&("/jwks", "GET".to_owned())));
}

//
#[tokio::test]
async fn no_route_that_asks_for_a_token_is_open_to_who_may_not() {
    let world = World::new();
    let asset = world.asset().await;
    let tpp = world.tpp("tpp-1").await;
    let stranger = world.stranger("tpp-2");
    let disabled = world.tpp("tpp-3").await;
    world.disable("tpp-3").await;
    let said = |token: &str, change: &dyn Fn(&mut Value)| {
        let mut said = claims("tpp-1");
        change(&mut said);
        world.token(token, said);
    };
    said("user", &|claims| claims["sub"] = json!("alice"));
    said("narrow", &|claims| claims["scope"] = json!("openid"));
    said("unbound", &|claims| claims["cnf"] = json!({}));
    said("nobody", &|claims| claims["client_id"] = Value::Null);
    world.bad_token("expired", TokenError::Expired);
    world.bad_token(
        "wrong",
        TokenError::Invalid("the access token is for somebody else"),
    );
    world.bad_token("untold", TokenError::Unavailable("x".to_owned()));
    for mut route in routes(&world.bank.rules, Features::default()) {
        route.path = route.path.replace("{name}", &asset);
        let cases = [
            (
                "no token",
                ask(&world, &tpp, &route).without("authorization"),
                401,
            ),
            ("garbage", ask(&world, &tpp, &route).token("garbage"), 401),
            ("expired", ask(&world, &tpp, &route).token("expired"), 401),
            ("wrong", ask(&world, &tpp, &route).token("wrong"), 401),
            ("untold", ask(&world, &tpp, &route).token("untold"), 503),
            ("unbound", ask(&world, &tpp, &route).token("unbound"), 401),
            ("no client", ask(&world, &tpp, &route).token("nobody"), 401),
            (
                "no certificate",
                ask(&world, &tpp, &route).certificate(None),
                401,
            ),
            (
                "another certificate",
                ask(&world, &tpp, &route).certificate(Some(certificate("tpp-2"))),
                401,
            ),
            ("user", ask(&world, &tpp, &route).token("user"), 403),
            ("scope", ask(&world, &tpp, &route).token("narrow"), 403),
            ("unknown", ask(&world, &stranger, &route), 403),
            ("disabled", ask(&world, &disabled, &route), 403),
        ];
        for (case, ask, status) in cases {
            let expected = if route.operation.opens().is_some() {
                status
            } else {
                200
            };
            let reply = ask.send().await;
            assert_eq!(reply.status, expected, "{case}: {route:?}");
            assert!(reply.header("x-fapi-interaction-id").is_some());
        }
    }
    assert_eq!(world.registrations("tpp-1").await, Registrations::default());
}

// M-06, G-05
#[tokio::test]
async fn the_key_set_is_open_cached_and_asked_for_again_cheaply() {
    let world = World::new();
    let get = |headers: Vec<(String, String)>| async {
        let headers = headers;
        world
            .call(("GET", "/jwks"), None, &headers, Vec::new())
            .await
    };
    let reply = get(Vec::new()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), Some("public, max-age=3600"));
    assert_eq!(
        reply.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    let body = reply.json();
    assert_eq!(body["keys"][0]["kid"], "bank-1");
    assert_eq!(body["keys"].as_array().unwrap().len(), 1);
    assert_eq!(body["keys"][0].get("d"), None);
    let tag = reply.header("etag").unwrap().to_owned();
    for (value, status) in [
        (tag.clone(), 304),
        (format!("W/{tag}, \"x\""), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
    ] {
        let again = get(vec![("if-none-match".to_owned(), value)]).await;
        assert_eq!(again.status, status);
        assert_eq!(again.body.is_empty(), status == 304);
        assert_eq!(again.header("etag"), Some(tag.as_str()));
    }
    let head = world.call(("HEAD", "/jwks"), None, &[], Vec::new()).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

// G-01
#[tokio::test]
async fn a_head_is_answered_as_a_get_without_its_body() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let get = Ask::new(&world, &tpp, "GET", "v4.0/event-subscriptions")
        .send()
        .await;
    let head = Ask::new(&world, &tpp, "HEAD", "v4.0/event-subscriptions")
        .send()
        .await;
    assert_eq!((head.status, head.body.len()), (get.status, 0));
    assert_eq!(head.header("content-type"), get.header("content-type"));
}

// G-13
#[tokio::test]
async fn what_is_switched_off_is_not_there() {
    let statuses = async |features: Features, push: bool| {
        let world = World::with(|choices| {
            choices.options.features = features;
            choices.rules.switches.push = push;
        });
        let tpp = world.tpp("tpp-1").await;
        let mut statuses = Vec::new();
        for (method, path) in [
            ("GET", "event-subscriptions"),
            ("PUT", "event-subscriptions/none"),
            ("DELETE", "event-subscriptions/none"),
            ("GET", "callback-urls"),
            ("POST", "events"),
        ] {
            let ask = Ask::new(&world, &tpp, method, format!("v4.0/{path}")).body("{}");
            statuses.push(ask.send().await.status);
        }
        statuses
    };
    let all = Features::default();
    assert_eq!(statuses(all, true).await, [200, 400, 400, 200, 200]);
    assert_eq!(statuses(all, false).await, [200, 400, 400, 404, 200]);
    let no_subscriptions = Features {
        event_subscriptions: false,
        ..all
    };
    assert_eq!(
        statuses(no_subscriptions, true).await,
        [404, 404, 404, 200, 200]
    );
    let no_callback_urls = Features {
        callback_urls: false,
        ..all
    };
    assert_eq!(
        statuses(no_callback_urls, true).await,
        [200, 400, 400, 404, 200]
    );
    let no_polling = Features {
        polling: false,
        ..all
    };
    assert_eq!(statuses(no_polling, true).await, [200, 400, 400, 200, 404]);
    let no_put = Features {
        replacing: false,
        ..all
    };
    assert_eq!(statuses(no_put, true).await, [200, 405, 400, 200, 200]);
    let neither = Features {
        deleting: false,
        ..no_put
    };
    assert_eq!(statuses(neither, true).await, [200, 404, 404, 200, 200]);
}

// G-13
#[test]
fn put_and_delete_may_be_left_out_where_note_1_says_so() {
    let without = |replacing, deleting| Features {
        replacing,
        deleting,
        ..Features::default()
    };
    let rules = |push, types: usize| {
        let mut rules = Rules::default();
        rules.switches.push = push;
        let kept = rules.catalogue.types()[..types].to_vec();
        rules.catalogue = Catalogue::of(kept, Vec::new());
        rules
    };
    assert!(Features::default().check(&rules(true, 2)).is_ok());
    for features in [without(false, true), without(true, false)] {
        assert!(features.check(&rules(false, 1)).is_ok());
        assert!(features.check(&rules(false, 2)).is_err());
        assert!(features.check(&rules(true, 1)).is_err());
        let polling_alone = Features {
            event_subscriptions: false,
            callback_urls: false,
            ..features
        };
        assert!(polling_alone.check(&rules(false, 2)).is_ok());
    }
}
