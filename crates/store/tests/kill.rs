//! The campaign of kills: a process that uses the ledger at full speed is killed at random moments, hundreds of times on one
//! file, and each time the file must hold everything that the process had been promised (D-08).
//!
//! The victim is this same binary, run for one ignored test; it learns its round from standard input and tells its promises to
//! standard output. It is killed by the count of its promises, so nothing here waits for time to pass.
//!
//! On SQLite alone: there the process that is killed is the one that writes. On PostgreSQL that is the server; what nodes leave
//! behind that are killed over it, and servers that are, is in the campaigns of the command line (`nodes`, `kill`).

#![expect(clippy::unwrap_used, reason = "what a campaign cannot do fails it")]

#[path = "kill/books.rs"]
mod books;
#[path = "kill/promise.rs"]
mod promise;
#[path = "kill/round.rs"]
mod round;
#[path = "kill/victim.rs"]
mod victim;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use books::Books;
use oyez_store::Store;
use oyez_store::sqlite::{Ledger, Options};
use oyez_testkit::dice::Dice;
use oyez_testkit::{making, scale};
use promise::Promise;
use round::Round;

/// The most promises that a victim lives for.
const PROMISES_MAX: usize = 5_000;

/// No answer takes so long; a victim that is silent for it has hung.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-08, G-10, I-01, I-02, P-03, P-09, S-05
    #[tokio::test]
    async fn nothing_promised_is_lost_when_the_process_is_killed() {
        let seed = scale::seed("kill");
        let mut dice = Dice::new(seed);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let mut books = Books::default();
        let mut promises_kept = 0;
        let rounds = u64::from(scale::rounds(500));
        for number in 0..rounds {
            let round = Round {
                number,
                seed: dice.split().below(usize::MAX) as u64,
                registered: books.registered(),
            };
            let promised = live_and_die(&path, round, 1 + dice.below(PROMISES_MAX));
            promises_kept += promised.len();
            for promise in &promised {
                books.enter(promise);
            }
            let ledger = Ledger::open(&path, Options::default(), making::rules()).unwrap();
            // A withdrawal that was interrupted ends before the first request: it is less than one step.
            ledger.prove_writable().await.unwrap();
            books.audit(&ledger, round, &promised).await;
            if number + 1 == rounds {
                books.audit_all(&ledger).await;
            }
            ledger.close().await.unwrap();
        }
        eprintln!("{rounds} kills, {promises_kept} promises kept");
    }
}

/// Starts a victim, kills it after so many promises, and answers all that it told, to the last whole line.
fn live_and_die(path: &Path, round: Round, promises_max: usize) -> Vec<Promise> {
    let mut victim = start(path, round);
    let lines = lines_of(&mut victim);
    let mut promised = Vec::new();
    while promised.len() < promises_max {
        match lines.recv_timeout(SILENCE_MAX) {
            Ok(line) => promised.extend(line.parse::<Promise>()),
            Err(silence) => {
                victim.kill().unwrap();
                panic!(
                    "the victim ended or hung by itself ({silence}): {:?}",
                    victim.wait()
                );
            }
        }
    }
    victim.kill().unwrap();
    victim.wait().unwrap();
    promised.extend(lines.iter().flat_map(|line| line.parse::<Promise>()));
    promised
}

fn start(path: &Path, round: Round) -> Child {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "the_process_that_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut orders = victim.stdin.take().unwrap();
    let Round {
        number,
        seed,
        registered,
    } = round;
    writeln!(orders, "{number} {seed} {registered} {}", path.display()).unwrap();
    victim
}

/// The whole lines that a victim writes; one that its death cut short is no promise.
fn lines_of(victim: &mut Child) -> Receiver<String> {
    let mut pipe = BufReader::new(victim.stdout.take().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while pipe.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            if line.ends_with('\n') && sender.send(line.trim_end().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

#[test]
#[ignore = "started by the test above, once for each kill"]
fn the_process_that_is_killed() {
    let mut orders = String::new();
    std::io::stdin().read_line(&mut orders).unwrap();
    let mut words = orders.trim_end().splitn(4, ' ');
    let mut word = || words.next().expect("four orders are given");
    let round = Round {
        number: word().parse().unwrap(),
        seed: word().parse().unwrap(),
        registered: word().parse().unwrap(),
    };
    let path = PathBuf::from(word());
    println!();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .unwrap();
    runtime.block_on(victim::run(path, round));
}
