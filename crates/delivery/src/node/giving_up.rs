//! Lanes that others are to have: a node that was told at its renewal that it has more than its share lets some of them go, those
//! with nothing to do first. What is in flight on them ends and is recorded before, so that nothing is pushed twice.
//!
//! Where nobody takes them they come back here. So that lanes do not go round for ever, each time so soon after another is
//! followed by a longer rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Node;
use crate::door::Door;

/// When lanes were given up last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct GivingUp {
    rest: Duration,
    again_at: Option<Instant>,
}

impl Node<'_> {
    /// Lets go of so many lanes, those counted that are on their way.
    pub(super) fn give_up(&mut self, surplus: u64, now: Instant) {
        if surplus == 0 {
            let GivingUp { rest, again_at } = self.giving_up;
            if again_at.is_some_and(|at| at + rest + FORGOTTEN_AFTER <= now) {
                self.giving_up = GivingUp::default();
            }
            return;
        }
        if self.giving_up.again_at.is_some_and(|at| now < at) {
            return;
        }
        let mut doors: Vec<Arc<Door>> = self.shared.doors().values().map(Arc::clone).collect();
        let going = doors.iter().filter(|door| door.is_given_up()).count();
        doors.retain(|door| !door.is_given_up());
        doors.sort_by_key(|door| !door.rests());
        let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
        let given = surplus.saturating_sub(going).min(doors.len());
        doors.iter().take(given).for_each(|door| door.give_up());
        if given > 0 {
            let rest = (self.giving_up.rest * 2).clamp(REST_MIN, REST_MAX);
            self.giving_up = GivingUp {
                rest,
                again_at: Some(now + rest),
            };
        }
    }
}

/// Others need a renewal to see that there are lanes for them, and take them then.
const REST_MIN: Duration = Duration::from_secs(2);
/// Who takes no lanes for so long has something wrong that will not pass.
const REST_MAX: Duration = Duration::from_secs(10 * 60);
/// What was given up and has not come back by then stays where it is.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);
