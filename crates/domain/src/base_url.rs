//! The one address that everything the bank publishes hangs on: `Links`, `sub` and `rlk` (G-01).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::versions::Row;

/// Where TPPs reach the bank, without a trailing slash: `https://api.bank.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseUrl(String);

/// The text is no address to hang paths on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a base URL is http or https with a host and perhaps a path, without user, query or fragment"
)]
pub struct NotABaseUrl;

impl BaseUrl {
    /// The address of a path under a version: `{base}/open-banking/v4.0/{path}`.
    pub fn under(&self, row: &Row, path: &str) -> String {
        format!("{}/{}/{}/{path}", self.0, row.market.path_prefix, row.api)
    }

    /// The address itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BaseUrl {
    type Err = NotABaseUrl;

    fn from_str(text: &str) -> Result<Self, NotABaseUrl> {
        let url = Url::parse(text).map_err(|_| NotABaseUrl)?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if plain {
            Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
        } else {
            Err(NotABaseUrl)
        }
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = NotABaseUrl;

    fn try_from(text: String) -> Result<Self, NotABaseUrl> {
        text.parse()
    }
}

impl From<BaseUrl> for String {
    fn from(base: BaseUrl) -> Self {
        base.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::versions::VersionTable;

    // G-01
    #[test]
    fn paths_hang_on_one_base_url_with_or_without_a_trailing_slash() {
        let table = VersionTable::default();
        for text in ["https://bank.example/api", "https://bank.example/api/"] {
            let base: BaseUrl = text.parse().unwrap();
            assert_eq!(
                base.under(table.oldest(), "events"),
                "https://bank.example/api/open-banking/v3.1/events"
            );
        }
        for bad in [
            "bank.example",
            "ftp://bank.example",
            "https://a@bank.example",
            "https://b.example?x",
        ] {
            assert_eq!(bad.parse::<BaseUrl>(), Err(NotABaseUrl), "{bad}");
        }
    }
}
