//! The configuration in the words of those it is for.

use std::sync::Arc;

use oyez_domain::ledger::poll::Limits;
use oyez_domain::polling::Policy;
use oyez_issuer::Identity;
use oyez_jose::Signatory;
use oyez_web::listener::{Bounds, Gateway};
use oyez_web::pages::{Brand, Logo};
use oyez_web::{developer, internal, polling, tpp};

use crate::config::{Config, Registration};

/// What is served (G-13).
pub(crate) fn features(config: &Config) -> tpp::Features {
    tpp::Features {
        event_subscriptions: config.features.event_subscriptions,
        callback_urls: config.features.callback_urls,
        polling: config.features.polling,
        replacing: config.features.put,
        deleting: config.features.delete,
    }
}

/// The choices of the API for TPPs.
pub(crate) fn tpp_options(config: &Config) -> tpp::Options {
    let tokens = &config.tokens;
    tpp::Options {
        features: features(config),
        binding: tokens.binding,
        registration: match tokens.registration {
            Registration::Manual => tpp::Registration::Manual,
            Registration::Automatic => tpp::Registration::Automatic {
                org_id: tokens.org_id_claim.to_string(),
                software_id: tokens.software_id_claim.to_string(),
                jwks_url: tokens.jwks_url_claim.to_string(),
            },
        },
        subjects: tokens.client_subjects.clone(),
        signatures: config.signatures.policy,
        unknown_members: config.signatures.unknown_members,
        trust_anchors: config
            .signatures
            .trust_anchors
            .iter()
            .map(ToString::to_string)
            .collect(),
        psu_headers: config.headers.malformed,
        polling: policy(config),
        hand_outs: limits(config),
        header_profile: config.signing.header_profile,
        requests_per_second: config.limits.requests_per_second,
        jwks_max_age: config.signing.jwks_max_age,
    }
}

/// What the developer pages say besides (W-01). The system's own anchors have no names worth listing.
pub(crate) fn developer(
    config: &Config,
    brand: Brand,
    anchors: developer::Anchors,
) -> developer::Options {
    let (push, tokens, pages) = (&config.push, &config.tokens, &config.developer);
    developer::Options {
        brand,
        contact: pages.contact.as_ref().map(ToString::to_string),
        token_url: pages.token_url.as_ref().map(ToString::to_string),
        token_issuer: tokens.issuer.as_ref().map(ToString::to_string),
        token_audiences: tokens.audiences.clone(),
        push: developer::Push {
            retry: config.retry.policy(),
            slow_probe: push.slow_probe,
            connect_timeout: push.connect_timeout,
            total_timeout: push.total_timeout,
            at_once_max: push.at_once_max.get(),
            acknowledgement: push.acknowledgement,
            trust_anchors: anchors,
            client_certificate: push.certificate.is_some(),
        },
        retention: developer::Retention {
            unacknowledged: config.retention.unacknowledged,
            settled: config.retention.settled,
        },
        waiting_per_tpp_max: config.limits.waiting_per_tpp_max,
        connections_per_address_max: config.listener.connections_per_address_max,
        retirement_margin: config.signing.retirement_margin,
    }
}

/// How the bank presents itself. Without a name it goes by its host.
pub(crate) fn brand(config: &Config, logo: Option<Logo>) -> Brand {
    let base_url = config.bank.base_url.as_str();
    let host = base_url.split("://").nth(1).unwrap_or(base_url);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    Brand {
        name: config
            .developer
            .name
            .as_ref()
            .map_or_else(|| host.to_owned(), ToString::to_string),
        logo,
        accent: config.developer.accent(),
    }
}

/// The choices of the internal API.
pub(super) fn internal_options(config: &Config) -> internal::Options {
    let resource = config.test_event.resource.as_ref();
    internal::Options {
        retry: config.retry.policy(),
        test_resource: resource.map(|resource| {
            let (kind, id) = resource.kind_and_id();
            internal::TestResource {
                kind: kind.to_owned(),
                id: id.to_owned(),
            }
        }),
    }
}

/// In whose name SETs are made.
pub(crate) fn identity(config: &Config) -> Identity {
    let bank = &config.bank;
    Identity {
        iss: bank.issuer.to_string(),
        signatory: Signatory {
            issuer: bank.org_id.to_string(),
            trust_anchor: bank.trust_anchor.to_string(),
        },
        base_url: bank.base_url.clone(),
    }
}

/// The bounds of the TPPs' listener.
pub(super) fn tpp_bounds(config: &Config) -> Bounds {
    Bounds {
        connections_max: config.listener.connections_max,
        connections_per_address_max: config.listener.connections_per_address_max,
        ..Bounds::default()
    }
}

/// The bounds of the internal listener. Its callers are few and may well share an address.
pub(super) fn internal_bounds(config: &Config) -> Bounds {
    Bounds {
        connections_max: config.internal.connections_max,
        connections_per_address_max: None,
        ..Bounds::default()
    }
}

/// Who may say which certificate a client has.
pub(super) fn gateway(config: &Config) -> Option<Gateway> {
    let header = config.gateway.certificate_header.as_ref()?;
    Some(Gateway {
        networks: config.gateway.networks.clone(),
        header: header.name(),
        form: config.gateway.certificate_form,
    })
}

/// Where polls wait.
pub(super) fn waiters(config: &Config) -> Arc<polling::Waiters> {
    Arc::new(polling::Waiters::new(polling::Options {
        per_tpp_max: config.limits.waiting_per_tpp_max,
        total_max: config.limits.waiting_max,
    }))
}

fn policy(config: &Config) -> Policy {
    let polling = &config.polling;
    Policy {
        events_max: polling.events_max,
        long_poll: polling.long_poll,
        absent_means_long_poll: polling.absent_means_long_poll,
        by_scope: polling.by_scope,
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        redelivery_delay: config.polling.redelivery_delay,
        error_cap: config.polling.error_cap,
        hand_out_cap: config.polling.hand_out_cap,
        order: config.push.order,
    }
}
