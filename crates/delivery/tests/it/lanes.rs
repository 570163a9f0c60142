//! Lanes in a simulation: the real node and lanes over the model of the ledger, with endpoints that do as they are told and
//! a clock that leaps. What happens here in a second takes hours outside, and happens the same way each time.

mod company;
mod endpoints;
mod health;
mod histories;
mod node;
mod order;
mod sharing;
mod world;
