//! The three private header members of the standard's message signing, and the rules for their values. They stand in
//! detached signatures and, because the event profile signs "using the approach defined in the R/W API specification",
//! in the header of SETs too.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::header::{CritFault, Header};
use crate::jwks::NoKey;
use crate::unix_time::UnixTime;

/// When it was signed, in seconds.
pub const IAT: &str = "http://openbanking.org.uk/iat";
/// Who signed: `org-id` for a bank, `org-id/software-statement-id` for a TPP, or a certificate's subject.
pub const ISS: &str = "http://openbanking.org.uk/iss";
/// The domain name of the trust anchor that hosts the public key.
pub const TAN: &str = "http://openbanking.org.uk/tan";
/// The three, in the order in which they are written and checked.
pub const MEMBERS: [&str; 3] = [IAT, ISS, TAN];

/// How far in the future an `iat` may lie: clocks differ.
pub const IAT_LEEWAY: Duration = Duration::from_secs(60);

/// What is wrong with the value of a header member. For the log; outside, the member's name is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimFault {
    /// Not a string.
    NotAString,
    /// Not a number of seconds.
    NotANumber,
    /// Further in the future than [`IAT_LEEWAY`].
    InTheFuture(UnixTime),
    /// A value that is not among those accepted here.
    NotAccepted(String),
    /// The member may not stand in this header.
    Unexpected,
    /// `crit` is broken by itself.
    Critical(CritFault),
    /// `crit` does not hold exactly the names that it must.
    CriticalNames,
    /// No key of the signer may verify this.
    Key(NoKey),
}

/// What the three members may say. `None` accepts every string.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'r> {
    pub(crate) issuers: Option<&'r [String]>,
    pub(crate) trust_anchors: Option<&'r [String]>,
}

impl Rules<'_> {
    /// Checks those of the three that the header has.
    pub(crate) fn check(
        self,
        header: &Header,
        now: UnixTime,
    ) -> Result<(), (&'static str, ClaimFault)> {
        if let Some(value) = header.get(IAT) {
            check_iat(value, now).map_err(|fault| (IAT, fault))?;
        }
        if let Some(value) = header.get(ISS) {
            accepted(value, self.issuers, str::eq).map_err(|fault| (ISS, fault))?;
        }
        if let Some(value) = header.get(TAN) {
            accepted(value, self.trust_anchors, str::eq_ignore_ascii_case)
                .map_err(|fault| (TAN, fault))?;
        }
        Ok(())
    }
}

impl fmt::Display for ClaimFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAString => f.write_str("not a string"),
            Self::NotANumber => f.write_str("not a number of seconds"),
            Self::InTheFuture(at) => write!(f, "{at} is in the future"),
            Self::NotAccepted(value) => write!(f, "`{value}` is not accepted here"),
            Self::Unexpected => f.write_str("not expected here"),
            Self::Critical(fault) => fault.fmt(f),
            Self::CriticalNames => f.write_str("not exactly the names that must be critical"),
            Self::Key(reason) => reason.fmt(f),
        }
    }
}

fn check_iat(value: &Value, now: UnixTime) -> Result<(), ClaimFault> {
    let at = UnixTime::from_numeric_date(value).ok_or(ClaimFault::NotANumber)?;
    if at > now + IAT_LEEWAY {
        return Err(ClaimFault::InTheFuture(at));
    }
    Ok(())
}

fn accepted(
    value: &Value,
    list: Option<&[String]>,
    same: impl Fn(&str, &str) -> bool,
) -> Result<(), ClaimFault> {
    let text = value.as_str().ok_or(ClaimFault::NotAString)?;
    match list {
        Some(list) if !list.iter().any(|one| same(one, text)) => {
            Err(ClaimFault::NotAccepted(text.to_owned()))
        }
        _ => Ok(()),
    }
}
