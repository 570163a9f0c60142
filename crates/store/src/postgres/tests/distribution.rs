//! What all statements keep to. Above all: which of them concern more than one TPP. All others name theirs, one or several, by parameter: so that no question grows
//! with the number of TPPs unseen, and that somebody who wants to distribute the tables by `tpp` knows what stands in the way
//! (docs/operations.md).
//!
//! The statements are read from the sources, every string that is one, so that none is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A statement over all TPPs, and why it may be one.
struct Across {
    file: &'static str,
    /// Its constant, or the function that it stands in.
    name: &'static str,
    manner: Manner,
    /// Why it names no TPP.
    why: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It reads, and locks nothing: a question to all shards.
    Reads,
    /// It locks or changes rows of several TPPs.
    Changes,
}

const fn across(
    file: &'static str,
    name: &'static str,
    manner: Manner,
    why: &'static str,
) -> Across {
    Across {
        file,
        name,
        manner,
        why,
    }
}

use Manner::{Changes, Reads};

/// The list. A statement that is not in it names its TPPs.
const ACROSS: &[Across] = &[
    across(
        "copying/statements.rs",
        "READINGS",
        Reads,
        "a ledger that nobody serves is copied whole.",
    ),
    across(
        "copying/statements.rs",
        "DRAWN",
        Changes,
        "a copy that nobody serves is made fit to be served.",
    ),
    across(
        "event_list.rs",
        "conditions",
        Reads,
        "a filter of the list: it looks at the TPP of each candidate.",
    ),
    across(
        "event_list.rs",
        "find",
        Reads,
        "a jti does not say whose it is; one look into an index of one part.",
    ),
    across(
        "event_list.rs",
        "gathering",
        Reads,
        "an operator's list of all TPPs by a transaction, an interaction or a rare end; bounded.",
    ),
    across(
        "event_list.rs",
        "matching",
        Reads,
        "each candidate of a list, by its TPP and jti.",
    ),
    across(
        "event_list.rs",
        "walk",
        Reads,
        "an operator's list of all TPPs, a bounded number of candidates.",
    ),
    across(
        "history.rs",
        "MINUTES",
        Reads,
        "an operator's chart of all TPPs.",
    ),
    across(
        "keys.rs",
        "IN_USE",
        Reads,
        "which keys are still needed: asked when one is to be retired.",
    ),
    across(
        "lanes.rs",
        "LIST_LANES",
        Reads,
        "an operator's list of endpoints, a page.",
    ),
    across(
        "lanes.rs",
        "OUTSTANDING",
        Reads,
        "a gauge of the whole bank: totals alone, a row per TPP.",
    ),
    across(
        "net.rs",
        "DUE",
        Reads,
        "everybody who waits in a process, once a second, by name; without locks.",
    ),
    across(
        "sleepers.rs",
        "SLEEPERS",
        Reads,
        "a node that starts looks for work that nobody was told of.",
    ),
    across(
        "keys.rs",
        "NEXT",
        Reads,
        "a compromised key: which TPP is the next that may have SETs by it.",
    ),
    across(
        "parts.rs",
        "COUNT",
        Reads,
        "how much a part of history has that goes.",
    ),
    across(
        "parts.rs",
        "ENDED_LATE",
        Reads,
        "whether a part of history may go.",
    ),
    across(
        "parts.rs",
        "IS_SET_ASIDE",
        Reads,
        "whether a part of history that goes set something aside.",
    ),
    across(
        "parts.rs",
        "HOLD_FAILED",
        Changes,
        "a part of history goes: the locks of those with a failure in it.",
    ),
    across(
        "parts.rs",
        "IS_OPEN",
        Reads,
        "whether a part of history may go.",
    ),
    across(
        "retention.rs",
        "EXPIRED",
        Reads,
        "which events are too old: the first few of each TPP.",
    ),
    across(
        "retention.rs",
        "OLD_SETTLED",
        Reads,
        "which events were kept for long enough, a batch.",
    ),
    across(
        "retention.rs",
        "SWEEP_KEYS",
        Changes,
        "idempotency keys that were kept for long enough, a batch.",
    ),
    across(
        "retention.rs",
        "SWEEP_HEALTH_CHANGES",
        Changes,
        "changes of endpoints' health that were kept for long enough, a batch.",
    ),
    across(
        "retention.rs",
        "SWEEP_MINUTES",
        Changes,
        "minutes that were kept for long enough, a batch.",
    ),
];

/// What is kept per TPP, much of it: all but small tables that every shard could have a copy of.
const OF_TPPS: [&str; 15] = [
    "queues",
    "outstanding",
    "failed",
    "events",
    "sets",
    "superseded_sets",
    "hand_outs",
    "set_errors",
    "attempts",
    "settlements",
    "polls",
    "idempotency",
    "minutes",
    "requests",
    "health_changes",
];

/// A statement as it stands in a source.
struct Statement {
    file: String,
    name: String,
    text: String,
}

impl Statement {
    fn words(&self) -> impl Iterator<Item = &str> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        self.text.split(move |c| !is_word(c))
    }

    fn has(&self, word: &str) -> bool {
        self.words().any(|it| it == word)
    }

    /// Whether it looks into a table that is kept per TPP: the word after FROM, JOIN, INTO, UPDATE or USING.
    fn is_of_tpps(&self) -> bool {
        let words: Vec<&str> = self.words().filter(|word| !word.is_empty()).collect();
        words.windows(2).any(|pair| {
            ["FROM", "JOIN", "INTO", "UPDATE", "USING"].contains(&pair[0])
                && (OF_TPPS.contains(&pair[1]) || pair[1] == "table")
        })
    }

    /// Whether it says whose rows it means: a parameter is compared with `tpp`, is a list of TPPs, or is the TPP of a new row.
    fn names_its_tpps(&self) -> bool {
        let text: String = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let compared = [
            "tpp = $",
            "tpp = ANY ($",
            "tpp = ANY($",
            "client_id = $",
            "VALUES ($1",
            "BETWEEN ($1",
            // What of_key! is given.
            "tpp jti $1",
            "tpp position $1",
        ];
        let listed = [
            "unnest($1::bigint[]",
            "ANY (ARRAY[a.client_id]) ON",
            "SELECT $1, ",
        ];
        let listed = listed.iter().any(|it| text.contains(it));
        compared.iter().any(|it| text.contains(it)) || listed
    }

    fn changes(&self) -> bool {
        let locks = self.text.contains("FOR UPDATE");
        locks || ["INSERT", "UPDATE", "DELETE"].iter().any(|it| self.has(it))
    }
}

/// Every statement of this backend.
fn statements() -> Vec<Statement> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("tests") {
                    folders.push(path);
                }
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            let file = path.strip_prefix(&root).unwrap().to_str().unwrap();
            read(file, &source, &mut found);
        }
    }
    found
}

/// The statements of a source. All literals of a constant are one; elsewhere each is by itself.
fn read(file: &str, source: &str, found: &mut Vec<Statement>) {
    let source = source.split("#[cfg(test)]").next().unwrap();
    let mut name = String::new();
    let mut of_constant = false;
    let mut text = String::new();
    for line in source.lines() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split([' ', ':', '(', '<']).collect();
        let item = |what: &str| Some(words[words.iter().position(|it| *it == what)? + 1]);
        if text.is_empty() && !code.starts_with("//") {
            if let Some(constant) = item("const").filter(|_| code.contains('=')) {
                (name, of_constant) = (constant.to_owned(), true);
            } else if let Some(function) = item("fn") {
                (name, of_constant) = (function.to_owned(), false);
            } else if code.starts_with("macro_rules!") {
                // Statements are made where it is used.
                (name, of_constant) = (String::new(), true);
            }
        }
        if code.starts_with("//") {
            continue;
        }
        text.push_str(line);
        text.push('\n');
        let quotes = text.replace("\\\"", "").matches('"').count();
        let ends = if of_constant {
            line.ends_with(';') || line == "}"
        } else {
            true
        };
        if quotes.is_multiple_of(2) && ends {
            let literals: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
            let sql = literals.join(" ");
            let is_statement = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", " FROM "];
            let is_statement = !name.is_empty() && is_statement.iter().any(|it| sql.contains(it));
            if is_statement {
                found.push(Statement {
                    file: file.to_owned(),
                    name: name.clone(),
                    text: sql,
                });
            }
            text.clear();
            of_constant = false;
        }
    }
}

// I-06
#[test]
fn a_statement_names_its_tpps_or_stands_in_the_list_of_those_that_concern_all() {
    let statements = statements();
    assert!(statements.len() > 100, "{}", statements.len());
    let found = statements
        .iter()
        .filter(|it| it.is_of_tpps() && !it.names_its_tpps());
    let found: BTreeSet<(&str, &str, bool)> = found
        .map(|it| (it.file.as_str(), it.name.as_str(), it.changes()))
        .collect();
    let listed = ACROSS.iter();
    let listed: BTreeSet<_> = listed
        .map(|it| (it.file, it.name, it.manner == Changes))
        .collect();
    assert_eq!(found, listed);
    assert!(ACROSS.iter().all(|it| it.why.ends_with('.')));
}

// I-06
#[test]
fn what_a_statement_writes_depends_on_its_values_alone() {
    let volatile = [
        "now",
        "clock_timestamp",
        "random",
        "nextval",
        "gen_random_uuid",
    ];
    for statement in statements() {
        let writes = ["INSERT", "UPDATE", "DELETE"];
        let writes =
            writes.iter().any(|it| statement.has(it)) && !statement.text.contains("FOR UPDATE");
        let found = volatile
            .iter()
            .find(|it| statement.text.contains(&format!("{it}(")));
        assert!(
            !writes || found.is_none(),
            "{} {}: {found:?}",
            statement.file,
            statement.name
        );
    }
}

// I-06
#[test]
fn a_new_row_names_its_columns_so_that_a_wider_table_takes_it_too() {
    for statement in statements() {
        let mut words = statement.text.split_whitespace();
        while words.by_ref().any(|word| word == "INTO") {
            let next: Vec<&str> = words.clone().take(4).collect();
            let columns = if next[1] == "AS" { next[3] } else { next[1] };
            let place = (&statement.file, &statement.name);
            assert!(columns.starts_with('('), "{place:?}: {next:?}");
        }
    }
}
