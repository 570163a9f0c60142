//! The tokens of the internal API: whether somebody may use it, and whether the list of them can be read (I-05).

use std::fs;

use oyez_web::internal::operators::{self, Operator};

use super::finding::Finding;
use crate::config::{Internal, Secret};

pub(super) fn findings(internal: &Internal) -> Vec<Finding> {
    let (subject, text) = match &internal.tokens {
        None => {
            let what = "nobody may use the internal API: no tokens are set (I-05)";
            let mend = "see [internal] in a fresh oyez.toml; `oyez init` makes a list";
            return vec![Finding::warning("internal.tokens", what, mend)];
        }
        Some(Secret::Here(text)) => ("internal.tokens".to_owned(), text.clone()),
        Some(Secret::In(path)) => match fs::read_to_string(path) {
            Ok(text) => (path.display().to_string(), text),
            Err(error) => {
                let what = format!("cannot read {}: {error}", path.display());
                let mend = "name a file that this user may read";
                return vec![Finding::error("internal.tokens_file", what, mend)];
            }
        },
    };
    judge(&subject, &text)
}

fn judge(subject: &str, text: &str) -> Vec<Finding> {
    let bad = match operators::parse(text) {
        Ok(operators) if operators.is_empty() => {
            let what = "the list of tokens is empty (I-05)";
            return vec![Finding::warning(subject, what, "add a line per token")];
        }
        Ok(operators) => {
            let named =
                |operator: &Operator| format!("{} ({})", operator.name, operator.role.name());
            let names: Vec<_> = operators.iter().map(named).collect();
            let what = format!("may use the internal API: {}", names.join(", "));
            return vec![Finding::note(subject, what)];
        }
        Err(bad) => bad,
    };
    let finding = |bad: operators::BadLine| {
        let subject = format!("{subject}:{}", bad.line);
        Finding::error(subject, bad.what, "write: alice admin SHA-256-OF-THE-TOKEN")
    };
    bad.into_iter().map(finding).collect()
}
