//! That a bank in a test watches over the test.

use oyez_store::Error;
use oyez_testkit::bank::{Bank, Signs};
use oyez_testkit::tpp::Caller;
use rustls::version::TLS12;
use serde_json::json;

const SUBSCRIPTIONS: &str = "/open-banking/v4.0/event-subscriptions";
const EVENTS: &str = "/open-banking/v4.0/events";

async fn subscribed(bank: &Bank) -> Caller {
    let tpp = bank.tpp("tpp-1").await;
    let body = json!({ "Data": { "Version": "4.0" } });
    let created = tpp.post(SUBSCRIPTIONS).json(&body).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    tpp
}

#[tokio::test]
#[should_panic(expected = "polls still wait")]
async fn a_poll_left_behind_fails_the_test() {
    let bank = Bank::builder().signs(Signs::Es256).start().await;
    let tpp = subscribed(&bank).await;
    let poll = tpp
        .post(EVENTS)
        .json(&json!({ "returnImmediately": false }));
    tokio::select! {
        answer = poll.try_send() => panic!("{answer:?}"),
        () = bank.until_waiting(1) => drop(bank),
    }
}

#[tokio::test]
async fn a_faulty_ledger_counts_fails_and_is_mended() {
    let bank = Bank::start().await;
    let tpp = subscribed(&bank).await;
    let asked = bank.store().asked("poll");
    bank.store().fail_at("poll", Error::DiskFull);
    assert_eq!(tpp.post(EVENTS).json(&json!({})).send().await.status, 503);
    assert_eq!(tpp.get(SUBSCRIPTIONS).send().await.status, 200);
    bank.store().mend();
    assert_eq!(tpp.post(EVENTS).json(&json!({})).send().await.status, 200);
    assert_eq!(bank.store().asked("poll"), asked + 2);
}

//
#[tokio::test]
async fn tls_1_2_is_spoken_with_rsa() {
    let bank = Bank::builder().rsa_certificate().start().await;
    let tpp = bank.tpp("tpp-1").await.with_tls(&[&TLS12]);
    let certificate = bank.site().authority.client_rsa("tpp-1");
    let tpp = tpp.with_certificate(Some(certificate));
    assert_eq!(tpp.get(SUBSCRIPTIONS).send().await.status, 200);
}

#[tokio::test]
async fn a_kept_connection_carries_several_requests() {
    let bank = Bank::start().await;
    let tpp = bank.tpp("tpp-1").await;
    let mut connection = tpp.keep_alive().await.expect("a handshake");
    for _ in 0..3 {
        let answer = tpp.get(SUBSCRIPTIONS).try_send_on(&mut connection).await;
        assert_eq!(answer.expect("an answer").status, 200);
    }
}

#[tokio::test]
async fn bytes_that_are_no_http_end_the_connection_and_nothing_else() {
    let bank = Bank::start().await;
    let tpp = bank.tpp("tpp-1").await;
    let mut socket = tpp.dial().await.expect("a handshake");
    socket
        .write(b"\x00\x01 garbage\r\n\r\n")
        .await
        .expect("it is taken");
    let said = socket.read_to_end().await.expect("an end");
    assert!(!said.starts_with(b"HTTP/1.1 2"), "{said:?}");
    assert_eq!(tpp.get(SUBSCRIPTIONS).send().await.status, 200);
}
