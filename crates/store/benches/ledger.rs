//! What the ledger costs over SQLite itself, and what history costs the ledger.
//!
//! `cargo bench -p oyez-store --bench ledger -- [--events N] [--settled N] [--withdrawn N]` prints a table and, last, one
//! line of JSON.
//! Ratios are of one run on one machine; absolute figures mean little elsewhere.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads its arguments and starts its own callers"
)]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]

#[path = "ledger/bare.rs"]
mod bare;
#[path = "ledger/changes.rs"]
mod changes;
#[path = "ledger/history.rs"]
mod history;
#[path = "ledger/meter.rs"]
mod meter;
#[path = "ledger/product.rs"]
mod product;

use serde_json::{Value, json};

use meter::Figures;

/// What to measure.
struct Arguments {
    events: u64,
    settled: u64,
    withdrawn: u64,
}

fn main() {
    let arguments = arguments();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("{}", bare::MEANING);
    let groups = runtime.block_on(groups(arguments.events));
    let callers = runtime.block_on(callers(arguments.events));
    let history = runtime.block_on(with_history(arguments.settled, arguments.events));
    let changes = runtime.block_on(changes::measure(arguments.withdrawn));
    println!("\nchanges of a registration: {changes:#}");
    println!(
        "{}",
        json!({
            "groups": groups, "callers": callers, "history": history,
            "changes": changes,
        })
    );
}

fn arguments() -> Arguments {
    let mut arguments = Arguments {
        events: 20_000,
        settled: 200_000,
        withdrawn: 100_000,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = || -> u64 { words.next().and_then(|word| word.parse().ok()).unwrap() };
        match word.as_str() {
            "--events" => arguments.events = { value }(),
            "--settled" => arguments.settled = { value }(),
            "--withdrawn" => arguments.withdrawn = { value }(),
            // What cargo bench adds.
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    arguments
}

/// Each step in groups, the ledger and bare SQLite in turn.
async fn groups(events: u64) -> Value {
    println!(
        "\nper event           group    ledger/s      bare/s   ledger cpu us   bare cpu us   ratio   to bare insert"
    );
    let mut rows = Vec::new();
    for group in [1, 10, 100, 1000] {
        let events = if group == 1 { events / 10 } else { events };
        let ours = product::in_groups(events, group).await;
        let bare = bare::in_groups(events, group);
        let inserts = bare.accept.cpu_us;
        for (name, ours, bare) in [
            ("accept", &ours.accept, &bare.accept),
            ("keep", &ours.keep, &bare.keep),
            ("hand out", &ours.hand_out, &bare.hand_out),
            ("settle", &ours.settle, &bare.settle),
        ] {
            let ratio = ours.cpu_us / bare.cpu_us;
            let insert_ratio = ours.cpu_us / inserts;
            println!(
                "{name:<18} {group:>6} {:>11.0} {:>11.0} {:>15.1} {:>13.1} {ratio:>7.2} {insert_ratio:>16.2}",
                ours.rate, bare.rate, ours.cpu_us, bare.cpu_us
            );
            rows.push(json!({
                "step": name, "group": group, "rate": ours.rate, "bare_rate": bare.rate,
                "cpu_us_per_event": ours.cpu_us, "bare_cpu_us_per_event": bare.cpu_us, "cpu_ratio": ratio,
                "cpu_ratio_to_bare_insert": insert_ratio,
            }));
        }
    }
    Value::Array(rows)
}

/// Single events from many callers, who share commits.
async fn callers(events: u64) -> Value {
    println!("\ncallers, one event each       events/s   cpu us    p50 ms    p99 ms");
    let mut rows = Vec::new();
    for callers in [1, 64, 256] {
        let events = if callers == 1 { events / 10 } else { events };
        let (figures, p50_ms, p99_ms) = product::single_events(events, callers).await;
        println!(
            "{callers:>7} {:>29.0} {:>8.1} {p50_ms:>9.2} {p99_ms:>9.2}",
            figures.rate, figures.cpu_us
        );
        rows.push(json!({
            "callers": callers, "rate": figures.rate, "cpu_us_per_event": figures.cpu_us,
            "p50_ms": p50_ms, "p99_ms": p99_ms,
        }));
    }
    Value::Array(rows)
}

/// Polls that settle the previous 100 and take the next 100, on an empty ledger and on one with a past.
async fn with_history(settled: u64, events: u64) -> Value {
    let empty: Figures = history::poll_and_settle(0, events).await;
    let full: Figures = history::poll_and_settle(settled, events).await;
    let ratio = full.cpu_us / empty.cpu_us;
    println!("\npoll 100, settling the previous 100: events/s, cpu us per event");
    println!("  nothing settled: {:.0}, {:.2}", empty.rate, empty.cpu_us);
    println!(
        "  {settled} settled: {:.0}, {:.2} ({ratio:.2} times)",
        full.rate, full.cpu_us
    );
    json!({
        "settled": settled, "rate": full.rate, "rate_empty": empty.rate,
        "cpu_us_per_event": full.cpu_us, "cpu_us_per_event_empty": empty.cpu_us, "cpu_ratio": ratio,
    })
}
