//! easyssf, a receiver of OpenID Shared Signals (RFC 8417, 8935, 8936) in Rust, with signatures by RustCrypto: it polls our bank
//! and is pushed to by it, and the transmitter of its tests is polled by `oyez poll` and pushed from to `oyez listen`.
//! `interop/easyssf` makes a process of it. What the two profiles cannot agree on stands in docs/tpp.md.

use std::collections::BTreeSet;

use oyez_testkit::endpoint::Behaviour;
use oyez_testkit::tpp::Caller;
use oyez_tpp::{HeaderMap, header};
use serde_json::{Value, json};

use super::super::{Firm, PATIENCE, is_acknowledged, issuer, publish, quick_house, until_file};
use super::{LOOK_AGAIN, Peer, values};
use crate::house::{EVENTS, House, NOTIFICATIONS};

/// What easyssf must be told of a bank. `typ` and `sub_id` are required, if nothing else is said; `RS256` is all it takes.
fn terms(house: &House, audience: &str) -> Value {
    json!({
        "anchors": "anchors.pem", "issuer": issuer(0), "audience": audience, "algorithms": ["PS256"],
        "jwks": format!("https://{}/jwks", house.site().address()), "sub_id": "optional",
    })
}

/// Terms to poll on, and the files that they name.
fn polling(house: &House, caller: &Caller) -> (Value, Vec<(&'static str, String)>) {
    let mut wish = terms(house, caller.client_id());
    wish["endpoint"] = json!(format!("https://{}{EVENTS}", house.site().address()));
    wish["token"] = json!(caller.token().mint());
    wish["identity"] = json!("identity.pem");
    let certificate = caller.certificate().unwrap();
    let files = vec![
        ("anchors.pem", house.site().authority.pem()),
        ("identity.pem", certificate.pem() + &certificate.key_pem()),
    ];
    (wish, files)
}

/// A bank with a TPP whose SETs are typed as RFC 8417 has it.
async fn bank_and_customer() -> (House, Caller) {
    let house = quick_house(&[("OYEZ_SIGNING__HEADER_PROFILE", "rfc8417")]);
    let caller = house.subscriber("tpp-1").await;
    (house, caller)
}

fn jtis(claims: &[Value]) -> BTreeSet<&str> {
    claims
        .iter()
        .map(|it| it["jti"].as_str().unwrap())
        .collect()
}

// P-13, P-01, P-02, P-05, T-07, T-08
#[tokio::test(flavor = "multi_thread")]
async fn easyssf_polls_verifies_and_acknowledges_sets_of_every_profile() {
    let house = quick_house(&[]);
    for (profile, typ) in [
        ("rfc8417", "required"),
        ("openbanking", "optional"),
        ("jwt", "optional"),
    ] {
        let caller = house
            .subscriber_with(profile, &json!({ "header_profile": profile }))
            .await;
        let mut told = BTreeSet::new();
        for key in ["one", "two", "three"] {
            told.insert(publish(&house, profile, &format!("{profile}-{key}")).await);
        }
        let (mut wish, files) = polling(&house, &caller);
        wish["typ"] = json!(typ);
        // So that it must ask three times, as `moreAvailable` says.
        wish["max_events"] = json!(1);
        let said = Peer::easyssf("poll", &wish, &files).ended();
        let handled = values(&said, "handled");
        assert_eq!(values(&said, "fetched"), [json!(3)], "{said:#?}");
        assert_eq!(jtis(&handled), told.iter().map(String::as_str).collect());
        for claims in &handled {
            let jti = claims["jti"].as_str().unwrap();
            let file = until_file(&house, jti, is_acknowledged).await;
            assert_eq!(&file["sets"][0]["claims"], claims);
        }
    }
}

// P-03, P-05, P-13
#[tokio::test(flavor = "multi_thread")]
async fn easyssf_waits_in_a_poll_until_something_happens() {
    let (house, caller) = bank_and_customer().await;
    let (mut wish, files) = polling(&house, &caller);
    // After a poll that was not held, the next one would come an hour later.
    wish["hold_s"] = json!(30);
    wish["interval_s"] = json!(3600);
    wish["until"] = json!(2);
    let peer = Peer::easyssf("poll", &wish, &files);
    let mut told = Vec::new();
    for (key, count) in [("one", 1), ("two", 2)] {
        until_a_poll_waits(&house).await;
        told.push(publish(&house, "tpp-1", key).await);
        peer.until_said("handled", count).await;
    }
    // What it has still to acknowledge, it says when it stops.
    let said = peer.ended();
    assert_eq!(said.last().unwrap(), &json!({ "untold": 0, "error": null }));
    for jti in told {
        until_file(&house, &jti, is_acknowledged).await;
    }
}

// P-06, P-13
#[tokio::test(flavor = "multi_thread")]
async fn what_easyssf_does_not_believe_the_bank_hears_in_its_words() {
    let (house, caller) = bank_and_customer().await;
    let jti = publish(&house, "tpp-1", "one").await;
    let wrong = [
        ("audience", json!("somebody-else"), "invalid_audience"),
        ("issuer", json!("https://other.example"), "invalid_issuer"),
        ("algorithms", json!(["RS256"]), "invalid_key"),
        ("sub_id", json!("required"), "invalid_request"),
    ];
    for (count, (term, value, err)) in (1..).zip(wrong) {
        let (mut wish, files) = polling(&house, &caller);
        wish[term] = value;
        let said = Peer::easyssf("poll", &wish, &files).ended();
        assert_eq!(values(&said, "handled"), [] as [Value; 0], "{said:#?}");
        let file = until_file(&house, &jti, |file| errors(file).len() == count).await;
        let error = &errors(&file)[count - 1];
        assert_eq!(error["err"], err, "{error}");
        assert!(error["description"].is_string(), "{error}");
        assert_eq!(file["event"]["state"], "outstanding");
    }
    let (wish, files) = polling(&house, &caller);
    Peer::easyssf("poll", &wish, &files).ended();
    until_file(&house, &jti, is_acknowledged).await;
}

// P-05, D-08
#[tokio::test(flavor = "multi_thread")]
async fn what_an_application_of_easyssf_fails_to_take_is_offered_again() {
    let (house, caller) = bank_and_customer().await;
    let jti = publish(&house, "tpp-1", "one").await;
    let (mut wish, files) = polling(&house, &caller);
    wish["fails_first"] = json!(1);
    let said = Peer::easyssf("poll", &wish, &files).ended();
    assert_eq!(values(&said, "failed"), [json!(jti)], "{said:#?}");
    let file = until_file(&house, &jti, |_| true).await;
    assert_eq!(
        (&file["event"]["state"], errors(&file)),
        (&json!("outstanding"), &Vec::new())
    );
    wish["fails_first"] = json!(0);
    let said = Peer::easyssf("poll", &wish, &files).ended();
    assert_eq!(jtis(&values(&said, "handled")), BTreeSet::from([&*jti]));
    until_file(&house, &jti, is_acknowledged).await;
}

// D-01, D-02, D-03, D-04, T-07, T-08
#[tokio::test(flavor = "multi_thread")]
async fn easyssf_is_pushed_to() {
    let house = quick_house(&[]);
    for (profile, typ) in [("rfc8417", "required"), ("openbanking", "optional")] {
        let mut wish = terms(&house, profile);
        wish["typ"] = json!(typ);
        wish["fails_first"] = json!(1);
        let peer = receiving(&house, wish).await;
        let overrides = json!({ "header_profile": profile });
        house.pushed_at(profile, &peer.1, &overrides).await;
        let jti = publish(&house, profile, profile).await;
        let file = until_file(&house, &jti, is_acknowledged).await;
        let handled = peer.0.until_said("handled", 1).await;
        assert_eq!(&file["sets"][0]["claims"], &handled[0]);
        assert_eq!(statuses(&file), [500, 202], "{file:#}");
        // It knows no interaction ids (D-02): taken all the same, and noted.
        let deviation = &file["attempts"][1]["answer"]["deviation"];
        assert!(!deviation.is_null(), "{file:#}");
    }
}

// D-04, D-02
#[tokio::test(flavor = "multi_thread")]
async fn what_easyssf_refuses_of_pushes_is_kept_with_its_words() {
    let house = quick_house(&[]);
    let mut wish = terms(&house, "tpp-1");
    wish["typ"] = json!("optional");
    wish["sub_id"] = json!("required");
    let (_peer, url) = receiving(&house, wish).await;
    house.pushed_at("tpp-1", &url, &json!({})).await;
    let jti = publish(&house, "tpp-1", "one").await;
    let file = until_file(&house, &jti, |file| !statuses(file).is_empty()).await;
    let answer = &file["attempts"][0]["answer"];
    assert_eq!(answer["status"], 400, "{file:#}");
    let body: Value = serde_json::from_str(answer["body_head"].as_str().unwrap()).unwrap();
    assert_eq!(body["err"], "invalid_request");
    assert!(body["description"].as_str().unwrap().contains("sub_id"));
}

/// easyssf's push endpoint, and its URL.
async fn receiving(house: &House, mut wish: Value) -> (Peer, String) {
    wish["path"] = json!(NOTIFICATIONS);
    wish["certificate"] = json!("server.crt");
    wish["key"] = json!("server.key");
    let peer = Peer::easyssf("receive", &wish, &server_files(house));
    let address = peer.until_said("listening", 1).await;
    let url = format!("https://{}{NOTIFICATIONS}", address[0].as_str().unwrap());
    (peer, url)
}

fn server_files(house: &House) -> [(&'static str, String); 3] {
    let authority = &house.site().authority;
    let server = authority.server(&[]);
    [
        ("anchors.pem", authority.pem()),
        ("server.crt", server.pem()),
        ("server.key", server.key_pem()),
    ]
}

/// What its transmitter signs, and the `err` that we report of it, if we do not take it.
fn of_the_transmitter() -> [(&'static str, Value, Option<&'static str>); 8] {
    let update = "urn:uk:org:openbanking:events:resource-update";
    let link = "https://bank.example/open-banking/v4.0/pisp/domestic-payments/1";
    let standard = json!({
        "sub": link, "txn": "1", "toe": 1_700_000_000, "events": { update: { "subject": {
            "subject_type": "http://openbanking.org.uk/rid_http://openbanking.org.uk/rty",
            "http://openbanking.org.uk/rid": "1",
            "http://openbanking.org.uk/rty": "domestic-payment",
            "http://openbanking.org.uk/rlk": [{ "version": "v4.0", "link": link }],
        }}},
    });
    let one = |changes: Value| {
        let mut one = json!({ "algorithm": "PS256", "typ": "secevent+jwt", "claims": standard });
        for (name, value) in changes.as_object().unwrap() {
            one[name] = value.clone();
        }
        one
    };
    let mut elsewhere = standard.clone();
    elsewhere["aud"] = json!("https://other.example");
    [
        ("as RFC 8417 has it", one(json!({})), None),
        ("without a type", one(json!({ "typ": null })), None),
        (
            "an event of CAEP",
            one(json!({ "claims": {} })),
            Some("invalid_request"),
        ),
        (
            "RS256",
            one(json!({ "algorithm": "RS256" })),
            Some("invalid_request"),
        ),
        (
            "unsigned",
            one(json!({ "algorithm": "none" })),
            Some("invalid_request"),
        ),
        (
            "an access token",
            one(json!({ "typ": "at+jwt" })),
            Some("invalid_request"),
        ),
        (
            "another key",
            one(json!({ "kid": "unheard-of" })),
            Some("invalid_key"),
        ),
        (
            "for another",
            one(json!({ "claims": elsewhere })),
            Some("invalid_audience"),
        ),
    ]
}

/// easyssf's transmitter with something to tell, and a firm that has it for its bank.
async fn transmitting() -> (Peer, Firm, Vec<Value>) {
    let house = quick_house(&[]);
    let firm = Firm::of("tpp-1", &[&house]).await;
    let sets = of_the_transmitter().map(|(name, mut set, _)| {
        set["name"] = json!(name);
        set
    });
    let wish = json!({ "certificate": "server.crt", "key": "server.key", "sets": sets });
    let peer = Peer::easyssf("transmit", &wish, &server_files(&house));
    let at = peer.until_said("listening", 1).await;
    let said = peer.said();
    let bank = format!(
        "
[[tpp.banks]]
name = \"easyssf\"
base_url = \"https://{at}\"
client_id = {}
issuer = {}
org_id = \"EASYSSF\"
jwks = \"https://{at}/jwks\"
token_endpoint = \"{}\"
",
        said[0]["audience"],
        said[0]["issuer"],
        firm.authorisation
            .url("/token/easyssf")
            .replace("localhost", "127.0.0.1"),
        at = at[0].as_str().unwrap(),
    );
    let token =
        json!({ "access_token": said[0]["token"], "token_type": "Bearer", "expires_in": 300 });
    let answer = Behaviour::json(token.to_string());
    firm.authorisation.behave("/token/easyssf", answer);
    firm.desk.write("banks.toml", &bank);
    firm.hand_over("to = \"stdout\"");
    let signed = said.into_iter().filter(|line| line["set"].is_string());
    (peer, firm, signed.collect())
}

// P-13
#[tokio::test(flavor = "multi_thread")]
async fn oyez_polls_the_transmitter_of_easyssf() {
    let (peer, firm, signed) = transmitting().await;
    let done = firm.run("poll --once");
    let taken: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let heard = peer.said().pop().unwrap();
    let mut had = BTreeSet::new();
    for ((name, _, refused), set) in of_the_transmitter().into_iter().zip(&signed) {
        let jti = set["jti"].as_str().unwrap();
        assert_eq!(set["name"], name);
        match refused {
            Some(err) => assert_eq!(heard["refused"][jti]["err"], err, "{name}: {heard:#}"),
            None => {
                let acknowledged = heard["acknowledged"].as_array().unwrap();
                assert!(acknowledged.contains(&json!(jti)), "{name}: {heard:#}");
                had.insert(jti);
            }
        }
    }
    assert_eq!(jtis(&taken), had, "{}{}", done.stdout, done.stderr);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let caep = &heard["refused"][signed[2]["jti"].as_str().unwrap()]["description"];
    let caep = caep.as_str().unwrap();
    for claim in ["sub", "txn", "toe"] {
        assert!(caep.contains(claim), "{caep}");
    }
}

//
#[tokio::test(flavor = "multi_thread")]
async fn oyez_listens_to_sets_that_the_transmitter_of_easyssf_signed() {
    let (_peer, firm, signed) = transmitting().await;
    let _listening = firm.listen().await;
    let mut headers = HeaderMap::new();
    let kind = "application/secevent+jwt".parse().unwrap();
    headers.insert(header::CONTENT_TYPE, kind);
    let mut had = BTreeSet::new();
    for ((name, _, refused), set) in of_the_transmitter().into_iter().zip(&signed) {
        let text = set["set"].as_str().unwrap();
        let answer = firm.push(NOTIFICATIONS, headers.clone(), text).await;
        let Some(err) = refused else {
            assert_eq!(answer.status, 202, "{name}: {answer:?}");
            had.insert(set["jti"].as_str().unwrap());
            continue;
        };
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["err"], err, "{name}: {body}");
    }
    assert_eq!(jtis(&firm.until_records("out", had.len()).await), had);
}

fn errors(file: &Value) -> &Vec<Value> {
    file["errors"].as_array().unwrap()
}

fn statuses(file: &Value) -> Vec<u64> {
    let attempts = file["attempts"].as_array().unwrap().iter();
    let status = |it: &Value| it["answer"]["status"].as_u64().unwrap();
    attempts.map(status).collect()
}

async fn until_a_poll_waits(house: &House) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let metrics = house.colleague("viewer").get("/metrics").await;
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        if text.contains("oyez_polls_waiting 1\n") {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{text}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
