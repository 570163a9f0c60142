//! The pages for the bank's own people.

use std::time::Duration;

use oyez_web::console::{ABSOLUTE, IDLE};

use super::form::{Flag, Span};
use super::section::{Secret, default, secret, section};

section! {
    /// The console: pages for the bank's own people, at `/console` of the internal listener, by the same list of tokens and
    /// roles (I-05).
    Console = "console" {
        /// Whether there are any.
        pages: bool = default(true, Flag);
        /// What seals sessions: a text of 32 characters or more that nobody can guess, the same for all nodes. Without one
        /// each process draws its own, and a restart or another node asks people to log in again.
        session_key: Option<Secret> = secret("\"…\"", "\"console-session.key\"");
        /// A proxy on this machine speaks TLS with browsers, where the internal listener does not: cookies are then for TLS alone.
        behind_tls: bool = default(false, Flag);
        /// A login ends when nobody used it for so long.
        idle: Duration = default(IDLE, Span(MINUTE..=DAY));
        /// A login ends after so long in any case.
        absolute: Duration = default(ABSOLUTE, Span(MINUTE..=WEEK));
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);
