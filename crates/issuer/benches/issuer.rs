//! How much of the machine's bare signing rate comes out as SETs that are signed and kept.
//!
//! `cargo bench -p oyez-issuer -- [--events N] [--tpps N] [--rounds N]` prints a table and, last, one line of JSON. Bare is
//! the same key on as many threads with nothing around it, in turns with the issuer, since machines have moods: medians of
//! the rounds' ratios are what counts. By CPU time they hold on a machine that is shared, too.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads its arguments and starts its own callers"
)]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]

#[path = "../tests/issuing/bank.rs"]
#[expect(dead_code, reason = "the tests' bank; not all of it is needed here")]
mod bank;
#[path = "../../store/benches/ledger/meter.rs"]
mod meter;

use std::sync::{Arc, Barrier};

use oyez_domain::ids::ClientId;
use oyez_domain::ledger::sets::Work;
use oyez_issuer::Options;
use oyez_jose::{KeyKind, LocalKey};
use serde_json::{Value, json};

use bank::{Bank, key_set, pushed, sent};
use meter::{Figures, Meter};

/// What to measure.
struct Arguments {
    events: usize,
    tpps: usize,
    rounds: usize,
}

fn main() {
    let arguments = arguments();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("alg     caller      bare/s   issued/s   ratio   bare cpu us   cpu us   cpu ratio");
    let mut rows = Vec::new();
    for (name, kind, share) in [("PS256", KeyKind::Rsa2048, 4), ("ES256", KeyKind::P256, 1)] {
        let key = Arc::new(LocalKey::generate(kind).unwrap());
        for caller in [Caller::Batches, Caller::Singles] {
            let events = arguments.events / share;
            let mut rounds = Vec::new();
            for _ in 0..arguments.rounds {
                let bare = bare(&key, events);
                let ours = runtime.block_on(issued(&key, events, arguments.tpps, caller));
                rounds.push((bare, ours));
            }
            rows.push(row(name, caller, &rounds));
        }
    }
    println!("{}", Value::Array(rows));
}

/// How events are asked for.
#[derive(Clone, Copy, Debug)]
enum Caller {
    /// A hundred at a time and one after the other, as polls do.
    Batches,
    /// One each, eight at a time for each TPP, as lanes do.
    Singles,
}

fn arguments() -> Arguments {
    let mut arguments = Arguments {
        events: 10_000,
        tpps: 50,
        rounds: 5,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = || -> usize { words.next().and_then(|word| word.parse().ok()).unwrap() };
        match word.as_str() {
            "--events" => arguments.events = { value }(),
            "--tpps" => arguments.tpps = { value }(),
            "--rounds" => arguments.rounds = { value }(),
            // What cargo bench adds.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    arguments
}

/// The key alone, on all threads.
fn bare(key: &LocalKey, events: usize) -> Figures {
    let threads = Options::default().threads.get();
    let input = [b'x'; 1_400];
    // The meter counts threads that live until it stops.
    let (done, measured) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    let meter = Meter::start();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..events / threads {
                    std::hint::black_box(key.sign_now(&input).unwrap());
                }
                done.wait();
                measured.wait();
            });
        }
        done.wait();
        let figures = meter.stop(events as u64);
        measured.wait();
        figures
    })
}

async fn issued(key: &Arc<LocalKey>, events: usize, tpps: usize, caller: Caller) -> Figures {
    let bank = Bank::with(key_set(&[("k-1", key.clone())]));
    let mut chosen: Vec<(ClientId, Vec<Work>)> = Vec::new();
    for tpp in 0..tpps {
        let tpp = bank.tpp(&format!("tpp-{tpp}")).await;
        let work = bank.work(&tpp, events / tpps).await;
        chosen.push((tpp, work));
    }
    let issuer = bank.issuer(Options::default());
    let meter = Meter::start();
    let mut callers = Vec::new();
    for (tpp, work) in chosen {
        let (at_once, size) = match caller {
            Caller::Batches => (1, 100),
            Caller::Singles => (8, 1),
        };
        for part in 0..at_once {
            let (issuer, order) = (Arc::clone(&issuer), pushed(&tpp));
            let work: Vec<Work> = work.iter().skip(part).step_by(at_once).cloned().collect();
            callers.push(tokio::spawn(async move {
                for batch in work.chunks(size) {
                    sent(issuer.issue(order.clone(), batch.to_vec()).await);
                }
            }));
        }
    }
    for caller in callers {
        caller.await.unwrap();
    }
    meter.stop((events / tpps * tpps) as u64)
}

fn row(name: &str, caller: Caller, rounds: &[(Figures, Figures)]) -> Value {
    let median = |figure: &dyn Fn(&(Figures, Figures)) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    let limit_rate = median(&|(bare, _)| bare.rate);
    let rate = median(&|(_, ours)| ours.rate);
    let ratio = median(&|(bare, ours)| ours.rate / bare.rate);
    let limit_cpu_us = median(&|(bare, _)| bare.cpu_us);
    let cpu_us = median(&|(_, ours)| ours.cpu_us);
    let cpu_ratio = median(&|(bare, ours)| bare.cpu_us / ours.cpu_us);
    println!(
        "{name:<7} {:<9} {limit_rate:>8.0} {rate:>10.0} {ratio:>7.3} {limit_cpu_us:>13.1} {cpu_us:>8.1} {cpu_ratio:>11.3}",
        format!("{caller:?}"),
    );
    json!({
        "alg": name, "caller": format!("{caller:?}").to_lowercase(), "rate": rate, "limit_rate": limit_rate,
        "ratio": ratio, "cpu_us_per_event": cpu_us, "limit_cpu_us_per_event": limit_cpu_us, "cpu_ratio": cpu_ratio,
    })
}
