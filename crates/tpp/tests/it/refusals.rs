//! What banks say when they say no.

use std::time::Duration;

use oyez_tpp::{Authenticity, Error, ErrorDetail, Refused};

use crate::fake_bank::{Canned, Seal};
use crate::world::{World, wish};

async fn refused(world: &World, answer: Canned) -> Refused {
    world.bank.answers(answer);
    let created = world.seen_bank().subscriptions().create(&wish()).await;
    match created {
        Err(Error::Refused(refused)) => *refused,
        other => panic!("{other:?}"),
    }
}

// R-04, G-06
#[tokio::test]
async fn both_error_models_are_one_type() {
    let world = World::new().await;
    let detail = |code: &str| ErrorDetail {
        code: code.to_owned(),
        message: "no such event type".to_owned(),
        path: Some("Data.EventTypes[0]".to_owned()),
        url: Some("https://bank.example/types".to_owned()),
    };
    let errors = |code: &str| {
        format!(
            r#""Errors":[{{"ErrorCode":"{code}","Message":"no such event type","Path":"Data.EventTypes[0]","Url":"https://bank.example/types"}}]"#
        )
    };
    let old = format!(
        r#"{{"Code":"400 BadRequest","Id":"e-1","Message":"wrong",{}}}"#,
        errors("UK.OBIE.Unsupported.EventType")
    );
    let old = refused(&world, Canned::new(400, old).sealed(Seal::Good)).await;
    assert_eq!(old.errors, [detail("UK.OBIE.Unsupported.EventType")]);
    assert_eq!(
        (old.status, old.id.as_deref(), old.message.as_deref()),
        (400, Some("e-1"), Some("wrong"))
    );
    assert!(matches!(old.authenticity, Authenticity::Signed));

    let new = format!(r#"{{"Id":"e-2",{}}}"#, errors("U024"));
    let new = refused(&world, Canned::new(400, new)).await;
    assert_eq!(new.errors, [detail("U024")]);
    assert_eq!(
        (new.id.as_deref(), new.message.as_deref()),
        (Some("e-2"), None)
    );
    assert!(new.has("U024") && !new.has("U001"));
    assert!(matches!(new.authenticity, Authenticity::Unsigned));
    let text = new.to_string();
    assert!(
        text.contains("U024 at Data.EventTypes[0]: no such event type"),
        "{text}"
    );
}

// R-04
#[tokio::test]
async fn a_gateways_page_is_a_refusal_too() {
    let world = World::new().await;
    for body in ["<html>Bad Gateway</html>", ""] {
        let refused = refused(&world, Canned::new(502, body)).await;
        assert_eq!((refused.status, refused.errors.len()), (502, 0));
        assert_eq!(refused.body, body);
    }
}

// R-04, M-04
#[tokio::test]
async fn an_error_with_a_wrong_signature_says_so() {
    let world = World::new().await;
    let refused = refused(
        &world,
        Canned::new(400, "{\"Id\":\"1\"}").sealed(Seal::OtherBody),
    )
    .await;
    assert!(matches!(refused.authenticity, Authenticity::Broken(_)));
}

// R-02, G-09, G-10
#[tokio::test]
async fn retry_after_is_read_in_seconds_and_as_a_date() {
    let world = World::new().await;
    for (value, expected) in [
        ("7", Some(Duration::from_secs(7))),
        (
            "Tue, 01 Jan 2030 00:00:30 GMT",
            Some(Duration::from_secs(30)),
        ),
        ("Tue, 01 Jan 2029 00:00:00 GMT", None),
        ("soon", None),
    ] {
        let answer = Canned::new(429, "").with("retry-after", value);
        assert_eq!(
            refused(&world, answer).await.retry_after,
            expected,
            "{value}"
        );
    }
    let past = Canned::new(503, "").with("retry-after", "Mon, 01 Jan 2029 00:00:00 GMT");
    assert_eq!(
        refused(&world, past).await.retry_after,
        Some(Duration::ZERO)
    );
}
