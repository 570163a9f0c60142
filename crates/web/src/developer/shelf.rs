//! What was rendered, kept until a key comes or goes: samples are signatures, a millisecond each, and the page is for everybody.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oyez_domain::time::Timestamp;
use oyez_jose::key_set::KeySet;
use oyez_jose::{UnixTime, sha256};
use oyez_outbound::Bytes;
use tokio::sync::{Mutex, MutexGuard};

use super::page::{self, View};
use super::policy::{Facts, Policy};
use super::samples::Sample;
use crate::pages::Assets;

/// The place of it.
#[derive(Default)]
pub(crate) struct Shelf {
    /// Held while it is rendered: those who come meanwhile get the same.
    kept: Mutex<Option<Arc<Rendered>>>,
}

/// What is on the shelf.
pub(crate) enum Found<'a> {
    /// What is to be shown now.
    Kept(Arc<Rendered>),
    /// Nothing of these keys.
    Vacant(Vacant<'a>),
}

/// A place to be filled.
pub(crate) struct Vacant<'a> {
    place: MutexGuard<'a, Option<Arc<Rendered>>>,
    keys: Keys,
}

/// A page and its facts, as of some keys.
pub(crate) struct Rendered {
    keys: Keys,
    pub(crate) page: Document,
    pub(crate) policy: Document,
}

/// Something to be sent, with its tag.
pub(crate) struct Document {
    pub(crate) body: Bytes,
    pub(crate) tag: String,
}

/// What the pages depend on that changes.
#[derive(PartialEq, Eq)]
struct Keys {
    signing: Option<String>,
    /// With their algorithms.
    published: Vec<(String, String)>,
}

impl Shelf {
    /// Looks for what these keys make of it.
    pub(crate) async fn find(&self, keys: &KeySet, now: Timestamp) -> Found<'_> {
        let keys = Keys::at(keys, now);
        let place = self.kept.lock().await;
        match place.as_ref().filter(|kept| kept.keys == keys) {
            Some(kept) => Found::Kept(Arc::clone(kept)),
            None => Found::Vacant(Vacant { place, keys }),
        }
    }
}

impl Vacant<'_> {
    /// Renders it. What has samples that could not be signed is shown, and not kept.
    pub(crate) fn fill(
        mut self,
        facts: Facts<'_>,
        assets: &Assets,
        samples: &[Sample],
    ) -> Arc<Rendered> {
        let policy = Policy::of(facts, self.keys.algorithms());
        let view = View {
            policy: &policy,
            samples,
            brand: &facts.developer.brand,
            assets,
        };
        let rendered = Arc::new(Rendered {
            page: Document::new(page::page(&view).into_string()),
            policy: Document::new(policy.to_json()),
            keys: self.keys,
        });
        if samples.iter().all(|sample| sample.set.is_some()) {
            *self.place = Some(Arc::clone(&rendered));
        }
        rendered
    }
}

impl Document {
    pub(crate) fn new(text: String) -> Self {
        let body = Bytes::from(text);
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(sha256(&body)));
        Self { body, tag }
    }
}

impl Keys {
    fn at(keys: &KeySet, now: Timestamp) -> Self {
        let now = UnixTime::from_milliseconds(now.unix_ms());
        let published = keys.published_at(now).map(|key| {
            let algorithm = key.public_key().algorithm();
            (key.kid().to_owned(), algorithm.to_string())
        });
        Self {
            signing: keys.signing_at(now).map(|key| key.kid().to_owned()),
            published: published.collect(),
        }
    }

    fn algorithms(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .published
            .iter()
            .map(|(_, name)| name.clone())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
