//! The TPP and its banks, made of what is configured.

use std::sync::Arc;

use oyez_domain::time::Clock;
use oyez_jose::{Form, LocalKey, Signatory};
use oyez_tpp::{
    Authentication, Bank, BankKeys, ClientCertificate, Discovery, Freshness, Identity, KeyServer,
    Limits, Location, Random, Setup, Signer, Tls, TokenSetup, TokenSource, Transport,
};

use super::config::{BankAt, TokenMethod, Tpp};
use crate::clock::SystemClock;
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::files::{bytes, secret_bytes};

/// The TPP as all its banks see it.
pub(super) struct Parties {
    signer: Signer,
    /// With our certificate.
    transport: Transport,
    /// Without: what is public is asked for by nobody.
    public: Transport,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Random,
}

impl Parties {
    pub(super) fn of(tpp: &Tpp, around: &Surroundings) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (anchors, chain) = (bytes(&tpp.trust_anchors)?, bytes(&tpp.certificate)?);
        let key = secret_bytes(&tpp.key)?;
        let transport = |certificate| {
            let tls = Tls {
                anchors: &anchors,
                certificate,
            };
            Transport::new(tls, Limits::default(), Arc::clone(&clock)).map_err(|error| {
                let what = "cannot speak TLS with the certificates of [tpp]";
                let mend = "see `trust_anchors`, `certificate` and `key`";
                Failure::environment(what, mend).because(&error)
            })
        };
        let certificate = ClientCertificate {
            chain: &chain,
            key: &key,
        };
        let signing = LocalKey::read(secret_bytes(&tpp.signing_key)?).map_err(|error| {
            let what = format!("cannot sign with {}", tpp.signing_key.display());
            let mend = "it must be an RSA or P-256 key in PEM";
            Failure::environment(what, mend).because(&error)
        })?;
        let us = Signatory {
            issuer: tpp.signatory.to_string(),
            trust_anchor: tpp.trust_anchor.to_string(),
        };
        let thumbprint = signing.public_key().thumbprint();
        let kid = tpp
            .signing_kid
            .as_ref()
            .map_or(thumbprint.as_str(), AsRef::as_ref);
        let chance = around.random;
        chance()?;
        Ok(Self {
            signer: Signer::new(Arc::new(signing), kid, &us, Form::Encoded),
            transport: transport(Some(certificate))?,
            public: transport(None)?,
            clock,
            random: Random::new(move || {
                let bytes = chance().expect("the system had random numbers a moment ago");
                let half = bytes.first_chunk().expect("32 bytes have 16 first ones");
                *half
            }),
        })
    }

    /// A bank as it is configured.
    pub(super) fn bank(&self, at: &BankAt) -> Result<Bank, Failure> {
        let freshness = Freshness::default();
        let discovery = at.discovery.as_ref().map(|issuer| {
            let clock = Arc::clone(&self.clock);
            Discovery::of(issuer.to_string(), self.public.clone(), freshness, clock)
        });
        let place = |fixed: &Option<_>| {
            let fixed = fixed.as_ref().map(ToString::to_string).map(Location::from);
            fixed.or_else(|| discovery.clone().map(Location::Discovered))
        };
        let setup = Setup {
            base_url: at.base_url.clone(),
            identity: Identity {
                org_id: at.org_id.to_string(),
                trust_anchors: at.trust_anchors.iter().map(ToString::to_string).collect(),
                set_issuer: at.issuer.to_string(),
            },
            client_id: at.client_id.clone(),
            signer: self.signer.clone(),
            keys: BankKeys::fetched(KeyServer {
                url: place(&at.jwks).expect("the configuration was judged"),
                transport: self.public.clone(),
                freshness,
                clock: Arc::clone(&self.clock),
            }),
            tokens: TokenSource::new(TokenSetup {
                // Who only listens needs no tokens; who asks for one all the same is told that this is no URL.
                endpoint: place(&at.token_endpoint).unwrap_or_else(|| "".into()),
                client_id: at.client_id.clone(),
                authentication: match at.token_method {
                    TokenMethod::PrivateKeyJwt => {
                        Authentication::PrivateKeyJwt(self.signer.clone())
                    }
                    TokenMethod::TlsClientAuth => Authentication::TlsClientAuth,
                },
                scope: at.scope.clone(),
                transport: self.transport.clone(),
                clock: Arc::clone(&self.clock),
                random: self.random.clone(),
            }),
            transport: self.transport.clone(),
            rules: Arc::default(),
            clock: Arc::clone(&self.clock),
            random: self.random.clone(),
        };
        Bank::new(setup, at.version).map_err(|error| {
            let what = format!("`{}` cannot be called", at.name);
            Failure::environment(what, "choose another `version`").because(&error)
        })
    }
}

/// A bank that tokens are needed for.
pub(super) fn callable(at: &BankAt) -> Result<(), Failure> {
    if at.token_endpoint.is_some() || at.discovery.is_some() {
        return Ok(());
    }
    let what = format!("nothing says where tokens for `{}` come from", at.name);
    let mend = "set its `token_endpoint` or `discovery`";
    Err(Failure::environment(what, mend))
}

/// The banks of these names; all, if there are none.
pub(super) fn chosen<'c>(tpp: &'c Tpp, names: &[String]) -> Result<Vec<&'c BankAt>, Failure> {
    let find = |name: &String| {
        let mut banks = tpp.banks.iter();
        banks
            .find(|bank| bank.name.as_ref() == name)
            .ok_or_else(|| {
                let known: Vec<&str> = tpp.banks.iter().map(|bank| bank.name.as_ref()).collect();
                let mend = format!("choose from: {}", known.join(", "));
                Failure::usage(format!("no bank is called `{name}`"), mend)
            })
    };
    if names.is_empty() {
        return Ok(tpp.banks.iter().collect());
    }
    names.iter().map(find).collect()
}
