//! A postman in a world where names mean this machine, and an endpoint to post to.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use oyez_delivery::post::{Options, Parts, Postman};
use oyez_delivery::{Addressee, Failure, Letter, Post, Posted, Reply};
use oyez_domain::address::Policy;
use oyez_domain::ids::{ClientId, InteractionId};
use oyez_domain::tpp::HeaderProfile;
use oyez_outbound::{Addresses, Anchors, DefaultTimeProvider, HeaderValue, Identity, Resolve, Tls};
use oyez_testkit::certificates::{Authority, Certified};
use oyez_testkit::clock::{DAWN, ManualClock};
use oyez_testkit::endpoint::{Behaviour, Endpoint};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Where the endpoint takes events.
pub(crate) const PATH: &str = "/v4.0/event-notifications";
pub(crate) const INTERACTION_ID: &str = "93bac548-d2de-4546-b106-880a5018460d";
pub(crate) const SET: &str = "eyJhbGciOiJQUzI1NiJ9.e30.c2lnbmF0dXJl";

/// Everything around a postman.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: watch::Sender<Arc<Tls>>,
    pub(crate) tracker: TaskTracker,
    pub(crate) postman: Postman,
}

/// Every name is this machine.
#[derive(Debug)]
struct Here;

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let authority = Authority::new("TPPs' authority");
        let endpoint = Endpoint::start(&authority.server(&[])).await;
        endpoint.behave(PATH, Behaviour::status(202));
        let tracker = TaskTracker::new();
        let (tls, believed) = watch::channel(Arc::new(believing(&authority, None)));
        let mut options = options();
        change(&mut options);
        let parts = Parts {
            tls: believed,
            resolver: Arc::new(Here),
            clock: Arc::new(ManualClock::still(DAWN)),
            tracker: tracker.clone(),
        };
        Self {
            authority,
            endpoint,
            tls,
            tracker,
            postman: Postman::new(options, parts),
        }
    }

    /// What the deployment believes is read again.
    pub(crate) fn believe(&self, tls: Tls) {
        self.tls.send(Arc::new(tls)).unwrap();
    }

    /// A TPP that takes its events at this path of the endpoint.
    pub(crate) fn tpp(&self, name: &str, path: &str) -> Addressee {
        Addressee {
            client_id: ClientId::new(name).unwrap(),
            callback_url: self.endpoint.url(path),
            profile: HeaderProfile::OpenBanking,
            trust_anchors: None,
        }
    }

    /// The TPP of most tests.
    pub(crate) fn acme(&self) -> Addressee {
        self.tpp("acme", PATH)
    }

    pub(crate) async fn post(&self, addressee: Addressee) -> Posted {
        self.postman.post(letter(addressee)).await
    }

    /// A letter that is answered.
    pub(crate) async fn answered(&self, addressee: Addressee) -> Reply {
        match self.post(addressee).await {
            Posted::Answered(reply) => reply,
            Posted::Failed(failure) => panic!("{failure:?}"),
        }
    }

    /// A letter that is not.
    pub(crate) async fn failed(&self, addressee: Addressee) -> Failure {
        match self.post(addressee).await {
            Posted::Failed(failure) => failure,
            Posted::Answered(reply) => panic!("{reply:?}"),
        }
    }
}

impl Resolve for Here {
    fn resolve<'a>(&'a self, _: &'a str) -> Addresses<'a> {
        Box::pin(async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) })
    }
}

pub(crate) fn letter(addressee: Addressee) -> Letter {
    Letter {
        addressee: Arc::new(addressee),
        set: SET.to_owned(),
        interaction_id: InteractionId::new(INTERACTION_ID).unwrap(),
        traceparent: None,
    }
}

/// Believes this authority alone, and shows this certificate to who asks.
pub(crate) fn believing(authority: &Authority, identity: Option<&Certified>) -> Tls {
    let anchors = Anchors::from_pem(authority.pem().as_bytes()).unwrap();
    let identity = identity.map(|certified| {
        let (chain, key) = (certified.pem(), certified.key_pem());
        Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
    });
    Tls::new(&anchors, identity, Arc::new(DefaultTimeProvider)).unwrap()
}

/// Those of a bank that may dial this machine, and is in no hurry.
fn options() -> Options {
    Options {
        financial_id: Some(HeaderValue::from_static("0015800001041REAAY")),
        user_agent: HeaderValue::from_static("oyez/0.1.0"),
        addresses: Policy {
            allowed: vec!["127.0.0.0/8".parse().unwrap()],
        },
        proxy: None,
        connect_time_max: Duration::from_secs(20),
        attempt_time_max: Duration::from_secs(20),
    }
}
