//! What a TPP asked to be told, and where: its event-subscription (S) or its older callback-url (C).
//!
//! [`request`] reads what TPPs send, [`callback`] judges the addresses they give, [`response`] writes what they get back.

pub mod callback;
pub mod request;
pub mod response;

use serde::{Deserialize, Serialize};

use crate::ids::RegistrationId;
use crate::time::Timestamp;
use crate::version::{ApiVersion, Version};

/// An event-subscription as it is kept (S-01).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Drawn by the bank at creation; survives updates.
    pub id: RegistrationId,
    /// What the TPP last sent.
    pub wish: SubscriptionWish,
    /// The path version it was created or last updated through (S-06).
    pub api: ApiVersion,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

/// What a TPP may say of its event-subscription; replaced as a whole (S-04).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionWish {
    /// Where to push; absent means polling only (S-11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// Which resources' events, and the limits of old clients (S-06, S-10).
    pub version: Version,
    /// Event types as sent, by code or URN; absent or empty means all of the Version (S-09).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_types: Option<Vec<String>>,
}

/// A callback-url as it is kept (C-01).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackUrl {
    /// Drawn by the bank at creation; survives updates.
    pub id: RegistrationId,
    /// What the TPP last sent.
    pub wish: CallbackUrlWish,
    /// The path version it was created or last updated through.
    pub api: ApiVersion,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

/// What a TPP may say of its callback-url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackUrlWish {
    /// Where to push.
    pub url: String,
    /// As [`SubscriptionWish::version`].
    pub version: Version,
}

/// Everything a TPP has registered. Empty, it hears nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Registrations {
    /// At most one (S-02).
    pub subscription: Option<Subscription>,
    /// At most one, and not used while a subscription exists (C-08).
    pub callback_url: Option<CallbackUrl>,
}

impl Registrations {
    /// The subscription, if this path version may see it (S-06).
    pub fn subscription_seen_from(&self, api: ApiVersion) -> Option<&Subscription> {
        self.subscription
            .as_ref()
            .filter(|subscription| subscription.api <= api)
    }

    /// The callback-url, if this path version may see it (S-06).
    pub fn callback_url_seen_from(&self, api: ApiVersion) -> Option<&CallbackUrl> {
        self.callback_url
            .as_ref()
            .filter(|callback_url| callback_url.api <= api)
    }
}
