//! What each crate must not know.
//!
//! A crate exists because its boundary is enforced. The compiler enforces the direction of our own
//! edges; this table adds what no compiler sees: which third parties may not come along, not even
//! through another dependency, and which words of the standard library may not stand in code that ships.
//! A crate without a row is an offender, so no boundary is forgotten.

use crate::Offenders;
use crate::metadata::Metadata;
use crate::sources;
use crate::tree::Tree;

/// One crate's boundary.
struct Boundary {
    /// Its folder under `crates/`.
    folder: &'static str,
    /// Packages that may not be reached over any chain of ordinary dependencies.
    reaches_never: &'static [&'static [&'static str]],
    /// Paths that may not be named; the tail may stand inside a braced `use`.
    names_never: &'static [&'static str],
    /// Words that may not stand in its code.
    says_never: &'static [&'static [&'static str]],
}

const RUNTIME: &[&str] = &["tokio", "async-std", "smol"];
const HTTP: &[&str] = &["http", "hyper", "axum", "reqwest", "ureq", "tower"];
const STORAGE: &[&str] = &[
    "rusqlite",
    "libsqlite3-sys",
    "sqlx",
    "postgres",
    "tokio-postgres",
];
/// What begins a statement of SQL.
const STATEMENTS: &[&str] = &["SELECT", "INSERT", "UPDATE"];
const SIGNING: &[&str] = &["oyez-jose", "aws-lc-rs", "ring", "rsa", "openssl"];

/// `std::net` is half sockets and half the types of addresses, which are pure: these are the sockets.
const SOCKETS: &[&str] = &["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs"];
const CLOCKS: &[&str] = &["SystemTime", "Instant"];
const CHANCE: &[&str] = &["rand", "getrandom", "now_v7", "new_v4"];

const BOUNDARIES: &[Boundary] = &[
    Boundary {
        folder: "domain",
        reaches_never: &[RUNTIME, HTTP, STORAGE, SIGNING],
        names_never: &["std::fs", "std::env", "std::process", "std::thread"],
        says_never: &[&["async"], SOCKETS, CLOCKS, CHANCE],
    },
    Boundary {
        folder: "jose",
        reaches_never: &[HTTP, STORAGE, &["oyez-store"]],
        names_never: &["std::fs", "std::env", "std::process"],
        says_never: &[SOCKETS, CLOCKS],
    },
    Boundary {
        folder: "store",
        reaches_never: &[HTTP, SIGNING],
        names_never: &["std::env"],
        says_never: &[SOCKETS],
    },
    // The one crate that may open a socket outwards.
    Boundary {
        folder: "outbound",
        reaches_never: &[
            STORAGE,
            &["axum", "reqwest", "ureq", "oyez-store", "oyez-jose"],
        ],
        names_never: &["std::fs", "std::env", "std::process", "std::thread"],
        says_never: &[&["SystemTime", "TcpListener"], CHANCE],
    },
    // It waits by the runtime's clock, which tests can pause; what time it is comes in.
    Boundary {
        folder: "issuer",
        reaches_never: &[HTTP],
        names_never: &["std::fs", "std::env", "std::process"],
        says_never: &[SOCKETS, &["SystemTime"], CHANCE, STORAGE, STATEMENTS],
    },
    // What leaves for a collector is written here, and sent by whoever brings the way out. The time comes in.
    Boundary {
        folder: "telemetry",
        reaches_never: &[HTTP, STORAGE, SIGNING],
        names_never: &["std::fs", "std::env", "std::process", "std::thread"],
        says_never: &[SOCKETS, &["SystemTime"], CHANCE, STATEMENTS],
    },
    // It decides what is sent and when, and knows neither statements nor routes; what leaves goes through `outbound`. It
    // waits by the runtime's clock, which tests can pause; what time it is and chance come in.
    Boundary {
        folder: "delivery",
        reaches_never: &[&["axum", "reqwest", "ureq", "oyez-web"]],
        names_never: &["std::fs", "std::env", "std::process", "std::thread"],
        says_never: &[SOCKETS, &["SystemTime"], CHANCE, STORAGE, STATEMENTS],
    },
    // It takes connections and opens none: what leaves goes through `outbound`.
    Boundary {
        folder: "web",
        reaches_never: &[&["reqwest", "ureq"]],
        names_never: &["std::fs", "std::env", "std::process", "TcpStream::connect"],
        says_never: &[&["SystemTime"], CHANCE, STORAGE, STATEMENTS],
    },
    // The TPP's side knows nothing of the bank's. Which events were seen is kept in SQLite, by a thread of its own.
    Boundary {
        folder: "tpp",
        reaches_never: &[
            &["sqlx", "postgres", "tokio-postgres"],
            &[
                "axum",
                "reqwest",
                "ureq",
                "oyez-store",
                "oyez-web",
                "oyez-issuer",
                "oyez-outbound",
            ],
        ],
        names_never: &["std::fs", "std::env", "std::process"],
        says_never: &[&["SystemTime"], CHANCE],
    },
    // It ships with nothing: a bank in a test, and whoever calls it there.
    Boundary {
        folder: "testkit",
        reaches_never: &[],
        names_never: &[],
        says_never: &[],
    },
    // The edge of the program: it may know everything, and everything ambient is read there.
    Boundary {
        folder: "cli",
        reaches_never: &[],
        names_never: &[],
        says_never: &[],
    },
];

/// Packages that a crate reaches though its boundary forbids them, each with the chain that leads there;
/// and crates that have no boundary.
pub fn dependency_offenders(metadata: &Metadata) -> Offenders {
    let mut offenders = Vec::new();
    for package in metadata
        .members()
        .filter(|package| package.name.starts_with("oyez-"))
    {
        let folder = package.name.trim_start_matches("oyez-");
        let Some(boundary) = BOUNDARIES.iter().find(|boundary| boundary.folder == folder) else {
            offenders.push(format!(
                "crates/{folder} has no row in the table of boundaries"
            ));
            continue;
        };
        let shipped = metadata.shipped_in(package);
        for name in boundary.reaches_never.iter().copied().flatten() {
            if let Some(chain) = shipped.get(name) {
                offenders.push(format!("{folder} reaches {name}: {}", chain.join(" → ")));
            }
        }
    }
    offenders
}

/// Words in code that ships which its crate's boundary forbids.
pub fn source_offenders(tree: &Tree) -> Offenders {
    let mut offenders = Vec::new();
    for file in tree.with_extension("rs") {
        let Some(boundary) = BOUNDARIES
            .iter()
            .find(|boundary| file.crate_folder() == Some(boundary.folder))
        else {
            continue;
        };
        for (number, line) in file.shipped_lines() {
            for word in said(line, boundary.says_never) {
                offenders.push(format!("{}:{number}: `{word}`", file.path));
            }
        }
        let code: String = file.shipped_lines().map(|(_, line)| line).collect();
        for path in boundary
            .names_never
            .iter()
            .filter(|path| sources::names_path(&code, path))
        {
            offenders.push(format!("{}: `{path}`", file.path));
        }
    }
    offenders
}

fn said<'a>(line: &str, words: &[&[&'a str]]) -> Vec<&'a str> {
    words
        .iter()
        .copied()
        .flatten()
        .copied()
        .filter(|word| sources::has_word(line, word))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Metadata, dependency_offenders};

    #[test]
    fn a_boundary_holds_over_a_chain_and_not_for_tests() {
        let package = |name: &str| json!({ "id": name, "name": name, "version": "1.0.0", "dependencies": [] });
        let edge =
            |to: &str, kind: Option<&str>| json!({ "pkg": to, "dep_kinds": [{ "kind": kind }] });
        let packages = ["oyez-domain", "oyez-new", "between", "tokio", "rusqlite"].map(package);
        let metadata: Metadata = serde_json::from_value(json!({
            "packages": packages,
            "workspace_members": ["oyez-domain", "oyez-new"],
            "resolve": { "nodes": [
                { "id": "oyez-domain", "deps": [edge("between", None), edge("rusqlite", Some("dev"))] },
                { "id": "between", "deps": [edge("tokio", None)] },
            ] },
        }))
        .unwrap();
        assert_eq!(
            dependency_offenders(&metadata),
            [
                "domain reaches tokio: oyez-domain → between → tokio",
                "crates/new has no row in the table of boundaries"
            ]
        );
    }
}
