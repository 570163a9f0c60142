//! What tests put into a ledger: every jti counted, every moment chosen, so that a failure reads the same each time.

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
pub(crate) const UPDATE: &str = "urn:uk:org:openbanking:events:resource-update";
/// Wanted by event-subscriptions of 3.1.2 and newer only.
pub(crate) const REVOKED: &str = "urn:uk:org:openbanking:events:consent-authorization-revoked";
/// As [`REVOKED`]; another fact.
pub(crate) const LINKED: &str =
    "urn:uk:org:openbanking:events:account-access-consent-linked-account-update";

/// Where the tests begin.
pub(crate) const DAWN: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

pub(crate) fn rules() -> Arc<Rules> {
    Arc::new(Rules::default())
}

pub(crate) fn client(name: &str) -> ClientId {
    ClientId::new(name).unwrap()
}

pub(crate) fn interaction(name: &str) -> InteractionId {
    InteractionId::new(name).unwrap()
}

pub(crate) fn profile(overrides: Overrides) -> Profile {
    Profile {
        name: "Acme Budgeting".to_owned(),
        org_id: "0015800001041RbAAI".to_owned(),
        software_id: "2fNwVYePN8WqqDFvVf7XMN".to_owned(),
        keys: KeySource::JwksUrl("https://keys.acme.example/jwks".to_owned()),
        overrides,
    }
}

/// Something that happened to a resource of the first kind of each family.
pub(crate) fn notice(client_id: &ClientId, family: Family, types: &[&str]) -> Notice {
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

pub(crate) fn submission(jti: Jti, notice: Notice) -> Submission {
    Submission {
        jti,
        notice,
        idempotency: None,
    }
}

/// The same submission under an idempotency key; `content` stands for what the fingerprint is made of.
pub(crate) fn keyed(submission: Submission, key: &str, content: u8) -> Submission {
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
pub(crate) fn everything() -> SubscriptionWish {
    SubscriptionWish {
        callback_url: None,
        version: "4.0".parse().unwrap(),
        event_types: None,
    }
}

pub(crate) fn only(types: &[&str]) -> SubscriptionWish {
    let types = types.iter().map(|it| (*it).to_owned()).collect();
    SubscriptionWish {
        event_types: Some(types),
        ..everything()
    }
}

pub(crate) fn pushed_to(host: &str, wish: SubscriptionWish) -> SubscriptionWish {
    let address = format!("https://{host}/v{}/event-notifications", wish.version);
    SubscriptionWish {
        callback_url: Some(address),
        ..wish
    }
}

pub(crate) fn callback(host: &str) -> CallbackUrlWish {
    CallbackUrlWish {
        url: format!("https://{host}/v3.1/event-notifications"),
        version: "3.1".parse().unwrap(),
    }
}

/// A counter where production draws at random: ascending, so that every order by age is the order of making.
#[derive(Debug)]
pub(crate) struct Jtis(AtomicU64);

impl Jtis {
    pub(crate) const fn from(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }

    pub(crate) fn next(&self, at: Timestamp) -> Jti {
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
