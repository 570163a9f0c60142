//! A TPP for people: who it is, what it registered, how much it got, and why it gets nothing.

use serde_json::Value;

use super::text;
use crate::commands::endpoints;
use crate::output::{Table, printable};

/// Its profile and standing.
pub(super) fn profile(tpp: &Value) -> String {
    let mut facts = Table::of_facts();
    facts.fact("CLIENT_ID", text(&tpp["client_id"]));
    facts.fact("NAME", text(&tpp["name"]));
    facts.fact("ORG_ID", text(&tpp["org_id"]));
    facts.fact("SOFTWARE_ID", text(&tpp["software_id"]));
    facts.fact("KEYS", keys(&tpp["keys"]));
    let scopes = list(&tpp["scopes"]);
    let all = "all that its tokens carry".to_owned();
    facts.fact("SCOPES", if scopes.is_empty() { all } else { scopes });
    let overrides = tpp["overrides"].as_object().into_iter().flatten();
    for (index, (name, value)) in overrides.enumerate() {
        let heading = if index == 0 { "OVERRIDES" } else { "" };
        facts.fact(heading, format!("{name} = {}", overriding(name, value)));
    }
    facts.fact("STANDING", standing(&tpp["standing"]));
    facts.fact("REGISTERED", text(&tpp["registered_at"]));
    facts.fact("CHANGED", text(&tpp["changed_at"]));
    facts.render()
}

/// All that is known of it.
pub(super) fn whole(tpp: &Value) -> String {
    let parts = [
        profile(tpp),
        registrations(&tpp["registrations"]),
        counts(&tpp["counts"]),
        delivery(&tpp["delivery"]),
    ];
    parts.join("\n")
}

/// As it is set; of certificates, how many.
fn overriding(name: &str, value: &Value) -> String {
    match value.as_str() {
        Some(pem) if name == "trust_anchors" => {
            let certificates = pem.matches("-----BEGIN CERTIFICATE-----").count();
            format!("{certificates} in PEM (--json shows them)")
        }
        _ => value.to_string(),
    }
}

fn keys(keys: &Value) -> String {
    if let Some(url) = keys["jwks_url"].as_str() {
        return format!("fetched from {url}");
    }
    let kept = keys["jwks"]["keys"].as_array().into_iter().flatten();
    let kids: Vec<_> = kept.map(|key| text(&key["kid"])).collect();
    format!("kept here: {}", kids.join(", "))
}

fn standing(standing: &Value) -> String {
    match standing["state"].as_str() {
        Some("disabled") => {
            let (since, reason) = (text(&standing["since"]), text(&standing["reason"]));
            format!("disabled since {since}: {reason}")
        }
        _ => text(&standing["state"]),
    }
}

fn registrations(registered: &Value) -> String {
    let mut table = Table::new(&["REGISTERED", "ID", "VERSION", "URL", "TYPES", "CHANGED"]);
    let subscription = &registered["event_subscription"];
    let callback_url = &registered["callback_url"];
    let kinds = [
        ("event-subscription", subscription, "callback_url"),
        ("callback-url", callback_url, "url"),
    ];
    let there = kinds.into_iter().filter(|(_, one, _)| !one.is_null());
    for (kind, one, url) in there {
        let types = list(&one["event_types"]);
        table.row(vec![
            kind.to_owned(),
            text(&one["id"]),
            text(&one["version"]),
            text(&one[url]),
            if types.is_empty() {
                "-".to_owned()
            } else {
                types
            },
            text(&one["changed_at"]),
        ]);
    }
    if subscription.is_null() && callback_url.is_null() {
        return "It has registered nothing.\n".to_owned();
    }
    table.render()
}

fn counts(counts: &Value) -> String {
    let names = [
        "accepted",
        "outstanding",
        "acknowledged",
        "failed",
        "expired",
        "withdrawn",
    ];
    let said = names.map(|name| format!("{} {name}", text(&counts[name])));
    format!("Events: {}.\n", said.join(", "))
}

fn delivery(delivery: &Value) -> String {
    let silenced = delivery["silenced_by"].as_array().into_iter().flatten();
    let silenced: Vec<_> = silenced.map(text).collect();
    if !silenced.is_empty() {
        return format!("It gets no events: {}.\n", silenced.join("; "));
    }
    let polls = delivery["may_poll"] == true;
    let endpoint = printable(&endpoints::standing(&delivery["endpoint"]));
    match (delivery["pushed_to"].as_str(), polls) {
        (Some(url), true) => {
            format!("It gets events by push to {url}, and may poll. The endpoint {endpoint}.\n")
        }
        (Some(url), false) => {
            format!("It gets events by push to {url}. The endpoint {endpoint}.\n")
        }
        (None, _) => "It gets events by polling.\n".to_owned(),
    }
}

fn list(values: &Value) -> String {
    let values = values.as_array().into_iter().flatten();
    values.map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // I-04, D-13
    #[test]
    fn certificates_are_counted_and_not_poured_out() {
        let pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".repeat(2);
        let tpp = json!({"overrides": {"error_cap": 3, "trust_anchors": pem}});
        let shown = profile(&tpp);
        assert!(shown.contains("error_cap = 3\n"), "{shown}");
        assert!(shown.contains("trust_anchors = 2 in PEM"), "{shown}");
        assert!(!shown.contains("MIIB"), "{shown}");
    }
}
