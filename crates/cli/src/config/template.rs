//! The commented `oyez.toml`: every key with what it means, what it may be and what it is when it is not set. Keys with a
//! default are commented out, so that the file says only what this bank decided, and later defaults reach it.

use std::collections::BTreeMap;

use super::outlines;
use super::section::{Key, Unset, file_key};

/// The file, with these keys (`section.key`) set to these values (TOML).
pub(crate) fn render(set: &BTreeMap<&str, &str>) -> String {
    let mut lines: Vec<String> = HEAD.lines().map(str::to_owned).collect();
    for outline in outlines() {
        lines.extend([String::new(), String::new()]);
        lines.extend(comment(outline.doc));
        lines.push(format!("[{}]", outline.name));
        for key in &outline.keys {
            lines.push(String::new());
            lines.extend(comment(key.doc));
            lines.extend(key_lines(outline.name, key, set));
        }
    }
    lines.join("\n") + "\n"
}

fn key_lines(section: &str, key: &Key, set: &BTreeMap<&str, &str>) -> Vec<String> {
    let names = key.names();
    let values = names
        .iter()
        .map(|name| (name, set.get(format!("{section}.{name}").as_str())));
    let chosen: Vec<_> = values
        .filter_map(|(name, value)| Some(format!("{name} = {}", value?)))
        .collect();
    let unset = match &key.unset {
        Unset::Tables(heading, keys) => return table_lines(heading, keys),
        _ if !chosen.is_empty() => chosen,
        Unset::Default(value) => vec![format!("# {} = {value}", key.name)],
        Unset::Absent(example) => vec![format!("# {} = {example}", key.name)],
        Unset::Refused(example) => vec![format!("{} = {example}", key.name)],
        Unset::Secret { example, file } => vec![
            format!("# {} = {example}", key.name),
            format!("# {} = {file}", file_key(key.name)),
        ],
    };
    let expected = match key.unset {
        Unset::Secret { .. } => None,
        Unset::Absent(_) => Some(format!(
            "# Expected: {}. No default; for example:",
            key.expected
        )),
        _ => Some(format!("# Expected: {}.", key.expected)),
    };
    expected.into_iter().chain(unset).collect()
}

/// A table of a list, commented out as a whole.
fn table_lines(heading: &str, keys: &[Key]) -> Vec<String> {
    let mut lines = vec!["#".to_owned(), format!("# [[{heading}]]")];
    for key in keys {
        let (Unset::Default(value) | Unset::Absent(value) | Unset::Refused(value)) = &key.unset
        else {
            unreachable!("an entry of a list has plain keys only")
        };
        let setting = format!("{} = {value}", key.name);
        lines.push(format!("# {setting:<42}#{}", key.doc.concat()));
    }
    lines
}

fn comment(doc: &[&str]) -> impl Iterator<Item = String> {
    doc.iter().map(|line| format!("#{line}"))
}

const HEAD: &str = "\
# oyez: the UK Open Banking Event Notification API.
#
# Keys that are commented out have the value shown, or none if it is an example. Paths are relative to this file.
# Each key can be overridden by an environment variable: [polling] events_max by OYEZ_POLLING__EVENTS_MAX.
# After a change: oyez check -c oyez.toml";
