//! `oyez poll`: what banks hand out arrives at the application, and only then do they hear that it did.

use oyez_testkit::endpoint::{Behaviour, Manner};
use oyez_testkit::tpp::Caller;
use serde_json::{Value, json};

use super::listen::checked;
use super::{
    APPLICATION, Firm, file_of, is_acknowledged, issuer, jtis, publish, quick_house, until_file,
};
use crate::house::{EVENTS, House};

/// A firm that polls a house.
async fn polling(house: &House) -> Firm {
    let firm = Firm::of("tpp-1", &[house]).await;
    firm.subscribe("");
    firm
}

//
#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_is_taken_and_acknowledged_once() {
    let house = quick_house(&[]);
    let firm = polling(&house).await;
    let mut published = Vec::new();
    for key in ["one", "two", "three"] {
        published.push(publish(&house, "tpp-1", key).await);
    }
    let done = firm.run("poll --once");
    assert_eq!(done.code, 0, "{}", done.stderr);
    let lines = done.stdout.lines().map(serde_json::from_str);
    let records: Vec<Value> = lines.collect::<Result<_, _>>().unwrap();
    assert_eq!(jtis(&records), published);
    for record in &records {
        assert_eq!(
            (&record["via"], &record["maybe_repeated"]),
            (&json!("poll"), &json!(false))
        );
    }
    for jti in &published {
        assert!(is_acknowledged(&file_of(&house, jti).await));
    }
    let again = firm.run("poll --once");
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (0, ""),
        "{}",
        again.stderr
    );
}

//
#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_poll_is_answered_when_something_happens_and_acknowledged_at_the_end() {
    let house = quick_house(&[]);
    let firm = polling(&house).await;
    let running = firm.start("poll --json");
    let first = publish(&house, "tpp-1", "one").await;
    firm.until_records("out", 1).await;
    // That poll has acknowledged the first one.
    until_file(&house, &first, is_acknowledged).await;
    let second = publish(&house, "tpp-1", "two").await;
    firm.until_records("out", 2).await;
    assert_eq!(running.stop().code(), Some(0), "{}", firm.text("log"));
    assert!(is_acknowledged(&file_of(&house, &second).await));
    assert_eq!(jtis(&firm.records("out")), [&*first, &*second]);
    assert_eq!(firm.text("log"), "");
}

//
#[tokio::test(flavor = "multi_thread")]
async fn two_banks_are_polled_side_by_side_by_one_process() {
    let first = quick_house(&[]);
    let anchors = first.desk().path("bank/house/ca.crt");
    let second = quick_house(&[
        ("OYEZ_BANK__ISSUER", issuer(1)),
        ("OYEZ_LISTENER__CLIENT_ANCHORS", anchors.to_str().unwrap()),
    ]);
    let firm = Firm::of("tpp-1", &[&first, &second]).await;
    firm.subscribe("--bank bank-0");
    firm.subscribe("--bank bank-1");
    let which = firm.run("subscription show");
    assert_eq!(which.code, 2);
    assert!(
        which.stderr.contains("choose one: --bank bank-0 | bank-1"),
        "{}",
        which.stderr
    );
    let running = firm.start("poll --json");
    let at_first = publish(&first, "tpp-1", "one").await;
    let at_second = publish(&second, "tpp-1", "one").await;
    let records = firm.until_records("out", 2).await;
    until_file(&first, &at_first, is_acknowledged).await;
    until_file(&second, &at_second, is_acknowledged).await;
    let mut found: Vec<_> = records
        .iter()
        .map(|it| (&it["bank"], &it["claims"]["iss"], &it["jti"]))
        .collect();
    found.sort_by_key(|(bank, ..)| bank.to_string());
    assert_eq!(
        found,
        [
            (&json!("bank-0"), &json!(issuer(0)), &json!(at_first)),
            (&json!("bank-1"), &json!(issuer(1)), &json!(at_second)),
        ]
    );
    assert_eq!(running.stop().code(), Some(0));
    // One that is gone does not keep the other from being asked.
    let late = publish(&second, "tpp-1", "two").await;
    drop(first);
    let done = firm.run("poll --once");
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert!(
        done.stderr.contains("bank-0 cannot be polled"),
        "{}",
        done.stderr
    );
    let record: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(record["jti"], late.as_str());
}

//
#[tokio::test(flavor = "multi_thread")]
async fn what_the_application_cannot_take_comes_again_and_what_it_never_will_is_reported() {
    let house = quick_house(&[]);
    let firm = polling(&house).await;
    let application = firm.application().await;
    let (later, never) = (
        publish(&house, "tpp-1", "later").await,
        publish(&house, "tpp-1", "never").await,
    );
    let (fails, refuses) = (later.clone(), never.clone());
    let mut failures = 0;
    application.behave(
        APPLICATION,
        Manner::by(move |post| match post.header("webhook-id") {
            Some(id) if *id == fails && failures == 0 => {
                failures += 1;
                Behaviour::status(500)
            }
            Some(id) if *id == refuses => Behaviour::status(422).with_body("no such customer"),
            _ => Behaviour::status(200),
        }),
    );
    let done = firm.run("poll --once");
    assert_eq!(done.code, 4, "{}", done.stderr);
    let said = format!(
        "bank-0: not now {later}: the application cannot take it now: the application answered 500"
    );
    assert!(done.stderr.contains(&said), "{}", done.stderr);
    let file = until_file(&house, &never, |it| it["errors"][0].is_object()).await;
    assert_eq!(file["errors"][0]["description"], "no such customer");
    assert_eq!(
        file_of(&house, &later).await["event"]["state"],
        "outstanding"
    );
    let running = firm.start("poll");
    until_file(&house, &later, is_acknowledged).await;
    assert_eq!(running.stop().code(), Some(0));
    let inbox = application.inbox(APPLICATION);
    let posts: Vec<Value> = inbox.arrivals().iter().map(|post| checked(post)).collect();
    let of_later: Vec<_> = posts
        .iter()
        .filter(|post| post["jti"] == later.as_str())
        .map(|post| &post["maybe_repeated"])
        .collect();
    assert_eq!(of_later, [&json!(false), &json!(true)]);
}

//
#[tokio::test(flavor = "multi_thread")]
async fn what_was_pushed_and_is_polled_again_is_acknowledged_and_not_handed_over_again() {
    let house = quick_house(&[]);
    let firm = polling(&house).await;
    let jti = publish(&house, "tpp-1", "one").await;
    // Somebody polls, and dies before it hands over.
    let caller = Caller::new(house.site(), "tpp-1");
    let body = json!({ "returnImmediately": true });
    let polled = caller.post(EVENTS).json(&body).send().await.json();
    let set = polled["sets"][&jti].as_str().unwrap();
    let _listening = firm.listen().await;
    let mut headers = oyez_tpp::HeaderMap::new();
    let kind = "application/jwt".parse().unwrap();
    headers.insert(oyez_tpp::header::CONTENT_TYPE, kind);
    let pushed = firm.push("/event-notifications", headers, set).await;
    assert_eq!(pushed.status, 202);
    let done = firm.run("poll --once");
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (0, ""),
        "{}",
        done.stderr
    );
    assert!(is_acknowledged(&file_of(&house, &jti).await));
    assert_eq!(jtis(&firm.records("out")), [&*jti]);
}
