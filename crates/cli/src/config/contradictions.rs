//! Keys that are each right and together are not.

use super::Draft;
use super::identity::SignaturePolicy;
use super::reader::Sink;

/// Judges what could be read.
pub(super) fn judge(draft: &Draft, sink: &mut Sink<'_>) {
    versions(draft, sink);
    features(draft, sink);
    signatures(draft, sink);
    timing(draft, sink);
}

fn versions(draft: &Draft, sink: &mut Sink<'_>) {
    let Some(versions) = &draft.versions else {
        return;
    };
    if versions.served.is_empty() {
        sink.fault(
            "versions.served",
            "no version is served",
            "list at least one, such as \"v4.0\"",
        );
    }
    for version in versions
        .retired
        .iter()
        .filter(|one| versions.served.contains(one))
    {
        let what = format!("{version} is served and retired");
        sink.fault(
            "versions.retired",
            what,
            "take it out of `served` or out of `retired`",
        );
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
    if let Some(retry) = &draft.retry {
        if retry.base > retry.ceiling {
            let what = "the first step is longer than the longest";
            sink.fault("retry.base", what, "make it no longer than `ceiling`");
        }
        if retry.base > retry.window {
            let what = "the window closes before the first retry";
            sink.fault("retry.window", what, "make it longer than `base`");
        }
    }
}
