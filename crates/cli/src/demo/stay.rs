//! The world that stays: something is published now and then, Acme is pushed to, and Bolt is left to whoever sits at the
//! keyboard, with commands that work as they are printed.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::cast::{ACME, BOLT};
use super::desk::{REVOKED, UPDATED, item};
use super::player::{pushed_subscription, subscription};
use super::teller::Teller;
use super::why::Why;
use super::world::Scene;
use crate::failure::Failure;
use crate::shell_word::shell_word;

/// Until somebody ends it from outside, or it breaks.
pub(super) async fn stay(
    teller: &Teller,
    scene: &Scene,
    program: &Path,
) -> Result<Infallible, Failure> {
    begin(scene).await.map_err(broken)?;
    introduce(teller, scene, program)?;
    let (never, _) = tokio::try_join!(publish(teller, scene), receive(teller, scene))?;
    Ok(never)
}

/// Both TPPs are known, and subscribed to everything: Acme is pushed to, Bolt polls.
async fn begin(scene: &Scene) -> Result<(), Why> {
    for (person, keys) in &scene.registrations {
        scene.desk.register(*person, keys).await?;
    }
    let wishes = [
        (&scene.acme, pushed_subscription(&scene.inbox.url(ACME))?),
        (&scene.bolt, subscription("4.0", None)?),
    ];
    for (tpp, wish) in wishes {
        tpp.v4.subscriptions().create(&wish).await?;
    }
    Ok(())
}

/// Says what there is, and what to type.
fn introduce(teller: &Teller, scene: &Scene, program: &Path) -> Result<(), Failure> {
    let (shown, directory) = (scene.directory.display(), shell_word(&scene.directory));
    let (tpp, internal) = (scene.addresses.tpp, scene.addresses.internal);
    let toy = scene.addresses.toy;
    let every = PUBLISHED_EVERY.as_secs();
    let commands: Vec<_> = by_oyez(scene, program)
        .into_iter()
        .chain(by_hand(scene))
        .collect();
    let mut text = format!(
        "\
A bank for you to try, until Ctrl-C. Nothing of it is for production.

  TPPs call it at      https://{tpp}      (mutual TLS)
  for developers       https://{tpp}/developer
  the bank's own side  http://{internal}
  a toy gives tokens   https://{toy}/token
  keys, certificates, tokens and bank/oyez.toml are in {shown}

Two TPPs have subscribed. Acme is pushed to; Bolt polls, and is you. Every {every} s something is published for both.
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

/// What a TPP types, in any directory.
fn by_oyez(scene: &Scene, program: &Path) -> [(&'static str, String); 2] {
    let oyez = shell_word(program);
    let bolt = format!("-c {}", shell_word(&scene.directory.join("bolt.toml")));
    [
        (
            "Bolt's events as they come, each verified, handed over and acknowledged; Ctrl-C ends it",
            format!("{oyez} poll {bolt}"),
        ),
        (
            "what Bolt has subscribed to, by the bank's own signed word",
            format!("{oyez} subscription show {bolt}"),
        ),
    ]
}

/// What works as it is, in the world's directory, one after the other.
fn by_hand(scene: &Scene) -> Vec<(&'static str, String)> {
    let at = &scene.addresses;
    let (tpp, internal, toy) = (at.tpp, at.internal, at.toy);
    let bolt = "--cacert ca.crt --cert bolt.crt --key bolt.key";
    let token = r#"-H "Authorization: Bearer $TOKEN""#;
    let json = "-H 'Content-Type: application/json'";
    let event = item(BOLT, "my-consent", &[REVOKED]);
    vec![
        (
            "the same by hand: a token for Bolt, which proves itself by its certificate (tls_client_auth)",
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
            "Bolt acknowledges all that it was handed out, and gets what is new",
            format!(
                "ACK=$(curl -s {bolt} {token} {json} -d '{{\"returnImmediately\": true}}' \
                 https://{tpp}/open-banking/v4.0/events | sed 's/.*\"sets\":{{\\([^}}]*\\)}}.*/\\1/; s/:\"[^\"]*\"//g'); \
                 curl -sw '\\n' {bolt} {token} {json} -d \"{{\\\"returnImmediately\\\": true, \\\"ack\\\": [$ACK]}}\" \
                 https://{tpp}/open-banking/v4.0/events"
            ),
        ),
        (
            "how pushing to Acme goes",
            format!(
                "curl -sw '\\n' -H \"Authorization: Bearer $(cat viewer.token)\" http://{internal}/v1/endpoints/acme"
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

async fn receive(teller: &Teller, scene: &Scene) -> Result<Infallible, Failure> {
    for place in 0.. {
        let arrival = scene.inbox.next(ACME, place).await.map_err(broken)?;
        let jti = arrival.jti;
        let text = format!("  Acme's endpoint was pushed {jti}: verified, and answered with 202");
        teller.tell(&text, &json!({"pushed_to_acme": jti}))?;
    }
    unreachable!("it listens for longer than anybody waits")
}

fn broken(Why(why): Why) -> Failure {
    let what = format!("the demonstration broke down: {why}");
    Failure::cut_off(what, "start it again, and report this")
}

/// Often enough to see something, seldom enough to type in between.
const PUBLISHED_EVERY: Duration = Duration::from_secs(10);
