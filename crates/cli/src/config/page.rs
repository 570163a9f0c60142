//! `docs/configuration.md`: every key on one page, made of the same table that reads them. `oyez config-doc` prints it.

use super::section::{Key, Unset, file_key};
use super::variables::variable_of;
use super::{Outline, outlines};

/// What can take the place of a key of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overrides {
    /// A variable of the environment.
    Variables,
    /// Nothing.
    None,
}

/// The page.
pub(crate) fn page() -> String {
    render_page(HEAD, &outlines(), Overrides::Variables)
}

/// The same for any file of such sections.
pub(crate) fn render_page(head: &str, outlines: &[Outline], overrides: Overrides) -> String {
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    for outline in outlines {
        let heading = format!("## `[{}]`", outline.name);
        lines.extend([String::new(), heading, String::new(), prose(outline.doc)]);
        for key in &outline.keys {
            lines.extend([String::new(), format!("### `{}`", key.name), String::new()]);
            lines.extend([prose(key.doc), String::new()]);
            lines.extend(facts(outline.name, key, overrides));
        }
    }
    lines.join("\n") + "\n"
}

fn facts(section: &str, key: &Key, overrides: Overrides) -> Vec<String> {
    let mut facts = match &key.unset {
        Unset::Tables(heading, keys) => return table(heading, keys),
        Unset::Default(value) => vec![expected(key), format!("- default: `{value}`")],
        Unset::Absent(example) => vec![
            expected(key),
            format!("- no default; for example: `{example}`"),
        ],
        Unset::Refused(example) => vec![
            expected(key),
            format!("- must be set; for example: `{example}`"),
        ],
        Unset::Secret { file, .. } => vec![
            "- a secret: never printed or logged".to_owned(),
            format!("- may stand in a file: `{} = {file}`", file_key(key.name)),
        ],
    };
    if overrides == Overrides::Variables {
        let variable = variable_of(&format!("{section}.{}", key.name));
        facts.push(format!("- variable: `{variable}`"));
    }
    facts
}

/// The keys of a table of which there may be any number.
fn table(heading: &str, keys: &[Key]) -> Vec<String> {
    let mut lines = vec![
        format!("Each is headed `[[{heading}]]`:"),
        String::new(),
        "| key | what it is | expected | if it is not set |".to_owned(),
        "|---|---|---|---|".to_owned(),
    ];
    for key in keys {
        let unset = match &key.unset {
            Unset::Default(value) => format!("`{value}`"),
            Unset::Refused(_) => "refused".to_owned(),
            Unset::Absent(_) | Unset::Secret { .. } | Unset::Tables(..) => "nothing".to_owned(),
        };
        let cells = [
            format!("`{}`", key.name),
            prose(key.doc),
            key.expected.clone(),
            unset,
        ];
        lines.push(format!(
            "| {} |",
            cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
        ));
    }
    lines
}

fn expected(key: &Key) -> String {
    format!("- expected: {}", key.expected)
}

/// A comment as one paragraph.
fn prose(doc: &[&str]) -> String {
    let lines: Vec<_> = doc.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

const HEAD: &str = "\
# Configuration

One TOML file; `oyez init` writes it with every key commented. Relative paths start at the file's directory. `oyez check`
reports everything that is wrong with it at once.

Every key can be overridden by an environment variable, named with each below. Text is written without quotes, lists with
commas or as in the file, tables as in the file.

What stands in brackets, such as (T-01), are the rules of the standard that a key is about: [conformance.md](conformance.md) lists
them.

This page is made from the code: `cargo run -p oyez-cli -- config-doc > docs/configuration.md`";
