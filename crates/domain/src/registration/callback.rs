//! Where a TPP may be pushed to (S-07, C-09).
//!
//! The address is kept and dialled exactly as it was sent (D-01), so it must already be written as an HTTP client would
//! write it: what a client would silently turn into something else is refused. Names are not resolved here; addresses are
//! judged again at every connection (D-12).

use std::net::IpAddr;

use url::{Host, Position, Url};

use crate::address::{Policy, judge as judge_address};
use crate::version::Version;
use crate::versions::{CallbackSuffix, Row};

/// What a CallbackUrl is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Judgement<'a> {
    /// Of the path called: suffix and length.
    pub row: &'a Row,
    /// The `Version` beside it, as far as that could be read.
    pub version: Option<Version>,
    /// What literal addresses are judged by.
    pub addresses: &'a Policy,
}

/// Everything that is wrong with a CallbackUrl.
pub fn faults(text: &str, judgement: Judgement<'_>) -> Vec<&'static str> {
    let mut faults = Vec::new();
    if text.chars().count() > judgement.row.lengths.callback_url {
        faults.push("it is too long");
    }
    match Url::parse(text) {
        Ok(url) => judge(text, &url, judgement, &mut faults),
        Err(_) => faults.push("it is no absolute URL"),
    }
    faults
}

fn judge(text: &str, url: &Url, judgement: Judgement<'_>, faults: &mut Vec<&'static str>) {
    let mut must = |holds: bool, fault: &'static str| {
        if !holds {
            faults.push(fault);
        }
    };
    must(url.scheme() == "https", "its scheme is not https");
    let Some(host) = url.host() else {
        must(false, "it has no host");
        return;
    };
    must(
        url.username().is_empty() && url.password().is_none(),
        "it holds a user",
    );
    must(url.query().is_none(), "it has a query");
    must(url.fragment().is_none(), "it has a fragment");
    must(url.port() != Some(0), "its port is 0");
    let address = match host {
        Host::Domain(name) => {
            must(name.len() <= NAME_CHARS_MAX, "its host name is too long");
            must(
                is_of_labels(name),
                "its host name has a part that is empty, too long, or not of letters, digits and inner hyphens",
            );
            None
        }
        Host::Ipv4(v4) => Some(IpAddr::V4(v4)),
        Host::Ipv6(v6) => Some(IpAddr::V6(v6)),
    };
    let allowed =
        address.is_none_or(|address| judge_address(address, judgement.addresses).may_be_dialled());
    must(allowed, "its address is not public");
    must(
        is_as_dialled(text, url),
        "an HTTP client would write it otherwise",
    );
    must(
        ends_rightly(url.path(), judgement),
        "its path does not end in the version and the name of the endpoint, as the standard asks",
    );
}

/// Whether a name can be looked up, and stand in a certificate: URLs may have others, which nobody could ever dial. One dot
/// at the end is the root's. Underscores are no part of host names, but of names that are in use.
fn is_of_labels(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=LABEL_CHARS_MAX).contains(&label.len())
            && label.bytes().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.strip_suffix('.')
        .unwrap_or(name)
        .split('.')
        .all(is_label)
}

/// Whether the text is what a client would send, up to the case of scheme and host and a spelt-out default port: no white
/// space that is stripped, no dot segments, no characters that are escaped, no other spelling of an address.
fn is_as_dialled(text: &str, url: &Url) -> bool {
    let authority = &url[..Position::BeforePath];
    let path = &url[Position::BeforePath..];
    text.strip_suffix(path).is_some_and(|sent| {
        sent.eq_ignore_ascii_case(authority)
            || sent.eq_ignore_ascii_case(&format!("{authority}:443"))
    })
}

/// Whether the path ends as the row says, in the version that was asked for: X.Y is compared when either lacks its Z.
fn ends_rightly(path: &str, judgement: Judgement<'_>) -> bool {
    let mut segments = path.rsplit('/');
    let last = segments.next();
    match &judgement.row.callback_suffix {
        CallbackSuffix::Free => true,
        CallbackSuffix::Segment(name) => last == Some(name),
        CallbackSuffix::VersionAnd(name) => {
            let version = segments
                .next()
                .map(|segment| segment.strip_prefix('v').unwrap_or(segment))
                .and_then(|segment| segment.parse::<Version>().ok());
            last == Some(name)
                && version
                    .is_some_and(|found| judgement.version.is_none_or(|asked| agree(found, asked)))
        }
    }
}

fn agree(one: Version, other: Version) -> bool {
    one.api == other.api
        && (one.patch == other.patch || one.patch.is_none() || other.patch.is_none())
}

/// What the DNS has room for (RFC 1035, 2.3.4), dots included.
const NAME_CHARS_MAX: usize = 253;
/// Between two dots.
const LABEL_CHARS_MAX: usize = 63;

#[cfg(test)]
mod tests;
