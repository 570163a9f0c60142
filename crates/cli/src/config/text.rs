//! Texts that are more than text: each type admits only what may stand where it is used.

use std::fmt;
use std::str::FromStr;

use oyez_domain::ids::ResourceId;
use oyez_outbound::{HeaderName as Name, Target};
use oyez_store::postgres;
use url::{Host, Url};

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

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
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

text!(
    /// The name of an HTTP header, in lower case.
    HeaderName,
    |text| (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
);
text!(
    /// A URL that can be dialled, https unless it is on this machine.
    HttpUrl,
    |text| Target::parse(text).is_ok() && (text.starts_with("https://") || is_on_this_machine(text))
);
text!(
    /// What something is called, on one line.
    DisplayName,
    |text| (1..=64).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control)
);
text!(
    /// Where people are asked.
    ContactUrl,
    |text| text.len() <= URI_BYTES_MAX
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "mailto"))
);
text!(
    /// The URL of an egress proxy.
    ProxyUrl,
    |text| Url::parse(text).is_ok_and(|url| is_origin(&url))
);
text!(
    /// Where a PostgreSQL is. It is shown to people, so no password stands in it.
    DatabaseUrl,
    |text| postgres::Server::parse(text).is_ok_and(|server| !server.has_password())
);
text!(
    /// A type of the resource table and an id, with a slash between.
    ResourcePath,
    |text| text.split_once('/').is_some_and(|(kind, id)| !kind.is_empty() && id.parse::<ResourceId>().is_ok())
);

impl ResourcePath {
    /// The two parts.
    pub(crate) fn kind_and_id(&self) -> (&str, &str) {
        self.0
            .split_once('/')
            .expect("it was judged when it was read")
    }
}

impl ProxyUrl {
    /// Host and port.
    pub(crate) fn host_and_port(&self) -> (String, u16) {
        let url = Url::parse(&self.0).expect("it was parsed when it was read");
        let host = url
            .host_str()
            .expect("it was judged when it was read")
            .to_owned();
        let bare = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        (bare, url.port_or_known_default().unwrap_or(80))
    }
}

impl HeaderText {
    /// Of a text that is fit for it.
    pub(crate) fn of(text: &'static str) -> Self {
        text.parse().expect("defaults are fit")
    }
}

impl HeaderName {
    /// As HTTP has it.
    pub(crate) fn name(&self) -> Name {
        self.0.parse().expect("it was judged when it was read")
    }
}

impl HostName {
    /// The trust anchor of the United Kingdom's directory.
    pub(crate) fn open_banking() -> Self {
        Self("openbanking.org.uk".to_owned())
    }
}

/// Nothing but scheme http, host and port.
fn is_origin(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    let end = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    url.scheme() == "http" && url.host().is_some() && bare && end
}

fn is_on_this_machine(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        None => false,
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
