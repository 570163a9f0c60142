//! A caller against an endpoint of ours, which sees what really went over the wire.

use std::sync::Arc;

use oyez_jose::detached::{Error, Forms, Policy, Signature};
use oyez_jose::open_banking::TAN;
use oyez_jose::{Form, UnixTime};
use oyez_testkit::certificates::Authority;
use oyez_testkit::clock::{DAWN, ManualClock};
use oyez_testkit::endpoint::{Behaviour, Endpoint, Seen};
use oyez_testkit::keys;
use oyez_testkit::tokens::AuthorisationServer;
use oyez_testkit::tpp::{Caller, Site, TRUST_ANCHOR};
use serde_json::json;

const PATH: &str = "/open-banking/v4.0/event-subscriptions";

struct World {
    endpoint: Endpoint,
    tpp: Caller,
}

impl World {
    async fn new() -> Self {
        let authority = Authority::new("the only one");
        let endpoint = Endpoint::start(&authority.server(&[])).await;
        endpoint.behave(PATH, Behaviour::json(*b"{}"));
        let clock = Arc::new(ManualClock::still(DAWN));
        let site = Arc::new(Site::new(authority, AuthorisationServer::new(), clock));
        site.moved_to(endpoint.address());
        let tpp = Caller::new(&site, "tpp-1");
        Self { endpoint, tpp }
    }

    fn only_seen(&self) -> Seen {
        let [seen] = self.endpoint.seen().try_into().expect("one request");
        seen
    }

    fn signature(&self) -> Result<Form, Error> {
        let seen = self.only_seen();
        let text = seen.header("x-jws-signature");
        let issuer = format!("{}/software-of-tpp-1", Caller::ORG_ID);
        let policy = Policy::standard([issuer], [TRUST_ANCHOR], Forms::Both);
        let now = UnixTime::from_milliseconds(DAWN.unix_ms());
        let checked = Signature::parse(text)?.check(&policy, now)?;
        checked.verify(&seen.body, &self.tpp.jwks(), now)?;
        Ok(checked.form())
    }
}

#[tokio::test]
async fn what_is_registered_is_signed_and_what_is_polled_is_not() {
    let world = World::new().await;
    let response = world
        .tpp
        .post(PATH)
        .json(&json!({ "Data": {} }))
        .send()
        .await;
    assert_eq!(response.status, 200);
    assert_eq!(world.signature(), Ok(Form::Encoded));
    world.tpp.post("/open-banking/v4.0/events").send().await;
    let seen = world.endpoint.seen();
    assert_eq!(seen[1].header("x-jws-signature"), None);
    assert!(
        seen[1]
            .header("authorization")
            .unwrap()
            .starts_with("Bearer ")
    );
}

#[tokio::test]
async fn the_form_of_old_versions_is_spoken() {
    let world = World::new().await;
    let signing = world.tpp.signing().unencoded();
    world
        .tpp
        .post(PATH)
        .json(&json!({}))
        .signed(signing)
        .send()
        .await;
    assert_eq!(world.signature(), Ok(Form::Unencoded));
}

#[tokio::test]
async fn signatures_are_wrong_as_asked() {
    let wrong = [
        |tpp: &Caller| tpp.signing().by(&keys::STRANGER),
        |tpp: &Caller| tpp.signing().over("another body"),
    ];
    for make in wrong {
        let world = World::new().await;
        let signing = make(&world.tpp);
        world.tpp.post(PATH).body("{}").signed(signing).send().await;
        assert_eq!(world.signature(), Err(Error::Invalid));
    }
    let world = World::new().await;
    let signing = world.tpp.signing().without(TAN);
    world.tpp.post(PATH).body("{}").signed(signing).send().await;
    assert_eq!(world.signature(), Err(Error::MissingClaim { name: TAN }));
}

#[tokio::test]
async fn an_endpoint_misbehaves_as_told_and_counts() {
    let world = World::new().await;
    for broken in [Behaviour::HangUp, Behaviour::Garbage(b"?".to_vec())] {
        world.endpoint.behave(PATH, broken);
        assert!(world.tpp.get(PATH).try_send().await.is_err());
    }
    world.endpoint.behave(PATH, Behaviour::status(503));
    assert_eq!(world.tpp.get(PATH).send().await.status, 503);
    world.endpoint.until_count(PATH, 3).await;
    assert_eq!(world.endpoint.count(PATH), 3);
    drop(world.endpoint);
}
