//! The library's own example, an axum application, does beside `oyez demo` what its first lines say.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Peer, installed};
use crate::bank::Desk;
use crate::demo::{Demo, line, shell};

//
#[tokio::test(flavor = "multi_thread")]
async fn the_axum_application_receives_what_the_bank_of_the_demonstration_pushes() {
    let desk = Desk::empty();
    let mut demo = Demo::start(&desk.path(""));
    assert!(line(&mut demo.stdout)["published"].is_array());
    let directory = demo.directory();
    let directory = directory.display();
    let example = installed("OYEZ_TEST_EXAMPLE", "debug/examples/receive");
    let words = [
        &*directory.to_string(),
        demo.world["tpp"].as_str().unwrap(),
        "127.0.0.1:0",
    ];
    let application = Peer::start(&example, &words, &[]);
    let url = application.until_told("listening on ").await;
    let subscribe = format!(
        "subscription update -c {directory}/bolt.toml --callback-url {url}/open-banking/v4.0/event-notifications"
    );
    let done = desk.run(&subscribe);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let first = application.until_told(": ").await;
    let (jti, of) = first.split_once(" of ").unwrap();
    assert!(of.contains("/account-access-consents/"), "{first}");
    application
        .until_told("    urn:uk:org:openbanking:events:")
        .await;

    // The bank heard that it was taken.
    let viewer = format!("cat {directory}/viewer.token");
    let token = shell(&viewer, Path::new("/"));
    let internal = demo.world["internal"].as_str().unwrap();
    let bearer = format!("Authorization: Bearer {token}");
    let ask = || {
        let url = format!("{internal}/v1/events/{jti}");
        let done = Command::new("curl")
            .args(["-s", "-H", &bearer, &url])
            .output();
        let file: Value = serde_json::from_slice(&done.unwrap().stdout).unwrap();
        Some(file).filter(|file| file["event"]["state"] == "acknowledged")
    };
    let file = application.until("it is acknowledged", |_| ask()).await;
    assert_eq!(file["event"]["settlement"]["reason"], "push");
}
