//! A TPP and its bank, in the year 2030.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::time::Duration;

use oyez_tpp::domain::ids::ClientId;
use oyez_tpp::domain::registration::SubscriptionWish;
use oyez_tpp::domain::time::{Clock, Timestamp};
use oyez_tpp::domain::version::ApiVersion;
use oyez_tpp::jose::{Form, KeyKind, LocalKey, Signatory};
use oyez_tpp::{
    Authentication, Bank, BankKeys, ClientCertificate, Freshness, Identity, KeyServer, Limits,
    Random, Setup, Signer, Tls, TokenSetup, TokenSource, Transport,
};

use crate::authority::{Authority, Certified};
use crate::fake_bank::{FakeBank, HTTP_1, HTTP_2};

pub(crate) const NOW: i64 = 1_893_456_000;
pub(crate) const ORG_ID: &str = "0015800000jfQ9aAAE";
pub(crate) const ANCHOR: &str = "openbanking.org.uk";
pub(crate) const SET_ISSUER: &str = "https://bank.example/";
pub(crate) const CLIENT: &str = "7umx5nTR33811QyQfi";
pub(crate) const TPP: &str = "0015800001041RHAAY/HQuZPIt3ipkh33Uxytox1E";
pub(crate) const TPP_KID: &str = "tpp-1";

/// Everything there is, put together so that a test can take parts out.
pub(crate) struct World {
    pub(crate) bank: FakeBank,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) key: Arc<LocalKey>,
    pub(crate) certified: Certified,
    pub(crate) authority: Authority,
}

/// Stands still until it is told.
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(NOW * 1000))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.load(Ordering::SeqCst))
    }
}

impl World {
    /// Both sides sign with P-256, which is quick to generate.
    pub(crate) async fn new() -> Self {
        Self::with_keys(KeyKind::P256).await
    }

    pub(crate) async fn with_keys(kind: KeyKind) -> Self {
        Self::with(kind, HTTP_1).await
    }

    pub(crate) async fn over_http_2() -> Self {
        Self::with(KeyKind::P256, HTTP_2).await
    }

    async fn with(kind: KeyKind, protocol: &[u8]) -> Self {
        let key = LocalKey::generate(kind).unwrap();
        let authority = Authority::new();
        Self {
            bank: FakeBank::start(&authority, key, protocol).await,
            clock: Arc::new(ManualClock::new()),
            key: Arc::new(LocalKey::generate(kind).unwrap()),
            certified: authority.certify("tpp.example"),
            authority,
        }
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    pub(crate) fn transport(&self, limits: Limits) -> Transport {
        let (chain, key) = (self.certified.certificate_pem(), self.certified.key_pem());
        let certificate = ClientCertificate {
            chain: chain.as_bytes(),
            key: key.as_bytes(),
        };
        let anchors = self.authority.pem();
        let tls = Tls {
            anchors: anchors.as_bytes(),
            certificate: Some(certificate),
        };
        Transport::new(tls, limits, self.clock()).unwrap()
    }

    pub(crate) fn signer(&self, form: Form) -> Signer {
        let us = Signatory {
            issuer: TPP.to_owned(),
            trust_anchor: ANCHOR.to_owned(),
        };
        Signer::new(Arc::clone(&self.key) as _, TPP_KID, &us, form)
    }

    pub(crate) fn tokens(&self, authentication: Authentication) -> TokenSource {
        TokenSource::new(TokenSetup {
            endpoint: self.bank.url("/token").into(),
            client_id: ClientId::new(CLIENT).unwrap(),
            authentication,
            scope: "accounts payments".to_owned(),
            transport: self.transport(Limits::default()),
            clock: self.clock(),
            random: random(),
        })
    }

    pub(crate) fn setup(&self) -> Setup {
        let transport = self.transport(Limits::default());
        Setup {
            base_url: self.bank.url("/api").parse().unwrap(),
            identity: Identity {
                org_id: ORG_ID.to_owned(),
                trust_anchors: vec![ANCHOR.to_owned()],
                set_issuer: SET_ISSUER.to_owned(),
            },
            client_id: ClientId::new(CLIENT).unwrap(),
            signer: self.signer(Form::Encoded),
            keys: BankKeys::fetched(KeyServer {
                url: self.bank.url("/jwks").into(),
                transport: transport.clone(),
                freshness: Freshness::default(),
                clock: self.clock(),
            }),
            tokens: self.tokens(Authentication::TlsClientAuth),
            transport,
            rules: Arc::default(),
            clock: self.clock(),
            random: random(),
        }
    }

    /// The bank as the TPP sees it.
    pub(crate) fn seen_bank(&self) -> Bank {
        Bank::new(self.setup(), ApiVersion::V4_0).unwrap()
    }
}

/// Every 16 bytes differ from all before.
pub(crate) fn random() -> Random {
    let count = AtomicU8::new(0);
    Random::new(move || [count.fetch_add(1, Ordering::SeqCst); 16])
}

pub(crate) fn wish() -> SubscriptionWish {
    SubscriptionWish {
        callback_url: None,
        version: "4.0".parse().unwrap(),
        event_types: None,
    }
}

/// A path of the API, as the bank sees it.
pub(crate) fn path(rest: &str) -> String {
    format!("/api/open-banking/{rest}")
}
