//! Who may use the internal API (I-05): one line per token with a name, a role and the token's SHA-256. Tokens are random
//! and long, so a plain hash is enough: there is nothing to guess.

use std::fmt;

use oyez_jose::sha256;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Publisher,
    Viewer,
    Operator,
    Admin,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Publisher, Self::Viewer, Self::Operator, Self::Admin];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// One token that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) name: String,
    pub(crate) role: Role,
    hash: String,
}

impl Operator {
    pub(crate) fn new(name: &str, role: Role, token: &str) -> Self {
        Self {
            name: name.to_owned(),
            role,
            hash: hex(&sha256(token.as_bytes())),
        }
    }
}

/// The line of the list.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.role.name(), self.hash)
    }
}

/// A line that is none, with what is wrong. The line itself is not repeated: it may hold a token by mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadLine {
    pub(crate) line: usize,
    pub(crate) what: &'static str,
}

/// Reads a list; empty lines and those that begin with `#` say nothing.
pub(crate) fn parse(text: &str) -> Result<Vec<Operator>, Vec<BadLine>> {
    let mut operators: Vec<Operator> = Vec::new();
    let mut bad = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let twice = |new: &Operator| operators.iter().any(|one| one.name == new.name);
        match parse_line(line) {
            Ok(operator) if twice(&operator) => {
                bad.push(BadLine {
                    line: index + 1,
                    what: "the name stands in the list twice",
                });
            }
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
    let &[name, role, hash] = words.as_slice() else {
        return Err("not three words: name, role, SHA-256");
    };
    let role = Role::ALL.into_iter().find(|one| one.name() == role);
    let role = role.ok_or("the role is none of publisher, viewer, operator and admin")?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hash {
        return Err("the third word is no SHA-256 in lower-case hexadecimal (64 digits)");
    }
    Ok(Operator {
        name: name.to_owned(),
        role,
        hash: hash.to_owned(),
    })
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

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
    fn all_bad_lines_are_named_and_none_is_repeated() {
        let hash = "0".repeat(64);
        let text = format!("a admin {hash}\na viewer {hash}\nb boss {hash}\nc viewer secret\nd");
        let bad = parse(&text).unwrap_err();
        assert_eq!(
            bad.iter().map(|one| one.line).collect::<Vec<_>>(),
            [2, 3, 4, 5]
        );
        assert!(bad.iter().all(|one| !one.what.contains("secret ")));
    }
}
