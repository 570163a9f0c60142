//! The world that stays: something is published now and then, Acme listens by itself, and Bolt is left to whoever sits at the
//! keyboard, with commands that work as they are printed.

use std::convert::Infallible;
use std::time::Duration;

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::cast::{ACME, BOLT};
use super::desk::{REVOKED, UPDATED, item};
use super::player::subscription;
use super::teller::Teller;
use super::why::Why;
use super::world::Scene;
use crate::failure::Failure;

/// Until somebody ends it from outside, or it breaks.
pub(super) async fn stay(teller: &Teller, scene: &Scene) -> Result<Infallible, Failure> {
    begin(scene).await.map_err(broken)?;
    introduce(teller, scene)?;
    let (never, _) = tokio::try_join!(publish(teller, scene), listen(teller, scene))?;
    Ok(never)
}

/// Both TPPs are known, and subscribed to everything.
async fn begin(scene: &Scene) -> Result<(), Why> {
    for (person, keys) in &scene.registrations {
        scene.desk.register(*person, keys).await?;
    }
    for tpp in [&scene.acme, &scene.bolt] {
        let wish = subscription("4.0", None)?;
        tpp.v4.subscriptions().create(&wish).await?;
    }
    Ok(())
}

/// Says what there is, and what to type.
fn introduce(teller: &Teller, scene: &Scene) -> Result<(), Failure> {
    let directory = scene.directory.display();
    let (tpp, internal) = (scene.addresses.tpp, scene.addresses.internal);
    let toy = scene.addresses.toy;
    let every = PUBLISHED_EVERY.as_secs();
    let commands = commands(scene);
    let mut text = format!(
        "\
A bank for you to try, until Ctrl-C. Nothing of it is for production.

  TPPs call it at      https://{tpp}      (mutual TLS)
  the bank's own side  http://{internal}
  a toy gives tokens   https://{toy}/token
  keys, certificates, tokens and bank/oyez.toml are in {directory}

Two TPPs have subscribed. Acme listens by itself; Bolt is you. Every {every} s something is published for both.
Paste this in another terminal:

  cd {directory}
"
    );
    for (what, command) in &commands {
        text.push_str(&format!("\n  # {what}\n  {command}\n"));
    }
    let commands: Vec<_> = commands
        .iter()
        .map(|(what, command)| json!({"what": what, "command": command}))
        .collect();
    let facts = json!({
        "tpp": format!("https://{tpp}"),
        "internal": format!("http://{internal}"),
        "token_endpoint": format!("https://{toy}/token"),
        "directory": scene.directory,
        "commands": commands,
    });
    teller.tell(&text, &facts)
}

/// What works as it is, in the world's directory, one after the other.
fn commands(scene: &Scene) -> Vec<(&'static str, String)> {
    let at = &scene.addresses;
    let (tpp, internal, toy) = (at.tpp, at.internal, at.toy);
    let bolt = "--cacert ca.crt --cert bolt.crt --key bolt.key";
    let token = r#"-H "Authorization: Bearer $TOKEN""#;
    let json = "-H 'Content-Type: application/json'";
    let event = item(BOLT, "my-consent", &[REVOKED]);
    vec![
        (
            "a token for Bolt, which proves itself by its certificate (tls_client_auth)",
            format!(
                "TOKEN=$(curl -s {bolt} -d grant_type=client_credentials -d client_id=bolt -d scope=accounts \
                 https://{toy}/token | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')"
            ),
        ),
        (
            "what Bolt has subscribed to",
            format!(
                "curl -sw '\\n' {bolt} {token} https://{tpp}/open-banking/v4.0/event-subscriptions"
            ),
        ),
        (
            "the bank publishes an event for Bolt",
            format!(
                "curl -sw '\\n' -H \"Authorization: Bearer $(cat publisher.token)\" {json} -d '{event}' \
                 http://{internal}/v1/events"
            ),
        ),
        (
            "Bolt polls; with false it waits for an event",
            format!(
                "curl -sw '\\n' {bolt} {token} {json} -d '{{\"returnImmediately\": true}}' \
                 https://{tpp}/open-banking/v4.0/events"
            ),
        ),
        (
            "the keys that the bank's SETs are verified with",
            format!("curl -sw '\\n' --cacert ca.crt https://{tpp}/jwks"),
        ),
        (
            "what monitoring sees",
            format!("curl -s http://{internal}/metrics"),
        ),
    ]
}

async fn publish(teller: &Teller, scene: &Scene) -> Result<Infallible, Failure> {
    let mut turns = interval(PUBLISHED_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = [UPDATED, REVOKED];
    for turn in 0_usize.. {
        turns.tick().await;
        let consent = format!("consent-{}", turn + 1);
        let event = events[turn % events.len()];
        let items = [ACME, BOLT].map(|person| item(person, &consent, &[event]));
        let jtis = scene.desk.publish_well(&items).await.map_err(broken)?;
        let (_, short) = event.rsplit_once(':').unwrap_or_default();
        let text = format!("The bank publishes for Acme and Bolt: {short} of {consent}");
        teller.tell(
            &text,
            &json!({"published": jtis, "type": event, "consent": consent}),
        )?;
    }
    unreachable!("it publishes for longer than anybody waits")
}

async fn listen(teller: &Teller, scene: &Scene) -> Result<Infallible, Failure> {
    let acme = &scene.acme;
    loop {
        let sets = acme.wait(&acme.v4).await.map_err(broken)?;
        if sets.is_empty() {
            continue;
        }
        let jtis: Vec<_> = sets.into_iter().map(|set| set.jti).collect();
        acme.acknowledge(&acme.v4, &jtis).await.map_err(broken)?;
        let text = format!(
            "  Acme's waiting poll was answered: {} verified and acknowledged",
            jtis.join(", ")
        );
        teller.tell(&text, &json!({"acknowledged_by_acme": jtis}))?;
    }
}

fn broken(Why(why): Why) -> Failure {
    let what = format!("the demonstration broke down: {why}");
    Failure::cut_off(what, "start it again, and report this")
}

/// Often enough to see something, seldom enough to type in between.
const PUBLISHED_EVERY: Duration = Duration::from_secs(10);
