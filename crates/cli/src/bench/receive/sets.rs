//! SETs as a bank would push them, signed beforehand: what is measured is the receiver.

use std::num::NonZero;
use std::thread;

use oyez_domain::claims::{Issue, build};
use oyez_domain::rules::Rules;
use oyez_jose::{HeaderProfile, HeaderTemplate, Jwk, Jwks, KeyKind, LocalKey, Signatory, UnixTime};

use crate::bench::alone::submission;
use crate::bench::broken;
use crate::bench::site::Site;
use crate::bench::tpp_file::{ISSUER, ORG_ID, TRUST_ANCHOR};
use crate::failure::Failure;

/// SETs, and what they are verified by.
pub(super) struct Sets {
    pub(super) jwks: String,
    pub(super) sets: Vec<String>,
}

/// What all of them have in common.
struct Desk {
    key: LocalKey,
    header: HeaderTemplate,
    rules: Rules,
}

impl Sets {
    /// So many, of as many events, to the first TPP.
    pub(super) fn sign(site: &Site, kind: KeyKind, count: u64) -> Result<Self, Failure> {
        let key = LocalKey::generate(kind).map_err(|error| broken("cannot make a key", &error))?;
        let (kid, public) = (key.public_key().thumbprint(), key.public_key().clone());
        let signatory = Signatory {
            issuer: ORG_ID.to_owned(),
            trust_anchor: TRUST_ANCHOR.to_owned(),
        };
        let desk = Desk {
            header: HeaderTemplate::set(HeaderProfile::OpenBanking, &kid, &public, &signatory),
            rules: Rules::default(),
            key,
        };
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let share = count.div_ceil(cores as u64);
        let signed = thread::scope(|scope| {
            let desk = &desk;
            let shares = (0..count).step_by(usize::try_from(share).unwrap_or(1));
            let threads: Vec<_> = shares
                .map(|first| first..count.min(first + share))
                .map(|events| scope.spawn(move || desk.sign(site, events)))
                .collect();
            let done = threads
                .into_iter()
                .map(|one| one.join().expect("signing does not panic"));
            done.collect::<Result<Vec<_>, Failure>>()
        });
        let jwks: Jwks = std::iter::once(Jwk::new(kid, public)).collect();
        Ok(Self {
            jwks: jwks.to_json(),
            sets: signed?.concat(),
        })
    }
}

impl Desk {
    fn sign(&self, site: &Site, events: std::ops::Range<u64>) -> Result<Vec<String>, Failure> {
        let base_url = ISSUER.parse().expect("it is an https URL");
        let now = site.timestamp();
        let sign = |event| {
            let submitted = submission(site.mark(), event, 0, now);
            let issue = Issue {
                iss: ISSUER,
                jti: submitted.jti,
                iat: now,
                base_url: &base_url,
            };
            let claims = build(&self.rules, &issue, &submitted.notice);
            let claims = claims.map_err(|error| broken("cannot make claims", &error))?;
            let at = UnixTime::from_seconds(now.unix_seconds());
            let signed = self.header.signing_input(&claims, at).sign_now(&self.key);
            signed.map_err(|error| broken("cannot sign", &error))
        };
        events.map(sign).collect()
    }
}
