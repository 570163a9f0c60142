//! Event-subscriptions (S): what the bank is to tell us, and where.

use oyez_domain::registration::SubscriptionWish;
use serde::{Deserialize, Serialize};

use crate::bank::{Answer, Bank};
use crate::error::Error;
use crate::resource::Resource;

/// The event-subscriptions of one TPP at one bank; the standard allows it one.
#[derive(Clone, Copy)]
pub struct Subscriptions<'b>(Resource<'b>);

/// An event-subscription as the bank has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Subscription {
    /// The bank's name for it.
    #[serde(rename = "EventSubscriptionId")]
    pub id: String,
    /// Where it pushes to; absent: polling only.
    #[serde(default)]
    pub callback_url: Option<String>,
    /// The version, as the bank writes it.
    pub version: String,
    /// Only these event types; absent: all of the version.
    #[serde(default)]
    pub event_types: Option<Vec<String>>,
}

/// A bank with nothing to list may leave the list out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    #[serde(default)]
    event_subscription: Vec<Subscription>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outgoing<'a> {
    /// Wanted in a PUT by the standard's schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    event_subscription_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_url: Option<&'a str>,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_types: Option<&'a [String]>,
}

impl<'b> Subscriptions<'b> {
    pub(crate) fn of(bank: &'b Bank) -> Self {
        Self(Resource::new(bank, &bank.row().paths.event_subscriptions))
    }

    /// Subscribes.
    pub async fn create(self, wish: &SubscriptionWish) -> Result<Answer<Subscription>, Error> {
        self.0.create(Outgoing::of(None, wish)).await
    }

    /// All there are: none or one.
    pub async fn read(self) -> Result<Answer<Vec<Subscription>>, Error> {
        let answer: Answer<List> = self.0.read().await?;
        Ok(answer.map(|list| list.event_subscription))
    }

    /// Replaces one as a whole: what the wish leaves out is gone.
    pub async fn update(
        self,
        id: &str,
        wish: &SubscriptionWish,
    ) -> Result<Answer<Subscription>, Error> {
        self.0.update(id, Outgoing::of(Some(id), wish)).await
    }

    /// Unsubscribes. What was outstanding is not told any more.
    pub async fn delete(self, id: &str) -> Result<Answer<()>, Error> {
        self.0.delete(id).await
    }
}

impl<'a> Outgoing<'a> {
    fn of(id: Option<&'a str>, wish: &'a SubscriptionWish) -> Self {
        Self {
            event_subscription_id: id,
            callback_url: wish.callback_url.as_deref(),
            version: wish.version.to_string(),
            event_types: wish.event_types.as_deref(),
        }
    }
}
