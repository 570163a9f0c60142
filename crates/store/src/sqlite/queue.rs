//! A bounded queue in front of a thread that owns a database connection.
//!
//! Callers wait for a place: that is the back-pressure. Who waits longer than the bound is told that the ledger is busy, and
//! nothing of theirs was queued. Who goes away after having been queued cancels nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::Error;

/// Where callers stand in line for a context `C`: the writer's unit or a reader's connection.
pub(super) struct Queue<C> {
    sender: mpsc::Sender<Message<C>>,
    wait_max: Duration,
    name: &'static str,
}

/// What goes through the queue.
pub(super) enum Message<C> {
    /// Work, and somebody who may be waiting for its end.
    Job(Box<dyn Job<C>>),
    /// Take nothing new; finish what is queued.
    Close,
}

/// One request. It runs first and is answered later: under group commit the answer waits for the commit.
pub(super) trait Job<C>: Send {
    /// Does the work and keeps its result for [`Job::answer`]. Done again after it was undone, it does the same. A panic is a
    /// fault of this request alone.
    fn run(&mut self, context: &mut C) -> Result<(), Error>;

    /// Tells the caller the result, or instead of it why nothing of it happened.
    fn answer(self: Box<Self>, fate: Result<(), Error>);

    /// Has the caller gone?
    fn is_abandoned(&self) -> bool;
}

impl<C: 'static> Queue<C> {
    /// A queue of so many places, and its other end.
    pub(super) fn new(
        name: &'static str,
        places: usize,
        wait_max: Duration,
    ) -> (Self, mpsc::Receiver<Message<C>>) {
        let (sender, receiver) = mpsc::channel(places.max(1));
        let queue = Self {
            sender,
            wait_max,
            name,
        };
        (queue, receiver)
    }

    /// Has `work` done by the thread behind the queue.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut C) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            work,
            done: None,
            reply,
        };
        self.send(Message::Job(Box::new(request))).await?;
        answer.await.map_err(|_| self.closed())?
    }

    /// How many stand in line now.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Asks the thread to finish what is queued and to take nothing new.
    pub(super) async fn close(&self) {
        // Closed already is what was wanted.
        self.sender.send(Message::Close).await.ok();
    }

    async fn send(&self, message: Message<C>) -> Result<(), Error> {
        let message = match self.sender.try_send(message) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(self.closed()),
            Err(mpsc::error::TrySendError::Full(message)) => message,
        };
        match tokio::time::timeout(self.wait_max, self.sender.reserve()).await {
            Ok(Ok(place)) => {
                place.send(message);
                Ok(())
            }
            Ok(Err(_)) => Err(self.closed()),
            Err(_) => Err(Error::Busy {
                detail: format!(
                    "no place in the {} queue within {} ms",
                    self.name,
                    self.wait_max.as_millis()
                ),
            }),
        }
    }

    fn closed(&self) -> Error {
        Error::Unavailable {
            detail: format!("the {} is closed", self.name),
        }
    }
}

struct Request<T, F> {
    work: F,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<C, T, F> Job<C> for Request<T, F>
where
    T: Send,
    F: FnMut(&mut C) -> Result<T, Error> + Send,
{
    fn run(&mut self, context: &mut C) -> Result<(), Error> {
        // The context survives: the request is rolled back, and what is counted for it is thrown away.
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(context)));
        self.done = Some(result.unwrap_or_else(|_| {
            Err(Error::Inconsistent {
                detail: "the request panicked; it was rolled back".to_owned(),
            })
        })?);
        Ok(())
    }

    fn answer(self: Box<Self>, fate: Result<(), Error>) {
        let done = self.done;
        let result = fate.map(|()| done.expect("only a job that ran is told that it did"));
        // A caller that is gone needs no answer.
        self.reply.send(result).ok();
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}
