//! The console at its boundary: without sockets, by the requests that browsers send.

mod acts;
mod doors;
mod hostile;
mod live;
mod pages;
mod roles;
mod world;
