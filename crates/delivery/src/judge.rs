//! What an answer means (D-02 … D-04): an acknowledgement, or one of two failures. The two are two types, since nothing that
//! follows from one follows from the other: a refused event backs off by itself, a failing endpoint holds back all.

use std::time::Duration;

use oyez_domain::ids::InteractionId;
use oyez_domain::tpp::Acknowledgement;

use crate::ports::{Posted, Reply};
use crate::post::refusal_words;

/// What one attempt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The TPP has the event.
    Acknowledged,
    /// The endpoint works and does not want this event.
    Refused(Refusal),
    /// The endpoint does not work.
    EndpointFailed(EndpointFailure),
}

/// The event was refused (D-04).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// In a few words, for people.
    pub(crate) reason: String,
    /// For how long it is not to be sent again (D-05).
    pub(crate) retry_after: Option<Duration>,
}

/// The endpoint failed (D-04).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointFailure {
    /// In a few words, for people.
    pub(crate) reason: String,
    /// What it asked for (D-05).
    pub(crate) retry_after: Option<Duration>,
}

/// A judgement, and what was odd about the answer, in a fixed short word (D-02).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) judgement: Judgement,
    pub(crate) deviation: Option<&'static str>,
}

/// Judges what came back for an attempt that was sent under this interaction id.
pub(crate) fn judge(posted: &Posted, counts: Acknowledgement, sent: &InteractionId) -> Judged {
    match posted {
        Posted::Answered(reply) => judge_reply(reply, counts, sent),
        Posted::Failed(failure) => Judged {
            judgement: Judgement::EndpointFailed(EndpointFailure {
                reason: format!("{}: {}", failure.class, failure.detail),
                retry_after: None,
            }),
            deviation: None,
        },
    }
}

fn judge_reply(reply: &Reply, counts: Acknowledgement, sent: &InteractionId) -> Judged {
    let status = reply.status;
    let deviation = deviation(reply, sent);
    let judgement = match status {
        202 if counts != Acknowledgement::Strict || deviation.is_none() => Judgement::Acknowledged,
        200..=299 if counts == Acknowledgement::Lenient => Judgement::Acknowledged,
        400 | 422 => Judgement::Refused(Refusal {
            reason: refusal(reply),
            retry_after: reply.retry_after,
        }),
        _ => Judgement::EndpointFailed(EndpointFailure {
            reason: match deviation {
                Some(deviation) => format!("status {status}, {deviation}"),
                None => format!("status {status}"),
            },
            retry_after: reply.retry_after,
        }),
    };
    Judged {
        judgement,
        deviation,
    }
}

/// The status, and the TPP's own words where it gave some as RFC 8935 has it.
fn refusal(reply: &Reply) -> String {
    let status = reply.status;
    match refusal_words(&reply.body_head) {
        Some((err, description)) if description.is_empty() => format!("status {status}: {err}"),
        Some((err, description)) => format!("status {status}: {err}: {description}"),
        None => format!("status {status}"),
    }
}

/// Only successes can deviate: of an error nothing else is expected.
fn deviation(reply: &Reply, sent: &InteractionId) -> Option<&'static str> {
    match (reply.status, &reply.interaction_id) {
        (202, None) => Some("interaction_id_missing"),
        // It is a UUID, and those have no case.
        (202, Some(echoed)) if !echoed.trim().eq_ignore_ascii_case(sent.as_str()) => {
            Some("interaction_id_different")
        }
        (202, Some(_)) => None,
        (200..=299, _) => Some("status_not_202"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ports::Failure;

    const SENT: &str = "93bac548-d2de-4546-b106-880a5018460d";

    fn verdict(
        status: u16,
        echoed: Option<&str>,
        counts: Acknowledgement,
    ) -> (bool, Option<&'static str>) {
        let reply = Reply {
            status,
            interaction_id: echoed.map(str::to_owned),
            ..Reply::default()
        };
        let judged = judge(
            &Posted::Answered(reply),
            counts,
            &InteractionId::new(SENT).unwrap(),
        );
        (
            judged.judgement == Judgement::Acknowledged,
            judged.deviation,
        )
    }

    // D-02
    #[test]
    fn what_acknowledges_is_202_alone_or_202_with_our_id_or_any_success() {
        use Acknowledgement::{Lenient, Standard, Strict};
        let missing = Some("interaction_id_missing");
        let different = Some("interaction_id_different");
        let other = Some("status_not_202");
        for (status, echoed, counts, expected) in [
            (202, Some(SENT), Standard, (true, None)),
            (
                202,
                Some("93BAC548-D2DE-4546-B106-880A5018460D "),
                Strict,
                (true, None),
            ),
            (202, None, Standard, (true, missing)),
            (202, Some("x"), Standard, (true, different)),
            (202, None, Lenient, (true, missing)),
            (202, None, Strict, (false, missing)),
            (202, Some("x"), Strict, (false, different)),
            (200, Some(SENT), Standard, (false, other)),
            (200, Some(SENT), Strict, (false, other)),
            (204, None, Lenient, (true, other)),
        ] {
            let found = verdict(status, echoed, counts);
            assert_eq!(found, expected, "{status} {echoed:?} {counts:?}");
        }
    }

    proptest! {
        // D-03, D-04, D-05
        #[test]
        fn every_other_answer_is_one_of_the_two_failures(status in 100_u16..1000, seconds: Option<u32>) {
            let retry_after = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            let reply = Reply { status, retry_after, ..Reply::default() };
            let sent = InteractionId::new(SENT).unwrap();
            match judge(&Posted::Answered(reply), Acknowledgement::Lenient, &sent).judgement {
                Judgement::Acknowledged => prop_assert!((200..300).contains(&status)),
                Judgement::Refused(refusal) => {
                    prop_assert!(status == 400 || status == 422);
                    prop_assert_eq!(refusal.retry_after, retry_after);
                }
                Judgement::EndpointFailed(failure) => {
                    prop_assert!(!(200..300).contains(&status) && status != 400 && status != 422);
                    prop_assert_eq!(failure.retry_after, retry_after);
                }
            }
        }
    }

    // D-04
    #[test]
    fn the_words_of_a_refusal_are_its_reason() {
        for (body, told) in [
            ("", "status 400"),
            ("<html>", "status 400"),
            (r#"{"err": "invalid_key"}"#, "status 400: invalid_key"),
            (
                r#"{"err": "invalid_audience", "description": "not ours"}"#,
                "status 400: invalid_audience: not ours",
            ),
        ] {
            let reply = Reply {
                status: 400,
                body_head: body.into(),
                ..Reply::default()
            };
            let sent = InteractionId::new(SENT).unwrap();
            let judged = judge(&Posted::Answered(reply), Acknowledgement::default(), &sent);
            let reason = told.to_owned();
            let expected = Refusal {
                reason,
                retry_after: None,
            };
            assert_eq!(judged.judgement, Judgement::Refused(expected));
        }
    }

    // D-03
    #[test]
    fn no_answer_at_all_is_the_endpoints_failure() {
        let failure = Failure {
            class: "connect",
            detail: "connection refused".to_owned(),
            peer: oyez_domain::ledger::push::Peer::default(),
        };
        let judged = judge(
            &Posted::Failed(failure),
            Acknowledgement::Lenient,
            &InteractionId::new(SENT).unwrap(),
        );
        let expected = EndpointFailure {
            reason: "connect: connection refused".to_owned(),
            retry_after: None,
        };
        assert_eq!(judged.judgement, Judgement::EndpointFailed(expected));
    }
}
