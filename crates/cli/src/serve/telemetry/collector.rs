//! The way to a collector: OTLP over HTTP, through the one client that everything leaves by.

use std::sync::Arc;

use oyez_domain::error_chain::chain;
use oyez_outbound::{
    Bytes, Client, HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Target, header,
};
use oyez_telemetry::{BoxFuture, Collector, Signal, Verdict};

use crate::config::Telemetry;
use crate::failure::Failure;
use crate::files::secret;

/// A collector at a URL.
pub(super) struct OverHttp {
    client: Arc<Client>,
    traces: Target,
    metrics: Target,
    headers: HeaderMap,
}

impl OverHttp {
    pub(super) fn new(telemetry: &Telemetry, client: Arc<Client>) -> Result<Self, Failure> {
        let Some(endpoint) = &telemetry.otlp_endpoint else {
            unreachable!("nothing is exported without an endpoint");
        };
        let endpoint = endpoint.to_string();
        let below = |path: &str| {
            let url = format!("{}/{path}", endpoint.trim_end_matches('/'));
            Target::parse(&url).expect("a URL that was read, with a path of letters")
        };
        Ok(Self {
            client,
            traces: below("v1/traces"),
            metrics: below("v1/metrics"),
            headers: headers(telemetry)?,
        })
    }

    async fn send(&self, signal: Signal, body: Vec<u8>) -> Verdict {
        let target = match signal {
            Signal::Traces => &self.traces,
            Signal::Metrics => &self.metrics,
        };
        let request = Request {
            method: Method::POST,
            target: target.clone(),
            headers: self.headers.clone(),
            body: Bytes::from(body),
        };
        match self.client.send(&request).await {
            Ok(response) if response.status.is_success() => Verdict::Taken,
            Ok(response) if AGAIN.contains(&response.status) => {
                Verdict::Later(response.status.to_string())
            }
            Ok(response) => Verdict::Refused(response.status.to_string()),
            Err(error) => Verdict::Later(chain(&error)),
        }
    }
}

impl Collector for OverHttp {
    fn deliver(&self, signal: Signal, body: Vec<u8>) -> BoxFuture<'_, Verdict> {
        Box::pin(self.send(signal, body))
    }
}

/// Those of every request, and those that the collector wants to see.
fn headers(telemetry: &Telemetry) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    let protobuf = HeaderValue::from_static("application/x-protobuf");
    headers.insert(header::CONTENT_TYPE, protobuf);
    let agent = concat!("oyez/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    let Some(lines) = &telemetry.otlp_headers else {
        return Ok(headers);
    };
    let lines = secret(lines)?;
    for (index, line) in lines.lines().enumerate() {
        let read = line.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::try_from(name.trim()).ok()?;
            let mut value = HeaderValue::from_str(value.trim()).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let (name, value) = read.ok_or_else(|| {
            let what = format!(
                "line {} of [telemetry] otlp_headers is no header",
                index + 1
            );
            Failure::environment(
                what,
                "write one on each line, such as: authorization: Bearer …",
            )
        })?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// What the protocol says is worth another try.
const AGAIN: [StatusCode; 4] = [
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
