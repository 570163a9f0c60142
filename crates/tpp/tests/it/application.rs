//! The application of a TPP.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use oyez_tpp::{Declined, HandOver, Notification, Pending, Repeat};
use tokio::sync::Semaphore;

/// An application that keeps what it gets, answers as it was told to, and can be made to wait.
pub(crate) struct Application {
    got: Mutex<Vec<(String, Repeat)>>,
    answers: Mutex<VecDeque<Declined>>,
    /// How many more it takes.
    pub(crate) gate: Semaphore,
}

impl Application {
    pub(crate) fn open() -> Arc<Self> {
        Self::with_places(Semaphore::MAX_PERMITS)
    }

    pub(crate) fn with_places(places: usize) -> Arc<Self> {
        Arc::new(Self {
            got: Mutex::default(),
            answers: Mutex::default(),
            gate: Semaphore::new(places),
        })
    }

    pub(crate) fn declines(&self, why: Declined) {
        self.answers.lock().unwrap().push_back(why);
    }

    /// The jtis in the order they came, and whether each said that it may be a repeat.
    pub(crate) fn got(&self) -> Vec<(String, Repeat)> {
        self.got.lock().unwrap().clone()
    }
}

impl HandOver for Application {
    fn hand_over<'a>(
        &'a self,
        notifications: &'a [Notification],
    ) -> Pending<'a, Vec<Result<(), Declined>>> {
        Box::pin(async move {
            let mut outcomes = Vec::new();
            for notification in notifications {
                let entry = (notification.claims.jti.clone(), notification.repeat);
                self.got.lock().unwrap().push(entry);
                self.gate.acquire().await.unwrap().forget();
                outcomes.push(self.answers.lock().unwrap().pop_front().map_or(Ok(()), Err));
            }
            outcomes
        })
    }
}
