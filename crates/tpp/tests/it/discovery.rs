//! A bank that says itself where its keys and its tokens are.

use std::time::Duration;

use oyez_tpp::domain::version::ApiVersion;
use oyez_tpp::jose::{HeaderProfile, KeyKind, LocalKey};
use oyez_tpp::{
    Authentication, Bank, BankKeys, Discovery, Freshness, KeyServer, KeysError, Limits, Location,
    Setup, TokenSetup, TokenSource, VerifyError,
};
use serde_json::{Value, json};

use crate::fake_bank::{Canned, KID};
use crate::sets::{claims, sign, signed};
use crate::world::{ORG_ID, World, path, random};

const DOCUMENT: &str = "/.well-known/openid-configuration";

fn document(world: &World, keys: &str) -> Value {
    json!({
        "issuer": world.bank.url(""),
        "jwks_uri": world.bank.url(keys),
        "token_endpoint": world.bank.url("/public/token"),
        "mtls_endpoint_aliases": {"token_endpoint": world.bank.url("/token")},
        "response_types_supported": ["code"],
    })
}

/// The bank, found by its issuer alone.
fn found(world: &World) -> Bank {
    let transport = world.transport(Limits::default());
    let discovery = Discovery::of(
        world.bank.url(""),
        transport.clone(),
        Freshness::default(),
        world.clock(),
    );
    let setup = world.setup();
    let setup = Setup {
        keys: BankKeys::fetched(KeyServer {
            url: Location::Discovered(discovery.clone()),
            transport: transport.clone(),
            freshness: Freshness::default(),
            clock: world.clock(),
        }),
        tokens: TokenSource::new(TokenSetup {
            endpoint: Location::Discovered(discovery),
            client_id: setup.client_id.clone(),
            authentication: Authentication::TlsClientAuth,
            scope: "accounts".to_owned(),
            transport,
            clock: world.clock(),
            random: random(),
        }),
        ..setup
    };
    Bank::new(setup, ApiVersion::V4_0).unwrap()
}

fn asked(world: &World, path: &str) -> usize {
    world.bank.seen(path).len()
}

//
#[tokio::test]
async fn keys_and_tokens_are_found_by_the_issuer_alone_and_the_document_is_kept() {
    let world = World::new().await;
    world.bank.says(&document(&world, "/jwks"));
    let bank = found(&world);
    for _ in 0..2 {
        let body = json!({"sets": {"j": signed(&world, &claims("j"))}});
        world.bank.answers(Canned::new(200, body.to_string()));
        let polled = bank.polls().poll(&oyez_tpp::PollRequest::default()).await;
        assert!(polled.unwrap().value.sets[0].outcome.is_ok());
    }
    let counts = [DOCUMENT, "/jwks", "/token", "/public/token"].map(|it| asked(&world, it));
    assert_eq!(counts, [1, 1, 1, 0]);
    assert_eq!(asked(&world, &path("v4.0/events")), 2);
}

//
#[tokio::test]
async fn an_unknown_key_is_looked_for_where_the_keys_have_moved_to() {
    let world = World::new().await;
    world.bank.says(&document(&world, "/jwks"));
    let bank = found(&world);
    let verifier = bank.set_verifier();
    verifier
        .verify(&signed(&world, &claims("1")))
        .await
        .unwrap();
    let next = LocalKey::generate(KeyKind::P256).unwrap();
    world
        .bank
        .publishes(&[("bank-0", &world.bank.key), (KID, &next)]);
    world.bank.moves_keys("/new/jwks");
    world.bank.says(&document(&world, "/new/jwks"));
    world.clock.advance(Duration::from_secs(3600));
    // The copy is old, and where it came from there is nothing any more.
    let by_next = sign(HeaderProfile::OpenBanking, &next, ORG_ID, &claims("2"));
    verifier.verify(&by_next).await.unwrap();
    assert_eq!(asked(&world, "/new/jwks"), 1);
}

//
#[tokio::test]
async fn a_document_of_somebody_else_is_not_believed() {
    let world = World::new().await;
    let mut theirs = document(&world, "/jwks");
    theirs["issuer"] = json!("https://other.example");
    world.bank.says(&theirs);
    let bank = found(&world);
    let error = bank
        .set_verifier()
        .verify(&signed(&world, &claims("j")))
        .await;
    let Err(VerifyError::Keys(why)) = error else {
        panic!("{error:?}");
    };
    assert!(matches!(&*why, KeysError::Discovery(_)), "{why}");
    assert!(bank.setup().tokens.token().await.is_err());
    assert_eq!((asked(&world, "/jwks"), asked(&world, "/token")), (0, 0));
    world.bank.says(&json!("no document"));
    world.clock.advance(Duration::from_secs(60));
    let again = bank
        .set_verifier()
        .verify(&signed(&world, &claims("j")))
        .await;
    assert!(matches!(again, Err(VerifyError::Keys(_))), "{again:?}");
}
