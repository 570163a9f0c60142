//! The way to each TPP, kept while it is in use.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oyez_domain::ids::ClientId;
use tokio::time::Instant;

use super::route::Route;

/// The ways that are known, no more than so many.
pub(super) struct Routes {
    places: Mutex<HashMap<ClientId, Known>>,
    places_max: usize,
}

/// One TPP's. Its lock is held while a way is made, which costs some time: that is felt by this TPP alone.
#[derive(Default)]
pub(super) struct Place(Mutex<Option<Arc<Route>>>);

struct Known {
    place: Arc<Place>,
    used_at: Instant,
}

impl Routes {
    pub(super) fn new(places_max: usize) -> Self {
        Self {
            places: Mutex::default(),
            places_max,
        }
    }

    /// That of this TPP, which is used now. The least recently used one makes room for a new one.
    pub(super) fn place(&self, client_id: &ClientId) -> Arc<Place> {
        let now = Instant::now();
        let mut places = self.lock();
        if let Some(known) = places.get_mut(client_id) {
            known.used_at = now;
            return Arc::clone(&known.place);
        }
        if places.len() >= self.places_max {
            let oldest = places.iter().min_by_key(|(_, known)| known.used_at);
            let oldest = oldest.map(|(client_id, _)| client_id.clone());
            oldest.map(|client_id| places.remove(&client_id));
        }
        let place = Arc::<Place>::default();
        let known = Known {
            place: Arc::clone(&place),
            used_at: now,
        };
        places.insert(client_id.clone(), known);
        place
    }

    /// Lets those go that were not used for so long.
    pub(super) fn sweep(&self, unused_max: Duration) {
        let now = Instant::now();
        let is_old = |known: &mut Known| now.duration_since(known.used_at) >= unused_max;
        let mut places = self.lock();
        let gone: Vec<_> = places.extract_if(|_, known| is_old(known)).collect();
        // Closing connections is not done under the lock.
        drop(places);
        drop(gone);
    }

    /// Each change leaves the map whole, so a panic elsewhere is no reason to stop.
    fn lock(&self) -> MutexGuard<'_, HashMap<ClientId, Known>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The way that this makes of the one that is known.
    pub(super) fn renewed<E>(
        &self,
        renew: impl FnOnce(Option<&Arc<Route>>) -> Result<Arc<Route>, E>,
    ) -> Result<Arc<Route>, E> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let route = renew(known.as_ref())?;
        let before = known.replace(Arc::clone(&route));
        drop(known);
        drop(before);
        Ok(route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_id(name: &str) -> ClientId {
        ClientId::new(name).unwrap()
    }

    fn names(routes: &Routes) -> Vec<String> {
        let mut names: Vec<_> = routes.lock().keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    // D-09
    #[tokio::test(start_paused = true)]
    async fn the_least_recently_used_makes_room() {
        let routes = Routes::new(2);
        for name in ["one", "two", "one", "three"] {
            drop(routes.place(&client_id(name)));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(names(&routes), ["one", "three"]);
        let known = routes.place(&client_id("one"));
        assert!(Arc::ptr_eq(&known, &routes.place(&client_id("one"))));
    }

    // D-11
    #[tokio::test(start_paused = true)]
    async fn what_is_not_used_goes_and_what_is_used_stays() {
        let routes = Routes::new(9);
        drop((
            routes.place(&client_id("one")),
            routes.place(&client_id("two")),
        ));
        tokio::time::advance(Duration::from_secs(9)).await;
        drop(routes.place(&client_id("two")));
        tokio::time::advance(Duration::from_secs(1)).await;
        routes.sweep(Duration::from_secs(10));
        assert_eq!(names(&routes), ["two"]);
        tokio::time::advance(Duration::from_secs(9)).await;
        routes.sweep(Duration::from_secs(10));
        assert!(names(&routes).is_empty());
    }
}
