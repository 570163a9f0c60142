//! What we depend on: allowed licences, no crate twice, nothing unused.
//!
//! `deny.toml` is the one source of truth. cargo-deny reads it where an advisory database can be
//! reached; the checks here read the same lists and need nothing but cargo. Exceptions carry a reason,
//! and one that is no longer needed is an offender itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::Offenders;
use crate::metadata::{Metadata, Package};
use crate::sources;
use crate::spdx;
use crate::tree::Tree;

/// The part of `deny.toml` that is checked here.
#[derive(Deserialize)]
pub struct Policy {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    skip: Vec<Skip>,
}

#[derive(Deserialize)]
struct Skip {
    #[serde(rename = "crate")]
    spec: String,
}

impl Policy {
    /// Reads the text of `deny.toml`.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The platforms we answer for.
    pub fn targets(&self) -> &[String] {
        &self.graph.targets
    }
}

/// Packages without an allowed licence, and allowed licences that nobody needs.
pub fn licence_offenders(metadata: &Metadata, policy: &Policy) -> Offenders {
    let allowed = &policy.licenses.allow;
    let mut offenders = Vec::new();
    for package in metadata.third_parties() {
        let expression = package.license.as_deref().unwrap_or("");
        if !spdx::is_allowed(expression, allowed) {
            offenders.push(format!(
                "{} {}: licence `{expression}`",
                package.name, package.version
            ));
        }
    }
    let mentioned = |licence: &String| {
        metadata
            .third_parties()
            .filter_map(|it| it.license.as_ref())
            .any(|it| it.contains(licence))
    };
    for licence in allowed.iter().filter(|licence| !mentioned(licence)) {
        offenders.push(format!("deny.toml allows `{licence}`, which nothing uses"));
    }
    offenders
}

/// Crates that are there in several versions, and exceptions that are stale.
pub fn duplicate_offenders(metadata: &Metadata, policy: &Policy) -> Offenders {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &metadata.packages {
        versions
            .entry(&package.name)
            .or_default()
            .insert(&package.version);
    }
    versions.retain(|_, versions| versions.len() > 1);

    let mut offenders = Vec::new();
    let mut excepted = BTreeSet::new();
    for skip in &policy.bans.skip {
        let (name, version) = skip.spec.split_once('@').unwrap_or((&skip.spec, ""));
        if versions
            .get(name)
            .is_some_and(|versions| versions.contains(version))
        {
            excepted.insert((name, version));
        } else {
            offenders.push(format!(
                "deny.toml skips `{}`, which is no duplicate",
                skip.spec
            ));
        }
    }
    for (name, versions) in versions {
        let left: Vec<_> = versions
            .iter()
            .filter(|version| !excepted.contains(&(name, *version)))
            .collect();
        if left.len() > 1 {
            offenders.push(format!("{name} is there in several versions: {left:?}"));
        }
    }
    offenders
}

/// Dependencies that no source file of their crate names, and workspace versions that no crate uses.
pub fn unused_offenders(metadata: &Metadata, tree: &Tree) -> Offenders {
    let mut offenders = Vec::new();
    for package in metadata.members() {
        offenders.extend(unused_in(package, tree));
    }
    let used: BTreeSet<_> = metadata
        .members()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .collect();
    for name in workspace_dependencies(tree) {
        if !used.contains(name.as_str()) {
            offenders.push(format!(
                "Cargo.toml: no crate uses the workspace dependency {name}"
            ));
        }
    }
    offenders
}

/// How many packages come under each licence expression, for people.
pub fn licence_table(metadata: &Metadata) -> BTreeMap<&str, usize> {
    let mut table = BTreeMap::new();
    for package in metadata.third_parties() {
        *table
            .entry(package.license.as_deref().unwrap_or("none stated"))
            .or_default() += 1;
    }
    table
}

fn unused_in(package: &Package, tree: &Tree) -> Offenders {
    let folder = package.name.strip_prefix("oyez-").unwrap_or(&package.name);
    let mut offenders = Vec::new();
    for dependency in &package.dependencies {
        let word = dependency
            .rename
            .as_ref()
            .unwrap_or(&dependency.name)
            .replace('-', "_");
        let ships = dependency.kind.is_none();
        let named = tree
            .with_extension("rs")
            .filter(|file| file.crate_folder() == Some(folder))
            .filter(|file| !ships || file.path.contains("/src/"))
            .any(|file| sources::has_word(&file.text, &word));
        if !named {
            offenders.push(format!(
                "{}: nothing names the dependency {word}",
                package.name
            ));
        }
    }
    offenders
}

fn workspace_dependencies(tree: &Tree) -> Vec<String> {
    let manifest = tree
        .file("Cargo.toml")
        .expect("the workspace has a manifest");
    let manifest: toml::Table = manifest.text.parse().expect("cargo has read it before us");
    let table = manifest["workspace"]["dependencies"].as_table();
    table.map_or_else(Vec::new, |table| table.keys().cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Metadata, Policy, duplicate_offenders, licence_offenders};

    fn metadata(packages: &[(&str, &str, &str)]) -> Metadata {
        let packages: Vec<_> = packages
            .iter()
            .map(|(name, version, license)| {
                json!({ "id": format!("{name}@{version}"), "name": name, "version": version,
                        "license": license, "dependencies": [] })
            })
            .collect();
        serde_json::from_value(
            json!({ "packages": packages, "workspace_members": [], "resolve": { "nodes": [] } }),
        )
        .unwrap()
    }

    fn policy(allow: &[&str], skip: &[&str]) -> Policy {
        let skip: Vec<_> = skip
            .iter()
            .map(|spec| format!("{{ crate = '{spec}' }}"))
            .collect();
        let text = format!(
            "graph.targets = []\nlicenses.allow = {allow:?}\nbans.skip = [{}]",
            skip.join(", ")
        );
        Policy::parse(&text).unwrap()
    }

    #[test]
    fn a_strange_licence_and_a_needless_permission_are_both_named() {
        let metadata = metadata(&[("good", "1.0.0", "MIT"), ("bad", "2.0.0", "GPL-3.0-only")]);
        assert_eq!(
            licence_offenders(&metadata, &policy(&["MIT", "Zlib"], &[])),
            [
                "bad 2.0.0: licence `GPL-3.0-only`",
                "deny.toml allows `Zlib`, which nothing uses"
            ]
        );
    }

    #[test]
    fn a_second_version_needs_an_exception_that_still_holds() {
        let twice = metadata(&[("syn", "1.0.0", "MIT"), ("syn", "2.0.0", "MIT")]);
        assert_eq!(
            duplicate_offenders(&twice, &policy(&[], &["syn@1.0.0"])),
            [""; 0]
        );
        assert_eq!(
            duplicate_offenders(&twice, &policy(&[], &["syn@0.9.0"])),
            [
                "deny.toml skips `syn@0.9.0`, which is no duplicate",
                "syn is there in several versions: [\"1.0.0\", \"2.0.0\"]"
            ]
        );
        let once = metadata(&[("syn", "2.0.0", "MIT")]);
        assert_eq!(
            duplicate_offenders(&once, &policy(&[], &["syn@2.0.0"])),
            ["deny.toml skips `syn@2.0.0`, which is no duplicate"]
        );
    }
}
