//! The TPP's own application, over HTTP, with posts that it can check in any language (Standard Webhooks).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use oyez_domain::ledger::poll::SetError;
use oyez_domain::time::Clock as _;
use oyez_jose::Zeroizing;
use oyez_outbound::{
    Anchors, Bytes, Client, DefaultTimeProvider, HeaderMap, HeaderValue, Limits, Method, PlainHttp,
    Request, Setup, SystemResolver, Target, Tls, header,
};
use oyez_tpp::{Declined, HandOver, Notification, Pending};
use tokio_util::task::TaskTracker;

use super::later;
use crate::clock::SystemClock;
use crate::config::Secret;
use crate::config::text::HttpUrl;
use crate::failure::Failure;
use crate::files;
use crate::internal_client::anywhere;
use crate::tpp::record;

/// Posts each event. 2xx says that the application has it, 422 that it never will.
pub(super) struct Webhook {
    client: Client,
    target: Target,
    secret: hmac::Key,
}

impl Webhook {
    pub(super) fn new(url: &HttpUrl, secret: &Secret, time_max: Duration) -> Result<Self, Failure> {
        let target = Target::parse(url.as_ref()).map_err(|error| {
            Failure::environment("cannot post to `url` of [hand_over]", "see the reason")
                .because(&error)
        })?;
        let anchors = Anchors::from_system().map_err(|error| {
            let mend = "install the system's ca-certificates";
            Failure::environment("no certificate could be believed", mend).because(&error)
        })?;
        let tls = Tls::new(&anchors, None, Arc::new(DefaultTimeProvider)).map_err(|error| {
            Failure::environment("cannot speak TLS", "report this").because(&error)
        })?;
        let setup = Setup {
            tls,
            // The application is the TPP's own, wherever it stands.
            addresses: anywhere(),
            plain_http: PlainHttp::OnLoopback,
            proxy: None,
            limits: Limits {
                total: time_max,
                ..Limits::default()
            },
        };
        Ok(Self {
            // Nobody waits for its tasks: they are connections, and what matters of them was answered.
            client: Client::new(setup, Arc::new(SystemResolver), TaskTracker::new()),
            target,
            secret: key(secret)?,
        })
    }

    async fn post(&self, notification: &Notification) -> Result<(), Declined> {
        let body = record::of(notification).to_string();
        // Now, not when it was received: an old post that somebody replays is seen to be old, and one that stood behind a slow
        // batch is not.
        let at = SystemClock.now().unix_seconds().to_string();
        let id = &notification.claims.jti;
        let signed = format!("{id}.{at}.{body}");
        let signature = STANDARD.encode(hmac::sign(&self.secret, signed.as_bytes()));
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (ID, HeaderValue::from_str(id)),
            (TIMESTAMP, HeaderValue::from_str(&at)),
            (SIGNATURE, HeaderValue::from_str(&format!("v1,{signature}"))),
        ] {
            // A bank chooses its jtis.
            let value = value.map_err(|_| later("its jti cannot stand in a header"))?;
            headers.insert(name, value);
        }
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let request = Request {
            method: Method::POST,
            target: self.target.clone(),
            headers,
            body: Bytes::from(body),
        };
        let answer = self.client.send(&request).await.map_err(later)?;
        match answer.status.as_u16() {
            200..=299 => Ok(()),
            422 => {
                let said = String::from_utf8_lossy(&answer.body.bytes);
                Err(Declined::Never(SetError::of("invalid_request", &said)))
            }
            status => Err(later(format!("the application answered {status}"))),
        }
    }
}

impl HandOver for Webhook {
    fn hand_over<'a>(
        &'a self,
        notifications: &'a [Notification],
    ) -> Pending<'a, Vec<Result<(), Declined>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(notifications.len());
            // A few at a time: an application need not bear a hundred posts at once.
            for few in notifications.chunks(AT_ONCE_MAX) {
                outcomes.extend(join_all(few.iter().map(|it| self.post(it))).await);
            }
            outcomes
        })
    }
}

/// What Standard Webhooks makes of a secret.
fn key(secret: &Secret) -> Result<hmac::Key, Failure> {
    let text = files::secret(secret)?;
    let encoded = text.strip_prefix("whsec_").unwrap_or(&text);
    let bytes = Zeroizing::new(STANDARD.decode(encoded).unwrap_or_default());
    if bytes.len() < SECRET_BYTES_MIN {
        let what = "`secret` of [hand_over] is no secret of Standard Webhooks";
        let mend = "make one: echo whsec_$(openssl rand -base64 32)";
        return Err(Failure::environment(what, mend));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";
/// As the specification has it.
const SECRET_BYTES_MIN: usize = 24;
const AT_ONCE_MAX: usize = 8;
