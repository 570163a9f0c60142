//! What came back, cut to what is kept of it. Everything here was written by somebody else, and is bounded.

use std::error::Error as StdError;
use std::time::Duration;

use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use oyez_domain::error_chain::chain;
use oyez_domain::ids::InteractionId;
use oyez_domain::json::{self, DEPTH_MAX};
use oyez_domain::time::Timestamp;
use oyez_outbound::{Error, HeaderMap, HeaderValue, Response, header};

use super::route::INTERACTION_ID;
use crate::ports::{Failure, Reply};

/// The `err` and `description` of a refusal by RFC 8935, where the first bytes of a body are one.
pub(crate) fn refusal_words(body_head: &[u8]) -> Option<(String, String)> {
    let document = json::parse(body_head, DEPTH_MAX).ok()?;
    let err = document.get("err")?.as_str()?;
    let description = document.get("description").and_then(|text| text.as_str());
    let description = description.unwrap_or_default();
    Some((
        printable(err, ERR_CHARS_MAX),
        printable(description, DESCRIPTION_CHARS_MAX),
    ))
}

/// A response, as it came at this moment.
pub(super) fn reply(response: Response, now: Timestamp) -> Reply {
    let mut body_head = response.body.bytes;
    body_head.truncate(BODY_HEAD_BYTES_MAX);
    Reply {
        status: response.status.as_u16(),
        interaction_id: echoed(&response.headers),
        retry_after: response
            .headers
            .get(header::RETRY_AFTER)
            .and_then(|value| retry_after(value, now)),
        body_head,
        peer: response.peer,
    }
}

/// No response.
pub(super) fn failure(error: Error) -> Failure {
    Failure {
        class: error.class.as_str(),
        detail: detail(&error),
        peer: error.peer,
    }
}

/// An error and its causes.
pub(super) fn detail(error: &dyn StdError) -> String {
    printable(&chain(error), DETAIL_CHARS_MAX)
}

/// The first header of this name: whoever writes another beside it has not echoed ours.
fn echoed(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(INTERACTION_ID)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    Some(printable(&text, InteractionId::CHARS_MAX))
}

/// Seconds, or a date (RFC 9110, 10.2.3). What is neither says nothing.
fn retry_after(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let after = if is_number {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        http_date(text)?.since(now)
    };
    Some(after.min(RETRY_AFTER_MAX))
}

/// In the form of today or one of the two old ones, which must be read too (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<Timestamp> {
    let read = |format| strtime::parse(format, text).ok()?.to_datetime().ok();
    let old = || read("%A, %d-%b-%y %H:%M:%S GMT").or_else(|| read("%a %b %e %H:%M:%S %Y"));
    let moment = match rfc2822::DateTimeParser::new().parse_timestamp(text) {
        Ok(moment) => moment,
        Err(_) => old()?.to_zoned(TimeZone::UTC).ok()?.timestamp(),
    };
    Some(Timestamp::from_unix_ms(moment.as_millisecond()))
}

/// Cut, and with nothing in it that a terminal or a log would obey.
fn printable(text: &str, chars_max: usize) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(chars_max).map(shown).collect()
}

/// What is kept of a body for each attempt (D-14): an error of RFC 8935, and the title of an error page.
const BODY_HEAD_BYTES_MAX: usize = 512;
/// Chains name a URL's host and a certificate's names at most.
const DETAIL_CHARS_MAX: usize = 1_000;
/// The codes of RFC 8935 have up to 22.
const ERR_CHARS_MAX: usize = 64;
/// A sentence.
const DESCRIPTION_CHARS_MAX: usize = 400;
/// Longer than any ceiling that can be configured (D-05), and short enough to be added to any moment.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06T08:49:07Z: half a minute before the date in RFC 9110's examples.
    const NOW: Timestamp = Timestamp::from_unix_seconds(784_111_747);

    fn read(text: &str) -> Option<u64> {
        let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
        retry_after(&value, NOW).map(|after| after.as_secs())
    }

    // D-05
    #[test]
    fn retry_after_is_read_in_seconds_and_in_each_form_of_a_date() {
        for (text, seconds) in [
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 30),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 30),
            ("Sun Nov  6 08:49:37 1994", 30),
            ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
            ("Fri, 01 Jan 9999 23:59:59 GMT", RETRY_AFTER_MAX.as_secs()),
            ("99999999999999999999999", RETRY_AFTER_MAX.as_secs()),
        ] {
            assert_eq!(read(text), Some(seconds), "{text}");
        }
    }

    // D-05
    #[test]
    fn a_retry_after_that_is_neither_says_nothing() {
        for text in [
            "",
            "soon",
            "-1",
            "1.5",
            "+3",
            "1e3",
            "120s",
            "é",
            "Sun, 31 Feb 1994 08:49:37 GMT",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    // D-04
    #[test]
    fn a_refusal_of_rfc_8935_is_read_and_bounded() {
        let words = |text: &str| refusal_words(text.as_bytes());
        let both = |err: &str, description: &str| Some((err.to_owned(), description.to_owned()));
        let whole = r#"{"err": "invalid_audience", "description": "not \u001b[2J ours"}"#;
        assert_eq!(
            words(whole),
            both("invalid_audience", "not \u{fffd}[2J ours")
        );
        assert_eq!(words(r#"{"err": "invalid_key"}"#), both("invalid_key", ""));
        let long = format!(
            r#"{{"err": "{}", "description": "{}"}}"#,
            "e".repeat(99),
            "d".repeat(999)
        );
        assert_eq!(words(&long), both(&"e".repeat(64), &"d".repeat(400)));
        for other in [
            "",
            "{",
            "[]",
            "\"err\"",
            r#"{"err": 7}"#,
            r#"{"error": "x"}"#,
            "<html>",
        ] {
            assert_eq!(words(other), None, "{other}");
        }
    }
}
