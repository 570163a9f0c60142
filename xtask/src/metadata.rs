//! What `cargo metadata` says about the workspace and everything below it.
//!
//! Only the members this crate asks about are named. The graph is taken for the platforms that
//! `deny.toml` lists, so that these checks and cargo-deny judge the same packages.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::Command;

use serde::Deserialize;

use crate::tree;

/// The resolved workspace.
#[derive(Deserialize)]
pub struct Metadata {
    /// Every package of the graph, ours and others'.
    pub packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

/// One package.
#[derive(Deserialize)]
pub struct Package {
    id: String,
    /// Its name in the registry.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// Its SPDX expression, when it states one.
    pub license: Option<String>,
    /// What its manifest asks for.
    pub dependencies: Vec<Dependency>,
}

/// A dependency as a manifest asks for it.
#[derive(Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// The name it has in the code, where that differs.
    pub rename: Option<String>,
    /// Absent for an ordinary dependency, else `dev` or `build`.
    pub kind: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo, for the given target triples; the lock file must be current.
    pub fn read(targets: &[String]) -> io::Result<Self> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--all-features",
        ]);
        for target in targets {
            cargo.args(["--filter-platform", target]);
        }
        let output = cargo.current_dir(tree::root()?).output()?;
        if !output.status.success() {
            return Err(io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The workspace's own packages.
    pub fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The packages that come from elsewhere.
    pub fn third_parties(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| !self.workspace_members.contains(&package.id))
    }

    /// Everything that ships inside `package`: names reached over ordinary dependencies, each with the
    /// chain of names that leads there.
    pub fn shipped_in<'a>(&'a self, package: &'a Package) -> BTreeMap<&'a str, Vec<&'a str>> {
        let names: BTreeMap<_, _> = self
            .packages
            .iter()
            .map(|it| (it.id.as_str(), it.name.as_str()))
            .collect();
        let nodes: BTreeMap<_, _> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let mut reached = BTreeMap::new();
        let mut open = vec![(package.id.as_str(), vec![package.name.as_str()])];
        while let Some((id, chain)) = open.pop() {
            for dependency in nodes.get(id).map_or(&[][..], |node| &node.deps) {
                let name = names[dependency.pkg.as_str()];
                let ordinary = dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
                if ordinary && !reached.contains_key(name) {
                    let chain: Vec<_> = chain.iter().copied().chain([name]).collect();
                    reached.insert(name, chain.clone());
                    open.push((dependency.pkg.as_str(), chain));
                }
            }
        }
        reached
    }
}
