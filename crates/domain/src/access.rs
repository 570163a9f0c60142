//! Whose an access token is that was found valid: only a client's own opens anything here, a user's never does.
//!
//! What its scopes open and cover stands in the version table. How a token is found valid is absent: it needs keys, a clock
//! and the authorisation server.

use std::fmt;
use std::str::FromStr;

use crate::ids::ClientId;

/// What a token says of whose it is, by its claims or by introspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holder<'t> {
    /// `client_id`.
    pub client_id: Option<&'t str>,
    /// `azp`, where authorisation servers name the client that lack `client_id`.
    pub azp: Option<&'t str>,
    /// `sub`.
    pub sub: Option<&'t str>,
}

/// Subjects that are no users though they are not the client_id: `service-account-*`. An asterisk stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectPattern(String);

/// The text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pattern of subjects has characters beside its asterisks, or users would pass too")]
pub struct NotAPattern;

/// Why a token is no client's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAClient {
    /// Nothing names a client: a token that is not valid here (401).
    #[error("the token names no client")]
    Unnamed,
    /// A user stands behind it (403).
    #[error("the token is a user's, not the client's own")]
    User,
}

/// The client that a token is its own of: it has no subject, or the client is it, or its subject is one of these.
pub fn client(holder: Holder<'_>, subjects: &[SubjectPattern]) -> Result<ClientId, NotAClient> {
    let name = holder.client_id.or(holder.azp).ok_or(NotAClient::Unnamed)?;
    let client_id = ClientId::new(name).map_err(|_| NotAClient::Unnamed)?;
    let its_own = holder
        .sub
        .is_none_or(|sub| sub == name || subjects.iter().any(|pattern| pattern.matches(sub)));
    if its_own {
        Ok(client_id)
    } else {
        Err(NotAClient::User)
    }
}

impl SubjectPattern {
    fn matches(&self, subject: &str) -> bool {
        let Some((head, rest)) = self.0.split_once('*') else {
            return self.0 == subject;
        };
        let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
        let inside = subject
            .strip_prefix(head)
            .and_then(|subject| subject.strip_suffix(tail));
        // Each piece where it first fits: if any choice of places fits, this one does.
        inside.is_some_and(|inside| {
            middle
                .split('*')
                .try_fold(inside, |left, piece| Some(left.split_once(piece)?.1))
                .is_some()
        })
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SubjectPattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        if text.bytes().all(|byte| byte == b'*') {
            Err(NotAPattern)
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(holder: Holder<'_>, patterns: &[&str]) -> Result<String, NotAClient> {
        let patterns: Vec<SubjectPattern> =
            patterns.iter().map(|text| text.parse().unwrap()).collect();
        client(holder, &patterns).map(String::from)
    }

    fn of(sub: Option<&str>) -> Holder<'_> {
        Holder {
            client_id: Some("tpp-1"),
            sub,
            ..Holder::default()
        }
    }

    //
    #[test]
    fn a_token_is_the_clients_own_without_a_subject_or_with_the_client_as_subject() {
        assert_eq!(judge(of(None), &[]).as_deref(), Ok("tpp-1"));
        assert_eq!(judge(of(Some("tpp-1")), &[]).as_deref(), Ok("tpp-1"));
        for sub in ["", "user-7", "TPP-1", "tpp-1 ", "tpp-12"] {
            assert_eq!(judge(of(Some(sub)), &[]), Err(NotAClient::User), "{sub}");
        }
    }

    //
    #[test]
    fn the_client_is_client_id_or_else_azp() {
        let holder = |client_id, azp| Holder {
            client_id,
            azp,
            sub: None,
        };
        let named = |client_id, azp| judge(holder(client_id, azp), &[]);
        assert_eq!(named(None, Some("b")).as_deref(), Ok("b"));
        assert_eq!(named(Some("a"), Some("b")).as_deref(), Ok("a"));
        for nobody in [None, Some(""), Some("a\nb")] {
            assert_eq!(named(nobody, None), Err(NotAClient::Unnamed));
        }
    }

    //
    #[test]
    fn listed_patterns_of_subjects_are_clients_too() {
        for (pattern, sub, matches) in [
            ("machine", "machine", true),
            ("machine", "machines", false),
            ("service-account-*", "service-account-tpp-1", true),
            ("service-account-*", "a-service-account-tpp-1", false),
            ("*@clients", "x@clients", true),
            ("*@clients", "x@clients.evil", false),
            ("a*b*a", "aba", true),
            ("a*b*a", "abba", true),
            ("a*a", "a", false),
            ("a*b*a", "aa", false),
            ("*b*", "abc", true),
            ("a**c", "ac", true),
        ] {
            let found = judge(of(Some(sub)), &["another", pattern]);
            assert_eq!(found.is_ok(), matches, "{pattern} {sub}");
        }
    }

    //
    #[test]
    fn a_pattern_that_every_user_fits_is_refused() {
        for text in ["", "*", "***"] {
            assert_eq!(text.parse::<SubjectPattern>(), Err(NotAPattern));
        }
    }

    /// Tries every place for every asterisk.
    fn fits(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|from| fits(rest, &text[from..])),
            Some((byte, rest)) => text
                .split_first()
                .is_some_and(|(first, text)| first == byte && fits(rest, text)),
        }
    }

    proptest! {
        //
        #[test]
        fn an_asterisk_stands_for_any_text(pattern in "[ab*]{0,7}", sub in "[ab]{0,9}") {
            let Ok(read) = pattern.parse::<SubjectPattern>() else { return Ok(()) };
            prop_assert_eq!(read.matches(&sub), fits(pattern.as_bytes(), sub.as_bytes()));
        }
    }
}
