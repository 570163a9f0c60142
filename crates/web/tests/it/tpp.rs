//! The TPP API, request by request, over a real ledger and with real keys; only the word on tokens is the test's.

mod asking;
mod callers;
mod developer;
mod every_request;
mod leaving;
mod order;
mod polling;
mod registering;
mod routes;
mod signing;
mod world;
