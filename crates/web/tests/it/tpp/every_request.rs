//! What holds for every request, whoever calls and whatever is asked (G).

use std::num::NonZeroU32;

use oyez_domain::fault::Code;
use oyez_domain::registration::Registrations;
use oyez_domain::tpp::Overrides;
use oyez_domain::version::ApiVersion;
use oyez_domain::versions::VersionTable;
use oyez_store::Error;
use oyez_testkit::faulty_store::FaultyStore;
use oyez_web::tpp::PsuHeaders;
use serde_json::json;

use super::asking::{Ask, VERSIONS, a_callback_url, a_subscription, one};
use super::world::{Reply, World};

const UUID_CHARS: usize = 36;

fn assert_dressed(reply: &Reply) {
    assert!(reply.header("x-fapi-interaction-id").is_some(), "{reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("date"), Some("Tue, 14 Nov 2023 22:13:20 GMT"));
    let json = (!reply.body.is_empty()).then_some("application/json; charset=utf-8");
    assert_eq!(reply.header("content-type"), json);
}

// G-01, G-02, G-05
#[tokio::test]
async fn what_is_not_served_is_404_and_a_wrong_method_405_with_those_that_are_right() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    for path in [
        "v3.1/event-subscription",
        "v3.1/event-subscriptions/",
        "v3.1/event-subscriptions/1/2",
        "v3.0/event-subscriptions",
        "v4.1/events",
        "3.1/events",
        "/events",
        "/",
    ] {
        let reply = Ask::new(&world, &tpp, "GET", path).send().await;
        assert_eq!((reply.status, reply.body.len()), (404, 0), "{path}");
        assert_dressed(&reply);
    }
    for (method, path, allowed) in [
        ("PUT", "event-subscriptions", "POST, GET, HEAD"),
        ("GET", "event-subscriptions/1", "PUT, DELETE"),
        ("GET", "events", "POST"),
        ("PATCH", "callback-urls/1", "PUT, DELETE"),
        ("OPTIONS", "callback-urls", "POST, GET, HEAD"),
    ] {
        for version in VERSIONS {
            let path = format!("{version}/{path}");
            let reply = Ask::new(&world, &tpp, method, &path).send().await;
            assert_eq!((reply.status, reply.body.len()), (405, 0), "{path}");
            assert_eq!(reply.header("allow"), Some(allowed), "{path}");
            assert_dressed(&reply);
        }
    }
}

// G-01
#[tokio::test]
async fn a_retired_version_says_so() {
    let world = World::with(|choices| {
        let rows = VersionTable::default().rows().to_vec();
        let v3_0 = ApiVersion { major: 3, minor: 0 };
        choices.rules.versions = VersionTable::new(rows, vec![v3_0]).unwrap();
        choices.base_url = "https://bank.example/api";
    });
    let tpp = world.tpp("tpp-1").await;
    for path in [
        "v3.0/event-subscriptions",
        "v3.0/anything",
        "/api/open-banking/v3.0/events",
    ] {
        let reply = Ask::new(&world, &tpp, "GET", path)
            .header("x-fapi-interaction-id", "mine")
            .send()
            .await;
        assert_eq!(reply.status, 503);
        assert_eq!(reply.header("x-fapi-interaction-id"), Some("mine"));
        assert_eq!(reply.errors(), one("v3.1", Code::UnexpectedError, None));
    }
    let elsewhere = Ask::new(&world, &tpp, "GET", "/other/v3.0/events")
        .send()
        .await;
    assert_eq!(elsewhere.status, 404);
}

// G-01
#[tokio::test]
async fn links_work_with_and_without_the_path_of_the_base_url() {
    let world = World::with(|choices| choices.base_url = "https://bank.example/api/eu");
    let tpp = world.tpp("tpp-1").await;
    let reply = Ask::new(&world, &tpp, "GET", "v4.0/event-subscriptions")
        .send()
        .await;
    let link = "https://bank.example/api/eu/open-banking/v4.0/event-subscriptions";
    assert_eq!(reply.json()["Links"]["Self"], link);
    let path = link.strip_prefix("https://bank.example").unwrap();
    let direct = Ask::new(&world, &tpp, "GET", path).send().await;
    assert_eq!((direct.status, direct.body), (200, reply.body));
    assert_eq!(
        Ask::new(&world, &tpp, "GET", "/api/eu/jwks")
            .send()
            .await
            .status,
        200
    );
    let half = Ask::new(
        &world,
        &tpp,
        "GET",
        "/api/open-banking/v4.0/event-subscriptions",
    );
    assert_eq!(half.send().await.status, 404);
}

// G-02
#[tokio::test]
async fn an_interaction_id_is_echoed_where_it_can_be_and_fresh_elsewhere() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let ask = || Ask::new(&world, &tpp, "GET", "v4.0/event-subscriptions");
    for id in [
        "93bac548-d2de-4546-b106-880a5018460d",
        "93bac548d2de4546b106880a5018460d",
        &"x".repeat(128),
    ] {
        let reply = ask().header("x-fapi-interaction-id", id).send().await;
        assert_eq!(reply.header("x-fapi-interaction-id"), Some(id));
        let refused = ask().header("x-fapi-interaction-id", id).token("x");
        let refused = refused.send().await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.header("x-fapi-interaction-id"), Some(id));
    }
    let mut seen = Vec::new();
    for id in ["", &"x".repeat(129), "tüv"] {
        let reply = ask().header("x-fapi-interaction-id", id).send().await;
        let fresh = reply.header("x-fapi-interaction-id").unwrap().to_owned();
        assert_eq!(fresh.len(), UUID_CHARS, "{fresh}");
        assert!(!seen.contains(&fresh), "{fresh}");
        seen.push(fresh);
    }
}

// G-03
#[tokio::test]
async fn malformed_headers_of_customers_matter_only_to_the_strict() {
    let strict = World::with(|choices| choices.options.psu_headers = PsuHeaders::Checked);
    let lenient = World::new();
    for (world, status) in [(&strict, 400), (&lenient, 200)] {
        let tpp = world.tpp("tpp-1").await;
        for version in VERSIONS {
            let path = format!("{version}/event-subscriptions");
            let reply = Ask::new(world, &tpp, "GET", &path)
                .header("x-fapi-auth-date", "yesterday")
                .header("x-fapi-customer-ip-address", "here")
                .header("x-idempotency-key", "")
                .header("payload-version", "x")
                .send()
                .await;
            assert_eq!(reply.status, status);
            if status == 400 {
                let date = one(version, Code::FieldInvalidDate, Some("x-fapi-auth-date"));
                let address = Some("x-fapi-customer-ip-address");
                let address = one(version, Code::HeaderInvalid, address);
                assert_eq!(reply.errors(), [date, address].concat());
            }
        }
    }
}

// G-04
#[tokio::test]
async fn bodies_and_answers_are_json_in_utf_8() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let post = || Ask::new(&world, &tpp, "POST", "v4.0/events").body("{}");
    for (kind, status) in [
        ("application/json", 200),
        ("application/json;charset=UTF-8", 200),
        ("Application/JSON; charset=\"utf-8\"; x=y", 200),
        ("application/json; charset=latin1", 415),
        ("text/plain", 415),
        ("application/jose+jwe", 415),
    ] {
        let reply = post().header("content-type", kind).send().await;
        assert_eq!(reply.status, status, "{kind}");
        assert_eq!(reply.body.is_empty(), status == 415, "{kind}");
    }
    let twice = post().also("content-type", "application/json");
    assert_eq!(twice.send().await.status, 415);
    assert_eq!(post().without("content-type").send().await.status, 415);
    for (accepted, status) in [
        ("*/*", 200),
        ("application/*;q=0.1", 200),
        ("application/json", 200),
        ("text/html", 406),
        ("application/jose+jwe", 406),
        ("application/json; charset=latin1", 406),
    ] {
        let reply = post().header("accept", accepted).send().await;
        assert_eq!(reply.status, status, "{accepted}");
        assert_eq!(reply.body.is_empty(), status == 406, "{accepted}");
    }
    let both = post()
        .header("content-type", "text/plain")
        .header("accept", "text/html");
    assert_eq!(both.send().await.status, 415);
    let delete = Ask::new(&world, &tpp, "DELETE", "v4.0/event-subscriptions/none")
        .header("content-type", "text/plain")
        .header("accept", "text/html");
    assert_eq!(delete.send().await.status, 400);
}

// G-06, G-07
#[tokio::test]
async fn bodies_that_are_no_json_change_nothing_and_are_400() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let bodies: [&[u8]; 7] = [
        b"",
        b"{",
        b"[]",
        b"{} x",
        b"{\"Data\":{\"Version\":\"\xff\"}}",
        br#"{"Data":{"Version":"3.1"},"Data":{"Version":"3.1"}}"#,
        deep.as_bytes(),
    ];
    for version in VERSIONS {
        for resource in ["event-subscriptions", "callback-urls", "events"] {
            for body in bodies {
                let path = format!("{version}/{resource}");
                let reply = Ask::new(&world, &tpp, "POST", &path)
                    .body(body)
                    .send()
                    .await;
                assert_eq!(reply.status, 400, "{path}");
                assert_eq!(
                    reply.errors(),
                    one(version, Code::ResourceInvalidFormat, None)
                );
                assert_dressed(&reply);
            }
        }
    }
    assert_eq!(world.registrations("tpp-1").await, Registrations::default());
}

// G-06
#[tokio::test]
async fn an_error_names_itself_in_the_words_of_the_version() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    for version in VERSIONS {
        let path = format!("{version}/event-subscriptions");
        let wrong = json!({ "Data": { "Version": "9.9", "EventTypes": ["nothing"] }, "More": 1 });
        let reply = Ask::new(&world, &tpp, "POST", &path)
            .json(&wrong)
            .send()
            .await;
        let body = reply.json();
        assert_eq!(body["Code"], "400 BadRequest");
        assert_eq!(body["Id"].as_str().unwrap().len(), UUID_CHARS);
        let expected = [
            one(version, Code::FieldUnexpected, Some("More")),
            one(version, Code::FieldInvalid, Some("Data.Version")),
            one(
                version,
                Code::UnsupportedEventType,
                Some("Data.EventTypes[0]"),
            ),
        ];
        assert_eq!(reply.errors(), expected.concat());
        let catalogue = "https://api.bank.example/developer#event-types";
        assert_eq!(body["Errors"][2]["Url"], catalogue);
    }
}

// G-07
#[tokio::test]
async fn a_body_of_more_than_a_mebibyte_is_413_whether_it_says_so_or_not() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let mut body = b"{}".to_vec();
    body.resize(1024 * 1024, b' ');
    let post = |body: &[u8]| Ask::new(&world, &tpp, "POST", "v3.1/events").body(body);
    assert_eq!(post(&body).send().await.status, 200);
    body.push(b' ');
    let silent = post(&body).send().await;
    assert_eq!((silent.status, silent.body.len()), (413, 0));
    let said = post(b"{}").header("content-length", "1048577").send().await;
    assert_eq!((said.status, said.body.len()), (413, 0));
}

// G-09
#[tokio::test]
async fn who_comes_too_often_waits_and_others_do_not() {
    let world = World::with(|choices| {
        choices.options.requests_per_second = NonZeroU32::new(2).unwrap();
    });
    let one = world.tpp("tpp-1").await;
    let overrides = Overrides {
        requests_per_second: NonZeroU32::new(3),
        ..Overrides::default()
    };
    let two = world.tpp_with("tpp-2", overrides).await;
    let statuses = async |caller, count: usize| {
        let mut statuses = Vec::new();
        for _ in 0..count {
            let ask = Ask::new(&world, caller, "GET", "v3.1/callback-urls");
            statuses.push(ask.send().await);
        }
        statuses
    };
    let replies = statuses(&one, 3).await;
    let seen: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(seen, [200, 200, 429]);
    assert_eq!(replies[2].header("retry-after"), Some("1"));
    assert!(replies[2].body.is_empty());
    let seen: Vec<u16> = statuses(&two, 4).await.iter().map(|r| r.status).collect();
    assert_eq!(seen, [200, 200, 200, 429]);
    world.clock.advance(std::time::Duration::from_millis(500));
    assert_eq!(statuses(&one, 1).await[0].status, 200);
}

// G-06, G-10
#[tokio::test]
async fn a_ledger_in_trouble_is_a_503_and_never_a_success() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let asks = |version: &str| {
        let subscription = a_subscription(version);
        let id = "0b7dd3a6-9a5c-4a0f-9f5b-1f1d3a8e7c11";
        [
            (
                "POST",
                "event-subscriptions".to_owned(),
                subscription.clone(),
            ),
            ("PUT", format!("event-subscriptions/{id}"), subscription),
            ("DELETE", format!("event-subscriptions/{id}"), json!({})),
            ("GET", "event-subscriptions".to_owned(), json!({})),
            ("POST", "callback-urls".to_owned(), a_callback_url(version)),
            ("POST", "events".to_owned(), json!({})),
        ]
    };
    for version in VERSIONS {
        for fault in FaultyStore::outages() {
            for (method, path, body) in asks(version) {
                for everything in [true, false] {
                    if everything {
                        world.store.fail(fault.clone());
                    } else {
                        for name in [
                            "create_registration",
                            "replace_registration",
                            "delete_registration",
                            "registrations",
                            "poll",
                        ] {
                            world.store.fail_at(name, fault.clone());
                        }
                    }
                    let reply = Ask::new(&world, &tpp, method, format!("{version}/{path}"));
                    let reply = reply.json(&body).send().await;
                    world.store.mend();
                    world.clock.advance(std::time::Duration::from_secs(1));
                    // A ledger that contradicts itself is a bug, which waiting does not mend.
                    let broken = matches!(fault, Error::Inconsistent { .. });
                    let polls = path == "events" && !everything;
                    let status = if broken && !polls { 500 } else { 503 };
                    assert_eq!(reply.status, status, "{method} {path} {fault}");
                    assert_eq!(reply.header("retry-after").is_some(), status == 503);
                    assert_eq!(reply.errors(), one(version, Code::UnexpectedError, None));
                    let text = String::from_utf8_lossy(&reply.body);
                    assert!(!text.contains("as the test says"));
                    let is_in_doubt = matches!(fault, Error::InDoubt { .. }) && !polls;
                    assert_eq!(text.contains("cannot say whether"), is_in_doubt, "{text}");
                }
            }
        }
    }
    assert_eq!(world.registrations("tpp-1").await, Registrations::default());
}

// G-11
#[tokio::test]
async fn members_that_no_schema_has_are_refused_and_a_response_may_be_sent_back() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let path = "v4.0/event-subscriptions";
    let made = Ask::new(&world, &tpp, "POST", path).json(&a_subscription("v4.0"));
    let made = made.send().await;
    let id = made.json()["Data"]["EventSubscriptionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let put = |body| Ask::new(&world, &tpp, "PUT", format!("{path}/{id}")).body(body);
    let again = put(made.body.clone()).send().await;
    assert_eq!(
        (again.status, again.json()["Data"].clone()),
        (200, made.json()["Data"].clone())
    );
    let mut more = made.json();
    more["Meta"]["Mine"] = json!(1);
    let refused = put(more.to_string().into()).send().await;
    assert_eq!(
        refused.errors(),
        one("v4.0", Code::FieldUnexpected, Some("Meta.Mine"))
    );
}
