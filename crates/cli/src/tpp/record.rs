//! An event as the application gets it: one object of JSON, the same wherever it goes.

use oyez_jose::compact::Compact;
use oyez_tpp::{Notification, Repeat, Via};
use serde_json::{Value, json};

/// The object. `claims` are as the bank signed them, those too that the standard does not name.
pub(super) fn of(notification: &Notification) -> Value {
    let claims = Compact::parse(&notification.raw)
        .ok()
        .and_then(|token| serde_json::from_slice::<Value>(token.unverified_payload()).ok())
        .expect("it was verified");
    json!({
        "bank": *notification.bank,
        "jti": notification.claims.jti,
        "via": match notification.via { Via::Push => "push", Via::Poll => "poll" },
        "maybe_repeated": notification.repeat == Repeat::Possible,
        "received_at": notification.received_at.to_string(),
        "interaction_id": notification.interaction_id,
        "claims": claims,
        "set": notification.raw,
    })
}

/// The same for whoever looks at a screen.
pub(super) fn for_people(notification: &Notification) -> String {
    let Notification { bank, claims, .. } = notification;
    let mut text = String::new();
    for event in &claims.events {
        let urn = event.urn.0.as_str();
        let (_, name) = urn.rsplit_once(':').unwrap_or(("", urn));
        let about = event.subject.as_ref().map_or_else(
            || claims.sub.clone(),
            |subject| format!("{} {}", subject.rty, subject.rid),
        );
        let reason = event.reason.as_ref().map(|it| format!(" ({it})"));
        text.push_str(&format!(
            "{}  {bank}: {name} of {about}{}\n",
            claims.toe,
            reason.unwrap_or_default()
        ));
    }
    let repeat = match notification.repeat {
        Repeat::No => "",
        Repeat::Possible => ", perhaps not for the first time",
    };
    text.push_str(&format!("    verified{repeat}: jti {}\n", claims.jti));
    text
}
