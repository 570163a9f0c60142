//! Headers of a request: media types, and those that mean nothing here (G-03, G-04).

use std::net::IpAddr;

use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method};
use jiff::fmt::rfc2822::DateTimeParser;
use oyez_domain::fault::{Code, Fault};
use oyez_domain::media_types::{check_accept, check_content_type};

use super::refusal::Refusal;
use super::routes::Operation;

/// What comes must be JSON, and JSON must be what may go. DELETE has neither.
pub(super) fn check_media_types(operation: Operation, headers: &HeaderMap) -> Result<(), Refusal> {
    if operation.reads_a_body() {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let (first, second) = (values.next(), values.next());
        let value = first.filter(|_| second.is_none());
        check_content_type(value.map(HeaderValue::as_bytes))
            .map_err(|_| Refusal::UnsupportedMediaType)?;
    }
    if operation.method() == Method::DELETE {
        return Ok(());
    }
    let accepted = headers.get_all(ACCEPT).iter().map(HeaderValue::as_bytes);
    check_accept(accepted).map_err(|_| Refusal::NotAcceptable)
}

/// What is malformed of the headers that say something of a customer, who is never there, and of an old one that names the
/// bank.
pub(super) fn psu_faults(headers: &HeaderMap) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, code, is_well_formed) in CHECKED {
        let fits = |value: &HeaderValue| {
            let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default();
            is_well_formed(text.trim())
        };
        let mut values = headers.get_all(*name).iter();
        let all_fit = values.by_ref().take(1).all(fits) && values.next().is_none();
        if !all_fit {
            faults.push(Fault::new(*code, "this header is malformed").at(*name));
        }
    }
    faults
}

type Check = fn(&str) -> bool;

const CHECKED: &[(&str, Code, Check)] = &[
    ("x-fapi-auth-date", Code::FieldInvalidDate, is_http_date),
    (
        "x-fapi-customer-ip-address",
        Code::HeaderInvalid,
        is_address,
    ),
    ("x-customer-user-agent", Code::HeaderInvalid, is_text),
    ("x-fapi-financial-id", Code::HeaderInvalid, is_text),
];

/// RFC 9110's form. The standard's own samples say UTC where that form says GMT.
fn is_http_date(text: &str) -> bool {
    let zone = |text: &str| text.ends_with(" GMT") || text.ends_with(" UTC");
    let date = text.get(..text.len().saturating_sub(4)).unwrap_or_default();
    zone(text)
        && DateTimeParser::new()
            .parse_timestamp(format!("{date} GMT"))
            .is_ok()
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(pairs: &[(&'static str, &'static str)]) -> Vec<(Code, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let faults = psu_faults(&headers).into_iter();
        faults
            .map(|fault| (fault.code, fault.path.unwrap()))
            .collect()
    }

    // G-03
    #[test]
    fn headers_of_customers_are_well_formed_or_named() {
        let fine = [
            ("x-fapi-auth-date", "Sun, 10 Sep 2017 19:43:31 UTC"),
            ("x-fapi-customer-ip-address", "2001:db8::7"),
            ("x-customer-user-agent", "Mozilla/5.0"),
            ("x-fapi-financial-id", "OB/2017/001"),
        ];
        assert_eq!(faulty(&fine), []);
        assert_eq!(faulty(&[]), []);
        assert_eq!(
            faulty(&[("x-fapi-auth-date", "Sun, 10 Sep 2017 19:43:31 GMT")]),
            []
        );
        for date in ["2017-09-10", "Mon, 10 Sep 2017 19:43:31 GMT", "", "x"] {
            let expected = (Code::FieldInvalidDate, "x-fapi-auth-date".to_owned());
            assert_eq!(faulty(&[("x-fapi-auth-date", date)]), [expected], "{date}");
        }
        let address = (Code::HeaderInvalid, "x-fapi-customer-ip-address".to_owned());
        assert_eq!(
            faulty(&[("x-fapi-customer-ip-address", "1.2.3")]),
            std::slice::from_ref(&address)
        );
        let twice = [
            ("x-fapi-customer-ip-address", "192.0.2.1"),
            ("x-fapi-customer-ip-address", "192.0.2.1"),
        ];
        assert_eq!(faulty(&twice), [address]);
    }
}
