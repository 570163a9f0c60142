//! What a group of requests is to tell, gathered in memory and told once.
//!
//! A request that is rolled back takes its news with it, and a group whose commit fails tells nothing. A busy TPP is named once
//! per group, however many of its requests are in it.

use std::collections::HashMap;

use oyez_domain::ids::ClientId;

use crate::News;
use crate::codes::TppId;

/// News not yet told.
#[derive(Debug, Default)]
pub(crate) struct Newsboard {
    by_tpp: HashMap<TppId, News>,
}

impl Newsboard {
    /// What there is to tell of a TPP, to be added to.
    pub(crate) fn of(&mut self, (tpp, owner): (TppId, &ClientId)) -> &mut News {
        let entry = self.by_tpp.entry(tpp);
        entry.or_insert_with(|| News::of(owner.clone()))
    }

    /// Takes in what a request has to tell, once it can no longer be rolled back alone.
    pub(crate) fn absorb(&mut self, request: Self) {
        for (tpp, news) in request.by_tpp {
            let sum = self.by_tpp.entry(tpp);
            sum.and_modify(|sum| sum.absorb(&news)).or_insert(news);
        }
    }

    /// All of it, and is empty again.
    pub(crate) fn take(&mut self) -> Vec<News> {
        self.by_tpp.drain().map(|(_, news)| news).collect()
    }
}
