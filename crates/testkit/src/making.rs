//! What tests put into a ledger: every jti counted, every moment chosen, so that a failure reads the same each time.
//!
//! Nothing here names the ledger, so its own unit tests can take it too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oyez_domain::event::{EventType, Family, Happening, Idempotency, Notice, Resource, Submission};
use oyez_domain::ids::{ClientId, IdempotencyKey, InteractionId, Jti, ResourceId};
use oyez_domain::registration::{CallbackUrlWish, SubscriptionWish};
use oyez_domain::rules::Rules;
use oyez_domain::time::Timestamp;
use oyez_domain::tpp::{KeySource, Overrides, Profile};
use oyez_domain::version::ApiVersion;

/// Wanted by every registration that limits nothing, and by callback-urls.
pub const UPDATE: &str = "urn:uk:org:openbanking:events:resource-update";
/// Wanted by event-subscriptions of 3.1.2 and newer only.
pub const REVOKED: &str = "urn:uk:org:openbanking:events:consent-authorization-revoked";
/// As [`REVOKED`]; another fact.
pub const LINKED: &str =
    "urn:uk:org:openbanking:events:account-access-consent-linked-account-update";

pub use crate::clock::DAWN;

/// The standard's.
pub fn rules() -> Arc<Rules> {
    Arc::new(Rules::default())
}

/// A TPP.
pub fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

/// Of some request.
pub fn interaction(name: &str) -> InteractionId {
    InteractionId::new(name).unwrap()
}

/// What an operator registers of a TPP.
pub fn profile(overrides: Overrides) -> Profile {
    Profile {
        name: "Acme Budgeting".to_owned(),
        org_id: "0015800001041RbAAI".to_owned(),
        software_id: "2fNwVYePN8WqqDFvVf7XMN".to_owned(),
        keys: KeySource::JwksUrl("https://keys.acme.example/jwks".to_owned()),
        scopes: Vec::new(),
        overrides,
    }
}

/// Something that happened to a resource of the first kind of each family.
pub fn notice(client_id: &ClientId, family: Family, types: &[&str]) -> Notice {
    let kind = match family {
        Family::Aisp => "account-access-consent",
        Family::Pisp => "domestic-payment-consent",
        Family::Cbpii => "funds-confirmation-consent",
        Family::Vrp => "domestic-vrp-consent",
    };
    Notice {
        client_id: client_id.clone(),
        resource: Resource {
            kind: kind.to_owned(),
            id: ResourceId::new("r-1").unwrap(),
            version: Some(ApiVersion::V4_0),
            family,
        },
        happenings: types.iter().map(|it| happening(it)).collect(),
        toe: DAWN,
        txn: None,
        test: false,
        trace: None,
    }
}

fn happening(event_type: &str) -> Happening {
    Happening {
        event_type: EventType(event_type.to_owned()),
        reason: None,
        subject: None,
        payload: None,
    }
}

/// Without an idempotency key.
pub fn submission(jti: Jti, notice: Notice) -> Submission {
    Submission {
        jti,
        notice,
        idempotency: None,
    }
}

/// The same submission under an idempotency key; `content` stands for what the fingerprint is made of.
pub fn keyed(submission: Submission, key: &str, content: u8) -> Submission {
    let key = IdempotencyKey::new(key).unwrap();
    Submission {
        idempotency: Some(Idempotency {
            key,
            fingerprint: [content; 32],
        }),
        ..submission
    }
}

/// A subscription of 4.0 to everything, polling only.
pub fn everything() -> SubscriptionWish {
    SubscriptionWish {
        callback_url: None,
        version: "4.0".parse().unwrap(),
        event_types: None,
    }
}

/// A subscription of 4.0 to these types, polling only.
pub fn only(types: &[&str]) -> SubscriptionWish {
    let types = types.iter().map(|it| (*it).to_owned()).collect();
    SubscriptionWish {
        event_types: Some(types),
        ..everything()
    }
}

/// The same subscription with a CallbackUrl at this host.
pub fn pushed_to(host: &str, wish: SubscriptionWish) -> SubscriptionWish {
    let address = format!("https://{host}/v{}/event-notifications", wish.version);
    SubscriptionWish {
        callback_url: Some(address),
        ..wish
    }
}

/// A callback-url of 3.1 at this host.
pub fn callback(host: &str) -> CallbackUrlWish {
    CallbackUrlWish {
        url: format!("https://{host}/v3.1/event-notifications"),
        version: "3.1".parse().unwrap(),
    }
}

/// A counter where production draws at random: ascending, so that every order by age is the order of making.
#[derive(Debug)]
pub struct Jtis(AtomicU64);

impl Jtis {
    /// The first one.
    pub const fn from(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }

    /// The next one.
    pub fn next(&self, at: Timestamp) -> Jti {
        Jti::from_bytes(numbered(at, self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A UUIDv7 whose random part is a number, most significant byte first.
fn numbered(at: Timestamp, number: u64) -> [u8; 16] {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    let mut bytes = *Jti::new(at, random).as_bytes();
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes[8] |= 0x80;
    bytes
}
