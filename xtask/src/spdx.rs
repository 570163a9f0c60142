//! Whether an SPDX expression can be satisfied with the licences we allow.
//!
//! `OR` lets us choose, `AND` binds us to both, `WITH` names one licence with its exception, and the old
//! `/` of early crates means `OR`. `AND` binds tighter than `OR`.

/// Whether `expression` leaves a choice within `allowed`. What cannot be read is not allowed.
pub fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut tokens = spaced.split_whitespace().peekable();
    let verdict = any_of(&mut tokens, allowed);
    tokens.next().is_none() && verdict == Some(true)
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(tokens: &mut Tokens<'_>, allowed: &[String]) -> Option<bool> {
    let mut verdict = all_of(tokens, allowed)?;
    while tokens.next_if_eq(&"OR").is_some() {
        verdict |= all_of(tokens, allowed)?;
    }
    Some(verdict)
}

fn all_of(tokens: &mut Tokens<'_>, allowed: &[String]) -> Option<bool> {
    let mut verdict = one(tokens, allowed)?;
    while tokens.next_if_eq(&"AND").is_some() {
        verdict &= one(tokens, allowed)?;
    }
    Some(verdict)
}

fn one(tokens: &mut Tokens<'_>, allowed: &[String]) -> Option<bool> {
    match tokens.next()? {
        "(" => {
            let verdict = any_of(tokens, allowed)?;
            tokens.next_if_eq(&")").map(|_| verdict)
        }
        ")" | "OR" | "AND" | "WITH" => None,
        licence if tokens.next_if_eq(&"WITH").is_some() => {
            let exception = tokens.next()?;
            Some(allowed.contains(&format!("{licence} WITH {exception}")))
        }
        licence => Some(allowed.iter().any(|it| it == licence)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    fn check(expression: &str, verdict: bool) {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(String::from);
        assert_eq!(is_allowed(expression, &allowed), verdict, "{expression}");
    }

    #[test]
    fn or_chooses_and_binds() {
        check("MIT", true);
        check("GPL-3.0-only", false);
        check("GPL-3.0-only OR MIT", true);
        check("GPL-3.0-only/MIT", true);
        check("MIT AND GPL-3.0-only", false);
        check("MIT AND ISC", true);
        check("GPL-3.0-only OR MIT AND ISC", true);
        check("MIT OR ISC AND GPL-3.0-only", true);
        check("(MIT OR ISC) AND GPL-3.0-only", false);
        check("ISC AND (GPL-3.0-only OR MIT)", true);
    }

    #[test]
    fn an_exception_is_part_of_the_licence() {
        check("Apache-2.0 WITH LLVM-exception", true);
        check("Apache-2.0", false);
        check("MIT WITH LLVM-exception", false);
    }

    #[test]
    fn the_unreadable_is_refused() {
        for expression in [
            "",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT ISC",
            "AND MIT",
            "Apache-2.0 WITH",
        ] {
            check(expression, false);
        }
    }
}
