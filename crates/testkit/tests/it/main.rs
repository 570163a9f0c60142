//! That what is right by default is right, and that what is wrong on purpose is wrong in that one way only.

mod bank;
mod callers;
mod tokens;
