//! The internal API, request by request, over a real ledger.

mod bounds;
mod deployment;
mod endpoints;
mod events;
mod health;
mod publishing;
mod roles;
mod status;
mod tpps;
mod traces;
mod trail;
mod world;
