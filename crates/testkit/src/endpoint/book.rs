//! What came, on disk before it is answered: the independent ledger of campaigns that kill processes.
//!
//! One line of JSON per request, only ever appended. Whoever is killed, the book knows at least everything that was
//! acknowledged, for an acknowledgement leaves only after its line is on the disk. Requests that come together share a flush.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use oyez_domain::ids::Jti;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Seen;

/// An open book.
pub struct Book(mpsc::Sender<(Arc<Seen>, oneshot::Sender<()>)>);

/// A line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Of the SET, if it was one.
    pub jti: Option<Jti>,
    /// SHA-256 of the body, in base64url.
    pub digest: String,
    /// What the answer began with.
    pub status: Option<u16>,
    /// Of the attempt.
    pub interaction_id: Option<String>,
    /// Since the book was opened.
    pub at_ms: u64,
}

impl Book {
    /// Appends to this file; a thread writes it, which ends with the book.
    pub(super) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let (mut file, opened_at) = (file.unwrap(), Instant::now());
        let (sender, mut queue) = mpsc::channel::<(Arc<Seen>, oneshot::Sender<()>)>(QUEUE_MAX);
        std::thread::spawn(move || {
            let mut batch = Vec::new();
            while queue.blocking_recv_many(&mut batch, QUEUE_MAX) > 0 {
                let lines = batch.iter().map(|(seen, _)| line(seen, opened_at));
                append(&mut file, &lines.collect::<String>());
                for (_, written) in batch.drain(..) {
                    // Whoever sent the request may be dead by now.
                    written.send(()).ok();
                }
            }
        });
        Self(sender)
    }

    /// Returns when it is on the disk.
    pub(super) async fn write(&self, seen: Arc<Seen>) {
        let (written, is_written) = oneshot::channel();
        self.0.send((seen, written)).await.unwrap();
        is_written.await.unwrap();
    }

    /// All lines of a book. One that the writer's death cut off is left out: it was not acknowledged.
    pub fn read(path: &Path) -> Vec<Entry> {
        let text = std::fs::read_to_string(path).unwrap();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        text[..whole].lines().map(entry).collect()
    }
}

fn append(file: &mut File, lines: &str) {
    file.write_all(lines.as_bytes()).unwrap();
    file.sync_data().unwrap();
}

fn line(seen: &Seen, opened_at: Instant) -> String {
    let at = seen.came.at.saturating_duration_since(opened_at);
    let line = json!({
        "jti": seen.jti(),
        "digest": crate::jws::digest(&seen.body),
        "status": seen.status,
        "interaction_id": seen.interaction_id(),
        "at_ms": u64::try_from(at.as_millis()).unwrap(),
    });
    format!("{line}\n")
}

fn entry(line: &str) -> Entry {
    let line: Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    Entry {
        jti: text("jti").map(|jti| jti.parse().unwrap()),
        digest: text("digest").unwrap(),
        status: line["status"].as_u64().map(|it| u16::try_from(it).unwrap()),
        interaction_id: text("interaction_id"),
        at_ms: line["at_ms"].as_u64().unwrap(),
    }
}

/// More than any test has in progress at once.
const QUEUE_MAX: usize = 1_024;
