//! Keys that are each right and together are not.

use oyez_domain::fault::Fault;

use super::catalogue::{OwnEventType, OwnResource};
use super::identity::SignaturePolicy;
use super::reader::Sink;
use super::section::{Section, Unset};
use super::{Draft, rules};

/// Judges what could be read.
pub(super) fn judge(draft: &Draft, sink: &mut Sink<'_>) {
    versions(draft, sink);
    resources(draft, sink);
    features(draft, sink);
    signatures(draft, sink);
    timing(draft, sink);
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
        let what = "connecting may take longer than the attempt as a whole";
        sink.fault(
            "push.connect_timeout",
            what,
            "make it shorter than `total_timeout`",
        );
    }
    for fault in draft.retry.iter().flat_map(|retry| retry.policy().faults()) {
        let key = format!("retry.{}", fault.path.unwrap_or_default());
        let what = "does not fit the other keys of the section";
        sink.fault(&key, what, format!("change one of them: {}", fault.message));
    }
}
