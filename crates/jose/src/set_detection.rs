//! Telling a SET from an access token. Both are JWTs that a bank signs; whoever accepts tokens must not take the one
//! for the other (RFC 8417, section 4.1 and following).

use serde_json::Value;

use crate::compact::{Compact, media_subtype};

/// Whether this JWT is a security event token: it has a claim `events`, or its `typ` is `secevent+jwt`. Nothing is
/// verified. What is no JWT by the strict reading of this crate is no SET either; a token validator refuses it anyway.
pub fn looks_like_set(jwt: &str) -> bool {
    let Ok(token) = Compact::parse(jwt) else {
        return false;
    };
    let typed = token
        .header()
        .get("typ")
        .and_then(Value::as_str)
        .is_some_and(|typ| media_subtype(typ).eq_ignore_ascii_case("secevent+jwt"));
    typed || has_events(token.unverified_payload())
}

/// A payload that is JSON but not strictly so (a member twice) still counts by the last of each member.
fn has_events(payload: &[u8]) -> bool {
    serde_json::from_slice::<Value>(payload).is_ok_and(|claims| claims.get("events").is_some())
}

#[cfg(test)]
mod tests {
    use super::looks_like_set;
    use crate::base64url::encode;

    fn jwt(header: &str, claims: &str) -> String {
        format!(
            "{}.{}.AAAA",
            encode(header.as_bytes()),
            encode(claims.as_bytes())
        )
    }

    // A-08
    #[test]
    fn a_jwt_with_events_or_the_type_of_sets_is_a_set_whatever_else_it_says() {
        for (header, claims) in [
            (r#"{"alg":"PS256"}"#, r#"{"events":{}}"#),
            (
                r#"{"typ":"at+jwt"}"#,
                r#"{"scope":"accounts","events":null}"#,
            ),
            (r#"{"typ":"at+jwt"}"#, r#"{"a":1,"a":2,"events":{}}"#),
            (r#"{"typ":"secevent+jwt"}"#, r#"{"scope":"accounts"}"#),
            (r#"{"typ":"application/SecEvent+JWT"}"#, "{}"),
        ] {
            assert!(looks_like_set(&jwt(header, claims)), "{header} {claims}");
        }
    }

    // A-08
    #[test]
    fn an_access_token_and_an_opaque_token_are_no_sets() {
        assert!(!looks_like_set(&jwt(
            r#"{"typ":"at+jwt"}"#,
            r#"{"scope":"events","sub":"events"}"#
        )));
        for token in ["", "opaque", "a.b.c", "....", "e30.e30.AAAA"] {
            assert!(!looks_like_set(token), "{token}");
        }
    }
}
