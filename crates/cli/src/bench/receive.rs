//! Receiving: TLS, HTTP, verification, what was seen before, and an application in the receiver's process, beside verifying
//! alone.
//!
//! Each connection has one request at a time, as fast as it is answered. SETs are signed and requests made beforehand; keys
//! and connections are warm when the measurement starts.

pub(super) mod receiver;
mod sets;

use std::collections::HashMap;
use std::time::Duration;

use oyez_jose::KeyKind;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::application::Count;
use super::client::{Connection, Dial};
use super::door::{Door, tls};
use super::figures::{Cost, Figures, Latencies, Meter, round};
use super::primitive::Primitive;
use super::process::Process;
use super::site::{Site, client_id};
use super::tpp_file::TppFile;
use super::{broken, documents, drive, unexpected};
use crate::args::{BenchCommon, BenchHttp, Receive};
use crate::commands::Surroundings;
use crate::config::Backend;
use crate::failure::Failure;
use crate::open_files;
use receiver::Receiver;
use sets::Sets;

pub(super) fn measure(args: &Receive, around: &Surroundings) -> Result<Figures, Failure> {
    let limit = open_files::raise(args.connections + OTHER_FILES);
    limit.map_err(|error| broken("no limit of open files", &error))?;
    let door = Door::bind()?;
    let site = Site::found(&nobodys(args), KeyKind::Rsa2048, around)?;
    let kind = args.alg.kind();
    let Sets { jwks, mut sets } = Sets::sign(&site, kind, WARM_UP + args.events)?;
    let set_bytes = sets.iter().map(String::len).max();
    let events = sets.split_off(usize::try_from(WARM_UP).unwrap_or(0));
    let config = TppFile {
        client_id: &client_id(0),
        // It is only listened to.
        bank: door.address(),
        jwks: format!("https://{}{JWKS}", door.address()),
        tokens: format!("https://{}/token", door.address()),
        batch: 1,
    };
    let config = config.write(&site)?;
    let before = Primitive::verifying(kind)?;
    let receiver = Receiver::start(&config, args.seen)?;
    let (cost, latencies) = drive(async {
        let documents = HashMap::from([(JWKS.to_owned(), jwks)]);
        documents::open(door, tls(&site, BenchHttp::One)?, documents)?;
        load(args.connections, &site, &receiver, [sets, events]).await
    })?;
    let count = receiver.finish()?;
    let verifying = before.mean(Primitive::verifying(kind)?);
    if count != Count::once(WARM_UP + args.events) {
        return Err(unexpected(format!("the application got {count:?}")));
    }
    Ok(figures(&cost, &latencies, verifying)
        .with("load_cpu_us_per_event", round(cost.load_cpu_us(), 1))
        .with("backend", args.seen.name())
        .with("seen", args.seen.name())
        .with("alg", args.alg.name())
        .with("connections", args.connections)
        .with("set_bytes", set_bytes))
}

/// What a TPP's side cost, beside verifying alone.
pub(super) fn figures(cost: &Cost, latencies: &Latencies, verifying: Primitive) -> Figures {
    let outside = round(cost.cpu_us() - verifying.cpu_us, 1);
    cost.beside(verifying.per_second, latencies)
        .with("verifying_cpu_us", round(verifying.cpu_us, 1))
        .with("cpu_us_outside_verifying", outside)
}

/// A bank's directory that nobody serves; its certificates are the receiver's.
fn nobodys(args: &Receive) -> BenchCommon {
    BenchCommon {
        backend: Backend::Sqlite,
        directory: args.directory.clone(),
        database: None,
        database_password_file: None,
        database_ca_file: None,
        ledger: None,
    }
}

/// Pushes the first of these, and then the rest, which are measured.
async fn load(
    connections: u64,
    site: &Site,
    receiver: &Receiver,
    [warm_up, events]: [Vec<String>; 2],
) -> Result<(Cost, Latencies), Failure> {
    let dial = Dial::tls(receiver.address, site)?;
    let mut ready = Vec::new();
    for _ in 0..connections {
        let connection = dial.connect().await;
        ready.push(connection.map_err(|error| broken("cannot connect", &error))?);
    }
    let count = u64::try_from(events.len()).unwrap_or(u64::MAX);
    let hands = deal(&warm_up, connections).into_iter().zip(ready);
    let (ready, _) = push_all(hands).await?;
    let hands = deal(&events, connections);
    drop(events);
    let measured = receiver.process.clone();
    let meter = Meter::between(measured, Process::this(), None)?;
    let (_, latencies) = push_all(hands.into_iter().zip(ready)).await?;
    Ok((meter.stop(count)?, Latencies::of(latencies)))
}

/// Requests, dealt out to so many connections.
fn deal(sets: &[String], connections: u64) -> Vec<Vec<Vec<u8>>> {
    let mut hands = vec![Vec::new(); usize::try_from(connections).unwrap_or(1)];
    let places = hands.len();
    for (nth, set) in sets.iter().enumerate() {
        hands[nth % places].push(request(nth, set));
    }
    hands
}

/// A push as a bank sends it.
fn request(nth: usize, set: &str) -> Vec<u8> {
    format!(
        "POST /open-banking/v4.0/event-notifications HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/jwt\r\n\
         accept: application/json\r\nx-fapi-interaction-id: 93bac548-d2de-4546-b106-{nth:012}\r\n\
         content-length: {}\r\n\r\n{set}",
        set.len()
    )
    .into_bytes()
}

/// All at once; what comes back are the connections, and how long each request took.
async fn push_all(
    hands: impl Iterator<Item = (Vec<Vec<u8>>, Connection)>,
) -> Result<(Vec<Connection>, Vec<Duration>), Failure> {
    let mut tasks = JoinSet::new();
    for (requests, connection) in hands {
        tasks.spawn(push(connection, requests));
    }
    let (mut back, mut latencies) = (Vec::new(), Vec::new());
    for pushed in tasks.join_all().await {
        let (connection, took) = pushed?;
        back.push(connection);
        latencies.extend(took);
    }
    Ok((back, latencies))
}

async fn push(
    mut connection: Connection,
    requests: Vec<Vec<u8>>,
) -> Result<(Connection, Vec<Duration>), Failure> {
    let mut latencies = Vec::with_capacity(requests.len());
    for request in requests {
        let asked = Instant::now();
        let answer = connection.ask(&request).await;
        answer.map_err(|error| broken("a SET was not taken", &error))?;
        latencies.push(asked.elapsed());
    }
    Ok((connection, latencies))
}

const JWKS: &str = "/jwks";

/// SETs that warm connections, caches and keys.
const WARM_UP: u64 = 2_000;

/// Files that are no connection.
const OTHER_FILES: u64 = 128;
