//! What a TPP gets back (S-01, S-03, S-04, C-01 … C-06). What it left out stays out.

use serde::Serialize;

use super::{CallbackUrl, Subscription};
use crate::base_url::BaseUrl;
use crate::versions::Row;

/// One event-subscription: the answer to POST and PUT.
pub fn subscription(row: &Row, base_url: &BaseUrl, subscription: &Subscription) -> Vec<u8> {
    let path = format!("{}/{}", row.paths.event_subscriptions, subscription.id);
    body(row, base_url, &path, SubscriptionJson::from(subscription))
}

/// A TPP's event-subscriptions, none or one: the answer to GET.
pub fn subscriptions(
    row: &Row,
    base_url: &BaseUrl,
    subscription: Option<&Subscription>,
) -> Vec<u8> {
    let event_subscription: Vec<SubscriptionJson<'_>> = subscription
        .into_iter()
        .map(SubscriptionJson::from)
        .collect();
    body(
        row,
        base_url,
        &row.paths.event_subscriptions,
        SubscriptionsJson { event_subscription },
    )
}

/// One callback-url: the answer to POST and PUT.
pub fn callback_url(row: &Row, base_url: &BaseUrl, callback_url: &CallbackUrl) -> Vec<u8> {
    let path = format!("{}/{}", row.paths.callback_urls, callback_url.id);
    body(row, base_url, &path, CallbackUrlJson::from(callback_url))
}

/// A TPP's callback-urls, none or one: the answer to GET.
pub fn callback_urls(row: &Row, base_url: &BaseUrl, callback_url: Option<&CallbackUrl>) -> Vec<u8> {
    let callback_url: Vec<CallbackUrlJson<'_>> = callback_url
        .into_iter()
        .map(CallbackUrlJson::from)
        .collect();
    body(
        row,
        base_url,
        &row.paths.callback_urls,
        CallbackUrlsJson { callback_url },
    )
}

fn body(row: &Row, base_url: &BaseUrl, path: &str, data: impl Serialize) -> Vec<u8> {
    let body = BodyJson {
        data,
        links: LinksJson {
            myself: base_url.under(row, path),
        },
        meta: MetaJson {},
    };
    serde_json::to_vec(&body).expect("texts are always JSON")
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BodyJson<T> {
    data: T,
    links: LinksJson,
    meta: MetaJson,
}

#[derive(Serialize)]
struct LinksJson {
    #[serde(rename = "Self")]
    myself: String,
}

#[derive(Serialize)]
struct MetaJson {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SubscriptionsJson<'a> {
    event_subscription: Vec<SubscriptionJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SubscriptionJson<'a> {
    event_subscription_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_url: Option<&'a str>,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_types: Option<&'a [String]>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CallbackUrlsJson<'a> {
    callback_url: Vec<CallbackUrlJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CallbackUrlJson<'a> {
    callback_url_id: &'a str,
    url: &'a str,
    version: String,
}

impl<'a> From<&'a Subscription> for SubscriptionJson<'a> {
    fn from(subscription: &'a Subscription) -> Self {
        Self {
            event_subscription_id: subscription.id.as_str(),
            callback_url: subscription.wish.callback_url.as_deref(),
            version: subscription.wish.version.to_string(),
            event_types: subscription.wish.event_types.as_deref(),
        }
    }
}

impl<'a> From<&'a CallbackUrl> for CallbackUrlJson<'a> {
    fn from(callback_url: &'a CallbackUrl) -> Self {
        Self {
            callback_url_id: callback_url.id.as_str(),
            url: &callback_url.wish.url,
            version: callback_url.wish.version.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
