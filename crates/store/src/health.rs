//! An endpoint's health as it stands in a lane's row, whatever the backend.

use oyez_domain::ledger::lanes::{Health, HealthState, Reason};
use oyez_domain::time::Timestamp;

use crate::Error;
use crate::error::contradiction;

/// A health as it stands in columns.
#[derive(Debug)]
pub(crate) struct HealthColumns<'a> {
    pub(crate) state: i64,
    pub(crate) since: Option<i64>,
    pub(crate) declared_at: Option<i64>,
    pub(crate) failures: u32,
    pub(crate) next_probe_at: Option<i64>,
    pub(crate) reason: Option<&'a str>,
}

impl<'a> HealthColumns<'a> {
    pub(crate) fn of(health: &'a Health) -> Self {
        let (since, declared_at, failures, reason) = match health {
            Health::Responsive => (None, None, 0, None),
            Health::Failing {
                since,
                failures,
                reason,
                ..
            } => (Some(*since), None, *failures, Some(reason)),
            Health::Unresponsive {
                since,
                declared_at,
                failures,
                reason,
                ..
            } => (Some(*since), Some(*declared_at), *failures, Some(reason)),
            Health::Paused { since } => (Some(*since), None, 0, None),
        };
        Self {
            state: state_code(health.state()),
            since: since.map(Timestamp::unix_ms),
            declared_at: declared_at.map(Timestamp::unix_ms),
            failures,
            next_probe_at: health.next_probe_at().map(Timestamp::unix_ms),
            reason: reason.map(Reason::as_str),
        }
    }

    /// The health that a lane's columns say.
    pub(crate) fn read(self, client_id: &str) -> Result<Health, Error> {
        let moment = |ms: Option<i64>| ms.map(Timestamp::from_unix_ms);
        let failures = self.failures;
        let reason = self.reason.map(Reason::new);
        let (since, declared_at) = (moment(self.since), moment(self.declared_at));
        let next_probe_at = moment(self.next_probe_at);
        Ok(
            match (self.state, since, declared_at, next_probe_at, reason) {
                (RESPONSIVE, None, None, None, None) => Health::Responsive,
                (FAILING, Some(since), None, Some(next_probe_at), Some(reason)) => {
                    Health::Failing {
                        since,
                        failures,
                        next_probe_at,
                        reason,
                    }
                }
                (UNRESPONSIVE, Some(since), Some(declared_at), next_probe_at, Some(reason)) => {
                    Health::Unresponsive {
                        since,
                        declared_at,
                        failures,
                        next_probe_at,
                        reason,
                    }
                }
                (PAUSED, Some(since), None, None, None) => Health::Paused { since },
                other => {
                    return Err(contradiction(format!(
                        "the health of {client_id}: {other:?}"
                    )));
                }
            },
        )
    }
}

/// How a state stands in a column.
pub(crate) const fn state_code(state: HealthState) -> i64 {
    match state {
        HealthState::Responsive => RESPONSIVE,
        HealthState::Failing => FAILING,
        HealthState::Unresponsive => UNRESPONSIVE,
        HealthState::Paused => PAUSED,
    }
}

/// The state that a column says.
pub(crate) fn state(code: i64) -> Result<HealthState, Error> {
    let mut states = HealthState::ALL.into_iter();
    let state = states.find(|state| state_code(*state) == code);
    state.ok_or_else(|| contradiction(format!("health {code}")))
}

const RESPONSIVE: i64 = 0;
const FAILING: i64 = 1;
const UNRESPONSIVE: i64 = 2;
const PAUSED: i64 = 3;
