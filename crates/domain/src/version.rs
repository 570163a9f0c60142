//! Versions: the two that stand in a path, and the many that a TPP may write in `Version`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version as it stands in a path: `v3.1`, `v4.0`. Written without its patch number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiVersion {
    /// The 3 of `v3.1`.
    pub major: u8,
    /// The 1 of `v3.1`.
    pub minor: u8,
}

impl ApiVersion {
    /// The path version of the 3.1 family.
    pub const V3_1: Self = Self { major: 3, minor: 1 };
    /// The path version of the 4.0 family.
    pub const V4_0: Self = Self { major: 4, minor: 0 };
}

/// A version as a TPP writes it in `Version`: `3.1`, `3.1.2`, `4.0`. Kept as sent, since it is returned as sent (S-08).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// The path version it belongs to.
    pub api: ApiVersion,
    /// The 2 of `3.1.2`; absent in `3.1`, which means the newest that the bank serves (S-10).
    pub patch: Option<u8>,
}

impl Version {
    /// Whether what is known since that version is known to this one; a bare version stands for all its patches (S-10).
    pub fn knows(self, since: Self) -> bool {
        since.api < self.api
            || (since.api == self.api && self.patch.is_none_or(|patch| since.patch <= Some(patch)))
    }
}

/// The text is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a version is written as two or three small numbers with dots between, such as 3.1 or 4.0.1"
)]
pub struct NotAVersion;

/// The text is no path version: most often its `v` is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a path version is written with a v and without a patch number, such as v3.1 or v4.0")]
pub struct NotAnApiVersion;

impl FromStr for ApiVersion {
    type Err = NotAnApiVersion;

    fn from_str(text: &str) -> Result<Self, NotAnApiVersion> {
        let version = text.strip_prefix('v').map(str::parse);
        match version {
            Some(Ok(Version { api, patch: None })) => Ok(api),
            _ => Err(NotAnApiVersion),
        }
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let mut numbers = text.split('.').map(small_number);
        let major = numbers.next().ok_or(NotAVersion)??;
        let minor = numbers.next().ok_or(NotAVersion)??;
        let patch = numbers.next().transpose()?;
        if numbers.next().is_some() {
            return Err(NotAVersion);
        }
        Ok(Self {
            api: ApiVersion { major, minor },
            patch,
        })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.api.major, self.api.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

impl TryFrom<String> for ApiVersion {
    type Error = NotAnApiVersion;

    fn try_from(text: String) -> Result<Self, NotAnApiVersion> {
        text.parse()
    }
}

impl TryFrom<String> for Version {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse()
    }
}

impl From<ApiVersion> for String {
    fn from(version: ApiVersion) -> Self {
        version.to_string()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

/// One to three digits, without a sign or a leading zero: `03.1` is another spelling and so another text.
fn small_number(text: &str) -> Result<u8, NotAVersion> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain {
        text.parse().map_err(|_| NotAVersion)
    } else {
        Err(NotAVersion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // S-08
    #[test]
    fn versions_survive_their_text_form_and_odd_spellings_are_refused() {
        for text in ["3.0", "3.1", "3.1.11", "4.0", "4.0.1"] {
            assert_eq!(
                text.parse::<Version>().map(|v| v.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in [
            "", "3", "3.", "3.1.", "03.1", "3.1.2.3", "v3.1", "+3.1", "3.256", "3.1.x",
        ] {
            assert_eq!(text.parse::<Version>(), Err(NotAVersion), "{text}");
        }
        assert_eq!("v3.1".parse(), Ok(ApiVersion::V3_1));
        assert_eq!("v3.1.2".parse::<ApiVersion>(), Err(NotAnApiVersion));
        // Version has no v, so the text of the one fault would be praise for the other's mistake.
        let fault = "4.0".parse::<ApiVersion>().unwrap_err().to_string();
        assert!(fault.contains("such as v3.1"), "{fault}");
    }
}
