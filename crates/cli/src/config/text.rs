//! Texts that are more than text: each type admits only what may stand where it is used.

use std::fmt;
use std::str::FromStr;

use url::Url;

/// The text is not fit to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfit;

/// Defines a newtype over text that a test admits.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $fits:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $name(String);

        impl FromStr for $name {
            type Err = Unfit;

            fn from_str(text: &str) -> Result<Self, Unfit> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok(Self(text.to_owned())) } else { Err(Unfit) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(
    /// An absolute URI.
    Uri,
    |text| text.len() <= URI_BYTES_MAX && Url::parse(text).is_ok()
);
text!(
    /// Printable ASCII, as the value of a header.
    HeaderText,
    |text| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
);
text!(
    /// A domain name.
    HostName,
    |text| text.contains('.') && text.len() <= 253 && text.split('.').all(is_label)
);

impl HostName {
    /// The trust anchor of the United Kingdom's directory.
    pub(crate) fn open_banking() -> Self {
        Self("openbanking.org.uk".to_owned())
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// `sub` and `rlk` are built on these; a link stays under the 2,048 bytes that TPPs store.
const URI_BYTES_MAX: usize = 1024;
