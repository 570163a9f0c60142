//! Where the traces of events that are under way lead on. An event whose SET was kept is handed out and pushed again without
//! its notice being read, so what its notice said of its trace is remembered here, by the node that signed it, for a bounded
//! number of events. Only of those that are recorded.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use oyez_domain::ids::Jti;
use oyez_domain::trace::TraceContext;

#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    by_jti: HashMap<Jti, TraceContext>,
    /// In the order of their coming, those included that were forgotten since.
    order: VecDeque<Jti>,
}

impl Remembered {
    pub(crate) fn insert(&self, jti: Jti, context: &TraceContext) {
        let mut state = self.state();
        if state.by_jti.insert(jti, context.clone()).is_some() {
            return;
        }
        state.order.push_back(jti);
        if state.order.len() > EVENTS_MAX
            && let Some(oldest) = state.order.pop_front()
        {
            state.by_jti.remove(&oldest);
        }
    }

    pub(crate) fn find(&self, jti: Jti) -> Option<TraceContext> {
        self.state().by_jti.get(&jti).cloned()
    }

    pub(crate) fn take(&self, jti: Jti) -> Option<TraceContext> {
        self.state().by_jti.remove(&jti)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A minute of 250 recorded events a second, in some megabytes. An event that waits for longer than that is traced to its
/// signature; its attempts are in the ledger.
const EVENTS_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use oyez_domain::time::Timestamp;

    use super::*;

    #[test]
    fn the_oldest_makes_room_and_what_ended_is_forgotten() {
        let remembered = Remembered::default();
        let context = TraceContext::read(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            None,
        );
        let context = context.unwrap();
        let jti = |number: usize| {
            let mut random = [0; 10];
            random[2..].copy_from_slice(&(number as u64).to_be_bytes());
            Jti::new(Timestamp::from_unix_ms(1), random)
        };
        for number in 0..=EVENTS_MAX {
            remembered.insert(jti(number), &context);
        }
        assert_eq!(remembered.find(jti(0)), None);
        assert_eq!(remembered.find(jti(1)), Some(context.clone()));
        assert_eq!(remembered.take(jti(1)), Some(context));
        assert_eq!(remembered.find(jti(1)), None);
        assert!(remembered.state().order.len() <= EVENTS_MAX);
    }
}
