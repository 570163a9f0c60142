//! `oyez dev`: a TPP by hand, at the bank that `oyez init` made.

use serde_json::Value;

use super::bank::{Desk, assert_session};
use super::serve::Server;

// A-02, A-05, M-01
#[test]
fn with_its_tokens_and_signatures_a_tpp_subscribes_and_polls() {
    let desk = Desk::with_bank();
    let server = Server::start(&desk);
    let bearer = subscribe(&desk, &server);
    let (status, body) = server.ask(
        &mut server.tpp_as_itself(&desk),
        "POST /open-banking/v4.0/events",
        &bearer,
        r#"{"returnImmediately": true}"#,
    );
    assert_eq!(status, 200, "{body}");
}

/// Subscribes the TPP of the bank to everything; what it authorises itself by is returned.
pub(crate) fn subscribe(desk: &Desk, server: &Server) -> String {
    let wish = r#"{"Data": {"Version": "4.0"}}"#;
    desk.write("wish.json", wish);
    let token = desk.run("dev token -c bank/oyez.toml --scope accounts,payments");
    assert_eq!(token.code, 0, "{}", token.stderr);
    let signature = desk.run("dev sign -c bank/oyez.toml wish.json");
    assert_eq!(signature.code, 0, "{}", signature.stderr);
    let bearer = format!("Authorization: Bearer {}", token.stdout.trim());
    let signed = format!("{bearer}\r\nx-jws-signature: {}", signature.stdout.trim());
    let (status, body) = server.ask(
        &mut server.tpp_as_itself(desk),
        "POST /open-banking/v4.0/event-subscriptions",
        &signed,
        wish,
    );
    assert_eq!(status, 201, "{body}");
    bearer
}

// A-02
#[test]
fn no_token_is_made_where_the_configuration_is_not_for_development() {
    let desk = Desk::with_bank();
    let words = "dev token -c bank/oyez.toml";
    let mut sessions = Vec::new();
    desk.write(
        "bank/development/other.jwks",
        &desk.read("bank/development/tokens.jwks"),
    );
    desk.configure(
        "jwks = \"development/tokens.jwks\"",
        "jwks = \"development/other.jwks\"",
    );
    sessions.push(desk.session(&[words]));
    desk.configure(
        "jwks = \"development/other.jwks\"",
        "jwks = \"development/tokens.jwks\"",
    );
    desk.write(
        "bank/development/tokens.jwks",
        &desk.read("bank/development/tpp.jwks"),
    );
    sessions.push(desk.session(&[words]));
    desk.configure(
        "issuer = \"https://localhost/DEVELOPMENT-ONLY\"",
        "issuer = \"https://auth.bank.example\"",
    );
    sessions.push(desk.session(&[words, "dev sign -c bank/oyez.toml wish.json"]));
    assert_session!(sessions.join("\n"));
}

// A-02, A-05
#[test]
fn a_token_says_what_it_is_for_and_how_long_it_holds() {
    let desk = Desk::with_bank();
    let words =
        "dev token -c bank/oyez.toml --tpp acme --certificate bank/development/server.crt --json";
    let done = desk.run(words);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(
        done.stderr
            .starts_with("For development only: a token for acme until "),
        "{}",
        done.stderr
    );
    assert!(
        done.stderr
            .trim_end()
            .ends_with("with bank/development/server.crt alone."),
        "{}",
        done.stderr
    );
    let said: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (said["client_id"].as_str(), said["scope"].as_str()),
        (Some("acme"), Some("accounts"))
    );
    assert_eq!(said["access_token"].as_str().unwrap().split('.').count(), 3);
}
