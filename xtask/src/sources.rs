//! House rules that a line of source can break, or a file as a whole.
//!
//! clippy refuses most of them already where it runs; these hold for every file of the tree, whatever
//! features or targets are built, and for the rules that no lint knows. The words looked for are put
//! together from pieces, so that this file does not offend against itself.

use crate::Offenders;
use crate::tree::{File, Tree};

/// A file longer than this is a room too large to live in.
pub const LINES_MAX: usize = 1_000;
/// A file longer than this is worth a thought.
pub const LINES_TO_DISCUSS: usize = 500;

/// What may stand in no Rust source: the words, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    (concat!("#[", "allow("), "expect the lint, with its reason"),
    (concat!("#![", "allow("), "expect the lint, with its reason"),
    (
        concat!("#[", "ignore"),
        "a slow test stands in a module named `slow`; a broken one is mended",
    ),
    (concat!("todo", "!("), "finish it, or leave it out"),
    (concat!("unimplemented", "!("), "finish it, or leave it out"),
    (concat!("FIX", "ME"), "mend it, or open an issue"),
    (concat!("XX", "X"), "mend it, or open an issue"),
    (concat!("TO", "DO"), "do it, or open an issue"),
    (concat!("thread::", "sleep"), "wait for a condition"),
];

/// A process that a test makes of its own binary is an ignored test: nobody but that test runs it.
const STARTED_BY_ANOTHER: &str = concat!("#[", "ignore = \"started by the test ");

/// Where developers keep their files; between slashes these begin a path of somebody's machine.
const PERSONAL_FOLDERS: [&str; 4] = ["home", "root", "Users", "work"];

/// Rust sources with words that do not belong there.
pub fn banned_words(tree: &Tree) -> Offenders {
    let mut offenders = Vec::new();
    for file in tree.with_extension("rs") {
        for (number, line) in file.lines() {
            if line.contains(STARTED_BY_ANOTHER) {
                continue;
            }
            for (word, mend) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
                offenders.push(format!("{}:{number}: `{word}`: {mend}", file.path));
            }
        }
    }
    offenders
}

/// Source files over [`LINES_MAX`].
pub fn oversized(tree: &Tree) -> Offenders {
    longer_than(tree, LINES_MAX)
}

/// Source files over [`LINES_TO_DISCUSS`], the longest first.
pub fn to_discuss(tree: &Tree) -> Offenders {
    longer_than(tree, LINES_TO_DISCUSS)
}

/// Modules in the old form.
pub fn old_modules(tree: &Tree) -> Offenders {
    let old = tree
        .with_extension("rs")
        .filter(|file| file.path.ends_with("/mod.rs"));
    old.map(|file| file.path.clone()).collect()
}

/// Shipped sources of our crates that do not begin with prose. Unit tests in files of their own explain themselves by name.
pub fn without_prose(tree: &Tree) -> Offenders {
    let ours = tree
        .with_extension("rs")
        .filter(|file| file.crate_folder().is_some() && !is_unit_tests(&file.path));
    ours.filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.path.clone())
        .collect()
}

fn is_unit_tests(path: &str) -> bool {
    path.contains("/src/") && (path.ends_with("/tests.rs") || path.contains("/tests/"))
}

/// Manifests of our crates that do not take the workspace's lints.
pub fn without_lints(tree: &Tree) -> Offenders {
    let takes_lints = |file: &File| {
        let manifest: toml::Table = file.text.parse().ok()?;
        manifest.get("lints")?.get("workspace")?.as_bool()
    };
    tree.files()
        .filter(|file| file.crate_folder().is_some() && file.path.ends_with("/Cargo.toml"))
        .filter(|file| takes_lints(file) != Some(true))
        .map(|file| file.path.clone())
        .collect()
}

/// Lines that name a path of somebody's machine.
pub fn personal_paths(tree: &Tree) -> Offenders {
    let mut offenders = Vec::new();
    for file in tree.files() {
        for (number, line) in file.lines() {
            if PERSONAL_FOLDERS
                .iter()
                .any(|folder| names_folder(line, folder))
            {
                offenders.push(format!("{}:{number}: {}", file.path, line.trim()));
            }
        }
    }
    offenders
}

/// Whether `word` stands in `text` with nothing of a name on either side.
pub fn has_word(text: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

/// Whether `code` names `path` (two parts, such as `std::fs`), written out or inside a braced `use`.
pub fn names_path(code: &str, path: &str) -> bool {
    let (head, tail) = path.split_once("::").expect("a path has two parts");
    let grouped = format!("{head}::{{");
    let in_group = |at: usize| has_word(group(&code[at + grouped.len()..]), tail);
    has_word(code, path) || code.match_indices(&grouped).any(|(at, _)| in_group(at))
}

/// What stands before the brace that closes a group.
fn group(text: &str) -> &str {
    let mut depth = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

fn longer_than(tree: &Tree, limit: usize) -> Offenders {
    let mut long: Vec<_> = ["rs", "py", "mjs", "js", "sql", "sh", "css"]
        .iter()
        .flat_map(|extension| tree.with_extension(extension))
        .map(|file| (file.text.lines().count(), &file.path))
        .filter(|(lines, _)| *lines > limit)
        .collect();
    long.sort_by(|a, b| b.cmp(a));
    long.iter()
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect()
}

/// Whether the line has `/folder/` where a path begins.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(&format!("/{folder}/")).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_not_part_of_a_name() {
        assert!(has_word("let x = rand::random();", "rand"));
        assert!(!has_word("let operand = 1;", "rand"));
        assert!(!has_word("the draw is_rand_om", "rand"));
    }

    #[test]
    fn a_path_is_found_inside_a_braced_use() {
        assert!(names_path("use std::fs;", "std::fs"));
        assert!(names_path(
            "use std::{collections::{BTreeMap, BTreeSet}, fs};",
            "std::fs"
        ));
        assert!(!names_path("use std::{fmt, io}; mod fs {}", "std::fs"));
        assert!(!names_path("use core::net::IpAddr;", "std::net"));
    }

    #[test]
    fn a_path_of_somebodys_machine_is_told_from_a_route() {
        let machine = ["", "home", "ann", "oyez"].join("/");
        assert!(names_folder(&format!("see {machine} there"), "home"));
        assert!(!names_folder(
            &format!("https://bank.example{machine}"),
            "home"
        ));
    }
}
