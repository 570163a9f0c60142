//! Where the ledger's work runs: on a runtime that is given, tracked to its end.
//!
//! A request runs to its end though its caller is gone: callers wait for tasks and do not poll them. Connections are tracked
//! apart, since they end after the last request that uses them.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Error;

/// The tasks of one ledger. Clones are the same.
#[derive(Clone)]
pub(super) struct Tasks {
    runtime: Handle,
    work: TaskTracker,
    connections: TaskTracker,
    closing: CancellationToken,
}

impl Tasks {
    pub(super) fn on(runtime: &Handle) -> Self {
        Self {
            runtime: runtime.clone(),
            work: TaskTracker::new(),
            connections: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// Has work done to its end.
    pub(super) fn work<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.work.spawn_on(work, &self.runtime)
    }

    /// Drives a connection.
    pub(super) fn connection(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.connections.spawn_on(connection, &self.runtime);
    }

    /// Whether nothing new is taken any more.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Waits until nothing new is taken any more.
    pub(super) async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// Takes nothing new.
    pub(super) fn close(&self) {
        self.closing.cancel();
        self.work.close();
        self.connections.close();
    }

    /// Waits for the end of all work.
    pub(super) async fn worked(&self) {
        self.work.wait().await;
    }

    /// Waits for the end of all connections, for a moment: they have nothing left to say.
    pub(super) async fn hung_up(&self) {
        let ended = self.connections.wait();
        tokio::time::timeout(HANG_UP_MAX, ended).await.ok();
    }
}

/// Whoever asks after the end.
pub(super) fn closed() -> Error {
    Error::Unavailable {
        detail: "the ledger is closed".to_owned(),
    }
}

/// Saying goodbye takes one message.
const HANG_UP_MAX: Duration = Duration::from_secs(1);
