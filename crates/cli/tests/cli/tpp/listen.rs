//! `oyez listen`: what a bank pushes arrives at the application, verified, before the bank hears that it did.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oyez_testkit::endpoint::{Behaviour, Manner, Seen};
use oyez_tpp::{HeaderMap, Response, header};
use serde_json::{Value, json};

use super::{
    APPLICATION, Firm, SECRET, file_of, is_acknowledged, issuer, jtis, publish, quick_house,
    until_file,
};
use crate::house::{House, NOTIFICATIONS};

/// A firm that listens to a house, and is pushed to.
async fn pushed(house: &House) -> Firm {
    let firm = Firm::of("tpp-1", &[house]).await;
    firm.subscribe(&format!("--callback-url {}", firm.callback_url()));
    firm
}

//
#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_a_line_of_json_on_standard_output_and_acknowledged() {
    let house = quick_house(&[]);
    let firm = pushed(&house).await;
    let listening = firm.listen().await;
    let jti = publish(&house, "tpp-1", "one").await;
    let records = firm.until_records("out", 1).await;
    let file = until_file(&house, &jti, is_acknowledged).await;
    let record = &records[0];
    let (of, set) = (&record["claims"], &file["sets"][0]);
    assert_eq!(record["jti"], jti.as_str());
    assert_eq!(of["iss"], issuer(0));
    assert_eq!((of, &record["set"]), (&set["claims"], &set["set"]));
    assert_eq!(
        (
            &record["bank"],
            &record["via"],
            &record["maybe_repeated"],
            &record["interaction_id"]
        ),
        (
            &json!("bank-0"),
            &json!("push"),
            &json!(false),
            &file["attempts"][0]["interaction_id"]
        )
    );
    assert_eq!(file["attempts"][0]["answer"]["status"], 202, "{file:#}");
    assert_eq!(listening.stop().code(), Some(0), "{}", firm.text("log"));
}

//
#[tokio::test(flavor = "multi_thread")]
async fn the_application_gets_posts_that_it_can_check_and_the_bank_its_202_after_them() {
    let house = quick_house(&[]);
    let firm = pushed(&house).await;
    let application = firm.application().await;
    application.behave(
        APPLICATION,
        Manner::steps([(1, Behaviour::status(500))], Behaviour::status(204)),
    );
    let _listening = firm.listen().await;
    let jti = publish(&house, "tpp-1", "one").await;
    application.until_count(APPLICATION, 1).await;
    let tried = until_file(&house, &jti, |file| attempts(file).len() == 1).await;
    assert_eq!(
        (&tried["event"]["state"], attempts(&tried)[0]),
        (&json!("outstanding"), 503)
    );
    let file = until_file(&house, &jti, is_acknowledged).await;
    assert_eq!(attempts(&file), [503, 202]);
    let inbox = application.inbox(APPLICATION);
    let repeated: Vec<Value> = inbox.arrivals().iter().map(|post| checked(post)).collect();
    let repeated: Vec<_> = repeated
        .iter()
        .map(|it| (it["jti"].as_str().unwrap(), &it["maybe_repeated"]))
        .collect();
    assert_eq!(repeated, [(&*jti, &json!(false)), (&*jti, &json!(true))]);
}

//
#[tokio::test(flavor = "multi_thread")]
async fn what_the_application_will_never_take_is_refused_in_its_words() {
    let house = quick_house(&[]);
    let firm = pushed(&house).await;
    let application = firm.application().await;
    let never = Behaviour::status(422).with_body("no such customer");
    application.behave(APPLICATION, never);
    let _listening = firm.listen().await;
    let jti = publish(&house, "tpp-1", "one").await;
    let file = until_file(&house, &jti, |file| !attempts(file).is_empty()).await;
    let answer = &file["attempts"][0]["answer"];
    assert_eq!(answer["status"], 400, "{file:#}");
    let body: Value = serde_json::from_str(answer["body_head"].as_str().unwrap()).unwrap();
    assert_eq!(body["description"], "no such customer");
}

//
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_appended_to_and_may_be_moved_away() {
    let house = quick_house(&[]);
    let firm = pushed(&house).await;
    // What a power failure leaves behind.
    firm.desk().write("events", "{\"jti\":\"torn");
    firm.hand_over("to = \"file\"\nfile = \"events\"");
    let _listening = firm.listen().await;
    let first = publish(&house, "tpp-1", "one").await;
    assert_eq!(jtis(&firm.until_records("events", 1).await), [&*first]);
    assert!(firm.text("events").starts_with("{\"jti\":\"torn\n{"));
    std::fs::rename(firm.desk().path("events"), firm.desk().path("events.old")).unwrap();
    let second = publish(&house, "tpp-1", "two").await;
    assert_eq!(jtis(&firm.until_records("events", 1).await), [&*second]);
    assert_eq!(jtis(&firm.records("events.old")), [&*first]);
    until_file(&house, &second, is_acknowledged).await;
}

//
#[tokio::test(flavor = "multi_thread")]
async fn a_command_has_an_event_when_it_exits_with_0() {
    let house = quick_house(&[]);
    let firm = pushed(&house).await;
    let command = "test $OYEZ_MAYBE_REPEATED = true || exit 1; cat >> taken; echo $OYEZ_BANK $OYEZ_JTI >> names";
    firm.hand_over(&format!("to = \"command\"\ncommand = \"{command}\""));
    let _listening = firm.listen().await;
    let jti = publish(&house, "tpp-1", "one").await;
    let file = until_file(&house, &jti, is_acknowledged).await;
    assert_eq!(attempts(&file), [503, 202]);
    assert_eq!(jtis(&firm.records("taken")), [&*jti]);
    assert_eq!(firm.text("names"), format!("bank-0 {jti}\n"));
    let log = firm.text("log");
    assert!(
        log.contains("the command ended with exit status: 1"),
        "{log}"
    );
}

//
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_takes_too_long_has_nothing_and_is_killed_with_all_that_it_started() {
    let house = quick_house(&[]);
    let firm = pushed(&house).await;
    let command = "test $OYEZ_MAYBE_REPEATED = true || { sleep 1000 & echo $! > started; wait; }";
    let slow = format!("to = \"command\"\ncommand = \"{command}\"\ntimeout = \"1s\"");
    firm.hand_over(&slow);
    let _listening = firm.listen().await;
    let jti = publish(&house, "tpp-1", "one").await;
    let file = until_file(&house, &jti, is_acknowledged).await;
    assert_eq!(attempts(&file), [503, 202]);
    let started: u32 = firm.text("started").trim().parse().unwrap();
    // Whoever was killed has no command line left, if anything.
    let cmdline = format!("/proc/{started}/cmdline");
    let left = std::fs::read_to_string(cmdline).unwrap_or_default();
    assert!(!left.contains("sleep"), "{left}");
    let log = firm.text("log");
    assert!(log.contains("the command took longer than 1s"), "{log}");
}

//
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_as_the_first_over_a_restart_and_not_handed_over() {
    let house = quick_house(&[]);
    let firm = pushed(&house).await;
    let listening = firm.listen().await;
    let jti = publish(&house, "tpp-1", "one").await;
    let set = firm.until_records("out", 1).await[0]["set"].clone();
    until_file(&house, &jti, is_acknowledged).await;
    let set = set.as_str().unwrap();
    let again = firm.push(NOTIFICATIONS, token_headers(FIRST_ID), set).await;
    assert_eq!(said(&again), (202, Some(FIRST_ID), String::new()));
    assert_eq!(listening.stop().code(), Some(0));
    let _listening = firm.listen().await;
    let again = firm
        .push(NOTIFICATIONS, token_headers(SECOND_ID), set)
        .await;
    assert_eq!(said(&again), (202, Some(SECOND_ID), String::new()));
    assert_eq!(jtis(&firm.records("out")), [&*jti]);
    let log = firm.text("log");
    assert_eq!(log.matches("\"repeated\"").count(), 2, "{log}");
}

//
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_believed_is_refused_and_handed_to_nobody() {
    let house = quick_house(&[]);
    let firm = pushed(&house).await;
    let _listening = firm.listen().await;
    let jti = publish(&house, "tpp-1", "one").await;
    let file = until_file(&house, &jti, is_acknowledged).await;
    let set = file["sets"][0]["set"].as_str().unwrap();
    let (signed, signature) = set.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let tampered = format!("{signed}.{other}{}", &signature[1..]);
    let refused = firm
        .push(NOTIFICATIONS, token_headers(FIRST_ID), &tampered)
        .await;
    let (status, id, body) = said(&refused);
    assert_eq!((status, id), (400, Some(FIRST_ID)));
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["err"], "authentication_failed");
    assert_eq!(refused.headers[header::CONTENT_LANGUAGE], "en");
    let elsewhere = firm.push("/elsewhere", token_headers(SECOND_ID), set).await;
    assert_eq!(elsewhere.status, 404);
    assert_eq!(
        file_of(&house, &jti).await["attempts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(jtis(&firm.records("out")), [&*jti]);
}

fn attempts(file: &Value) -> Vec<u64> {
    let attempts = file["attempts"].as_array().unwrap().iter();
    let status = |it: &Value| it["answer"]["status"].as_u64().unwrap();
    attempts.map(status).collect()
}

fn token_headers(interaction_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, "application/jwt".parse().unwrap());
    let id = interaction_id.parse().unwrap();
    headers.insert(oyez_tpp::INTERACTION_ID, id);
    headers
}

fn said(response: &Response) -> (u16, Option<&str>, String) {
    let id = response.headers.get(oyez_tpp::INTERACTION_ID);
    (
        response.status.as_u16(),
        id.map(|id| id.to_str().unwrap()),
        String::from_utf8(response.body.to_vec()).unwrap(),
    )
}

/// What a post says, once its signature is checked as Standard Webhooks has it.
pub(crate) fn checked(post: &Seen) -> Value {
    let of = |name: &str| post.header(name).unwrap();
    let secret = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap());
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.unwrap());
    let (id, at) = (of("webhook-id"), of("webhook-timestamp"));
    let signed = [id.as_bytes(), b".", at.as_bytes(), b".", &post.body].concat();
    let signature = of("webhook-signature").strip_prefix("v1,").unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    hmac::verify(&key, &signed, &signature).expect("it is signed");
    assert!(at.parse::<u64>().is_ok());
    let body: Value = serde_json::from_slice(&post.body).unwrap();
    assert_eq!(body["jti"], id);
    body
}

const FIRST_ID: &str = "11111111-1111-4111-8111-111111111111";
const SECOND_ID: &str = "22222222-2222-4222-8222-222222222222";
