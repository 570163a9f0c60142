//! Somebody who listens to a ledger and writes down what is said.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use oyez_domain::ids::ClientId;
use oyez_store::{Listen, News, Store};

/// What was heard of a ledger.
#[derive(Debug, Default)]
pub struct Notebook(Mutex<Vec<Vec<News>>>);

impl Notebook {
    /// Listens to this one from now on.
    pub fn of(store: &dyn Store) -> Arc<Self> {
        let notebook = Arc::new(Self::default());
        store.listen(Arc::downgrade(&notebook) as _);
        notebook
    }

    /// What was told at a time, in the order of telling, since this was last asked.
    pub fn tellings(&self) -> Vec<Vec<News>> {
        std::mem::take(&mut *self.pages())
    }

    /// The same summed up by TPP.
    pub fn news(&self) -> BTreeMap<ClientId, News> {
        let mut sums = BTreeMap::new();
        for news in self.tellings().into_iter().flatten() {
            let sum = sums.entry(news.client_id.clone());
            sum.and_modify(|sum: &mut News| sum.absorb(&news))
                .or_insert(news);
        }
        sums
    }

    fn pages(&self) -> MutexGuard<'_, Vec<Vec<News>>> {
        self.0.lock().unwrap()
    }
}

impl Listen for Notebook {
    fn heard(&self, news: &[News]) {
        self.pages().push(news.to_vec());
    }
}
