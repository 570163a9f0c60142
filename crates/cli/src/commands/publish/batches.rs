//! Items gathered into batches. Who writes slowly is not kept waiting for a full one.

use std::time::Duration;

use oyez_outbound::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::input::{Item, Piece};
use crate::failure::Failure;

/// The batches of an input.
pub(super) struct Batches {
    pieces: mpsc::Receiver<Piece>,
    items_max: usize,
    gathered: Vec<Item>,
    bytes: usize,
    /// When the batch goes, full or not.
    goes_at: Option<Instant>,
    failure: Option<Failure>,
}

impl Batches {
    pub(super) fn new(pieces: mpsc::Receiver<Piece>, items_max: usize) -> Self {
        Self {
            pieces,
            items_max,
            gathered: Vec::new(),
            bytes: 0,
            goes_at: None,
            failure: None,
        }
    }

    /// The next one; `None` at the end. What was gathered is kept when this is dropped.
    pub(super) async fn next(&mut self) -> Option<Vec<Item>> {
        while self.gathered.len() < self.items_max && self.bytes < BYTES_MAX {
            let received = match self.goes_at {
                Some(at) => timeout_at(at, self.pieces.recv()).await,
                None => Ok(self.pieces.recv().await),
            };
            let item = match received {
                Ok(Some(Ok(item))) => item,
                Ok(Some(Err(failure))) => {
                    self.failure = Some(failure);
                    break;
                }
                Ok(None) | Err(_) => break,
            };
            self.goes_at.get_or_insert_with(|| Instant::now() + LINGER);
            self.bytes += item.text.as_ref().map_or(0, Bytes::len);
            self.gathered.push(item);
        }
        (self.bytes, self.goes_at) = (0, None);
        let gathered = std::mem::take(&mut self.gathered);
        (!gathered.is_empty()).then_some(gathered)
    }

    /// Why the input ended early, if it did.
    pub(super) fn failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }
}

/// Half of what the server takes in one request; the last item may be long.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Nobody who watches notices, and a full batch comes sooner.
const LINGER: Duration = Duration::from_millis(100);
