//! The story that `oyez demo --once` tells. Each step does something over the wire and checks what came of it; the first one
//! that fails ends the story.

mod changing;
mod opening;
mod polling;
mod pushing;
mod strangers;
mod subscribing;

use super::cast::Person;
use super::teller::{Interrupted, Teller};
use super::why::{Why, ensure, same};
use super::world::Scene;

pub(super) use pushing::retry_policy;

/// Tells it.
pub(super) async fn tell(teller: &mut Teller, scene: &Scene) -> Result<(), Interrupted> {
    opening::tell(teller, scene).await?;
    let subscribed = subscribing::tell(teller, scene).await?;
    polling::tell(teller, scene).await?;
    changing::versions(teller, scene, &subscribed).await?;
    changing::tell(teller, scene, &subscribed).await?;
    changing::callback_urls(teller, scene).await?;
    pushing::tell(teller, scene, &subscribed).await?;
    strangers::tell(teller, scene, &subscribed).await?;
    books(teller, scene).await
}

/// The ids of the subscriptions.
struct Subscribed {
    acme: String,
    bolt: String,
}

async fn books(teller: &mut Teller, scene: &Scene) -> Result<(), Interrupted> {
    teller.chapter("The books")?;
    for person in [scene.acme.person, scene.bolt.person] {
        let name = person.name;
        teller
            .measured(
                &format!("Every event for {name} stands in exactly one place"),
                balanced(scene, person),
            )
            .await?;
    }
    Ok(())
}

async fn balanced(scene: &Scene, person: Person) -> Result<((), String), Why> {
    let counts = scene.desk.counts(person).await?;
    ensure(counts.balance(), || {
        format!("the counts do not balance: {counts:?}")
    })?;
    same("outstanding", &counts.outstanding, &0)?;
    let note = format!(
        "{} accepted: {} acknowledged, {} withdrawn",
        counts.accepted, counts.acknowledged, counts.withdrawn
    );
    Ok(((), note))
}
