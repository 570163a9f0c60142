//! Whoever is not who they should be gets nothing, and changes nothing.

use oyez_tpp::{Method, StatusCode};

use super::super::cast::{ACME, BOLT};
use super::super::desk::{UPDATED, item};
use super::super::player::{RawCall, handed_out, subscription};
use super::super::teller::{Interrupted, Teller};
use super::super::why::{Why, refused, same};
use super::super::world::Scene;
use super::Subscribed;

pub(super) async fn tell(
    teller: &mut Teller,
    scene: &Scene,
    subscribed: &Subscribed,
) -> Result<(), Interrupted> {
    teller.chapter("Strangers")?;
    let what = "Acme subscribes anew";
    let id = teller.step(what, subscribe(scene)).await?;
    let what = "Without a token nothing is answered (401)";
    teller.step(what, no_token(scene)).await?;
    let what = "Acme's token is worth nothing with Bolt's certificate (401)";
    teller.step(what, stolen_token(scene)).await?;
    let what =
        "Bolt may neither change nor delete Acme's subscription (403), and sees its own alone";
    teller
        .step(what, another_id(scene, &id, subscribed))
        .await?;
    let what = "Bolt's acknowledgement of Acme's event has no effect: Acme still gets it";
    teller.step(what, another_jti(scene)).await?;
    let what = "Initech has a token and a certificate, but the bank does not know it (403)";
    teller.step(what, unknown(scene)).await?;
    let what = "The bank disables Bolt: 403 from that moment on, until it is enabled again";
    teller.step(what, disabled(scene)).await
}

async fn subscribe(scene: &Scene) -> Result<String, Why> {
    let wish = subscription("4.0", None)?;
    let created = scene.acme.v4.subscriptions().create(&wish).await?;
    Ok(created.value.id)
}

async fn no_token(scene: &Scene) -> Result<(), Why> {
    let path = "event-subscriptions";
    let get = RawCall::new(Method::GET, path, "");
    let answer = get.to(&scene.acme.v4).await?;
    same("the status", &answer.status, &StatusCode::UNAUTHORIZED)
}

async fn stolen_token(scene: &Scene) -> Result<(), Why> {
    let token = scene.acme.token().await?;
    for (method, path, body) in [
        (Method::GET, "event-subscriptions", ""),
        (Method::GET, "callback-urls", ""),
        (Method::POST, "events", "{}"),
    ] {
        let call = RawCall {
            token: Some(token.clone()),
            ..RawCall::new(method, path, body)
        };
        let answer = call.to(&scene.bolt.v4).await?;
        same(path, &answer.status, &StatusCode::UNAUTHORIZED)?;
    }
    Ok(())
}

async fn another_id(scene: &Scene, id: &str, subscribed: &Subscribed) -> Result<(), Why> {
    let bolt = scene.bolt.v4.subscriptions();
    let wish = subscription("4.0", None)?;
    refused(bolt.update(id, &wish).await, 403, None)?;
    refused(bolt.delete(id).await, 403, None)?;
    let found = bolt.read().await?.value;
    let ids: Vec<_> = found.into_iter().map(|one| one.id).collect();
    same("what Bolt sees", &ids, &vec![subscribed.bolt.clone()])?;
    let found = scene.acme.v4.subscriptions().read().await?.value;
    let ids: Vec<_> = found.into_iter().map(|one| one.id).collect();
    same("what Acme sees", &ids, &vec![id.to_owned()])
}

async fn another_jti(scene: &Scene) -> Result<(), Why> {
    let (acme, bolt) = (&scene.acme, &scene.bolt);
    let told = [item(ACME, "aac-9", &[UPDATED])];
    let jtis = scene.desk.publish_well(&told).await?;
    handed_out(&bolt.poll(&bolt.v4, &jtis).await?, &[])?;
    handed_out(&acme.poll(&acme.v4, &[]).await?, &jtis)?;
    handed_out(&acme.poll(&acme.v4, &jtis).await?, &[])
}

async fn unknown(scene: &Scene) -> Result<(), Why> {
    let bank = &scene.stranger.v4;
    refused(bank.subscriptions().read().await, 403, None)?;
    let wish = subscription("4.0", None)?;
    refused(bank.subscriptions().create(&wish).await, 403, None)?;
    Ok(())
}

async fn disabled(scene: &Scene) -> Result<(), Why> {
    let bolt = &scene.bolt;
    scene.desk.disable(BOLT).await?;
    refused(bolt.v4.subscriptions().read().await, 403, None)?;
    scene.desk.enable(BOLT).await?;
    bolt.v4.subscriptions().read().await?;
    Ok(())
}
