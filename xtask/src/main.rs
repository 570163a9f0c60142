//! `cargo xtask`: the chores of this repository that are worth doing by hand.
//!
//! The checks run as tests (`tests/tidy.rs`) and in `./test`; this is how one makes them pass again.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use xtask::conformance::{self, Rules};
use xtask::dependencies::{self, Policy};
use xtask::metadata::Metadata;
use xtask::tree::{self, Tree};

const USAGE: &str = "\
usage: cargo xtask conformance [--check]   write docs/conformance.md, or say whether it is current
       cargo xtask licences                judge licences and duplicate versions by deny.toml
       cargo xtask long                    list the source files that are worth a discussion
       cargo xtask postgres [--durable]    start a PostgreSQL for tests, or for benchmarks; print where; it stops with
                                           standard input (^D)";

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        ["conformance"] => write_conformance(),
        ["conformance", "--check"] => check_conformance(),
        ["licences"] => judge_licences(),
        ["long"] => list_long_files(),
        ["postgres"] => start_postgres(&[]),
        ["postgres", "--durable"] => start_postgres(&["--", "--durable"]),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn write_conformance() -> Outcome {
    let page = conformance_page(&Tree::read()?)?;
    fs::write(tree::root()?.join(conformance::PAGE), page)?;
    Ok(())
}

fn check_conformance() -> Outcome {
    let tree = Tree::read()?;
    let current = tree.file(conformance::PAGE).map(|file| file.text.as_str());
    if current == Some(conformance_page(&tree)?.as_str()) {
        return Ok(());
    }
    Err(format!(
        "{} is not current: run `cargo xtask conformance`",
        conformance::PAGE
    )
    .into())
}

fn conformance_page(tree: &Tree) -> Result<String, Box<dyn std::error::Error>> {
    let rules = tree
        .file(conformance::RULES)
        .ok_or("the file of rules is missing")?;
    Ok(conformance::page(
        &Rules::parse(&rules.text)?,
        &conformance::proofs(tree),
    ))
}

fn judge_licences() -> Outcome {
    let policy = Policy::parse(&fs::read_to_string(tree::root()?.join("deny.toml"))?)?;
    let metadata = Metadata::read(policy.targets())?;
    for (licence, packages) in dependencies::licence_table(&metadata) {
        writeln!(io::stdout(), "{packages:>5}  {licence}")?;
    }
    let mut offenders = dependencies::licence_offenders(&metadata, &policy);
    offenders.extend(dependencies::duplicate_offenders(&metadata, &policy));
    if offenders.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\nmend: another crate or version, or deny.toml",
        offenders.join("\n")
    )
    .into())
}

fn list_long_files() -> Outcome {
    for line in xtask::sources::to_discuss(&Tree::read()?) {
        writeln!(io::stdout(), "{line}")?;
    }
    Ok(())
}

/// Started by the testkit, which is not built for every other chore.
fn start_postgres(durability: &[&str]) -> Outcome {
    let mut cargo = std::process::Command::new("cargo");
    cargo.args(["run", "--quiet", "--locked"]);
    cargo.args(["--package", "oyez-testkit", "--example", "postgres"]);
    if cargo.args(durability).status()?.success() {
        return Ok(());
    }
    Err("PostgreSQL did not start".into())
}
