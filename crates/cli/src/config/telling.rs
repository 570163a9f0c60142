//! What oyez tells of its own work: metrics per TPP, traces, and where both are sent.

use std::path::PathBuf;
use std::time::Duration;

use oyez_web::metrics::Tpps;

use super::form::{Choice, File, Flag, Number, OrOff, Span, parsed};
use super::list::List;
use super::section::{Secret, default, optional, secret, section};
use super::text::{Attribute, HeaderText, HttpUrl};

section! {
    /// What oyez tells of its own work. Metrics are at `/metrics` of the internal listener whatever stands here.
    Telemetry = "telemetry" {
        /// Whether metrics tell TPPs apart: "together", or "apart", each under its client_id, up to 1,000 of them.
        tpps: Tpps = default(Tpps::Together, Choice(&[("together", Tpps::Together), ("apart", Tpps::Apart)]));
        /// A collector that takes OTLP over HTTP: traces are sent to `/v1/traces` below it. https, or http on this machine.
        otlp_endpoint: Option<HttpUrl> = optional("\"https://collector.bank.example:4318\"", parsed("an https URL"));
        /// Headers for the collector, each on a line: `name: value`.
        otlp_headers: Option<Secret> = secret("\"authorization: Bearer …\"", "\"otlp-headers.secret\"");
        /// The authorities that are believed when the collector is called, in PEM; without it, those of `[outbound]`.
        otlp_trust_anchors: Option<PathBuf> = optional("\"collector-ca.pem\"", File("certificates in PEM"));
        /// Whether the collector is called through the proxy of `[outbound]`.
        otlp_through_proxy: bool = default(false, Flag);
        /// The part of the traces that begin here that is recorded, from 0 to 1. A trace that a publisher began is recorded if
        /// its `traceparent` says so.
        sampling_ratio: f64 = default(SAMPLING_RATIO, Number(0.0..=1.0));
        /// How often metrics are sent to the collector as well, to `/v1/metrics`.
        otlp_metrics_every: Option<Duration> = default(None, OrOff(Span(SECOND..=HOUR)));
        /// What this service is called there.
        service_name: HeaderText = default(HeaderText::of("oyez"), parsed("1 to 128 printable ASCII characters"));
        /// What else is told of it: `name=value` each.
        resource_attributes: Vec<Attribute> = default(vec![], List(parsed("an attribute such as \"deployment.environment.name=production\"")));
        /// Whether a push says its `traceparent` to the TPP. It is another organisation: off unless you agreed on it.
        traceparent_to_tpps: bool = default(false, Flag);
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Enough to see what is usual, little enough to forget about.
const SAMPLING_RATIO: f64 = 0.05;
