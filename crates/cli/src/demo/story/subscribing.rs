//! Two subscriptions, and what is refused.

use oyez_tpp::{HeaderMap, HeaderValue, Method, SIGNATURE, StatusCode};

use super::super::player::{RawCall, subscription};
use super::super::teller::{Interrupted, Teller};
use super::super::why::{Why, ensure, refused, same, signed};
use super::super::world::Scene;
use super::Subscribed;

pub(super) async fn tell(teller: &mut Teller, scene: &Scene) -> Result<Subscribed, Interrupted> {
    teller.chapter("Subscribing")?;
    let what = "A request without a signature is refused: UK.OBIE.Signature.Missing";
    teller.step(what, unsigned(scene)).await?;
    let what = "So is one that was changed after it was signed: UK.OBIE.Signature.Invalid";
    teller.step(what, tampered(scene)).await?;
    let subscribed = subscribe(teller, scene).await?;
    let what = "Acme reads it back as it made it, and the answer is signed too";
    teller.step(what, read_back(scene, &subscribed)).await?;
    let what =
        "A second subscription of Acme's is refused, in v4.0 and in v3.1 alike (409, signed)";
    teller.step(what, second(scene)).await?;
    let what = "What was made in v4.0 is not seen from v3.1";
    teller.step(what, unseen(scene)).await?;
    let what = "What was made in v3.1 is seen from v4.0";
    teller.step(what, seen(scene, &subscribed)).await?;
    let what = "A Version newer than the path is refused (400, signed)";
    teller.step(what, newer(scene, &subscribed)).await?;
    Ok(subscribed)
}

async fn subscribe(teller: &mut Teller, scene: &Scene) -> Result<Subscribed, Interrupted> {
    let acme = async {
        let wish = subscription("4.0", None)?;
        let created = scene.acme.v4.subscriptions().create(&wish).await?;
        same("the status", &created.status, &201)?;
        Ok(created.value.id)
    };
    let what =
        "Acme subscribes in v4.0 with a signed request; the bank's answer is signed and verified";
    let acme = teller.step(what, acme).await?;
    let bolt = async {
        let wish = subscription("3.1", None)?;
        let created = scene.bolt.v3.subscriptions().create(&wish).await?;
        same("the status", &created.status, &201)?;
        Ok(created.value.id)
    };
    let what = "Bolt does the same in v3.1";
    let bolt = teller.step(what, bolt).await?;
    Ok(Subscribed { acme, bolt })
}

async fn unsigned(scene: &Scene) -> Result<(), Why> {
    let none = HeaderMap::new();
    refused_for(scene, none, "UK.OBIE.Signature.Missing").await
}

async fn tampered(scene: &Scene) -> Result<(), Why> {
    let setup = scene.bolt.v3.setup();
    let signature = setup.signer.detached(b"{}", setup.clock.now()).await?;
    let headers = HeaderMap::from_iter([(SIGNATURE, HeaderValue::try_from(signature)?)]);
    refused_for(scene, headers, "UK.OBIE.Signature.Invalid").await
}

/// Bolt would subscribe, with these headers.
async fn refused_for(scene: &Scene, headers: HeaderMap, code: &str) -> Result<(), Why> {
    let bolt = &scene.bolt;
    let body = r#"{"Data": {"Version": "3.1"}}"#;
    let post = RawCall {
        token: Some(bolt.token().await?),
        headers,
        ..RawCall::new(Method::POST, "event-subscriptions", body)
    };
    let answer = post.to(&bolt.v3).await?;
    same("the status", &answer.status, &StatusCode::BAD_REQUEST)?;
    let said = String::from_utf8_lossy(&answer.body);
    ensure(said.contains(code), || {
        format!("another error was answered: {said}")
    })
}

async fn read_back(scene: &Scene, subscribed: &Subscribed) -> Result<(), Why> {
    let found = scene.acme.v4.subscriptions().read().await?.value;
    let ids: Vec<_> = found.iter().map(|one| one.id.as_str()).collect();
    same("the list", &ids, &vec![subscribed.acme.as_str()])?;
    same("its Version", &found[0].version.as_str(), &"4.0")
}

async fn second(scene: &Scene) -> Result<(), Why> {
    let acme = &scene.acme;
    let newer = acme
        .v4
        .subscriptions()
        .create(&subscription("4.0", None)?)
        .await;
    let newer = refused(newer, 409, Some("U029"))?;
    signed(&newer)?;
    let older = acme
        .v3
        .subscriptions()
        .create(&subscription("3.1", None)?)
        .await;
    let code = "UK.OBIE.Rules.ResourceAlreadyExists";
    let older = refused(older, 409, Some(code))?;
    signed(&older)
}

async fn unseen(scene: &Scene) -> Result<(), Why> {
    let found = scene.acme.v3.subscriptions().read().await?.value;
    ensure(found.is_empty(), || format!("it is: {found:?}"))
}

async fn seen(scene: &Scene, subscribed: &Subscribed) -> Result<(), Why> {
    let found = scene.bolt.v4.subscriptions().read().await?.value;
    let ids: Vec<_> = found.into_iter().map(|one| one.id).collect();
    same("the list", &ids, &vec![subscribed.bolt.clone()])
}

async fn newer(scene: &Scene, subscribed: &Subscribed) -> Result<(), Why> {
    let wish = subscription("4.0", None)?;
    let changed = scene.bolt.v3.subscriptions();
    let changed = changed.update(&subscribed.bolt, &wish).await;
    let no = refused(changed, 400, Some("UK.OBIE.Field.Invalid"))?;
    signed(&no)
}
