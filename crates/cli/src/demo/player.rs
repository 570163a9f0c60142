//! A TPP as the story plays it: the library that real ones use, with its own certificate, keys and tokens.

use std::sync::Arc;

use oyez_domain::ids::ClientId;
use oyez_domain::registration::{CallbackUrlWish, SubscriptionWish};
use oyez_domain::time::Clock;
use oyez_domain::version::ApiVersion;
use oyez_jose::{Form, Signatory};
use oyez_tpp::header::{AUTHORIZATION, CONTENT_TYPE};
use oyez_tpp::{
    AccessToken, Authentication, Bank, BankKeys, ClientCertificate, Freshness, HeaderMap,
    HeaderValue, Identity, KeyServer, Limits, Method, PollRequest, Polled, PolledSet, Random,
    Response, Setup, Signer, Tls, TokenSetup, TokenSource, Transport,
};

use super::cast::{self, BANK_ISSUER, BANK_ORG_ID, Person, SCOPES, TRUST_ANCHOR};
use super::premises::Premises;
use super::why::{Why, ensure};
use crate::clock::SystemClock;

/// Somebody who calls the bank.
pub(super) struct Player {
    pub(super) person: Person,
    pub(super) v3: Bank,
    pub(super) v4: Bank,
}

/// A call that the library would not make by itself.
pub(super) struct RawCall<'c> {
    pub(super) method: Method,
    pub(super) path: &'c str,
    pub(super) body: &'c str,
    pub(super) token: Option<AccessToken>,
    pub(super) headers: HeaderMap,
}

/// Where a player finds what it calls.
pub(super) struct Where<'w> {
    /// The bank's API.
    pub(super) bank: &'w str,
    /// The token endpoint.
    pub(super) tokens: &'w str,
}

impl Player {
    pub(super) fn new(
        person: Person,
        premises: &Premises,
        at: &Where<'_>,
        random: &Random,
    ) -> Result<Self, Why> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let locker = premises.locker(person);
        let tls = Tls {
            anchors: premises.authority.as_bytes(),
            certificate: Some(ClientCertificate {
                chain: locker.certificate.certificate.as_bytes(),
                key: locker.certificate.key.as_bytes(),
            }),
        };
        let transport = Transport::new(tls, Limits::default(), Arc::clone(&clock))?;
        let us = Signatory {
            issuer: person.signatory(),
            trust_anchor: TRUST_ANCHOR.to_owned(),
        };
        let kid = locker.signing.public_key().thumbprint();
        let key = Arc::clone(&locker.signing) as _;
        let signer = Signer::new(key, &kid, &us, Form::Encoded);
        let client_id = ClientId::new(person.client_id)?;
        let tokens = TokenSource::new(TokenSetup {
            endpoint: at.tokens.into(),
            client_id: client_id.clone(),
            authentication: match person.method {
                cast::Method::PrivateKeyJwt => Authentication::PrivateKeyJwt(signer.clone()),
                cast::Method::TlsClientAuth => Authentication::TlsClientAuth,
            },
            scope: SCOPES.to_owned(),
            transport: transport.clone(),
            clock: Arc::clone(&clock),
            random: random.clone(),
        });
        let keys = BankKeys::fetched(KeyServer {
            url: format!("{}/jwks", at.bank).into(),
            transport: transport.clone(),
            freshness: Freshness::default(),
            clock: Arc::clone(&clock),
        });
        let setup = Setup {
            base_url: at.bank.parse()?,
            identity: Identity {
                org_id: BANK_ORG_ID.to_owned(),
                trust_anchors: vec![TRUST_ANCHOR.to_owned()],
                set_issuer: BANK_ISSUER.to_owned(),
            },
            client_id,
            signer,
            keys,
            tokens,
            transport,
            rules: Arc::default(),
            clock,
            random: random.clone(),
        };
        let v4 = Bank::new(setup, ApiVersion::V4_0)?;
        let v3 = v4.at(ApiVersion::V3_1)?;
        Ok(Self { person, v3, v4 })
    }

    pub(super) async fn token(&self) -> Result<AccessToken, Why> {
        Ok(self.v4.setup().tokens.token().await?)
    }

    /// What is there now, acknowledging these.
    pub(super) async fn poll(&self, bank: &Bank, ack: &[String]) -> Result<Vec<PolledSet>, Why> {
        let request = PollRequest {
            return_immediately: Some(true),
            ack: ack.to_vec(),
            ..PollRequest::default()
        };
        sound(bank.polls().poll(&request).await?.value)
    }

    /// Waits until there is something.
    pub(super) async fn wait(&self, bank: &Bank) -> Result<Vec<PolledSet>, Why> {
        let request = PollRequest {
            return_immediately: Some(false),
            ..PollRequest::default()
        };
        sound(bank.polls().poll(&request).await?.value)
    }
}

/// All SETs, each of which must be believed.
fn sound(polled: Polled) -> Result<Vec<PolledSet>, Why> {
    for set in &polled.sets {
        if let Err(error) = &set.outcome {
            return Err(error.clone().into());
        }
    }
    Ok(polled.sets)
}

impl<'c> RawCall<'c> {
    /// Without a token and without headers but the content type.
    pub(super) fn new(method: Method, path: &'c str, body: &'c str) -> Self {
        Self {
            method,
            path,
            body,
            token: None,
            headers: HeaderMap::new(),
        }
    }

    pub(super) async fn to(self, bank: &Bank) -> Result<Response, Why> {
        let mut headers = self.headers;
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.authorization());
        }
        if !self.body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let body = self.body.to_owned();
        Ok(bank.raw(self.method, self.path, headers, body).await?)
    }
}

/// The events that were handed out are these, in any order.
pub(super) fn handed_out(sets: &[PolledSet], jtis: &[String]) -> Result<(), Why> {
    let mut found: Vec<_> = sets.iter().map(|set| set.jti.as_str()).collect();
    let mut expected: Vec<_> = jtis.iter().map(String::as_str).collect();
    found.sort_unstable();
    expected.sort_unstable();
    ensure(found == expected, || {
        format!("{expected:?} were expected, and {found:?} handed out")
    })
}

/// Polling only, of this Version, for these types (or all).
pub(super) fn subscription(version: &str, types: Option<&[&str]>) -> Result<SubscriptionWish, Why> {
    Ok(SubscriptionWish {
        callback_url: None,
        version: version.parse()?,
        event_types: types.map(|types| types.iter().map(|it| (*it).to_owned()).collect()),
    })
}

/// Everything, pushed to this address.
pub(super) fn pushed_subscription(url: &str) -> Result<SubscriptionWish, Why> {
    Ok(SubscriptionWish {
        callback_url: Some(url.to_owned()),
        ..subscription("4.0", None)?
    })
}

pub(super) fn callback(url: &str) -> Result<CallbackUrlWish, Why> {
    Ok(CallbackUrlWish {
        url: url.to_owned(),
        version: "3.1".parse()?,
    })
}
