//! Pushed the moment it is accepted; an outage that loses nothing; an endpoint that is given up, and comes back.

use std::collections::BTreeSet;

use serde_json::json;
use tokio::time::Instant;

use super::super::cast::{ACME, BOLT, Person};
use super::super::desk::{REVOKED, UPDATED, item};
use super::super::inbox::{Arrival, Mood};
use super::super::player::{Player, handed_out, pushed_subscription};
use super::super::teller::{Interrupted, Teller};
use super::super::why::{Why, same};
use super::super::world::Scene;
use super::Subscribed;

pub(super) async fn tell(
    teller: &mut Teller,
    scene: &Scene,
    subscribed: &Subscribed,
) -> Result<(), Interrupted> {
    teller.chapter("Pushing")?;
    let what = "Acme subscribes with a CallbackUrl: what is published is at its endpoint at once, and verified";
    let (id, jti) = teller.measured(what, pushed(scene)).await?;
    let what =
        "Its 202 was the acknowledgement: nothing is left to poll, and the attempt is on record";
    teller.step(what, on_record(scene, &jti)).await?;
    let what = "Acme's endpoint fails: the bank tries again by its retry policy, one event for all";
    let waiting = teller.step(what, outage(scene)).await?;
    let what = "It is back: the probe is taken and the rest follows at once, byte for byte what had been tried";
    teller.step(what, recovery(scene, waiting)).await?;
    teller
        .step("Acme unsubscribes", unsubscribed(&scene.acme, &id))
        .await?;
    let what = "Bolt's endpoint stays away: after three retries the bank declares it unresponsive";
    let stays_away = given_up(scene, subscribed);
    let missed = teller.measured(what, stays_away).await?;
    let what = "What was never acknowledged is not lost: Bolt catches up by polling";
    teller.step(what, caught_up(scene, &missed)).await?;
    let what = "Bolt puts its subscription anew: pushing resumes";
    teller.step(what, resumed(scene, subscribed)).await
}

async fn pushed(scene: &Scene) -> Result<((String, String), String), Why> {
    let wish = pushed_subscription(&scene.inbox.url(ACME))?;
    let created = scene.acme.v4.subscriptions().create(&wish).await?;
    let began = Instant::now();
    let told = [item(ACME, "aac-20", &[UPDATED])];
    let jtis = scene.desk.publish_well(&told).await?;
    let arrivals = scene.inbox.until(ACME, 0, |all| !all.is_empty()).await?;
    let took = arrivals[0].at.duration_since(began);
    same("what came", &jtis_of(&arrivals), &jtis)?;
    let ms = took.as_secs_f64() * 1000.0;
    let note = format!("{ms:.1} ms after the publisher's call began");
    Ok(((created.value.id, jtis[0].clone()), note))
}

async fn on_record(scene: &Scene, jti: &str) -> Result<(), Why> {
    scene.desk.until_settled(ACME).await?;
    handed_out(&scene.acme.poll(&scene.acme.v4, &[]).await?, &[])?;
    let file = scene.desk.event(jti).await?;
    same("its state", &file["event"]["state"], &json!("acknowledged"))?;
    let attempts = file["attempts"].as_array().map_or(0, Vec::len);
    same("the attempts", &attempts, &1)?;
    let status = &file["attempts"][0]["answer"]["status"];
    same("the status", status, &json!(202))
}

/// What waits for Acme, and how many pushes it had got before.
struct Waiting {
    jtis: Vec<String>,
    pushes_before: usize,
}

async fn outage(scene: &Scene) -> Result<Waiting, Why> {
    let pushes_before = scene.inbox.arrivals(ACME).len();
    scene.inbox.answer(ACME, Mood::Fails);
    let told = ["aac-21", "aac-22", "aac-23"].map(|consent| item(ACME, consent, &[REVOKED]));
    let jtis = scene.desk.publish_well(&told).await?;
    let probed_twice = |all: &[Arrival]| all.len() >= jtis.len() + 2;
    scene.inbox.until(ACME, pushes_before, probed_twice).await?;
    scene.desk.until_endpoint(ACME, "failing").await?;
    let outstanding = scene.desk.counts(ACME).await?.outstanding;
    same("outstanding", &outstanding, &3)?;
    Ok(Waiting {
        jtis,
        pushes_before,
    })
}

async fn recovery(scene: &Scene, waiting: Waiting) -> Result<(), Why> {
    scene.inbox.answer(ACME, Mood::Takes);
    let is_taken = |one: &&Arrival| one.mood == Mood::Takes;
    let all_taken = |all: &[Arrival]| all.iter().filter(is_taken).count() >= 3;
    let arrivals = scene.inbox.until(ACME, waiting.pushes_before, all_taken);
    let arrivals = arrivals.await?;
    let taken: Vec<Arrival> = arrivals.iter().filter(is_taken).cloned().collect();
    let mut found = jtis_of(&taken);
    // They start in order, and those under way together may arrive in any.
    found.sort_unstable();
    let mut expected = waiting.jtis;
    expected.sort_unstable();
    same("what came", &found, &expected)?;
    let bytes: BTreeSet<&String> = arrivals.iter().map(|one| &one.set).collect();
    same("different SETs of three events", &bytes.len(), &3)?;
    scene.desk.until_settled(ACME).await?;
    scene.desk.until_endpoint(ACME, "responsive").await
}

async fn unsubscribed(tpp: &Player, id: &str) -> Result<(), Why> {
    let gone = tpp.v4.subscriptions().delete(id).await?;
    same("the status", &gone.status, &204)
}

async fn given_up(scene: &Scene, subscribed: &Subscribed) -> Result<(Vec<String>, String), Why> {
    scene.inbox.answer(BOLT, Mood::Fails);
    resubscribe(scene, subscribed).await?;
    let began = Instant::now();
    let told = [item(BOLT, "aac-24", &[UPDATED])];
    let jtis = scene.desk.publish_well(&told).await?;
    scene.desk.until_endpoint(BOLT, "unresponsive").await?;
    let took = began.elapsed();
    same(
        "the requests",
        &scene.inbox.arrivals(BOLT).len(),
        &(RETRIES_MAX as usize + 1),
    )?;
    let counts = scene.desk.counts(BOLT).await?;
    same("outstanding", &counts.outstanding, &1)?;
    Ok((jtis, format!("{} ms after the first", took.as_millis())))
}

async fn caught_up(scene: &Scene, jtis: &[String]) -> Result<(), Why> {
    let bolt = &scene.bolt;
    let sets = bolt.poll(&bolt.v4, &[]).await?;
    handed_out(&sets, jtis)?;
    let pushed = scene.inbox.arrivals(BOLT);
    same("the SET", &sets[0].raw, &pushed[0].set)?;
    handed_out(&bolt.poll(&bolt.v4, jtis).await?, &[])
}

async fn resumed(scene: &Scene, subscribed: &Subscribed) -> Result<(), Why> {
    let before = scene.inbox.arrivals(BOLT).len();
    scene.inbox.answer(BOLT, Mood::Takes);
    let told = [item(BOLT, "aac-25", &[UPDATED])];
    let jtis = scene.desk.publish_well(&told).await?;
    resubscribe(scene, subscribed).await?;
    let arrivals = scene
        .inbox
        .until(BOLT, before, |all| !all.is_empty())
        .await?;
    same("what came", &jtis_of(&arrivals), &jtis)?;
    scene.desk.until_settled(BOLT).await?;
    scene.desk.until_endpoint(BOLT, "responsive").await
}

async fn resubscribe(scene: &Scene, subscribed: &Subscribed) -> Result<(), Why> {
    let wish = pushed_subscription(&scene.inbox.url(BOLT))?;
    let subscriptions = scene.bolt.v4.subscriptions();
    subscriptions.update(&subscribed.bolt, &wish).await?;
    Ok(())
}

/// What came; the receiver has verified each SET with the bank's published keys.
fn jtis_of(arrivals: &[Arrival]) -> Vec<String> {
    arrivals.iter().map(|one| one.jti.clone()).collect()
}

/// Of Bolt, as the bank registered it: after so many retries its endpoint is given up.
pub(in super::super) const RETRIES_MAX: u32 = 3;

/// How often the bank tries whom.
pub(in super::super) fn retry_policy(person: Person) -> serde_json::Value {
    let retries_max = if person == BOLT { RETRIES_MAX } else { 100 };
    json!({"base": "50ms", "factor": 2.0, "ceiling": "200ms", "retries_max": retries_max, "window": "1h"})
}
