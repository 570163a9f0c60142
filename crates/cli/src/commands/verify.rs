//! `oyez verify`: what a SET says, and why it is to be believed or not. Every check is listed, so that a TPP sees how far
//! its token got; what was not verified is shown all the same, and marked.

use std::path::Path;
use std::sync::Arc;

use oyez_domain::claims::{self, Expected};
use oyez_domain::fault::Fault;
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use oyez_jose::compact::{Compact, Error, Verifier};
use oyez_jose::limits::{COMPACT_BYTES_MAX, JWKS_BYTES_MAX};
use oyez_jose::{Jwks, UnixTime};
use serde_json::{Value, json};

use super::{Surroundings, read_file_or_stdin};
use crate::args::Verify;
use crate::failure::Failure;
use crate::output::{Paint, Reply, Table, Verdict};
use crate::tpp::{self, Standards};

/// Verifies one SET.
pub(crate) fn run(args: &Verify, around: &Surroundings) -> Result<Reply, Failure> {
    let judge = Judge::of(args, around)?;
    let text = read_file_or_stdin(args.token.as_deref(), COMPACT_BYTES_MAX as u64 + 2)?;
    let report = Report::of(text.trim(), &judge, around.as_of(&args.as_of));
    let mut reply = report.reply(around.paint);
    for entry in judge.keys.skipped() {
        let name = entry.kid.as_deref().unwrap_or("without kid");
        reply = reply.remark(format!(
            "key {} of the set ({name}) is skipped: {}",
            entry.index, entry.reason
        ));
    }
    Ok(reply)
}

/// What a SET is held against.
struct Judge {
    keys: Arc<Jwks>,
    verifier: Verifier,
    issuer: Option<String>,
    audience: Option<String>,
}

impl Judge {
    fn of(args: &Verify, around: &Surroundings) -> Result<Self, Failure> {
        if let Some(bank) = &args.bank {
            let Standards {
                keys,
                identity,
                audience,
            } = tpp::standards_of(bank, &args.config.path, around)?;
            return Ok(Self {
                keys,
                verifier: Verifier::sets()
                    .issuers([identity.org_id])
                    .trust_anchors(identity.trust_anchors),
                issuer: Some(identity.set_issuer),
                audience: Some(audience),
            });
        }
        let jwks = args.jwks.as_deref();
        Ok(Self {
            keys: Arc::new(read_keys(jwks.expect("there is a bank or a key set"))?),
            verifier: Verifier::sets(),
            issuer: args.issuer.clone(),
            audience: args.audience.clone(),
        })
    }
}

fn read_keys(path: &Path) -> Result<Jwks, Failure> {
    let text = read_file_or_stdin(Some(path), JWKS_BYTES_MAX as u64 + 1)?;
    Jwks::parse(text.as_bytes()).map_err(|error| {
        let what = format!("{} is no key set", path.display());
        Failure::environment(what, "fetch the bank's jwks_uri anew").because(&error)
    })
}

/// What was found.
struct Report {
    header: Option<Value>,
    claims: Option<Value>,
    checks: Vec<Check>,
}

/// One thing that was looked at.
struct Check {
    name: &'static str,
    result: Outcome,
}

enum Outcome {
    Passed(String),
    Failed(String),
    NotReached,
}

impl Report {
    fn of(token: &str, judge: &Judge, now: UnixTime) -> Self {
        let compact = match Compact::parse(token) {
            Ok(compact) => compact,
            Err(malformed) => {
                let checks = signature_checks(Some(&malformed.into()), |_| String::new());
                return Self {
                    header: None,
                    claims: None,
                    checks,
                };
            }
        };
        let header = compact.header().clone();
        let payload = compact.unverified_payload().to_vec();
        let verified = judge.verifier.verify(compact, &judge.keys, now);
        let mut checks = signature_checks(verified.err().as_ref(), |member| {
            header
                .get(member)
                .map_or_else(|| "absent".to_owned(), Value::to_string)
        });
        let claims: Option<Value> = serde_json::from_slice(&payload).ok();
        checks.extend(claim_checks(&payload, now, judge));
        Self {
            header: Some(Value::Object(header.members().clone())),
            claims,
            checks,
        }
    }

    fn reply(&self, paint: Paint) -> Reply {
        let believed = self
            .checks
            .iter()
            .all(|check| matches!(check.result, Outcome::Passed(_)));
        let verdict = if believed { Verdict::Yes } else { Verdict::No };
        let checks: Vec<_> = self.checks.iter().map(Check::json).collect();
        let json = json!({
            "verified": believed,
            "header": self.header,
            "claims": self.claims,
            "checks": checks,
        });
        Reply::new(self.text(believed, paint), json).verdict(verdict)
    }

    fn text(&self, believed: bool, paint: Paint) -> String {
        let mut table = Table::new(&["CHECK", "RESULT", ""]);
        for check in &self.checks {
            let (word, detail) = check.result.words();
            table.row(vec![
                check.name.to_owned(),
                word.to_owned(),
                detail.to_owned(),
            ]);
        }
        let shown = |part: &Option<Value>| {
            part.as_ref()
                .map_or_else(|| "cannot be read".to_owned(), |value| format!("{value:#}"))
        };
        let verdict = if believed {
            paint.green("verified")
        } else {
            paint.red("NOT VERIFIED: do not act on it")
        };
        let (header, claims) = (shown(&self.header), shown(&self.claims));
        format!(
            "Header: {header}\nClaims: {claims}\n\n{}\n{verdict}",
            table.render()
        )
    }
}

impl Check {
    fn json(&self) -> Value {
        let (result, detail) = self.result.words();
        json!({ "check": self.name, "result": result, "detail": detail })
    }
}

impl Outcome {
    fn words(&self) -> (&'static str, &str) {
        match self {
            Self::Passed(detail) => ("passed", detail),
            Self::Failed(reason) => ("FAILED", reason),
            Self::NotReached => ("not reached", ""),
        }
    }
}

/// What verification looks at, in its order, as far as it got. `said` is what the header says of a member.
fn signature_checks(error: Option<&Error>, said: impl Fn(&str) -> String) -> Vec<Check> {
    let reached = error.map_or(CHECKS.len(), stage);
    let result = |index: usize, member: &str| match error {
        Some(error) if index == reached => Outcome::Failed(error.to_string()),
        _ if index > reached => Outcome::NotReached,
        _ if member.is_empty() => Outcome::Passed(String::new()),
        _ => Outcome::Passed(said(member)),
    };
    let checks = CHECKS.iter().enumerate();
    checks
        .map(|(index, (name, member))| Check {
            name,
            result: result(index, member),
        })
        .collect()
}

/// At which of [`CHECKS`] a token was refused.
fn stage(error: &Error) -> usize {
    match error {
        Error::Malformed(_) => 0,
        Error::NoAlgorithm | Error::UnknownAlgorithm(_) | Error::AlgorithmNotAllowed(_) => 1,
        Error::Type(_) => 2,
        Error::Critical(_) | Error::CriticalUnknown(_) | Error::B64 => 3,
        Error::Claim { .. } => 4,
        Error::NoKid | Error::Key { .. } => 5,
        Error::Signature => 6,
    }
}

/// What the standard asks of the claims (T-01 to T-05), and what the caller asks of them. The rules are the standard's, not
/// those of any one bank: types that it does not know are the bank's own.
fn claim_checks(payload: &[u8], now: UnixTime, judge: &Judge) -> Vec<Check> {
    let failed = |fault: Fault| Check {
        name: "claims",
        result: Outcome::Failed(fault.to_string()),
    };
    let claims = match claims::check(&Rules::default(), payload) {
        Ok(claims) => claims,
        Err(faults) => return faults.into_iter().map(failed).collect(),
    };
    let expected = Expected {
        iss: judge.issuer.as_deref(),
        aud: judge.audience.as_deref(),
        now: Some(Timestamp::from_unix_seconds(now.seconds())),
    };
    let faults = expected.faults(&claims);
    let mut checks = vec![Check {
        name: "claims",
        result: Outcome::Passed(String::new()),
    }];
    let asked = [
        ("iss", &claims.iss, judge.issuer.is_some()),
        ("aud", &claims.aud, judge.audience.is_some()),
        ("iat", &claims.iat.to_string(), true),
    ];
    for (name, said, _) in asked.into_iter().filter(|(.., asked)| *asked) {
        let fault = faults
            .iter()
            .find(|fault| fault.path.as_deref() == Some(name));
        let result = match fault {
            Some(fault) => Outcome::Failed(format!("{said}: {}", fault.message)),
            None => Outcome::Passed(said.clone()),
        };
        checks.push(Check { name, result });
    }
    checks
}

/// The checks, each with the header member that it looks at.
const CHECKS: [(&str, &str); 7] = [
    ("compact form", ""),
    ("alg", "alg"),
    ("typ", "typ"),
    ("crit", "crit"),
    ("private members", ""),
    ("kid", "kid"),
    ("signature", ""),
];
