//! Delivery with nothing but real parts: a SQLite ledger, the issuer, the postman, lanes, and endpoints that misbehave over
//! real TLS. What each kind of answer does is asked of the ledger, and what arrived is asked of the endpoints.
//!
//! Policies are short, or so long that what follows the first attempt can be looked at in peace. Nothing waits by the
//! clock for something to happen: tests wait for what they need, and only what must *not* happen is given some time.

mod answers;
mod backlog;
mod isolation;
mod ledger;
mod order;
mod outages;
mod polls;
mod refusals;
mod transport;
mod world;
