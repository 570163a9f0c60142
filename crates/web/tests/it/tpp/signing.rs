//! Signatures of TPPs and of the bank (M).

use std::sync::Arc;

use oyez_domain::actor::Actor;
use oyez_domain::fault::Code;
use oyez_domain::registration::Registrations;
use oyez_domain::tpp::{KeySource, Overrides, Profile};
use oyez_jose::detached::{Forms, Policy, Signature, UnknownMembers};
use oyez_jose::key_set::{KeySet, Manifest};
use oyez_jose::open_banking::{IAT, ISS, TAN};
use oyez_jose::{Form, UnixTime};
use oyez_store::Store;
use oyez_testkit::clock::DAWN;
use oyez_testkit::keys;
use oyez_testkit::tpp::{Caller, Signing};
use oyez_web::tpp::SignaturePolicy;
use serde_json::{Value, json};

use super::asking::{Ask, VERSIONS, a_callback_url, a_subscription, one};
use super::world::{BANK_ORG, Reply, World, client, profile};
use crate::origin::{Act, Origin};

/// The form of the bank's signature over an answer, which holds.
fn form_signed(reply: &Reply) -> Form {
    let now = UnixTime::from_seconds(DAWN.unix_seconds());
    let policy = Policy::standard([BANK_ORG], ["openbanking.org.uk"], Forms::Both);
    let signature = Signature::parse(reply.header("x-jws-signature")).unwrap();
    let checked = signature.check(&policy, now).unwrap();
    let published = keys::published("bank-1", &keys::BANK);
    checked.verify(&reply.body, &published, now).unwrap();
    checked.form()
}

fn asks<'w>(world: &'w World, tpp: &Caller, version: &str) -> [Ask<'w>; 4] {
    [
        ("POST", "event-subscriptions", a_subscription(version)),
        ("PUT", "event-subscriptions/none", a_subscription(version)),
        ("POST", "callback-urls", a_callback_url(version)),
        ("PUT", "callback-urls/none", a_callback_url(version)),
    ]
    .map(|(method, path, body)| {
        Ask::new(world, tpp, method, format!("{version}/{path}")).json(&body)
    })
}

async fn assert_refused(
    world: &World,
    tpp: &Caller,
    version: &str,
    signing: &Signing,
    code: Code,
    path: &str,
) {
    for ask in asks(world, tpp, version) {
        let reply = ask.signed(signing.clone()).send().await;
        assert_eq!(reply.status, 400, "{path}");
        assert_eq!(reply.errors(), one(version, code, Some(path)));
    }
}

// M-01
#[tokio::test]
async fn what_is_registered_must_be_signed() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let header = "x-jws-signature";
    for version in VERSIONS {
        for ask in asks(&world, &tpp, version) {
            let reply = ask.unsigned().send().await;
            assert_eq!(
                reply.errors(),
                one(version, Code::SignatureMissing, Some(header))
            );
        }
        for broken in ["x", "a.b.c", "a..", "..", "e30..!!", "tüv"] {
            for ask in asks(&world, &tpp, version) {
                let reply = ask.unsigned().header(header, broken).send().await;
                let expected = one(version, Code::SignatureMalformed, Some(header));
                assert_eq!(reply.errors(), expected, "{broken}");
            }
        }
        for ask in asks(&world, &tpp, version) {
            let reply = ask.also(header, &tpp.signing().of(b"{}")).send().await;
            assert_eq!(
                reply.errors(),
                one(version, Code::SignatureMalformed, Some(header))
            );
        }
        let other_body = tpp.signing().over("{}");
        assert_refused(
            &world,
            &tpp,
            version,
            &other_body,
            Code::SignatureInvalid,
            header,
        )
        .await;
        let other_key = tpp.signing().by(&keys::STRANGER);
        assert_refused(
            &world,
            &tpp,
            version,
            &other_key,
            Code::SignatureInvalid,
            header,
        )
        .await;
    }
    assert_eq!(world.registrations("tpp-1").await, Registrations::default());
}

// M-01
#[tokio::test]
async fn elsewhere_a_signature_is_not_looked_at() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    for (method, path, status) in [
        ("POST", "events", 200),
        ("GET", "event-subscriptions", 200),
        ("DELETE", "event-subscriptions/none", 400),
    ] {
        let ask = Ask::new(&world, &tpp, method, format!("v4.0/{path}"));
        let reply = ask.header("x-jws-signature", "x").body("{}").send().await;
        assert_eq!(reply.status, status, "{path}");
    }
}

// M-01
#[tokio::test]
async fn a_bank_may_do_without_signatures() {
    for (policy, unsigned, wrong) in [
        (SignaturePolicy::IfPresent, 201, 400),
        (SignaturePolicy::Off, 201, 201),
    ] {
        let world = World::with(|choices| choices.options.signatures = policy);
        let tpp = world.tpp("tpp-1").await;
        let post = |path| Ask::new(&world, &tpp, "POST", path);
        let ask = post("v4.0/event-subscriptions").json(&a_subscription("v4.0"));
        let reply = ask.unsigned().send().await;
        assert_eq!(reply.status, unsigned, "{policy:?}");
        assert_eq!(form_signed(&reply), Form::Encoded);
        let ask = post("v4.0/callback-urls").json(&a_callback_url("v4.0"));
        let reply = ask.signed(tpp.signing().over("{}")).send().await;
        assert_eq!(reply.status, wrong, "{policy:?}");
    }
}

// M-02
#[tokio::test]
async fn each_member_of_the_header_is_there_and_right_and_no_other() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let now = DAWN.unix_seconds();
    for version in VERSIONS {
        for name in ["alg", "kid", IAT, ISS, TAN, "crit"] {
            let signing = tpp.signing().without(name);
            let code = Code::SignatureMissingClaim;
            assert_refused(&world, &tpp, version, &signing, code, name).await;
        }
        let wrong: [(&str, Value); 14] = [
            ("alg", json!("RS256")),
            ("alg", json!("none")),
            ("kid", json!("another")),
            ("typ", json!("JWT")),
            ("cty", json!("text/plain")),
            (IAT, json!(now + 61)),
            (IAT, json!("yesterday")),
            (ISS, json!(BANK_ORG)),
            (TAN, json!("elsewhere.example")),
            ("crit", json!([IAT, ISS])),
            ("crit", json!([])),
            ("jku", json!("https://keys.example")),
            ("x5c", json!([])),
            ("b64", json!(true)),
        ];
        for (name, value) in wrong {
            let signing = tpp.signing().member(name, value);
            let code = Code::SignatureInvalidClaim;
            assert_refused(&world, &tpp, version, &signing, code, name).await;
        }
    }
    assert_eq!(world.registrations("tpp-1").await, Registrations::default());
}

// M-02
#[tokio::test]
async fn what_the_standard_leaves_open_may_differ() {
    let now = DAWN.unix_seconds();
    for changed in [
        vec![("typ", json!("JOSE")), ("cty", json!("json"))],
        vec![("crit", json!([TAN, IAT, ISS]))],
        vec![(IAT, json!(now + 60))],
        vec![(TAN, json!("OpenBanking.org.uk"))],
        vec![(ISS, json!("C=GB, O=Surgicon Limited, CN=tpp-1"))],
        vec![(ISS, json!("C = GB, O = Surgicon Limited, CN = tpp-1"))],
    ] {
        let world = World::new();
        let tpp = world.tpp("tpp-1").await;
        let changes = changed.iter().cloned();
        let signing = changes.fold(tpp.signing(), |signing, (name, value)| {
            signing.member(name, value)
        });
        let ask = Ask::new(&world, &tpp, "POST", "v4.0/event-subscriptions");
        let reply = ask
            .json(&a_subscription("v4.0"))
            .signed(signing)
            .send()
            .await;
        assert_eq!(reply.status, 201, "{changed:?}");
    }
    let world = World::with(|choices| choices.options.unknown_members = UnknownMembers::Ignore);
    let tpp = world.tpp("tpp-1").await;
    let ask =
        Ask::new(&world, &tpp, "POST", "v4.0/event-subscriptions").json(&a_subscription("v4.0"));
    let reply = ask.signed(tpp.signing().member("x", 1)).send().await;
    assert_eq!(reply.status, 201);
}

// M-03, M-04
#[tokio::test]
async fn the_old_form_is_answered_in_the_old_form_where_the_version_has_it() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let path = "v3.1/event-subscriptions";
    let ask = Ask::new(&world, &tpp, "POST", path).json(&a_subscription("v3.1"));
    let made = ask.signed(tpp.signing().unencoded()).send().await;
    assert_eq!((made.status, form_signed(&made)), (201, Form::Unencoded));
    let listed = Ask::new(&world, &tpp, "GET", path).send().await;
    assert_eq!((listed.status, form_signed(&listed)), (200, Form::Encoded));
    let id = made.json()["Data"]["EventSubscriptionId"]
        .as_str()
        .unwrap()
        .to_owned();
    for (signing, form) in [
        (tpp.signing(), Form::Encoded),
        (tpp.signing().unencoded(), Form::Unencoded),
    ] {
        let put = Ask::new(&world, &tpp, "PUT", format!("{path}/{id}"));
        let put = put
            .json(&a_subscription("v3.1"))
            .signed(signing.clone())
            .send()
            .await;
        assert_eq!((put.status, form_signed(&put)), (200, form));
        let again = Ask::new(&world, &tpp, "POST", path).json(&a_subscription("v3.1"));
        let again = again.signed(signing).send().await;
        assert_eq!((again.status, form_signed(&again)), (409, form));
    }
    let tampered = Ask::new(&world, &tpp, "POST", path).json(&a_subscription("v3.1"));
    let tampered = tampered
        .signed(tpp.signing().unencoded().over("{}"))
        .send()
        .await;
    assert_eq!(
        (tampered.status, form_signed(&tampered)),
        (400, Form::Unencoded)
    );
    let ask = Ask::new(&world, &tpp, "POST", "v4.0/callback-urls").json(&a_callback_url("v4.0"));
    let refused = ask.signed(tpp.signing().unencoded()).send().await;
    assert_eq!(
        refused.errors(),
        one("v4.0", Code::SignatureInvalidClaim, Some("b64"))
    );
    assert_eq!(form_signed(&refused), Form::Encoded);
}

// M-04
#[tokio::test]
async fn registrations_and_their_errors_are_signed_and_nothing_else_is() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    for version in VERSIONS {
        for (method, path) in [
            ("POST", "event-subscriptions"),
            ("PUT", "callback-urls/none"),
        ] {
            let ask = Ask::new(&world, &tpp, method, format!("{version}/{path}"));
            let reply = ask.body("{}").send().await;
            assert_eq!((reply.status, form_signed(&reply)), (400, Form::Encoded));
        }
        let ask = || Ask::new(&world, &tpp, "GET", format!("{version}/callback-urls"));
        assert_eq!(form_signed(&ask().send().await), Form::Encoded);
        let unsigned = [
            ask().token("x").send().await,
            Ask::new(
                &world,
                &tpp,
                "DELETE",
                format!("{version}/callback-urls/none"),
            )
            .send()
            .await,
            Ask::new(&world, &tpp, "POST", format!("{version}/events"))
                .body("{}")
                .send()
                .await,
            Ask::new(&world, &tpp, "POST", format!("{version}/events"))
                .body("[]")
                .send()
                .await,
            Ask::new(&world, &tpp, "GET", "/jwks").send().await,
        ];
        assert_eq!(
            unsigned.each_ref().map(|reply| reply.status),
            [401, 400, 200, 400, 200]
        );
        for reply in unsigned {
            assert_eq!(reply.header("x-jws-signature"), None);
        }
    }
}

// M-04, M-06
#[tokio::test]
async fn nothing_is_registered_while_the_bank_cannot_sign() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let now = UnixTime::from_seconds(DAWN.unix_seconds());
    let none = KeySet::load::<std::io::Error>(
        Manifest::default(),
        std::time::Duration::ZERO,
        now,
        |_| unreachable!(),
    );
    world.keys.send_replace(Arc::new(none.unwrap()));
    for ask in asks(&world, &tpp, "v4.0") {
        let reply = ask.send().await;
        assert_eq!((reply.status, reply.header("x-jws-signature")), (503, None));
        assert_eq!(reply.errors(), one("v4.0", Code::UnexpectedError, None));
    }
    assert_eq!(world.registrations("tpp-1").await, Registrations::default());
}

// M-05
#[tokio::test]
async fn keys_at_a_url_are_fetched_and_fetched_again_for_a_new_kid() {
    let world = World::new();
    let tpp = world.stranger("tpp-1");
    let old = keys::published("old", &keys::TPP_1).to_json();
    let new = keys::published("new", &keys::TPP_1).to_json();
    let origin = Origin::start([Act::Answer(200, old), Act::Answer(200, new)]).await;
    let keys = KeySource::JwksUrl(origin.url("/jwks"));
    world.register(&tpp, keys, Overrides::default()).await;
    let post = async |kid: &str| {
        let ask = Ask::new(&world, &tpp, "POST", "v4.0/event-subscriptions");
        let signing = tpp.signing().member("kid", kid);
        ask.json(&a_subscription("v4.0"))
            .signed(signing)
            .send()
            .await
    };
    assert_eq!(post("old").await.status, 201);
    assert_eq!(post("new").await.status, 400);
    world.clock.advance(oyez_web::remote_keys::FLOOR);
    assert_eq!(post("new").await.status, 409);
    assert_eq!(origin.asked(), 2);
}

// M-05, G-10
#[tokio::test]
async fn keys_that_cannot_be_had_are_a_503_and_what_is_no_key_set_has_no_key() {
    for (act, status) in [
        (Act::Close, 503),
        (Act::Answer(500, String::new()), 503),
        (Act::Answer(200, "<html>".to_owned()), 400),
    ] {
        let world = World::new();
        let tpp = world.stranger("tpp-1");
        let origin = Origin::start([act]).await;
        let keys = KeySource::JwksUrl(origin.url("/jwks"));
        world.register(&tpp, keys, Overrides::default()).await;
        let ask = Ask::new(&world, &tpp, "POST", "v4.0/event-subscriptions");
        let reply = ask.json(&a_subscription("v4.0")).send().await;
        assert_eq!(reply.status, status);
        let (code, path) = match status {
            503 => (Code::UnexpectedError, None),
            _ => (Code::SignatureInvalidClaim, Some("kid")),
        };
        assert_eq!(reply.errors(), one("v4.0", code, path));
        assert_eq!(reply.header("retry-after").is_some(), status == 503);
        assert_eq!(world.registrations("tpp-1").await, Registrations::default());
    }
}

// M-05
#[tokio::test]
async fn stored_keys_count_as_they_are_now_and_only_if_they_may_sign() {
    let world = World::new();
    let tpp = world.tpp("tpp-1").await;
    let ask = |signing| {
        let ask = Ask::new(&world, &tpp, "POST", "v4.0/event-subscriptions");
        ask.json(&a_subscription("v4.0")).signed(signing)
    };
    assert_eq!(ask(tpp.signing()).send().await.status, 201);
    let change = async |keys: String| {
        world.clock.advance(std::time::Duration::from_millis(1));
        let now = oyez_domain::time::Clock::now(&*world.clock);
        let profile = Profile {
            keys: KeySource::Jwks(keys),
            ..profile(&tpp)
        };
        let changed = world
            .store
            .change_tpp(Actor::System, client("tpp-1"), profile, now);
        assert!(changed.await.unwrap().is_some());
    };
    let stranger = keys::published(Caller::KID, &keys::STRANGER);
    change(stranger.to_json()).await;
    assert_eq!(ask(tpp.signing()).send().await.status, 400);
    assert_eq!(
        ask(tpp.signing().by(&keys::STRANGER)).send().await.status,
        409
    );
    let own: Value = serde_json::from_str(&tpp.jwks().to_json()).unwrap();
    for (name, value) in [
        ("use", json!("enc")),
        ("exp", json!(DAWN.unix_seconds() - 1)),
        ("revoked", json!({ "revoked_at": 1 })),
    ] {
        let mut set = own.clone();
        set["keys"][0][name] = value;
        change(set.to_string()).await;
        let reply = ask(tpp.signing()).send().await;
        assert_eq!(
            reply.errors(),
            one("v4.0", Code::SignatureInvalidClaim, Some("kid")),
            "{name}"
        );
    }
    change("{}".to_owned()).await;
    let reply = ask(tpp.signing()).send().await;
    assert_eq!(
        reply.errors(),
        one("v4.0", Code::SignatureInvalidClaim, Some("kid"))
    );
}
