//! `oyez publish`, against a bank in this process whose ledger fails on command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{TryRecvError, channel};
use std::time::Duration;

use oyez_store::Error;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use super::bank::Desk;
use super::core_system::{CoreSystem, assert_calls, item, keyed, lines};
use super::dev;
use super::serve::Server;

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
        (format!("{:#}\n{:#}\n", two[0], two[1]), 2),
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
}

// I-01
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_document_is_one_fault_and_a_broken_line_is_one_of_many() {
    let office = CoreSystem::open().await;
    let two = [item("acme-1", "a"), item("acme-1", "b")];
    let sound = format!("{:#}", json!(two));
    let documents = [
        (
            "an array without its end",
            sound.trim_end_matches(']').to_owned(),
        ),
        ("a comma that is missing", sound.replacen(',', "", 1)),
        (
            "an item without its end",
            format!("{:#}", two[0]).trim_end_matches('}').to_owned(),
        ),
        (
            "a key without quotes",
            format!("{:#}", two[0]).replace("\"tpp\"", "tpp"),
        ),
        (
            "a first line that is torn",
            format!("{{\"tpp\": \n{}", lines(&two)),
        ),
    ];
    let shown = documents
        .map(|(what, document)| format!("# {what}\n{}", office.shown("publish -", &document)));
    assert_calls!(shown.join("\n"));
    // Those below the torn line.
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 2);
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
async fn what_the_ledger_could_not_do_is_sent_again_with_a_key_or_without() {
    let office = CoreSystem::open().await;
    let input = lines(&[keyed("acme-1", "a", "key-a"), item("acme-1", "b")]);
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
    assert_calls!(shown(&done));
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 2);
}

// I-02, G-10
#[tokio::test(flavor = "multi_thread")]
async fn what_the_ledger_may_have_kept_is_sent_again_by_its_key_alone() {
    let office = CoreSystem::open().await;
    let input = lines(&[keyed("acme-1", "a", "key-a"), item("acme-1", "b")]);
    let detail = "as the test says".to_owned();
    let store = office.bank.store();
    store.lose_answers(Error::InDoubt { detail });
    let mut child = office.begin("publish - --outcomes");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    while store.asked("accept") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    store.mend();
    let done = tokio::task::block_in_place(|| child.wait_with_output()).unwrap();
    let outcomes = String::from_utf8(done.stdout).unwrap();
    let outcomes: Vec<Value> = outcomes
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let outcomes: Vec<&Value> = outcomes.iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["duplicate", "not-confirmed"]);
    assert_eq!(done.status.code(), Some(4));
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 2);
}

// I-02
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_may_have_seen_is_sent_again_by_its_key_alone() {
    let office = CoreSystem::open().await;
    let server: SocketAddr = office.url().trim_start_matches("http://").parse().unwrap();
    let forgetful = Forgetful::before(server, 1).await;
    let input = lines(&[
        keyed("acme-1", "a", "key-a"),
        item("acme-1", "b"),
        keyed("acme-1", "c", "key-c"),
        item("acme-1", "d"),
    ]);
    let words = format!(
        "publish - --batch 3 --in-flight 1 --outcomes --url http://{}",
        forgetful.address
    );
    let done = office.run(&words, &input);
    assert_calls!(office.desk.shown(&words, &done));
    assert_eq!(done.code, 4);
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 3);
}

// I-02
#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_left_in_doubt_than_was_in_flight() {
    let office = CoreSystem::open().await;
    let server: SocketAddr = office.url().trim_start_matches("http://").parse().unwrap();
    // Something that swallows whatever is sent, for a while: the two batches in flight, and who looks whether it is back.
    let forgetful = Forgetful::before(server, 4).await;
    let items: Vec<Value> = (0..100).map(|id| item("acme-1", &id.to_string())).collect();
    let words = format!(
        "publish - --batch 10 --in-flight 2 --json --url http://{}",
        forgetful.address
    );
    let done = office.run(&words, &lines(&items));
    let said: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        said["outcomes"],
        json!({"accepted": 80, "not-confirmed": 20})
    );
    assert_eq!(said["not_confirmed"], json!([{"from": 1, "to": 20}]));
    assert_eq!(done.code, 4, "{}", done.stderr);
    let told = done.stderr.matches("Trying again").count();
    assert_eq!(told, 1, "{}", done.stderr);
    assert_eq!(office.bank.counts(&office.tpp).await.accepted, 80);
}

// I-02
#[test]
fn a_server_that_is_stopped_and_started_under_publishing_leaves_nothing_in_doubt() {
    let desk = Desk::with_bank();
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    drop(socket);
    let start = || Server::start_at(&desk, &[], &address);
    let mut server = start();
    dev::subscribe(&desk, &server);
    // Without keys: whatever is sent twice is there twice.
    let mut child = Command::new(env!("CARGO_BIN_EXE_oyez"))
        .args([
            "publish",
            "-",
            "--outcomes",
            "--batch",
            "2",
            "--in-flight",
            "8",
        ])
        .args(["--url", &format!("http://{address}"), "--token-file"])
        .arg(desk.path("bank/tokens.secret"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let (enough, is_enough) = channel::<()>();
    let feeder = std::thread::spawn(move || {
        let mut items = 0_u64;
        while is_enough.try_recv() == Err(TryRecvError::Empty) {
            let line = format!("{}\n", item("development-tpp", &items.to_string()));
            stdin.write_all(line.as_bytes()).unwrap();
            items += 1;
        }
        items
    });
    let mut outcomes = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut accept = |count: usize| {
        for line in outcomes.by_ref().take(count) {
            let line = line.unwrap();
            assert!(line.contains("\"accepted\""), "{line}");
        }
    };
    for _ in 0..STOPS {
        accept(300);
        server.signal("TERM");
        assert_eq!(server.exit_code().0, 0);
        server = start();
    }
    accept(300);
    drop(enough);
    let items = feeder.join().unwrap();
    accept(usize::MAX);
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert_eq!(said.matches("Trying again").count(), 1, "{said}");
    let words = format!(
        "tpps show development-tpp --json --url http://{address} --token-file bank/tokens.secret"
    );
    let tpp: Value = serde_json::from_str(&desk.run(&words).stdout).unwrap();
    assert_eq!(tpp["counts"]["accepted"], items);
}

/// Each comes at another moment of the publisher's.
const STOPS: usize = 3;

/// Something before the server that takes requests and forgets them; after so many it lets all through.
struct Forgetful {
    address: SocketAddr,
}

impl Forgetful {
    async fn before(server: SocketAddr, times: usize) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let tasks = TaskTracker::new();
        let others = tasks.clone();
        tasks.spawn(async move {
            for number in 0.. {
                let (mut client, _) = socket.accept().await.unwrap();
                if number < times {
                    let mut request = Vec::new();
                    while !is_whole(&request) {
                        client.read_buf(&mut request).await.unwrap();
                    }
                    continue;
                }
                others.spawn(async move {
                    let mut server = TcpStream::connect(server).await.unwrap();
                    copy_bidirectional(&mut client, &mut server).await.ok();
                });
            }
        });
        Self { address }
    }
}

/// Takes one request, forgets it and is not there any more.
async fn gone_after_one() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    TaskTracker::new().spawn(async move {
        let (mut client, _) = socket.accept().await.unwrap();
        let mut request = Vec::new();
        while !is_whole(&request) {
            client.read_buf(&mut request).await.unwrap();
        }
    });
    address
}

/// Of what is unread when a connection is closed, TCP makes a reset.
fn is_whole(request: &[u8]) -> bool {
    request.ends_with(b"]}") || request.starts_with(b"GET ") && request.ends_with(b"\r\n\r\n")
}

fn shown(done: &Output) -> String {
    let stdout = String::from_utf8_lossy(&done.stdout);
    let stderr = String::from_utf8_lossy(&done.stderr);
    format!("{stdout}--- standard error\n{stderr}")
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
    assert_eq!(code, Some(4), "{said}");
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
    assert_eq!(done.status.code(), Some(4));
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

    // I-02
    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_sent_and_never_answered_stays_in_doubt_when_the_server_does_not_come_back() {
        let office = CoreSystem::open().await;
        let one = "publish --tpp acme-1 --resource account-access-consent/1 --event resource-update --json";
        let mut commands = Vec::new();
        for words in [
            "publish - --batch 2 --in-flight 1 --json",
            &format!("{one} --idempotency-key key-a"),
            one,
        ] {
            commands.push(format!("{words} --url http://{}", gone_after_one().await));
        }
        let input = lines(&[
            keyed("acme-1", "a", "key-a"),
            item("acme-1", "b"),
            keyed("acme-1", "c", "key-c"),
        ]);
        let run = |words: &String| {
            let done = office.run(words, &input);
            assert_eq!(done.code, 4, "{}{}", done.stdout, done.stderr);
            serde_json::from_str::<Value>(&done.stdout).unwrap()
        };
        let said: Vec<Value> = std::thread::scope(|scope| {
            let runs: Vec<_> = commands
                .iter()
                .map(|words| scope.spawn(|| run(words)))
                .collect();
            runs.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(said[0]["not_confirmed"], json!([{"from": 1, "to": 2}]));
        assert_eq!(said[0]["outcomes"]["not-confirmed"], 2, "{}", said[0]);
        assert_eq!(said[1]["outcome"], "not-confirmed", "{}", said[1]);
        assert_eq!(said[2]["outcome"], "not-confirmed", "{}", said[2]);
    }
}
