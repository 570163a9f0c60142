//! What happened, on standard error: a line of words, or of JSON for scripts. Never a token, a key or what an event says.

use oyez_domain::error_chain::chain;
use oyez_tpp::{Outcome, Received, Round, SetError, Taken};
use serde_json::json;

use crate::output::{self, Format};

/// Tells what came of a request to the receiver.
pub(super) fn received(received: &Received<'_>, format: Format) {
    let (result, detail) = match received.outcome {
        Outcome::Taken(Taken::HadIt) => ("repeated", None),
        Outcome::Taken(_) => ("taken", None),
        Outcome::Refused(SetError { err, description }) => {
            ("refused", Some(format!("{err}: {description}")))
        }
        Outcome::NotNow(why) => ("not now", Some(why.clone())),
        Outcome::NoPost => ("no POST", None),
        Outcome::NoBody => ("no body", None),
    };
    let bank = received.bank.unwrap_or("somebody");
    match format {
        Format::Scripts => output::aside(json!({
            "received": result, "status": received.status.as_u16(), "bank": received.bank,
            "jti": received.jti, "interaction_id": received.interaction_id, "detail": detail,
        })),
        // What was taken stands on standard output, or where the application has it.
        Format::People if detail.is_none() => {}
        Format::People => output::aside(format_args!(
            "{bank}: {result}: {} (interaction {})",
            output::printable(&detail.unwrap_or_default()),
            received.interaction_id,
        )),
    }
}

/// Tells how a round of polling ended.
pub(super) fn round(bank: &str, round: &Round, format: Format) {
    let lines: Vec<(&str, Option<&str>, String)> = match round {
        Round::Done(brought) => {
            let refused = brought.refused.iter().map(|(jti, error)| {
                let SetError { err, description } = error;
                (
                    "refused",
                    Some(jti.as_str()),
                    format!("{err}: {description}"),
                )
            });
            let not_now = brought.not_now.iter();
            let not_now = not_now.map(|(jti, why)| ("not now", Some(jti.as_str()), why.clone()));
            refused.chain(not_now).collect()
        }
        Round::Failed { error, again_in } => {
            let again = output::about(*again_in);
            vec![(
                "failed",
                None,
                format!("{}; again in {again}", chain(error)),
            )]
        }
        Round::WillNotWait(error) => {
            let what = format!("it will not wait for events: {}", chain(error));
            vec![("polled at the interval", None, what)]
        }
        Round::WillNotBeTold { jti, error } => {
            let what = format!("it refuses the report: {}", chain(error));
            vec![("not reported", Some(jti.as_str()), what)]
        }
    };
    for (result, jti, detail) in lines {
        match format {
            Format::Scripts => output::aside(json!({
                "polled": result, "bank": bank, "jti": jti, "detail": detail,
            })),
            Format::People => {
                let jti = jti.map(|jti| format!(" {jti}")).unwrap_or_default();
                let detail = output::printable(&detail);
                output::aside(format_args!("{bank}: {result}{jti}: {detail}"));
            }
        }
    }
}
