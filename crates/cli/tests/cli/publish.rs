//! `oyez publish`, against a bank in this process whose ledger fails on command.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command};
use std::time::Duration;

use oyez_store::Error;
use serde_json::{Value, json};

use super::core_system::{CoreSystem, assert_calls, item, keyed, lines};

// I-01
#[tokio::test(flavor = "multi_thread")]
async fn one_item_is_said_in_words() {
    let office = CoreSystem::open().await;
    let about = "publish --tpp acme-1 --resource account-access-consent/1234";
    let commands = [
        format!(
            "{about} --event resource-update --version v4.0 --toe 2020-01-01T00:00:00Z --idempotency-key k"
        ),
        format!(
            "{about} --event UK.OBIE.Resource-Update --version v4.0 --toe 2020-01-01T00:00:00Z --idempotency-key k"
        ),
        format!("{about} --event resource-update --idempotency-key k"),
        format!("{about} --event resource-update --event consent-authorization-revoked --reason 1"),
        "publish --tpp nobody --resource account-access-consent/1 --event resource-update --json"
            .to_owned(),
        format!("{about} --event resource-update --version 4.0"),
        "publish --tpp acme-1 --resource account-acess-consent/1 --event resource-update"
            .to_owned(),
        "publish --tpp acme-1 --event resource-update".to_owned(),
    ];
    let shown = commands.map(|words| office.shown(&words, ""));
    assert_calls!(shown.join("\n"));
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 1);
}

// I-01, I-02
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_line_sinks_none_of_the_others() {
    let office = CoreSystem::open().await;
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let input = [
        keyed("acme-1", "a", "key-a").to_string(),
        "not JSON".to_owned(),
        String::new(),
        item("nobody", "b").to_string(),
        keyed("acme-1", "c", "key-a").to_string(),
        format!("{{\"tpp\": {deep}}}"),
        "\"a text\"".to_owned(),
        keyed("acme-1", "a", "key-a").to_string(),
        item("acme-1", "d").to_string(),
    ];
    let input = input.join("\n");
    let outcomes = office.shown("publish - --outcomes", &input);
    let summary = office.shown("publish -", &input);
    assert_calls!(format!("{outcomes}\n{summary}"));
    let json = office.run("publish - --json", &input);
    assert_eq!(json.code, 1);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        json["outcomes"],
        json!({"accepted": 1, "duplicate": 2, "rejected": 5})
    );
    // The one with a key once, the one without as often as it was published.
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 1 + 3);
}

// I-02
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_published_twice_under_the_same_keys_and_nothing_is_there_twice() {
    let office = CoreSystem::open().await;
    let items: Vec<Value> = (0..250).map(|id| item("acme-1", &id.to_string())).collect();
    office.desk.write("events.ndjson", &lines(&items));
    let words = "publish events.ndjson --key-prefix monday --batch 100 --json";
    for outcome in ["accepted", "duplicate"] {
        let done = office.run(words, "");
        assert_eq!(done.code, 0, "{}", done.stderr);
        let json: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(json["outcomes"], json!({outcome: 250}));
    }
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 250);
}

// I-01
#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_published_as_well_as_lines() {
    let office = CoreSystem::open().await;
    let two = [item("acme-1", "a"), item("acme-1", "b")];
    let whole = json!({"items": two});
    let documents = [
        (format!("{:#}", json!(two)), 2),
        (json!(two).to_string(), 2),
        (format!("{whole:#}"), 2),
        (whole.to_string(), 2),
        (format!("\n{:#}", two[0]), 1),
        (two[0].to_string(), 1),
        ("[]".to_owned(), 0),
    ];
    for (document, items) in documents {
        let done = office.run("publish - --json --key-prefix k", &document);
        assert_eq!(done.code, 0, "{document}: {}", done.stderr);
        let json: Value = serde_json::from_str(&done.stdout).unwrap();
        let outcomes = json["outcomes"].as_object().unwrap().values();
        assert_eq!(
            outcomes.filter_map(Value::as_u64).sum::<u64>(),
            items,
            "{document}"
        );
    }
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 2);
    let torn = office.run("publish -", "[{\"tpp\": \"acme-1\"},\n");
    assert_eq!(torn.code, 1);
    assert!(torn.stdout.contains("no JSON object"), "{}", torn.stdout);
}

// I-01
#[tokio::test(flavor = "multi_thread")]
async fn outcomes_come_in_the_order_of_the_items() {
    let office = CoreSystem::open().await;
    let tpps = ["acme-1", "nobody"];
    let items: Vec<Value> = (0..500)
        .map(|id| item(tpps[id % 2], &id.to_string()))
        .collect();
    let done = office.run(
        "publish - --outcomes --batch 7 --in-flight 8",
        &lines(&items),
    );
    let outcomes: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(outcomes.len(), 500);
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome["item"], index + 1);
        let expected = ["accepted", "rejected"][index % 2];
        assert_eq!(outcome["outcome"], expected, "{outcome}");
    }
}

// I-02
#[tokio::test(flavor = "multi_thread")]
async fn what_has_a_key_is_sent_again_when_the_ledger_could_not() {
    let office = CoreSystem::open().await;
    let input = lines(&[
        keyed("acme-1", "a", "key-a"),
        item("acme-1", "b"),
        keyed("acme-1", "c", "key-c"),
    ]);
    let detail = "as the test says".to_owned();
    office
        .bank
        .store()
        .fail_at("accept", Error::Busy { detail });
    let mut child = office.begin("publish - --outcomes");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    while office.bank.store().asked("accept") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    office.bank.store().mend();
    let done = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();
    let stdout = String::from_utf8(done.stdout).unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_calls!(format!("{stdout}--- standard error\n{stderr}"));
    assert_eq!(done.status.code(), Some(3));
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 2);
}

// I-02
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_says_how_far_it_came() {
    let office = CoreSystem::open().await;
    let mut child = office.begin("publish - --outcomes");
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(lines(&[item("acme-1", "a")]).as_bytes())
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    tokio::task::block_in_place(|| stdout.read_line(&mut line)).unwrap();
    let outcome: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(outcome["outcome"], "accepted");
    interrupt(&child);
    let (code, said) = tokio::task::block_in_place(|| {
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        (child.wait().unwrap().code(), said)
    });
    drop(stdin);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("Interrupted"), "{said}");
    assert!(said.contains("Nothing from item 2 on was sent"), "{said}");
}

// I-02
#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_does_not_wait_for_the_server() {
    let office = CoreSystem::open().await;
    let detail = "as the test says".to_owned();
    office
        .bank
        .store()
        .fail_at("accept", Error::Busy { detail });
    let mut child = office.begin("publish - --json");
    let input = lines(&[keyed("acme-1", "a", "key-a")]);
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    while office.bank.store().asked("accept") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let began = tokio::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        interrupt(&child);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(8), "it waited");
    let done = child.wait_with_output().unwrap();
    let said: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(said["outcomes"], json!({"not-confirmed": 1}));
    assert_eq!(done.status.code(), Some(3));
}

fn interrupt(child: &Child) {
    let kill = format!("kill -INT {}", child.id());
    let killed = Command::new("sh").args(["-c", &kill]).status();
    assert!(killed.unwrap().success());
}

mod slow {
    use super::*;

    // I-02
    #[tokio::test(flavor = "multi_thread")]
    async fn a_ledger_that_stays_away_ends_it_and_what_was_not_sent_is_named() {
        let office = CoreSystem::open().await;
        let detail = "as the test says".to_owned();
        office
            .bank
            .store()
            .fail_at("accept", Error::Busy { detail });
        let items: Vec<Value> = (0..10).map(|id| item("acme-1", &id.to_string())).collect();
        let words = "publish - --key-prefix k --batch 2 --in-flight 1";
        let began = tokio::time::Instant::now();
        let done = office.run(words, &lines(&items));
        assert!(began.elapsed() > Duration::from_secs(10));
        assert_calls!(office.desk.shown(words, &done));
    }
}
