//! Whether a form was sent from one of our own pages: what browsers say by themselves, before any token is looked at. It
//! guards the login too, which has no session yet.

use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use url::Url;

/// A browser says where a form comes from in `Sec-Fetch-Site`, or, in the clear or an older one, in `Origin`. What says neither
/// is no browser; it has the API.
pub(super) fn is_our_own(head: &Parts) -> bool {
    match text(&head.headers, "sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => text(&head.headers, ORIGIN.as_str())
            .and_then(|origin| Url::parse(origin).ok())
            .zip(host(head))
            .is_some_and(|(origin, host)| is_of(&origin, host)),
    }
}

/// An address within the console that a login may lead to; everything else leads to its first page.
pub(super) fn within(next: &str) -> &str {
    let rest = next.strip_prefix("/console");
    let is_ours = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        && next
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours && !next.contains("..") {
        next
    } else {
        "/console"
    }
}

fn is_of(origin: &Url, host: &str) -> bool {
    let Some(name) = origin.host_str() else {
        return false;
    };
    let default_port = if origin.scheme() == "https" { 443 } else { 80 };
    let port = origin.port().unwrap_or(default_port);
    // A Host leaves out the scheme's own port.
    host.eq_ignore_ascii_case(&format!("{name}:{port}"))
        || (port == default_port && host.eq_ignore_ascii_case(name))
}

/// Whom the request is for; in HTTP/2 it stands in the address.
fn host(head: &Parts) -> Option<&str> {
    let authority = head.uri.authority().map(axum::http::uri::Authority::as_str);
    authority.or_else(|| text(&head.headers, HOST.as_str()))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn head(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::post("/console/login").header("host", "oyez.bank.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    // I-05
    #[test]
    fn a_form_comes_from_our_own_page_or_is_refused() {
        let own: [&[(&str, &str)]; 4] = [
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
            &[("origin", "https://oyez.bank.example")],
            &[("origin", "https://OYEZ.bank.example:443")],
        ];
        assert!(own.iter().all(|headers| is_our_own(&head(headers))));
        let foreign: [&[(&str, &str)]; 8] = [
            &[],
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "https://oyez.bank.example"),
            ],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("origin", "null")],
            &[("origin", "https://oyez.bank.example:8443")],
            &[("origin", "https://oyez.bank.example.attacker.example")],
            &[("origin", "oyez.bank.example")],
        ];
        for headers in foreign {
            assert!(!is_our_own(&head(headers)), "{headers:?}");
        }
    }

    // I-05
    #[test]
    fn a_login_leads_nowhere_but_into_the_console() {
        for next in ["/console", "/console/events?tpp=a%20b", "/console?at=1"] {
            assert_eq!(within(next), next);
        }
        for next in [
            "",
            "https://attacker.example/",
            "//attacker.example/console",
            "/\\attacker.example",
            "/consoles",
            "/console\\@attacker.example",
            "/console/../v1/tpps",
            "/console/\r\nset-cookie: a=b",
            "javascript:alert(1)",
        ] {
            assert_eq!(within(next), "/console", "{next}");
        }
    }
}
