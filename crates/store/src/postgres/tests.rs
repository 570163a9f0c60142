//! What only the backend itself can see: its statements' plans, and what history costs them.

mod distribution;
mod plans;
mod upgrading;
