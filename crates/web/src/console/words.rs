//! How things are written on pages.

use std::time::Duration;

use maud::{Markup, html};
use oyez_domain::time::Timestamp;
use serde_json::Value;

/// A moment as the API writes it, and how long ago that is; a dash where there is none.
pub(super) fn moment(value: &Value, now: Timestamp) -> Markup {
    let at = value.as_str().and_then(|text| text.parse().ok());
    at.map_or_else(|| html! { span.quiet { "–" } }, |at| when(at, now))
}

/// The same of a moment.
pub(super) fn when(at: Timestamp, now: Timestamp) -> Markup {
    let text = at.to_string();
    let whole = text.replacen('T', " ", 1);
    let second = whole.get(..19).unwrap_or(&whole);
    html! { time datetime=(text) title=(text) { (second) } " " span.quiet { (distance(at, now)) } }
}

/// How far a moment is from now, in one unit.
pub(super) fn distance(at: Timestamp, now: Timestamp) -> String {
    let is_past = at <= now;
    let span = if is_past {
        now.since(at)
    } else {
        at.since(now)
    };
    let text = rough(span);
    match (is_past, span < JUST_NOW) {
        (true, true) => "just now".to_owned(),
        (false, true) => "at once".to_owned(),
        (true, false) => format!("{text} ago"),
        (false, false) => format!("in {text}"),
    }
}

/// A span in its largest unit.
pub(super) fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A number that people compare: in groups of three.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// The same of a member.
pub(super) fn count(value: &Value) -> String {
    value.as_u64().map_or_else(|| "–".to_owned(), number)
}

/// A text member; empty where there is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The elements of a member; none where there is no list.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A state as a word in its colour; the word alone says it.
pub(super) fn state(word: &str) -> Markup {
    let class = match word {
        "responsive" | "acknowledged" | "active" | "signs" => "state good",
        "failing" | "outstanding" | "paused" | "expired" => "state warn-text",
        "unresponsive" | "failed" | "disabled" | "revoked" => "state bad",
        _ => "state quiet",
    };
    html! { span class=(class) { (word) } }
}

/// A part of an address.
pub(super) fn segment(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Where a TPP's page is.
pub(super) fn tpp_at(client_id: &str) -> String {
    format!("/console/tpps/{}", segment(client_id))
}

/// A link to a TPP.
pub(super) fn tpp_link(client_id: &str) -> Markup {
    html! { a href=(tpp_at(client_id)) { (client_id) } }
}

/// A link to an event. A jti is long, and its end tells it apart.
pub(super) fn event_link(jti: &str) -> Markup {
    html! { a.mono href=(format!("/console/events/{}", segment(jti))) { (jti) } }
}

/// The last name of a type, as people say it.
pub(super) fn short_type(urn: &str) -> &str {
    urn.rsplit([':', '/']).next().unwrap_or(urn)
}

/// A table, or what is said where there are no rows.
pub(super) fn table(columns: &[&str], rows: &[Markup], empty: &str) -> Markup {
    if rows.is_empty() {
        return html! { p.quiet { (empty) } };
    }
    html! {
        div.scrolls tabindex="0" role="region" aria-label=(columns[0]) {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { @for row in rows { (row) } }
            }
        }
    }
}

/// Facts with their names.
pub(super) fn facts(pairs: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in pairs {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

const JUST_NOW: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_are_written_for_people() {
        assert_eq!(number(7), "7");
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        let at = Timestamp::from_unix_seconds;
        assert_eq!(distance(at(100), at(101)), "just now");
        assert_eq!(distance(at(100), at(400)), "5 min ago");
        assert_eq!(distance(at(400), at(100)), "in 5 min");
        assert_eq!(distance(at(0), at(300_000)), "3 days ago");
    }

    #[test]
    fn an_address_is_safe_whatever_a_client_id_is() {
        assert_eq!(
            tpp_at("a/../b?c#d\"é"),
            "/console/tpps/a%2F..%2Fb%3Fc%23d%22%C3%A9"
        );
    }
}
