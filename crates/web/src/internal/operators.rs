//! Who may use the internal API (I-05): one line per person or system, with a name, a role, and what it proves itself by: the
//! SHA-256 of a token, or that of a client certificate. Tokens are random and long, so a plain hash is enough: there is
//! nothing to guess, and looking a hash up tells nothing of a token.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use oyez_jose::sha256;

use crate::listener::ClientCertificate;

/// What an operator may do. The route list names what each route asks for ([`super::Access`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A core system: hands events over, and sees nothing but what became of them.
    Publisher,
    /// Sees everything, changes nothing.
    Viewer,
    /// Sees everything, and acts on events, registrations and standing.
    Operator,
    /// Everything: also who is a TPP, and publishing.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Publisher, Self::Viewer, Self::Operator, Self::Admin];

    /// As it stands in the list.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A person or a system that is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// What the audit trail calls it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    proof: Proof,
}

/// What an operator proves itself by; each is the SHA-256 of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Proof {
    Token([u8; 32]),
    Certificate([u8; 32]),
}

impl Operator {
    /// Lets in whoever has this token.
    pub fn new(name: &str, role: Role, token: &str) -> Self {
        Self {
            name: name.to_owned(),
            role,
            proof: Proof::Token(sha256(token.as_bytes())),
        }
    }
}

/// The line of the list.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, hash) = match &self.proof {
            Proof::Token(hash) => ("", hash),
            Proof::Certificate(hash) => (CERTIFICATE, hash),
        };
        let (name, role) = (&self.name, self.role.name());
        write!(f, "{name} {role} {prefix}{}", hex(hash))
    }
}

/// All that are let in, by what they prove themselves by.
#[derive(Debug, Default)]
pub struct Operators(HashMap<Proof, Arc<Operator>>);

impl Operators {
    /// These.
    pub fn new(list: Vec<Operator>) -> Self {
        let by_proof = |operator: Operator| (operator.proof, Arc::new(operator));
        Self(list.into_iter().map(by_proof).collect())
    }

    /// Whose token this is.
    pub fn by_token(&self, token: &str) -> Option<&Arc<Operator>> {
        self.by_token_hash(sha256(token.as_bytes()))
    }

    /// The same, by the SHA-256 of the token.
    pub(crate) fn by_token_hash(&self, hash: [u8; 32]) -> Option<&Arc<Operator>> {
        self.0.get(&Proof::Token(hash))
    }

    /// Whose certificate this is.
    pub fn by_certificate(&self, certificate: &ClientCertificate) -> Option<&Arc<Operator>> {
        self.0.get(&Proof::Certificate(certificate.sha256))
    }
}

/// A line that is none, with what is wrong. The line itself is not repeated: it may hold a token by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Reads a list; empty lines and those that begin with `#` say nothing.
pub fn parse(text: &str) -> Result<Vec<Operator>, Vec<BadLine>> {
    let mut operators: Vec<Operator> = Vec::new();
    let mut bad = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let read = parse_line(line).and_then(|new| {
            if operators.iter().any(|one| one.name == new.name) {
                Err("the name stands in the list twice")
            } else if operators.iter().any(|one| one.proof == new.proof) {
                Err("the same token or certificate stands in the list twice")
            } else {
                Ok(new)
            }
        });
        match read {
            Ok(operator) => operators.push(operator),
            Err(what) => bad.push(BadLine {
                line: index + 1,
                what,
            }),
        }
    }
    if bad.is_empty() {
        Ok(operators)
    } else {
        Err(bad)
    }
}

fn parse_line(line: &str) -> Result<Operator, &'static str> {
    let words: Vec<_> = line.split_whitespace().collect();
    let &[name, role, proof] = words.as_slice() else {
        return Err("not three words: name, role, SHA-256");
    };
    if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err("the name is longer than 128 characters, or holds a control character");
    }
    let role = Role::ALL.into_iter().find(|one| one.name() == role);
    let role = role.ok_or("the role is none of publisher, viewer, operator and admin")?;
    let proof = match proof.strip_prefix(CERTIFICATE) {
        Some(hash) => unhex(hash).map(Proof::Certificate),
        None => unhex(proof).map(Proof::Token),
    };
    Ok(Operator {
        name: name.to_owned(),
        role,
        proof: proof.ok_or("the third word is no SHA-256 in lower-case hexadecimal (64 digits)")?,
    })
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes of 64 digits.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    let text: &[u8; 64] = text.as_bytes().try_into().ok()?;
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Before the hash of a certificate.
const CERTIFICATE: &str = "certificate:";
/// It stands in every line of the audit trail.
const NAME_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    // I-05
    #[test]
    fn a_token_is_kept_as_its_hash_and_a_list_survives_its_text_form() {
        let kept = Operator::new("alice", Role::Admin, "foo");
        let text = format!("# people\n\n{kept}\n");
        assert_eq!(
            kept.to_string(),
            "alice admin 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
        );
        assert_eq!(parse(&text), Ok(vec![kept]));
    }

    // I-05
    #[test]
    fn a_certificate_lets_in_only_as_one_and_a_token_only_as_one() {
        let hash = hex(&sha256(b"foo"));
        let line = format!("core publisher certificate:{hash}");
        let list = parse(&line).unwrap();
        assert_eq!(list[0].to_string(), line);
        let operators = Operators::new(list);
        assert!(operators.by_token("foo").is_none());
        let tokens = Operators::new(vec![Operator::new("core", Role::Publisher, "foo")]);
        assert_eq!(tokens.by_token("foo").unwrap().name, "core");
        assert!(tokens.by_token("fop").is_none());
    }

    // I-05
    #[test]
    fn all_bad_lines_are_named_and_none_is_repeated() {
        let hash = "0".repeat(64);
        let lines = [
            format!("a admin {hash}"),
            format!("a viewer {}", "1".repeat(64)),
            format!("b boss {hash}"),
            "c viewer secret".to_owned(),
            "d".to_owned(),
            format!("e viewer {hash}"),
            format!("{} viewer {}", "x".repeat(129), "2".repeat(64)),
            "f viewer certificate:secret".to_owned(),
        ];
        let bad = parse(&lines.join("\n")).unwrap_err();
        assert_eq!(
            bad.iter().map(|one| one.line).collect::<Vec<_>>(),
            [2, 3, 4, 5, 6, 7, 8]
        );
        assert!(bad.iter().all(|one| !one.what.contains("secret ")));
    }
}
