//! Our documents: every link between them leads somewhere, and every rule has its place.
//!
//! Only links into the repository are followed; the rest of the world changes without us. A link that
//! climbs out of the repository is an offender, since no reader can follow it.

use std::path::{Component, Path, PathBuf};

use crate::Offenders;
use crate::conformance::Rules;
use crate::tree::{File, Tree};

/// The document that says where each rule is decided, and its section with the table.
const PLACES: (&str, &str) = ("ARCHITECTURE.md", "## Where each rule lives");

/// Links whose file or heading is not there.
pub fn broken_links(tree: &Tree) -> Offenders {
    let mut offenders = Vec::new();
    for file in tree.with_extension("md") {
        for (number, line) in file.lines() {
            for target in targets(line).filter(|target| !leads_somewhere(tree, file, target)) {
                offenders.push(format!("{}:{number}: {target}", file.path));
            }
        }
    }
    offenders
}

/// Rules that the table of places names never, or more than once.
pub fn misplaced_rules(tree: &Tree, rules: &Rules) -> Offenders {
    let (path, section) = PLACES;
    let text = tree.file(path).map_or("", |file| &file.text);
    let all: Vec<_> = rules.numbers().collect();
    let lines = text.lines().skip_while(|line| *line != section).skip(1);
    let placed: Vec<_> = lines
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|cell| rules_of_cell(cell, &all))
        .collect();
    let mut offenders = Vec::new();
    for number in all {
        let times = placed.iter().filter(|placed| **placed == number).count();
        if times != 1 {
            offenders.push(format!("{path}: {number} has {times} places"));
        }
    }
    offenders
}

/// The rules of a cell such as `S-01, S-04 … S-06`.
fn rules_of_cell<'a>(cell: &'a str, all: &[&'a str]) -> Vec<&'a str> {
    let at = |number: &str| all.iter().position(|it| *it == number);
    let range = |part: &'a str| {
        let (first, last) = part.split_once(" … ").unwrap_or((part, part));
        Some(all.get(at(first)?..=at(last)?)?.to_vec())
    };
    cell.split(", ").filter_map(range).flatten().collect()
}

/// The targets of a line's links that point into the repository.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?;
        let elsewhere = target.contains("://") || target.starts_with("mailto:");
        (!elsewhere).then_some(target)
    })
}

fn leads_somewhere(tree: &Tree, from: &File, target: &str) -> bool {
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() {
        Some(PathBuf::from(&from.path))
    } else {
        join(from, path)
    };
    let Some(path) = path.filter(|path| tree.has(path)) else {
        return false;
    };
    heading.is_empty()
        || path
            .to_str()
            .and_then(|path| tree.file(path))
            .is_some_and(|to| has_heading(to, heading))
}

/// `path` as seen from the folder of `from`; nothing when it leaves the repository.
fn join(from: &File, path: &str) -> Option<PathBuf> {
    let mut joined = Path::new(&from.path).parent().map(Path::to_path_buf)?;
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => joined.push(name),
            Component::CurDir => {}
            Component::ParentDir => joined.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(joined)
}

fn has_heading(file: &File, heading: &str) -> bool {
    file.text
        .lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| slug(line) == heading)
}

/// The anchor that a heading gets when the document is shown.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_into_the_repository_are_found() {
        let line = "see [a](docs/a.md#one), [b](https://b.example/) and ![c](c.svg)";
        assert_eq!(
            targets(line).collect::<Vec<_>>(),
            ["docs/a.md#one", "c.svg"]
        );
    }

    #[test]
    fn a_cell_names_rules_and_ranges_of_rules() {
        let all = ["S-01", "S-02", "S-03", "S-04"];
        assert_eq!(
            rules_of_cell("S-01, S-03 … S-04", &all),
            ["S-01", "S-03", "S-04"]
        );
        assert_eq!(rules_of_cell("rules", &all), [""; 0]);
    }

    #[test]
    fn a_link_may_climb_but_not_leave() {
        let from = File {
            path: "docs/adr/README.md".to_owned(),
            text: String::new(),
        };
        assert_eq!(
            join(&from, "../../README.md"),
            Some(PathBuf::from("README.md"))
        );
        assert_eq!(join(&from, "../../../elsewhere.md"), None);
    }

    #[test]
    fn a_heading_becomes_its_anchor() {
        assert_eq!(
            slug("## 4 Code map: what, and why"),
            "4-code-map-what-and-why"
        );
    }
}
