//! Whether checked claims are what this recipient may take.

use std::time::Duration;

use super::Claims;
use crate::fault::{Code, Fault};
use crate::time::Timestamp;

/// What a recipient expects. `None` takes anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'a> {
    /// The bank.
    pub iss: Option<&'a str>,
    /// The recipient.
    pub aud: Option<&'a str>,
    /// Now, so that nothing from the future is taken.
    pub now: Option<Timestamp>,
}

impl Expected<'_> {
    /// Everything in which claims are not what is expected.
    pub fn faults(&self, claims: &Claims) -> Vec<Fault> {
        let differs =
            |expected: Option<&str>, found: &str| expected.is_some_and(|text| text != found);
        let mut faults = Vec::new();
        let mut fault = |claim: &str, message: &str| {
            faults.push(Fault::new(Code::FieldInvalid, message).at(claim));
        };
        if differs(self.iss, &claims.iss) {
            fault("iss", "this is not the expected issuer");
        }
        if differs(self.aud, &claims.aud) {
            fault("aud", "this is not the expected recipient");
        }
        if self.now.is_some_and(|now| claims.iat > now + LEEWAY) {
            fault("iat", "this lies in the future");
        }
        faults
    }
}

/// As for signatures (M-02): clocks differ.
const LEEWAY: Duration = Duration::from_secs(60);
