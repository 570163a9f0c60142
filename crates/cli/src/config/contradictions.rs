//! Keys that are each right and together are not.

use oyez_domain::fault::Fault;

use oyez_web::tpp::{Binding, SignaturePolicy};

use super::access::Validation;
use super::catalogue::{OwnEventType, OwnResource};
use super::keeping::Backend;
use super::reader::Sink;
use super::section::{Section, Unset};
use super::{Draft, rules};

/// Judges what could be read.
pub(super) fn judge(draft: &Draft, sink: &mut Sink<'_>) {
    versions(draft, sink);
    resources(draft, sink);
    test_event(draft, sink);
    features(draft, sink);
    signatures(draft, sink);
    timing(draft, sink);
    listening(draft, sink);
    keeping(draft, sink);
    tokens(draft, sink);
    pushing(draft, sink);
    developer(draft, sink);
}

fn keeping(draft: &Draft, sink: &mut Sink<'_>) {
    let Some(store) = &draft.store else {
        return;
    };
    if store.backend == Backend::Postgres && store.url.is_none() {
        let mend = "set it, for example url = \"postgresql://oyez@db.bank.example/oyez\"";
        sink.fault(
            "store.url",
            "is missing, and the backend is \"postgres\"",
            mend,
        );
    }
    let has = (store.certificate.is_some(), store.key.is_some());
    both_or_none("store", has, sink);
}

fn versions(draft: &Draft, sink: &mut Sink<'_>) {
    let Some(versions) = &draft.versions else {
        return;
    };
    let table = match rules::version_table(versions) {
        Ok(table) => table,
        Err(error) => {
            let mend =
                "list at least one of \"v3.1\" and \"v4.0\", and none in `served` and `retired`";
            return sink.fault("versions.served", error.to_string(), mend);
        }
    };
    let Some(own) = draft.event_types.as_ref().map(|section| &section.own) else {
        return;
    };
    // The schemas are files; `oyez check` looks at them.
    if let Err(faults) = rules::catalogue(own, vec![None; own.len()], &table) {
        refuse::<OwnEventType>(faults, sink);
    }
}

fn resources(draft: &Draft, sink: &mut Sink<'_>) {
    let Some(own) = draft.resources.as_ref().map(|section| &section.own) else {
        return;
    };
    if let Err(faults) = rules::resource_table(own) {
        refuse::<OwnResource>(faults, sink);
    }
}

/// Found now rather than by whoever sends the first one.
fn test_event(draft: &Draft, sink: &mut Sink<'_>) {
    let (Some(test_event), Some(resources)) = (&draft.test_event, &draft.resources) else {
        return;
    };
    let (Some(resource), Ok(table)) = (&test_event.resource, rules::resource_table(&resources.own))
    else {
        return;
    };
    if table.find(resource.kind_and_id().0).is_none() {
        let what = "names a type that is not in the resource table";
        let mend = "begin it with a type of the standard or of [resources], such as \"domestic-payment/test\"";
        sink.fault("test_event.resource", what, mend);
    }
}

/// What the domain has against the tables of a list; an example from the table of keys shows what would be right.
fn refuse<S: Section>(faults: Vec<Fault>, sink: &mut Sink<'_>) {
    for fault in faults {
        let path = fault.path.unwrap_or_default();
        let member = path.rsplit('.').next().unwrap_or_default();
        let key = S::keys().into_iter().find(|key| key.name == member);
        let mend = match key.map(|key| key.unset) {
            Some(Unset::Refused(example) | Unset::Absent(example)) => {
                format!("set it to something like {example}")
            }
            _ => "correct it".to_owned(),
        };
        sink.fault(&format!("{}{path}", S::NAME), fault.message, mend);
    }
}

fn features(draft: &Draft, sink: &mut Sink<'_>) {
    let Some(features) = &draft.features else {
        return;
    };
    if !features.polling && !features.push {
        let mend = "switch `polling` or `push` on";
        sink.fault(
            "features.polling",
            "polling and push are both off: no event could go out",
            mend,
        );
    }
    if !features.event_subscriptions && !features.callback_urls {
        let what = "event-subscriptions and callback-urls are both off: no TPP could register";
        let mend = "switch `event_subscriptions` or `callback_urls` on";
        sink.fault("features.event_subscriptions", what, mend);
    }
}

fn signatures(draft: &Draft, sink: &mut Sink<'_>) {
    let Some(signatures) = &draft.signatures else {
        return;
    };
    if signatures.trust_anchors.is_empty() && signatures.policy != SignaturePolicy::Off {
        let what = "no trust anchor is accepted, so every signature would be refused";
        sink.fault(
            "signatures.trust_anchors",
            what,
            "list at least \"openbanking.org.uk\"",
        );
    }
}

/// Certificates and keys go together, plain HTTP needs a gateway, and the internal API leaves the machine in TLS alone.
fn listening(draft: &Draft, sink: &mut Sink<'_>) {
    if let Some(listener) = &draft.listener {
        let has = (listener.certificate.is_some(), listener.key.is_some());
        both_or_none("listener", has, sink);
        let gateway = draft.gateway.as_ref();
        if has == (false, false) && gateway.is_some_and(|gateway| gateway.networks.is_empty()) {
            let what =
                "without a certificate the TPP listener is plain HTTP, and there is no gateway";
            let mend = "set `certificate` and `key`, or the [gateway] that ends TLS";
            sink.fault("listener.certificate", what, mend);
        }
        if has == (false, false) && listener.client_anchors.is_some() {
            let what = "client certificates are only asked for in TLS, and there is no certificate";
            sink.fault(
                "listener.client_anchors",
                what,
                "set `certificate` and `key`",
            );
        }
    }
    if let Some(gateway) = &draft.gateway
        && gateway.networks.is_empty()
        && gateway.certificate_header.is_some()
    {
        let what = "nobody's header would be believed: no network is trusted";
        sink.fault(
            "gateway.certificate_header",
            what,
            "list the gateway's addresses in `networks`",
        );
    }
    if let Some(internal) = &draft.internal {
        let has = (internal.certificate.is_some(), internal.key.is_some());
        both_or_none("internal", has, sink);
        if has == (false, false) && !internal.address.ip().is_loopback() {
            let what = "the internal API would leave this machine in plain HTTP";
            let mend = "set `certificate` and `key`, or an address such as \"127.0.0.1:8081\"";
            sink.fault("internal.address", what, mend);
        }
        if has == (false, false) && internal.client_anchors.is_some() {
            let what = "client certificates are only asked for in TLS, and there is no certificate";
            sink.fault(
                "internal.client_anchors",
                what,
                "set `certificate` and `key`",
            );
        }
    }
    if let (Some(listener), Some(internal)) = (&draft.listener, &draft.internal)
        && listener.address.port() != 0
        && listener.address == internal.address
    {
        let what = "is that of the listener for TPPs, and the two never share one";
        sink.fault("internal.address", what, "choose another port");
    }
}

fn both_or_none(section: &str, has: (bool, bool), sink: &mut Sink<'_>) {
    let (set, missing) = match has {
        (true, false) => ("certificate", "key"),
        (false, true) => ("key", "certificate"),
        (true, true) | (false, false) => return,
    };
    let what = format!("is set, and `{missing}` is not");
    sink.fault(
        &format!("{section}.{set}"),
        what,
        format!("set `{missing}` too"),
    );
}

/// Each kind of validation has what it needs, and a token can be bound to what it must be bound to.
fn tokens(draft: &Draft, sink: &mut Sink<'_>) {
    let Some(tokens) = &draft.tokens else {
        return;
    };
    both_or_none(
        "tokens",
        (tokens.certificate.is_some(), tokens.key.is_some()),
        sink,
    );
    let mut needs = |key: &str, is_set: bool, example: &str| {
        if !is_set {
            let what = "must be set for this kind of validation";
            sink.fault(
                &format!("tokens.{key}"),
                what,
                format!("set it, for example {key} = {example}"),
            );
        }
    };
    match tokens.validation {
        Validation::Jwt => {
            needs(
                "issuer",
                tokens.issuer.is_some(),
                "\"https://auth.bank.example\"",
            );
            needs(
                "audiences",
                !tokens.audiences.is_empty(),
                "[\"https://api.bank.example\"]",
            );
            needs(
                "jwks",
                tokens.jwks.is_some(),
                "\"https://auth.bank.example/jwks\"",
            );
            needs("algorithms", !tokens.algorithms.is_empty(), "[\"PS256\"]");
        }
        Validation::Introspection => {
            let url = "\"https://auth.bank.example/introspect\"";
            needs("introspection_url", tokens.introspection_url.is_some(), url);
            needs("client_id", tokens.client_id.is_some(), "\"oyez\"");
            let known = tokens.client_secret.is_some() || tokens.certificate.is_some();
            needs("client_secret_file", known, "\"introspection.secret\"");
        }
    }
    if let (Binding::Required, Some(listener), Some(gateway)) =
        (tokens.binding, &draft.listener, &draft.gateway)
        && listener.client_anchors.is_none()
        && gateway.certificate_header.is_none()
    {
        let what = "tokens must be bound to a certificate, and no TPP could show one";
        let mend = "set [listener] client_anchors or [gateway] certificate_header";
        sink.fault("tokens.binding", what, mend);
    }
}

/// A colour that nobody can read is found by whoever chose it (W-01).
fn developer(draft: &Draft, sink: &mut Sink<'_>) {
    let Some(developer) = &draft.developer else {
        return;
    };
    for (key, unreadable) in developer.unreadable() {
        let mend = format!(
            "set it to {}, or another that can be read",
            unreadable.nearest
        );
        sink.fault(&format!("developer.{key}"), unreadable.to_string(), mend);
    }
}

fn pushing(draft: &Draft, sink: &mut Sink<'_>) {
    if let Some(push) = &draft.push {
        let has = (push.certificate.is_some(), push.key.is_some());
        both_or_none("push", has, sink);
    }
}

fn timing(draft: &Draft, sink: &mut Sink<'_>) {
    if let Some(polling) = &draft.polling
        && polling.absent_means_long_poll
        && polling.long_poll.is_none()
    {
        let what = "polls are to wait by default, but long_poll is \"off\"";
        let mend = "give `long_poll` a length of time, or set this to false";
        sink.fault("polling.absent_means_long_poll", what, mend);
    }
    if let Some(push) = &draft.push
        && push.connect_timeout > push.total_timeout
    {
        too_slow("push", sink);
    }
    if let Some(outbound) = &draft.outbound
        && outbound.connect_timeout > outbound.total_timeout
    {
        too_slow("outbound", sink);
    }
    if let Some(limits) = &draft.limits
        && limits.waiting_per_tpp_max > limits.waiting_max
    {
        let what = "is more than may wait in all";
        sink.fault(
            "limits.waiting_per_tpp_max",
            what,
            "make it no more than `waiting_max`",
        );
    }
    for fault in draft.retry.iter().flat_map(|retry| retry.policy().faults()) {
        let key = format!("retry.{}", fault.path.unwrap_or_default());
        let what = "does not fit the other keys of the section";
        sink.fault(&key, what, format!("change one of them: {}", fault.message));
    }
}

fn too_slow(section: &str, sink: &mut Sink<'_>) {
    let what = "connecting may take longer than the attempt as a whole";
    let key = format!("{section}.connect_timeout");
    sink.fault(&key, what, "make it shorter than `total_timeout`");
}
