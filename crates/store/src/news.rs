//! Telling those who wait that the ledger changed, so that nobody has to ask it again and again.
//!
//! Who changes something does not know who waits for it, and need not: the ledger says it. It tells after the commit, and
//! before it answers those whose requests made the news; so whoever has an answer knows that it was heard. News says whom a
//! change may concern and nothing else: who hears of it asks the ledger.
//!
//! Absent: queues, threads and promises to those who are gone. News is no event of the standard and is kept nowhere; who
//! starts to listen looks once by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub use oyez_domain::ledger::news::{Awaited, News};

/// Who wants to hear what changed.
pub trait Listen: Send + Sync {
    /// Something changed and is durable. Called on the thread that writes, which stands still meanwhile: rings bells, and
    /// neither waits nor asks the ledger. A TPP is named once.
    fn heard(&self, news: &[News]);

    /// What this one waits for. A ledger that others write to, whose word of it may get lost on the way, looks for that by itself
    /// now and then, in one question for all, and tells what it finds as news.
    fn awaits(&self) -> Vec<Awaited> {
        Vec::new()
    }
}

/// Those who listen to one ledger, for whoever implements one.
#[derive(Default)]
pub struct Listeners(Mutex<Vec<Weak<dyn Listen>>>);

impl Listeners {
    /// Tells this one from now on, for as long as it lives.
    pub fn add(&self, listener: Weak<dyn Listen>) {
        let mut listeners = self.all();
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(listener);
    }

    /// Tells everybody, unless there is nothing to tell.
    pub fn tell(&self, news: &[News]) {
        if news.is_empty() {
            return;
        }
        for listener in self.living() {
            // A listener's panic is its own, and was told by the panic's hook: the ledger goes on.
            catch_unwind(AssertUnwindSafe(|| listener.heard(news))).ok();
        }
    }

    /// What those who listen wait for.
    pub fn awaited(&self) -> Vec<Awaited> {
        let listeners = self.living().into_iter();
        listeners.flat_map(|listener| listener.awaits()).collect()
    }

    fn living(&self) -> Vec<Arc<dyn Listen>> {
        self.all().iter().filter_map(Weak::upgrade).collect()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Weak<dyn Listen>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
