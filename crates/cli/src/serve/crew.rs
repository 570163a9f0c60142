//! The parts of a running server: tasks that must not end before they are told to.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinError, JoinSet};

/// Everybody on board.
pub(super) struct Crew {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

/// Somebody's work is over.
pub(super) struct Left {
    pub(super) name: &'static str,
    pub(super) how: Result<(), JoinError>,
}

impl Crew {
    pub(super) fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            names: HashMap::new(),
        }
    }

    /// Starts a part.
    pub(super) fn start(
        &mut self,
        name: &'static str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let id = self.tasks.spawn(work).id();
        self.names.insert(id, name);
    }

    /// Waits for the next that ends; `None` when nobody is left.
    pub(super) async fn leave(&mut self) -> Option<Left> {
        let (id, how) = match self.tasks.join_next_with_id().await? {
            Ok((id, ())) => (id, Ok(())),
            Err(error) => (error.id(), Err(error)),
        };
        let name = self.names.remove(&id).unwrap_or("a part");
        Some(Left { name, how })
    }

    /// Waits until this part is over; others may go before it.
    pub(super) async fn until_gone(&mut self, name: &str) {
        while self.names.values().any(|one| *one == name) {
            if self.leave().await.is_none() {
                return;
            }
        }
    }

    /// Waits for all.
    pub(super) async fn until_empty(&mut self) {
        while self.leave().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    #[tokio::test]
    async fn who_dies_is_named() {
        let mut crew = Crew::new();
        crew.start("the steady", std::future::pending());
        crew.start("the weak", async { panic!("it does") });
        let left = crew.leave().await.unwrap();
        assert_eq!(left.name, "the weak");
        assert!(left.how.unwrap_err().is_panic());
    }

    #[tokio::test]
    async fn one_part_can_be_waited_for_whoever_goes_before() {
        let mut crew = Crew::new();
        let stop = CancellationToken::new();
        crew.start("the first", async {});
        crew.start("the second", stop.clone().cancelled_owned());
        crew.start("the third", stop.clone().cancelled_owned());
        stop.cancel();
        crew.until_gone("the second").await;
        crew.until_gone("nobody").await;
        crew.until_empty().await;
        assert!(crew.leave().await.is_none());
    }
}
