//! Registrations that change, and what becomes of events.

use serde_json::{Value, json};

use super::super::cast::{ACME, BOLT};
use super::super::desk::{REVOKED, UPDATED, item};
use super::super::player::{callback, handed_out, subscription};
use super::super::teller::{Interrupted, Teller};
use super::super::why::{Why, refused, same};
use super::super::world::Scene;
use super::Subscribed;

/// An old client hears what it can understand.
pub(super) async fn versions(
    teller: &mut Teller,
    scene: &Scene,
    subscribed: &Subscribed,
) -> Result<(), Interrupted> {
    teller.chapter("Versions")?;
    let what =
        "Bolt says that it is a client of 3.1.0: it hears of resource-updates, and of nothing else";
    let old = async {
        let (bolt, wish) = (&scene.bolt, subscription("3.1.0", None)?);
        bolt.v3
            .subscriptions()
            .update(&subscribed.bolt, &wish)
            .await?;
        let items = [
            item(BOLT, "aac-5", &[REVOKED]),
            item(BOLT, "aac-5", &[UPDATED]),
        ];
        let outcomes = scene.desk.publish(&items).await?;
        let words: Vec<_> = outcomes.iter().map(|one| one.outcome.as_str()).collect();
        same(
            "the outcomes",
            &words,
            &vec!["not-subscribed-to-type", "accepted"],
        )?;
        let jtis: Vec<_> = outcomes.into_iter().filter_map(|one| one.jti).collect();
        handed_out(&bolt.poll(&bolt.v3, &[]).await?, &jtis)?;
        handed_out(&bolt.poll(&bolt.v3, &jtis).await?, &[])
    };
    teller.step(what, old).await
}

/// A subscription is changed, and then deleted.
pub(super) async fn tell(
    teller: &mut Teller,
    scene: &Scene,
    subscribed: &Subscribed,
) -> Result<(), Interrupted> {
    let (acme, desk) = (&scene.acme, &scene.desk);
    teller.chapter("Changing one's mind")?;
    let what = "Acme now wants revocations alone: what waits for it of other types is withdrawn";
    let narrowed = async {
        let items = [
            item(ACME, "aac-6", &[UPDATED]),
            item(ACME, "aac-6", &[REVOKED]),
        ];
        let jtis = desk.publish_well(&items).await?;
        let wish = subscription("4.0", Some(&[REVOKED]))?;
        acme.v4
            .subscriptions()
            .update(&subscribed.acme, &wish)
            .await?;
        handed_out(&acme.poll(&acme.v4, &[]).await?, &jtis[1..])?;
        same("withdrawn", &desk.counts(ACME).await?.withdrawn, &1)
    };
    teller.step(what, narrowed).await?;
    let what =
        "Acme deletes its subscription (204): what waits is withdrawn, and polls bring nothing";
    let deleted = async {
        let gone = acme.v4.subscriptions().delete(&subscribed.acme).await?;
        same("the status", &gone.status, &204)?;
        handed_out(&acme.poll(&acme.v4, &[]).await?, &[])?;
        let counts = desk.counts(ACME).await?;
        same(
            "withdrawn and outstanding",
            &(counts.withdrawn, counts.outstanding),
            &(2, 0),
        )
    };
    teller.step(what, deleted).await?;
    let what = "Its id is not found from then on, and nothing is published for Acme";
    let forgotten = async {
        let again = acme.v4.subscriptions().delete(&subscribed.acme).await;
        refused(again, 400, Some("U011"))?;
        let outcomes = desk.publish(&[item(ACME, "aac-7", &[UPDATED])]).await?;
        same(
            "the outcome",
            &outcomes[0].outcome.as_str(),
            &"no-subscription",
        )
    };
    teller.step(what, forgotten).await
}

/// The older way, and how the newer one stands before it.
pub(super) async fn callback_urls(teller: &mut Teller, scene: &Scene) -> Result<(), Interrupted> {
    let (acme, desk) = (&scene.acme, &scene.desk);
    let url = "https://127.0.0.1:4430/v3.1/event-notifications";
    teller.chapter("Callback-urls")?;
    let what =
        "Acme registers a callback-url in v3.1: its events are for pushing, and not for polling";
    let registered = async {
        let created = acme.v3.callback_urls().create(&callback(url)?).await?;
        same("the status", &created.status, &201)?;
        hears_by(scene, json!(url), false).await?;
        Ok(created.value.id)
    };
    let callback_id = teller.step(what, registered).await?;
    let what = "A subscription supersedes it: Acme polls, and nothing is for pushing";
    let superseded = async {
        let created = acme
            .v4
            .subscriptions()
            .create(&subscription("4.0", None)?)
            .await?;
        hears_by(scene, Value::Null, true).await?;
        let kept = acme.v3.callback_urls().read().await?.value;
        let kept: Vec<_> = kept.into_iter().map(|one| one.id).collect();
        same("the callback-urls", &kept, &vec![callback_id.clone()])?;
        Ok(created.value.id)
    };
    let subscription_id = teller.step(what, superseded).await?;
    let what = "Without it the callback-url counts again: a resource-update stays for it, a revocation is withdrawn";
    let returned = async {
        let items = [
            item(ACME, "aac-8", &[UPDATED]),
            item(ACME, "aac-8", &[REVOKED]),
        ];
        desk.publish_well(&items).await?;
        let before = desk.counts(ACME).await?;
        acme.v4.subscriptions().delete(&subscription_id).await?;
        hears_by(scene, json!(url), false).await?;
        let after = desk.counts(ACME).await?;
        same("newly withdrawn", &(after.withdrawn - before.withdrawn), &1)?;
        same("outstanding", &after.outstanding, &1)
    };
    teller.step(what, returned).await?;
    let what = "Acme deletes the callback-url, and the last of it is withdrawn";
    let over = async {
        let gone = acme.v3.callback_urls().delete(&callback_id).await?;
        same("the status", &gone.status, &204)?;
        same("outstanding", &desk.counts(ACME).await?.outstanding, &0)
    };
    teller.step(what, over).await
}

/// By which ways Acme gets its events.
async fn hears_by(scene: &Scene, pushed_to: Value, may_poll: bool) -> Result<(), Why> {
    let acme = scene.desk.look_at(ACME).await?;
    let delivery = &acme["delivery"];
    same("pushed_to", &delivery["pushed_to"], &pushed_to)?;
    same("may_poll", &delivery["may_poll"], &json!(may_poll))
}
