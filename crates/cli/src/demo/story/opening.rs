//! Who is who, and the tokens.

use super::super::player::Player;
use super::super::teller::{Interrupted, Teller};
use super::super::why::Why;
use super::super::world::Scene;

pub(super) async fn tell(teller: &mut Teller, scene: &Scene) -> Result<(), Interrupted> {
    teller.chapter("Beginnings")?;
    teller
        .step(
            "The bank's server says that it is ready",
            scene.desk.ready(),
        )
        .await?;
    let known = async {
        for (person, keys) in &scene.registrations {
            scene.desk.register(*person, keys).await?;
        }
        Ok(())
    };
    teller
        .step(
            "The bank registers two TPPs, Acme and Bolt, by its internal API",
            known,
        )
        .await?;
    let tokens = [
        (
            &scene.acme,
            "Acme gets an access token with a signed assertion (private_key_jwt)",
        ),
        (
            &scene.bolt,
            "Bolt gets one with nothing but its certificate (tls_client_auth)",
        ),
    ];
    for (tpp, what) in tokens {
        teller.step(what, asked(tpp)).await?;
    }
    Ok(())
}

async fn asked(tpp: &Player) -> Result<(), Why> {
    tpp.token().await.map(|_| ())
}
