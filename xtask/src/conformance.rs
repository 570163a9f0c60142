//! Which tests prove which rule: `docs/conformance.md`, made from the rules and the tests themselves.
//!
//! A test names its rules in a comment of its own, directly above its attributes and holding nothing
//! else (two slashes, then numbers with commas between), or at the start of its name: `g_06_…`. The
//! functions of a contract suite are tests too, though the attribute stands where they are instantiated.
//! A rule that no test names is shown as such: the page says what is proved, not what is intended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::Offenders;
use crate::tree::{File, Tree};

/// Where the rules are written down, and where the page goes.
pub const RULES: &str = "docs/conformance/rules.toml";
/// The generated page.
pub const PAGE: &str = "docs/conformance.md";

/// The letters that rule numbers begin with.
const FAMILIES: &str = "GAMSCPTDIWR";

/// All rules, in their families.
#[derive(Deserialize)]
pub struct Rules {
    #[serde(rename = "family")]
    families: Vec<Family>,
}

#[derive(Deserialize)]
struct Family {
    title: String,
    rules: BTreeMap<String, String>,
}

impl Rules {
    /// Reads the text of the rules file.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The numbers, in order.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        self.families
            .iter()
            .flat_map(|family| family.rules.keys())
            .map(String::as_str)
    }

    fn contains(&self, number: &str) -> bool {
        self.families
            .iter()
            .any(|family| family.rules.contains_key(number))
    }
}

/// A test that names rules.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    rules: Vec<String>,
    test: String,
    path: String,
}

/// Every test of the tree that names a rule, ordered by path and place.
pub fn proofs(tree: &Tree) -> Vec<Proof> {
    tree.with_extension("rs").flat_map(proofs_in).collect()
}

/// The page: a table per family, with the tests of each rule.
pub fn page(rules: &Rules, proofs: &[Proof]) -> String {
    let mut by_rule: BTreeMap<&str, Vec<&Proof>> = BTreeMap::new();
    for proof in proofs {
        for rule in &proof.rules {
            by_rule.entry(rule).or_default().push(proof);
        }
    }
    let all = rules.families.iter().flat_map(|family| family.rules.keys());
    let (proved, total) = all.fold((0, 0), |(proved, total), rule| {
        (
            proved + usize::from(by_rule.contains_key(rule.as_str())),
            total + 1,
        )
    });

    let mut page = format!(
        "# Conformance\n\n\
         Made by `cargo xtask conformance` from [the rules](conformance/rules.toml) and the tests; \
         do not edit.\n\n\
         {proved} of {total} rules have at least one test. What a test proves is in its name: a rule that takes \
         several crates is proved as far as its tests go.\n"
    );
    for family in &rules.families {
        write!(
            page,
            "\n## {}\n\n| rule | in short | tests |\n|---|---|---|\n",
            family.title
        )
        .expect(WRITES);
        for (number, statement) in &family.rules {
            let tests = by_rule.get(number.as_str()).map_or_else(
                || "not yet".to_owned(),
                |proofs| {
                    proofs
                        .iter()
                        .map(|proof| link(proof))
                        .collect::<Vec<_>>()
                        .join("<br>")
                },
            );
            writeln!(
                page,
                "| {number} | {} | {tests} |",
                statement.replace('|', "\\|")
            )
            .expect(WRITES);
        }
    }
    page
}

/// Rule numbers, anywhere in the sources or documents, that no rule has.
pub fn unknown_numbers(tree: &Tree, rules: &Rules) -> Offenders {
    let mut offenders = Vec::new();
    for file in tree.with_extension("rs").chain(tree.with_extension("md")) {
        for (line_number, line) in file.lines() {
            for number in numbers_in(line).filter(|number| !rules.contains(number)) {
                offenders.push(format!(
                    "{}:{line_number}: there is no rule {number}",
                    file.path
                ));
            }
        }
    }
    offenders
}

/// Comments that name rules but stand above no test, so that they prove nothing.
pub fn stray_markers(tree: &Tree) -> Offenders {
    let mut offenders = Vec::new();
    for file in tree.with_extension("rs") {
        let lines: Vec<_> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let follower = lines[index + 1..].iter().find(|line| !is_attached(line));
            let above_a_function = follower.is_some_and(|line| function_name(line).is_some());
            if marker(line).is_some() && !above_a_function {
                offenders.push(format!("{}:{}: `{}`", file.path, index + 1, line.trim()));
            }
        }
    }
    offenders
}

const WRITES: &str = "a String takes everything";

fn link(proof: &Proof) -> String {
    format!("[{}](../{})", proof.test, proof.path)
}

fn proofs_in(file: &File) -> Vec<Proof> {
    let lines: Vec<_> = file.text.lines().collect();
    let mut proofs = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(test) = function_name(line) else {
            continue;
        };
        let attached = lines[..index]
            .iter()
            .rev()
            .take_while(|line| is_attached(line));
        let mut is_test = file.is_test_code();
        let mut rules = Vec::new();
        for line in attached {
            is_test |= is_test_attribute(line);
            rules.extend(marker(line).unwrap_or_default());
        }
        rules.extend(numbers_of_name(test));
        if is_test && !rules.is_empty() {
            proofs.push(Proof {
                rules,
                test: test.to_owned(),
                path: file.path.clone(),
            });
        }
    }
    proofs
}

/// The rules of a comment that holds nothing but rule numbers.
fn marker(line: &str) -> Option<Vec<String>> {
    let listed = line.trim().strip_prefix("// ")?;
    let whole = |part: &str| (number_at(part) == Some(part)).then(|| part.to_owned());
    listed.split(',').map(|part| whole(part.trim())).collect()
}

/// Comments and attributes belong to the item below them.
fn is_attached(line: &&str) -> bool {
    let line = line.trim_start();
    line.starts_with("//") || line.starts_with("#[") || line == ")]" || line == "]"
}

fn is_test_attribute(line: &str) -> bool {
    let Some(attribute) = line.trim_start().strip_prefix("#[") else {
        return false;
    };
    let path = attribute.split(['(', ']']).next().unwrap_or("");
    path.rsplit("::").next() == Some("test")
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in ["pub(crate) ", "pub(super) ", "pub ", "async "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .filter(|name| !name.is_empty())
}

/// The rules at the start of a test's name: `g_06_t_01_…` names two.
fn numbers_of_name(name: &str) -> Vec<String> {
    let mut rules = Vec::new();
    let mut parts = name.split('_');
    while let (Some(family), Some(digits)) = (parts.next(), parts.next()) {
        let number = format!("{}-{digits}", family.to_uppercase());
        if number_at(&number) != Some(&number) {
            break;
        }
        rules.push(number);
    }
    rules
}

/// Every rule number in a line of prose or code.
fn numbers_in(line: &str) -> impl Iterator<Item = &str> {
    line.char_indices().filter_map(|(at, _)| {
        let before = line[..at].chars().next_back();
        let free = before.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '_');
        if free { number_at(&line[at..]) } else { None }
    })
}

/// The rule number that `text` begins with: a family, two digits and perhaps a letter.
fn number_at(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let family = *bytes.first()? as char;
    let digits = bytes.get(2..4)?.iter().all(u8::is_ascii_digit);
    if !FAMILIES.contains(family) || bytes[1] != b'-' || !digits {
        return None;
    }
    let end = if bytes.get(4).is_some_and(u8::is_ascii_lowercase) {
        5
    } else {
        4
    };
    let ends = bytes
        .get(end)
        .is_none_or(|c| !c.is_ascii_alphanumeric() && *c != b'-');
    ends.then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, lines: &[&str]) -> Vec<(String, Vec<String>)> {
        let file = File {
            path: path.to_owned(),
            text: lines.join("\n"),
        };
        proofs_in(&file)
            .into_iter()
            .map(|proof| (proof.test, proof.rules))
            .collect()
    }

    fn proof(test: &str, rules: &[&str]) -> (String, Vec<String>) {
        (
            test.to_owned(),
            rules.iter().map(|&rule| rule.to_owned()).collect(),
        )
    }

    #[test]
    fn a_test_names_its_rules_above_its_attributes() {
        let lines = [
            "    // G-06, T-01",
            "    #[tokio::test(flavor = \"multi_thread\")]",
            "    async fn errors_are_reported_together() {}",
            "    // C-07a",
            "    #[test]",
            "    fn pushes(event in any()) {}",
        ];
        let expected = [
            proof("errors_are_reported_together", &["G-06", "T-01"]),
            proof("pushes", &["C-07a"]),
        ];
        assert_eq!(found("crates/domain/src/errors.rs", &lines), expected);
    }

    #[test]
    fn a_test_names_its_rules_at_the_start_of_its_name() {
        let lines = ["#[test]", "fn g_06_t_01_all_faults_at_once() {}"];
        let expected = [proof("g_06_t_01_all_faults_at_once", &["G-06", "T-01"])];
        assert_eq!(found("crates/domain/src/errors.rs", &lines), expected);
    }

    #[test]
    fn what_is_no_test_proves_nothing() {
        let marked = ["// S-07", "pub fn check_url() {}"];
        assert_eq!(found("crates/domain/src/callback.rs", &marked), []);
        let quoted = [
            "// see T-01 for the claims",
            "#[test]",
            "fn claims_are_complete() {}",
        ];
        assert_eq!(found("crates/domain/src/callback.rs", &quoted), []);
    }

    #[test]
    fn a_contract_function_is_a_test_wherever_it_is_instantiated() {
        let lines = [
            "// P-04",
            "pub async fn a_foreign_ack_has_no_effect(store: &S) {}",
        ];
        let expected = [proof("a_foreign_ack_has_no_effect", &["P-04"])];
        assert_eq!(found("crates/store/src/contract/poll.rs", &lines), expected);
    }

    #[test]
    fn numbers_are_found_in_prose_and_nowhere_else() {
        let line = format!(
            "(T-01 … T-05), C-07a; not P-256, ES-06, x-D-01, uuid-A-01-b or G-{}",
            6
        );
        assert_eq!(
            numbers_in(&line).collect::<Vec<_>>(),
            ["T-01", "T-05", "C-07a"]
        );
    }

    #[test]
    fn the_page_shows_what_is_proved_and_what_is_not() {
        let rules = Rules::parse(
            "[[family]]\ntitle = \"G. All\"\nrules = { G-01 = \"a | b\", G-02 = \"echo\" }",
        )
        .unwrap();
        let lines = ["// G-01", "#[test]", "fn paths() {}"].join("\n");
        let proofs = proofs_in(&File {
            path: "crates/web/tests/it.rs".to_owned(),
            text: lines,
        });
        let page = page(&rules, &proofs);
        assert!(
            page.contains("1 of 2 rules have at least one test."),
            "{page}"
        );
        assert!(
            page.contains("| G-01 | a \\| b | [paths](../crates/web/tests/it.rs) |"),
            "{page}"
        );
        assert!(page.contains("| G-02 | echo | not yet |"), "{page}");
    }
}
