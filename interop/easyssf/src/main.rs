//! What others wrote for OpenID Shared Signals, put to work against oyez: easyssf's receiver polls and is pushed to, its verifier
//! judges SETs, and the transmitter of its tests signs some for oyez.
//!
//! `easyssf-peer poll|receive|transmit|verify FILE`: the file says in JSON what to do, and what happens is a line of JSON each on
//! standard output. Nothing of easyssf is replaced or patched; where it must be told to be lenient, the file says so.

mod believe;
mod poll;
mod receive;
mod tls;
mod transmit;
mod verify;

use std::error::Error;
use std::io::Write as _;

use serde_json::Value;

/// Whatever goes wrong ends the process; the test that started it shows why.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let mut words = std::env::args().skip(1);
    let (Some(role), Some(file)) = (words.next(), words.next()) else {
        return Err("usage: easyssf-peer poll|receive|transmit|verify FILE".into());
    };
    let wish: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    match role.as_str() {
        "poll" => poll::run(&wish).await,
        "receive" => receive::run(&wish).await,
        "transmit" => transmit::run(&wish).await,
        "verify" => verify::run(&wish).await,
        other => Err(format!("no role is called {other}").into()),
    }
}

/// A line for the test, at once.
fn say(what: &Value) {
    let mut out = std::io::stdout().lock();
    // A test that is over reads no more.
    let said = writeln!(out, "{what}").and_then(|()| out.flush());
    drop(said);
}

/// A text of the file.
fn text<'w>(wish: &'w Value, name: &str) -> Outcome<&'w str> {
    wish[name]
        .as_str()
        .ok_or_else(|| format!("the file lacks `{name}`").into())
}
