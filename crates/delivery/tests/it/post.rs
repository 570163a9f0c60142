//! Letters over real TLS on loopback. What the HTTP client does by itself is proved where it lives; here, what the postman
//! makes of it.

mod answers;
mod isolation;
mod requests;
mod trust;
mod world;
