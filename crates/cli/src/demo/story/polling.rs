//! From a published event to an acknowledged SET.

use std::time::Duration;

use oyez_tpp::{PollRequest, PolledSet, SetError, VerifyError};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::cast::{ACME, BANK_ISSUER, BOLT};
use super::super::desk::{Outcome, REVOKED, UPDATED, item};
use super::super::player::handed_out;
use super::super::teller::{Interrupted, Teller};
use super::super::why::{Why, ensure, same};
use super::super::world::Scene;

pub(super) async fn tell(teller: &mut Teller, scene: &Scene) -> Result<(), Interrupted> {
    teller.chapter("Publishing and polling")?;
    let batch = batch();
    let what = "The bank publishes four events in one call; each is accepted under a jti";
    let published = teller.step(what, publish(scene, &batch)).await?;
    let what =
        "The same call again is recognised by its idempotency keys: four duplicates, the same jtis";
    teller.step(what, repeat(scene, &batch, &published)).await?;
    let (acmes, bolts) = published.split_at(3);
    let what =
        "Acme polls: three SETs signed with PS256, each verified with the bank's published keys";
    let fetched = teller.step(what, fetch(scene, acmes)).await?;
    let what = "A SET in which one letter was changed is not believed";
    teller.step(what, forged(scene, &fetched)).await?;
    let what = "Acme acknowledges them, and they are gone";
    teller.step(what, acknowledge(scene, acmes)).await?;
    let what = "The bank can tell what became of one: handed out, acknowledged, by which SET";
    teller.step(what, evidence(scene, &acmes[0])).await?;
    let what = "Bolt reports an error with its event; it is offered again, the same bytes, when its delay of 1 s has passed";
    teller.measured(what, set_aside(scene, bolts)).await?;
    let what = "Acme's waiting poll is woken by a publication, and the SET is there";
    teller.measured(what, woken(scene)).await
}

/// Three for Acme, one for Bolt.
fn batch() -> Vec<Value> {
    let told = [
        (ACME, "aac-1", UPDATED),
        (ACME, "aac-1", REVOKED),
        (ACME, "aac-2", UPDATED),
        (BOLT, "aac-3", UPDATED),
    ];
    let items = told.into_iter().enumerate().map(|(index, told)| {
        let (person, consent, event) = told;
        let mut item = item(person, consent, &[event]);
        item["idempotency_key"] = json!(format!("core-{index}"));
        item
    });
    items.collect()
}

async fn publish(scene: &Scene, batch: &[Value]) -> Result<Vec<String>, Why> {
    scene.desk.publish_well(batch).await
}

async fn repeat(scene: &Scene, batch: &[Value], published: &[String]) -> Result<(), Why> {
    let outcomes = scene.desk.publish(batch).await?;
    let expected = published.iter().map(|jti| Outcome {
        outcome: "duplicate".to_owned(),
        jti: Some(jti.clone()),
    });
    same("the outcomes", &outcomes, &expected.collect())
}

async fn fetch(scene: &Scene, jtis: &[String]) -> Result<Vec<PolledSet>, Why> {
    let acme = &scene.acme;
    let sets = acme.poll(&acme.v4, &[]).await?;
    handed_out(&sets, jtis)?;
    for set in &sets {
        let verified = set
            .outcome
            .as_ref()
            .map_err(|error| Why::from(error.clone()))?;
        same(
            "alg",
            &verified
                .header
                .algorithm()
                .and_then(Result::ok)
                .map(|it| it.name()),
            &Some("PS256"),
        )?;
        same("iss", &verified.claims.iss.as_str(), &BANK_ISSUER)?;
        same("aud", &verified.claims.aud.as_str(), &ACME.client_id)?;
    }
    Ok(sets)
}

/// Another letter in the middle of the claims.
async fn forged(scene: &Scene, sets: &[PolledSet]) -> Result<(), Why> {
    let mut letters: Vec<char> = sets[0].raw.chars().collect();
    let dots = letters
        .iter()
        .enumerate()
        .filter(|(_, letter)| **letter == '.');
    let dots: Vec<_> = dots.map(|(place, _)| place).collect();
    let middle = (dots[0] + dots[1]) / 2;
    letters[middle] = if letters[middle] == 'A' { 'B' } else { 'A' };
    let forged: String = letters.into_iter().collect();
    let verifier = scene.acme.v4.set_verifier();
    match verifier.verify(&forged).await {
        Err(VerifyError::Token(_)) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Why("it was believed".to_owned())),
    }
}

async fn acknowledge(scene: &Scene, jtis: &[String]) -> Result<(), Why> {
    let acme = &scene.acme;
    let left = acme.poll(&acme.v4, jtis).await?;
    handed_out(&left, &[])?;
    let counts = scene.desk.counts(ACME).await?;
    let stand = (counts.acknowledged, counts.outstanding);
    same("acknowledged and outstanding", &stand, &(3, 0))
}

async fn evidence(scene: &Scene, jti: &str) -> Result<(), Why> {
    let file = scene.desk.event(jti).await?;
    same("its state", &file["event"]["state"], &json!("acknowledged"))?;
    for (list, what) in [
        ("hand_outs", "hand-out"),
        ("sets", "SET"),
        ("settlements", "end"),
    ] {
        let found = file[list].as_array().map_or(0, Vec::len);
        ensure(found == 1, || {
            format!("one {what} was expected, not {found}")
        })?;
    }
    Ok(())
}

async fn set_aside(scene: &Scene, jtis: &[String]) -> Result<((), String), Why> {
    let bolt = &scene.bolt;
    // Before the hand-out, so that a slow answer cannot make the delay look shorter than it was.
    let asked_at = Instant::now();
    let first = bolt.poll(&bolt.v3, &[]).await?;
    handed_out(&first, jtis)?;
    let error = SetError {
        err: "processingError".to_owned(),
        description: "the database is away for a moment".to_owned(),
    };
    let report = PollRequest {
        max_events: Some(0),
        return_immediately: Some(true),
        set_errs: vec![(jtis[0].clone(), error)],
        ..PollRequest::default()
    };
    bolt.v3.polls().poll(&report).await?;
    let again = bolt.wait(&bolt.v3).await?;
    let after = asked_at.elapsed();
    handed_out(&again, jtis)?;
    same("the SET", &again[0].raw, &first[0].raw)?;
    ensure(after >= ALMOST_THE_DELAY, || {
        format!("it came back after {after:?} already")
    })?;
    bolt.poll(&bolt.v3, jtis).await?;
    Ok(((), format!("{} ms later", after.as_millis())))
}

async fn woken(scene: &Scene) -> Result<((), String), Why> {
    let (acme, desk) = (&scene.acme, &scene.desk);
    let waits = async {
        let sets: Vec<PolledSet> = acme.wait(&acme.v4).await?;
        Ok::<_, Why>((sets, Instant::now()))
    };
    let publishes = async {
        desk.until_a_poll_waits().await?;
        let began = Instant::now();
        let jtis = desk
            .publish_well(&[item(ACME, "aac-4", &[REVOKED])])
            .await?;
        Ok((jtis, began))
    };
    let ((sets, ended), (jtis, began)) = tokio::try_join!(waits, publishes)?;
    handed_out(&sets, &jtis)?;
    acme.poll(&acme.v4, &jtis).await?;
    let ms = ended.duration_since(began).as_secs_f64() * 1000.0;
    let note = format!("{ms:.1} ms from the publisher's call to the verified SET");
    Ok(((), note))
}

/// The ledger counts by another clock, in whole milliseconds.
const ALMOST_THE_DELAY: Duration = Duration::from_millis(990);
