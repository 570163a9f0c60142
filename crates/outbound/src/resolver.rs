//! From names to addresses. A trait, because tests must own the answers: a name that changes its answer is an attack.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// The addresses of a name, in the order of preference.
pub type Addresses<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Who knows the addresses of names.
pub trait Resolve: Send + Sync + fmt::Debug {
    /// Asked once per connection; the answer is judged, dialled and forgotten.
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a>;
}

/// The operating system. Its call cannot be cut off, only left behind: a name whose servers never answer keeps one thread of
/// the runtime's blocking pool until the system gives up. A client has few lookups under way, those included.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Addresses<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
