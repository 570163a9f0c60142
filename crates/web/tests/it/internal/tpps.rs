//! Registering TPPs, changing them, and turning them away.

use axum::http::Method;
use oyez_jose::LocalKey;
use oyez_store::Store;
use oyez_testkit::certificates::Authority;
use oyez_testkit::faulty_store::FaultyStore;
use oyez_testkit::{keys, making};
use oyez_web::internal::operators::Role;
use serde_json::{Value, json};

use super::world::{World, item};

fn jwks(key: &LocalKey) -> Value {
    serde_json::from_str(&keys::published("key-1", key).to_json()).unwrap()
}

fn profile() -> Value {
    json!({
        "name": "Acme Budgeting",
        "org_id": "0015800001041RbAAI",
        "software_id": "2fNwVYePN8WqqDFvVf7XMN",
        "keys": {"jwks": jwks(&keys::TPP_1)},
        "scopes": ["accounts"],
        "overrides": {"redelivery_delay": "90s", "error_cap": 3},
    })
}

fn registration(client_id: &str) -> Value {
    let mut body = profile();
    body["client_id"] = client_id.into();
    body
}

// I-04, I-05
#[tokio::test]
async fn a_tpp_is_registered_once_read_changed_and_read_again() {
    let world = World::new().await;
    let reply = world.post("/v1/tpps", &registration("tpp-1")).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let made = reply.json();
    assert_eq!(made["standing"], json!({"state": "active"}));
    assert_eq!(made["registered_at"], "2023-11-14T22:13:20.000Z");
    for (name, value) in profile().as_object().unwrap() {
        assert_eq!(&made[name], value, "{name}");
    }
    let again = world.post("/v1/tpps", &registration("tpp-1")).await;
    assert_eq!(again.status, 409);

    let mut changed = profile();
    changed["client_id"] = "tpp-1".into();
    changed["keys"] = json!({"jwks_url": "https://keys.acme.example/jwks"});
    changed.as_object_mut().unwrap().remove("scopes");
    let reply = world.put("/v1/tpps/tpp-1", &changed).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let read = world.get("/v1/tpps/tpp-1").await.json();
    assert_eq!(read["keys"], changed["keys"]);
    assert_eq!(read["scopes"], json!([]));

    changed["client_id"] = "tpp-2".into();
    let reply = world.put("/v1/tpps/tpp-1", &changed).await;
    assert_eq!(
        (reply.status, reply.paths()),
        (400, vec!["client_id".to_owned()])
    );
    let unknown = world.put("/v1/tpps/tpp-3", &profile()).await;
    assert_eq!(unknown.status, 404);
    let audit = world.get("/v1/audit").await.json();
    let actions: Vec<&Value> = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["action"])
        .collect();
    assert_eq!(actions, ["tpp.changed", "tpp.registered"]);
}

// I-04
#[tokio::test]
async fn all_that_is_wrong_with_a_profile_is_said_at_once() {
    let world = World::new().await;
    let body = json!({
        "client_id": "",
        "name": "x".repeat(201),
        "org_id": "a\nb",
        "keys": {"jwks": {"keys": []}, "jwks_uri": "https://acme.example"},
        "scopes": ["accounts", "acounts", "accounts", 7],
        "overrides": {"error_cap": 0, "retry": {"factor": 0.1}, "colour": "red"},
        "nickname": "Acme",
    });
    let reply = world.post("/v1/tpps", &body).await;
    assert_eq!(reply.status, 400);
    let mut paths = reply.paths();
    paths.sort();
    assert_eq!(
        paths,
        [
            "client_id",
            "keys.jwks",
            "keys.jwks_uri",
            "name",
            "nickname",
            "org_id",
            "overrides.colour",
            "overrides.error_cap",
            "overrides.retry.factor",
            "scopes[1]",
            "scopes[2]",
            "scopes[3]",
            "software_id",
        ]
    );
    assert_eq!(world.bank.store().asked("register_tpp"), 0);
}

// I-04, D-05
#[tokio::test]
async fn what_is_wrong_with_a_tpps_own_retry_policy_is_said_member_by_member() {
    let world = World::new().await;
    for (retry, told) in [
        (json!(7), vec![("", "expected: an object with any of base")]),
        (
            json!({"base": "1 second", "factor": "2", "retries_max": -1, "pause": "1s"}),
            vec![
                (".base", "a length of time is a whole number and a unit"),
                (".factor", "a number is expected"),
                (".pause", "no such member is expected here"),
                (".retries_max", "a whole number is expected"),
            ],
        ),
        (
            json!({"base": "2h", "factor": 0.1, "window": "1h", "retries_max": 5_000_000_000_u64}),
            vec![
                (".ceiling", "the ceiling is no shorter than the first step"),
                (".factor", "the factor is between 1 and 100"),
                (".retries_max", "there are at most 100000 retries"),
                (".window", "the window is no shorter than the first step"),
            ],
        ),
    ] {
        let mut body = registration("tpp-1");
        body["overrides"] = json!({"retry": retry});
        let reply = world.post("/v1/tpps", &body).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        let problem = reply.json();
        let mut found: Vec<(&str, &str)> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| {
                let path = fault["path"].as_str().unwrap();
                let member = path.strip_prefix("overrides.retry").unwrap();
                (member, fault["detail"].as_str().unwrap())
            })
            .collect();
        found.sort_unstable();
        assert_eq!(found.len(), told.len(), "{found:?}");
        for (found, told) in found.iter().zip(told) {
            assert!(
                found.0 == told.0 && found.1.starts_with(told.1),
                "{found:?} {told:?}"
            );
        }
    }
}

// I-04, D-13
#[tokio::test]
async fn trust_anchors_of_a_tpp_are_certificates_in_pem_and_nothing_else() {
    let world = World::new().await;
    let authority = Authority::new("Acme's own");
    let two = authority.pem() + &Authority::new("Acme's next").pem();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let client = authority.client("acme-1");
    for (pem, told) in [
        (String::new(), "the PEM cannot be read"),
        ("no PEM".to_owned(), "the PEM cannot be read"),
        (
            authority.pem() + broken,
            "certificate 2 cannot be a trust anchor",
        ),
        (
            authority.pem() + &client.key_pem(),
            "a private key among them",
        ),
        (authority.pem().repeat(200), "64 KiB"),
    ] {
        let mut body = registration("tpp-1");
        body["overrides"]["trust_anchors"] = pem.into();
        let reply = world.post("/v1/tpps", &body).await;
        let said = (reply.status, reply.paths());
        assert_eq!(said, (400, vec!["overrides.trust_anchors".to_owned()]));
        assert!(reply.text().contains(told), "{told}: {reply:?}");
    }
    let mut body = registration("tpp-1");
    body["overrides"]["trust_anchors"] = two.clone().into();
    let reply = world.post("/v1/tpps", &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let read = world.get("/v1/tpps/tpp-1").await.json();
    assert_eq!(read["overrides"]["trust_anchors"], two);
}

// I-04, M-05
#[tokio::test]
async fn keys_are_public_usable_and_fetched_only_by_https() {
    let world = World::new().await;
    let mut private = jwks(&keys::TPP_1);
    private["keys"][0]["d"] = "AQAB".into();
    let secret = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "s"}]});
    let mut encrypting = jwks(&keys::TPP_1);
    encrypting["keys"][0]["use"] = "enc".into();
    encrypting["keys"][0].as_object_mut().unwrap().remove("alg");
    let two = json!({"jwks": jwks(&keys::TPP_1), "jwks_url": "https://acme.example"});
    for (keys, path) in [
        (json!({"jwks": private}), "keys.jwks.keys[0]"),
        (json!({"jwks": secret}), "keys.jwks.keys[0]"),
        (json!({"jwks": encrypting}), "keys.jwks"),
        (json!({"jwks": {}}), "keys.jwks"),
        (json!({"jwks": "text"}), "keys.jwks"),
        (two, "keys"),
        (json!({}), "keys"),
        (
            json!({"jwks_url": "http://acme.example/jwks"}),
            "keys.jwks_url",
        ),
        (
            json!({"jwks_url": "https://me@acme.example/"}),
            "keys.jwks_url",
        ),
        (json!({"jwks_url": "/jwks"}), "keys.jwks_url"),
    ] {
        let mut body = registration("tpp-1");
        body["keys"] = keys;
        let reply = world.post("/v1/tpps", &body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.paths()[0], path, "{body}");
        assert!(!reply.text().contains("c2VjcmV0") && !reply.text().contains("AQAB"));
    }
}

// I-04
#[tokio::test]
async fn tpps_are_listed_a_page_at_a_time() {
    let world = World::new().await;
    for name in ["a", "b", "c", "d", "e"] {
        world.bank.tpp(name).await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/tpps?limit=2".to_owned();
    loop {
        let page = world.get(&path).await.json();
        let tpps = page["tpps"].as_array().unwrap();
        assert!((1..=2).contains(&tpps.len()));
        seen.extend(
            tpps.iter()
                .map(|tpp| tpp["client_id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/tpps?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
}

// I-04, A-09
#[tokio::test]
async fn a_disabled_tpp_says_since_when_and_why_and_the_trail_says_who() {
    let world = World::new().await;
    world.subscriber("tpp-1").await;
    let reason = json!({"reason": "certificate revoked"});
    let path = "/v1/tpps/tpp-1/disable";
    let reply = world
        .ask(Role::Operator, Method::POST, path, Some(&reason))
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let read = world.get("/v1/tpps/tpp-1").await.json();
    assert_eq!(
        read["standing"],
        json!({
            "state": "disabled",
            "since": "2023-11-14T22:13:20.000Z",
            "reason": "certificate revoked",
        })
    );
    let silenced = read["delivery"]["silenced_by"].as_array().unwrap();
    assert_eq!(silenced.len(), 1, "{read}");
    let reply = world
        .ask(Role::Operator, Method::POST, "/v1/tpps/tpp-1/enable", None)
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let trail = world.get("/v1/audit?tpp=tpp-1&limit=2").await.json();
    let entries = trail["entries"].as_array().unwrap();
    assert_eq!(entries[0]["action"], "tpp.enabled");
    assert_eq!(entries[1]["action"], "tpp.disabled");
    for entry in entries {
        assert_eq!(entry["actor"], "operator:operator");
        assert_eq!(entry["tpp"], "tpp-1");
        assert_ne!(entry["before"], entry["after"]);
    }
}

// I-04
#[tokio::test]
async fn a_tpp_that_hears_nothing_says_why() {
    let world = World::new().await;
    world.bank.tpp("quiet").await;
    world.subscriber("hears").await;
    world.accepted(item("hears")).await;
    let quiet = world.get("/v1/tpps/quiet").await.json();
    assert_eq!(quiet["delivery"]["may_poll"], false);
    let why = &quiet["delivery"]["silenced_by"][0];
    assert!(
        why.as_str().unwrap().contains("registered neither"),
        "{why}"
    );
    let hears = world.get("/v1/tpps/hears").await.json();
    let delivery = &hears["delivery"];
    assert_eq!(
        (
            &delivery["pushed_to"],
            &delivery["may_poll"],
            &delivery["silenced_by"]
        ),
        (&Value::Null, &json!(true), &json!([]))
    );
    assert_eq!(delivery["endpoint"]["state"], "responsive");
    assert_eq!(hears["counts"]["outstanding"], 1);
    let counts = world.get("/v1/tpps/hears/counts").await.json();
    assert_eq!(counts, hears["counts"]);
}

// I-04, S-05
#[tokio::test]
async fn an_operator_reads_and_removes_registrations_and_what_they_wanted_is_withdrawn() {
    let world = World::new().await;
    let tpp = world.subscriber("tpp-1").await;
    world.accepted(item("tpp-1")).await;
    let path = "/v1/tpps/tpp-1/registrations";
    let read = world.get(path).await.json();
    assert_eq!(read["event_subscription"]["id"], "subscription-of-tpp-1");
    assert_eq!(read["callback_url"], Value::Null);
    let reply = world.delete("/v1/tpps/tpp-1/callback-url").await;
    assert_eq!(reply.status, 404);
    let reply = world.delete("/v1/tpps/tpp-1/event-subscription").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({"withdrawn": 1}));
    let read = world.get(path).await.json();
    assert_eq!(read["event_subscription"], Value::Null);
    assert_eq!(world.bank.counts(&tpp).await.withdrawn, 1);
    let again = world.delete("/v1/tpps/tpp-1/event-subscription").await;
    assert_eq!(again.status, 404);
    let unknown = world.delete("/v1/tpps/nobody/event-subscription").await;
    assert_eq!(unknown.status, 404);
}

// I-04
#[tokio::test]
async fn a_ledger_that_fails_is_a_503_on_every_act() {
    let world = World::new().await;
    world.bank.tpp("tpp-1").await;
    let nothing = json!({});
    let reason = json!({"reason": "x"});
    for fault in FaultyStore::faults() {
        world.bank.store().fail(fault);
        for (method, path, body) in [
            (Method::POST, "/v1/tpps", registration("tpp-2")),
            (Method::PUT, "/v1/tpps/tpp-1", profile()),
            (Method::POST, "/v1/tpps/tpp-1/disable", reason.clone()),
            (Method::POST, "/v1/tpps/tpp-1/enable", nothing.clone()),
            (Method::POST, "/v1/endpoints/tpp-1/pause", nothing.clone()),
            (Method::POST, "/v1/endpoints/tpp-1/resume", nothing.clone()),
            (Method::POST, "/v1/test-events", json!({"tpp": "tpp-1"})),
            (
                Method::POST,
                "/v1/tpps/tpp-1/requeue-failed",
                nothing.clone(),
            ),
        ] {
            let reply = world.ask(Role::Admin, method, path, Some(&body)).await;
            assert_eq!(reply.status, 503, "{path}: {reply:?}");
            assert_eq!(reply.header("retry-after"), "2");
        }
        for path in [
            "/v1/tpps",
            "/v1/tpps/tpp-1",
            "/v1/endpoints",
            "/v1/endpoints/tpp-1",
            "/v1/events",
            "/v1/audit",
        ] {
            assert_eq!(world.get(path).await.status, 503, "{path}");
        }
        assert_eq!(
            world.delete("/v1/tpps/tpp-1/callback-url").await.status,
            503
        );
    }
    world.bank.store().mend();
    let known = world.bank.store().find_tpp(making::client("tpp-2"));
    assert!(known.await.unwrap().is_none());
}
