//! `oyez store`: a ledger is moved by the real program, to PostgreSQL and back, and whatever cuts that off does no harm.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;

use oyez_domain::actor::Actor;
use oyez_domain::event::Family;
use oyez_domain::ids::RegistrationId;
use oyez_domain::ledger::registering::Wish;
use oyez_domain::rules::Rules;
use oyez_domain::tpp::Overrides;
use oyez_domain::version::ApiVersion;
use oyez_store::Store as _;
use oyez_store::sqlite::{Ledger, Options};
use oyez_testkit::making::{DAWN, Jtis, UPDATE, client, everything, notice, profile, submission};
use oyez_testkit::postgres::Database;
use serde_json::Value;

use super::bank::{Desk, Done};

/// A desk with a bank whose ledger has so many events of a TPP, and a configuration of an empty database beside it.
async fn desk(events: usize) -> (Desk, Database) {
    let (desk, database) = (Desk::with_bank(), Database::empty().await);
    let store = format!(
        "[store]\nbackend = \"postgres\"\nurl = \"{}\"\n",
        database.url()
    );
    desk.write("there.toml", &store);
    desk.write("back.toml", "[store]\npath = \"back.db\"\n");
    let rules = Arc::new(Rules::default());
    let ledger = Ledger::open(desk.path("bank/oyez.db"), Options::default(), rules).unwrap();
    let tpp = client("tpp-1");
    let made = ledger.register_tpp(
        Actor::System,
        tpp.clone(),
        profile(Overrides::default()),
        DAWN,
    );
    assert!(made.await.unwrap().is_some());
    let wish = Wish::Subscription(everything());
    let id = RegistrationId::new("s-1").unwrap();
    let made = ledger.create_registration(tpp.clone(), id, wish, ApiVersion::V4_0, DAWN);
    assert!(made.await.unwrap().is_ok());
    let jtis = Jtis::from(1);
    let all: Vec<()> = vec![(); events];
    for part in all.chunks(1_000) {
        let item = |()| submission(jtis.next(DAWN), notice(&tpp, Family::Aisp, &[UPDATE]));
        let batch = part.iter().copied().map(item).collect();
        ledger.accept(batch, DAWN).await.unwrap();
    }
    ledger.close().await.unwrap();
    (desk, database)
}

fn rows(done: &Done, table: &str) -> u64 {
    let said: Value = serde_json::from_str(&done.stdout).unwrap();
    let tables = said["tables"].as_array().unwrap();
    let found = tables.iter().find(|one| one["table"] == table).unwrap();
    found["rows"].as_u64().unwrap()
}

const THERE: &str = "store copy --from bank/oyez.toml --to there.toml --json";

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_goes_to_postgresql_and_back_and_is_the_same() {
    let (desk, _database) = desk(30).await;
    let there = desk.run(THERE);
    assert_eq!(there.code, 0, "{}", there.stderr);
    assert_eq!((rows(&there, "tpps"), rows(&there, "events")), (2, 30));
    // What is read by its rules is a whole configuration.
    let text = desk.read("bank/oyez.toml");
    desk.write(
        "bank/postgres.toml",
        &text.replace("[store]", &desk.read("there.toml")),
    );
    let checked = desk.run("check -c bank/postgres.toml");
    assert_eq!(checked.code, 0, "{}", checked.stdout);
    assert!(
        checked.stdout.contains("outstanding: 30"),
        "{}",
        checked.stdout
    );
    let back = desk.run("store copy --from bank/postgres.toml --to back.toml");
    assert_eq!(back.code, 0, "{}", back.stderr);
    assert!(
        back.stderr.contains("copied events: 30 rows"),
        "{}",
        back.stderr
    );
    for line in back.stdout.lines().skip(1) {
        let checksum = line.split_whitespace().last().unwrap();
        assert!(there.stdout.contains(checksum), "{line}\n{}", there.stdout);
    }
    let shown = desk.run("store show -c back.toml --json");
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["rows"]["outstanding"], 30, "{shown}");
    let occupied = desk.run(THERE);
    assert_eq!(occupied.code, 3, "{}", occupied.stdout);
    assert!(
        occupied.stderr.contains("is not empty"),
        "{}",
        occupied.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_ledger_is_no_two_places() {
    let (desk, database) = desk(0).await;
    let itself = desk.run("store copy --from bank/oyez.toml --to bank/oyez.toml");
    assert_eq!(itself.code, 2, "{}", itself.stderr);
    // The environment is louder than both files.
    let url = database.url();
    let variables = [
        ("OYEZ_STORE__BACKEND", "postgres"),
        ("OYEZ_STORE__URL", url.as_str()),
    ];
    let both = desk.run_with(THERE, "", &variables);
    assert_eq!(both.code, 2, "{}", both.stderr);
    assert!(both.stderr.contains("OYEZ_STORE__"), "{}", both.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_too_small_is_filled_up_later() {
    let (desk, _database) = desk(3_000).await;
    let small = format!(
        "trap '' XFSZ; ulimit -f 1500; exec {} store copy --from bank/oyez.toml --to back.toml",
        env!("CARGO_BIN_EXE_oyez")
    );
    let full = Command::new("bash")
        .args(["-c", &small])
        .current_dir(desk.path(""))
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8(full.stderr).unwrap();
    assert_eq!(full.status.code(), Some(4), "{said}");
    assert!(said.contains("it goes on where it stopped"), "{said}");
    let served = desk.run("store show -c back.toml");
    assert_eq!(served.code, 0, "{}", served.stderr);
    let text = desk.read("bank/oyez.toml");
    desk.write(
        "served.toml",
        &text.replace("# path = \"oyez.db\"", "path = \"back.db\""),
    );
    for refused in ["migrate -c served.toml", "check -c served.toml"] {
        let refused = desk.run(refused);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(said.contains("is an unfinished copy of"), "{said}");
        assert!(said.contains("finish it with oyez store copy"), "{said}");
    }
    let done = desk.run("store copy --from bank/oyez.toml --to back.toml --json");
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stderr.contains("going on after"), "{}", done.stderr);
    assert_eq!(rows(&done, "events"), 3_000);
}

mod slow {
    use std::time::Duration;

    use oyez_testkit::dice::Dice;
    use oyez_testkit::scale;
    use tokio::time::sleep;

    use super::*;

    /// Copies, and is killed by SIGKILL after a while, so many times; then once to the end.
    async fn killed_again_and_again(desk: &Desk, words: &str, kills: u32) -> Done {
        let mut dice = Dice::new(scale::seed("kills of a copy"));
        let mut went_on = 0;
        for _ in 0..kills {
            let mut child = Command::new(env!("CARGO_BIN_EXE_oyez"))
                .args(words.split_whitespace())
                .current_dir(desk.path(""))
                .env_clear()
                .stdout(Stdio::null())
                .stderr(fs::File::create(desk.path("killed.log")).unwrap())
                .spawn()
                .unwrap();
            sleep(Duration::from_millis(
                200 + u64::try_from(dice.below(1_500)).unwrap(),
            ))
            .await;
            // One that is done by now is found to be done by the next.
            child.kill().unwrap();
            child.wait().unwrap();
            went_on += u32::from(desk.read("killed.log").contains("going on after"));
        }
        assert!(went_on > 0, "{}", desk.read("killed.log"));
        desk.run(words)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_copy_that_is_killed_ten_times_is_whole_in_the_end() {
        let (desk, _database) = desk(100_000).await;
        let there = killed_again_and_again(&desk, THERE, 10).await;
        assert_eq!(there.code, 0, "{}", there.stderr);
        assert_eq!(rows(&there, "events"), 100_000);
        assert_eq!(rows(&there, "outstanding"), 100_000);
        let text = desk.read("bank/oyez.toml");
        desk.write(
            "bank/postgres.toml",
            &text.replace("[store]", &desk.read("there.toml")),
        );
        let words = "store copy --from bank/postgres.toml --to back.toml --json";
        let back = killed_again_and_again(&desk, words, 10).await;
        assert_eq!(back.code, 0, "{}", back.stderr);
        assert_eq!(rows(&back, "events"), 100_000);
    }
}
