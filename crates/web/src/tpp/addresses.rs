//! Where the name in a CallbackUrl leads now (S-07). What it leads to later is judged at every connection (D-12), so this is
//! a courtesy: the TPP hears at once of what would fail for ever. A name that does not resolve now is not refused.

use std::time::Duration;

use oyez_domain::address::judge;
use url::{Host, Url};

use super::api::Api;

impl Api {
    /// Whether the address may be registered. Literal addresses were judged with the body.
    pub(super) async fn may_be_called(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else {
            return true;
        };
        let Some(Host::Domain(name)) = url.host() else {
            return true;
        };
        let resolving = self.resolver.resolve(name);
        match tokio::time::timeout(RESOLVING_MAX, resolving).await {
            Ok(Ok(addresses)) => addresses
                .into_iter()
                .all(|address| judge(address, &self.bank.rules.addresses).may_be_dialled()),
            Ok(Err(_)) | Err(_) => true,
        }
    }
}

/// A resolver that has not found a name by then is left to it: the TPP waits for its answer.
const RESOLVING_MAX: Duration = Duration::from_secs(2);
