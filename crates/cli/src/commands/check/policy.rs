//! What the configuration decides, and what TPPs will see of it (W-01).

use std::time::Duration;

use oyez_domain::time::span::print as length;
use oyez_domain::tpp::DeliveryOrder;
use oyez_web::listener::HeaderForm;

use super::departures;
use super::finding::Finding;
use crate::config::{Bank, Config, KeysAt, Polling, Push, Retention, Validation};
use crate::output::about;
use crate::schemas;

/// Everything about a configuration that is without fault.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = departures::findings(config);
    retention(&config.retention, &mut findings);
    event_types(config, &mut findings);
    findings.push(identity(&config.bank));
    findings.extend([listener(config), tokens(config)]);
    findings.push(polling(&config.polling));
    if config.features.push {
        findings.extend([push(&config.push), retry(config)]);
    } else {
        findings.push(Finding::note("push", "it is off: a CallbackUrl is refused"));
    }
    findings
}

fn retention(retention: &Retention, findings: &mut Vec<Finding>) {
    if retention.unacknowledged < EXPIRY_WARNED_UNDER {
        let what = format!(
            "events expire unacknowledged after {} (I-06)",
            length(retention.unacknowledged)
        );
        let mend = "30d or more: a TPP that is away for a month comes back to its news";
        findings.push(Finding::warning("retention.unacknowledged", what, mend));
    }
    findings.push(Finding::note(
        "retention",
        format!(
            "unacknowledged events expire after {}; settled ones are kept for {}, idempotency keys for {}, counters for {}",
            length(retention.unacknowledged),
            length(retention.settled),
            length(retention.idempotency_keys),
            length(retention.minutes),
        ),
    ));
}

/// The bank's own event types: their schemas, and then the whole catalogue by the domain's rules.
fn event_types(config: &Config, findings: &mut Vec<Finding>) {
    let mut schemas = Vec::new();
    for (index, schema) in schemas::read(config).into_iter().enumerate() {
        schemas.push(schema.unwrap_or_else(|what| {
            let subject = format!("event_types.own[{index}].schema");
            let mend = "name a file that holds a JSON Schema";
            findings.push(Finding::error(subject, what, mend));
            None
        }));
    }
    match config.rules(schemas) {
        Ok(rules) => {
            if let Err(error) = crate::serve::features(config).check(&rules) {
                let mend = "switch `put` and `delete` of [features] on";
                findings.push(Finding::warning(
                    "features",
                    format!("{error} (G-13)"),
                    mend,
                ));
            }
            findings.push(Finding::note(
                "catalogue",
                format!(
                    "{} event types and {} resource types, in {}",
                    rules.catalogue.types().len(),
                    rules.resources.rows().len(),
                    rules
                        .versions
                        .rows()
                        .iter()
                        .map(|row| row.api.to_string())
                        .collect::<Vec<_>>()
                        .join(" and "),
                ),
            ));
        }
        Err(faults) => findings.extend(faults.into_iter().map(|fault| {
            let subject = format!("event_types.own{}", fault.path.unwrap_or_default());
            Finding::error(subject, fault.message, "correct the schema file")
        })),
    }
}

fn identity(bank: &Bank) -> Finding {
    let what = format!(
        "SETs are issued by {}, signed as {} of {}, and link to {}",
        bank.issuer, bank.org_id, bank.trust_anchor, bank.base_url
    );
    Finding::note("bank", what)
}

fn listener(config: &Config) -> Finding {
    let listener = &config.listener;
    let spoken = match (&listener.certificate, &listener.client_anchors) {
        (None, _) => "in plain HTTP to the gateway alone",
        (Some(_), None) => "in TLS, without asking for certificates",
        (Some(_), Some(_)) => "in TLS, with certificates asked for",
    };
    let header = config.gateway.certificate_header.iter().map(|header| {
        let form = match config.gateway.certificate_form {
            HeaderForm::Xfcc => "XFCC",
            HeaderForm::UrlEncodedPem => "PEM",
            HeaderForm::Base64Der => "RFC 9440",
        };
        let networks: Vec<_> = config
            .gateway
            .networks
            .iter()
            .map(ToString::to_string)
            .collect();
        format!(
            "; {header} ({form}) is believed from {}",
            networks.join(", ")
        )
    });
    let header: String = header.collect();
    let what = format!(
        "TPPs are answered at {}, {spoken}{header}",
        listener.address
    );
    Finding::note("listener", what)
}

fn tokens(config: &Config) -> Finding {
    let tokens = &config.tokens;
    let what = match (
        tokens.validation,
        &tokens.issuer,
        &tokens.jwks,
        &tokens.introspection_url,
    ) {
        (Validation::Jwt, Some(issuer), Some(keys), _) => {
            let keys = match keys {
                KeysAt::File(path) => path.display().to_string(),
                KeysAt::Url(url) => url.to_string(),
            };
            let audiences = tokens.audiences.join(" or ");
            format!("they are JWTs by {issuer} for {audiences}, checked with the keys of {keys}")
        }
        (_, _, _, Some(url)) => {
            let ttl = length(tokens.cache_ttl);
            format!("{url} is asked about them, and believed for {ttl}")
        }
        _ => unreachable!("reading refused a validation that lacks what it needs"),
    };
    Finding::note("tokens", what)
}

fn polling(polling: &Polling) -> Finding {
    let wait = match polling.long_poll {
        Some(wait) if polling.absent_means_long_poll => {
            format!(
                "it waits up to {} unless returnImmediately is true",
                length(wait)
            )
        }
        Some(wait) => format!(
            "with returnImmediately false it waits up to {}",
            length(wait)
        ),
        None => "it is always answered at once".to_owned(),
    };
    let cap = match polling.hand_out_cap {
        Some(cap) => format!(", and taken as acknowledged after so many hand-outs: {cap}"),
        None => String::new(),
    };
    let scope = if polling.by_scope {
        "events that the token's scopes cover"
    } else {
        "events of all scopes"
    };
    let what = format!(
        "a poll is handed at most {} {scope}; {wait}. Unacknowledged, an event is offered again after {}, set aside after {} errors{cap}",
        polling.events_max,
        length(polling.redelivery_delay),
        polling.error_cap,
    );
    Finding::note("polling", what)
}

fn push(push: &Push) -> Finding {
    let order = match push.order {
        DeliveryOrder::Concurrent => format!("{} at a time per endpoint", push.at_once_max),
        DeliveryOrder::Strict => "one after the other".to_owned(),
    };
    let probe = match push.slow_probe {
        Some(every) => format!("every {}", length(every)),
        None => "only after a PUT or by an operator".to_owned(),
    };
    let what = format!(
        "an attempt has {} to connect and {} in all, {order}; an endpoint that was given up is tried {probe}",
        length(push.connect_timeout),
        length(push.total_timeout),
    );
    Finding::note("push", what)
}

/// The shortest and the longest time that the three limits give (D-05).
fn retry(config: &Config) -> Finding {
    let policy = config.retry.policy();
    let windows = policy.windows();
    let what = format!(
        "a failed push is tried again at most {} times, for at least {} and at most {}",
        policy.retries_max,
        about(windows.shortest),
        about(windows.longest),
    );
    Finding::note("retry", what)
}

/// I-06: never under 30 days without a warning.
const EXPIRY_WARNED_UNDER: Duration = Duration::from_secs(30 * 24 * 60 * 60);
