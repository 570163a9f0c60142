//! Connections, over real sockets. Where a bound is tested it is set to a blink and all others are left at seconds or more, so
//! what happens in a blink is that bound's doing.

mod bounds;
mod certificates;
mod disconnect;
mod drain;
mod gateway;
mod heads;
mod tls;
mod world;
