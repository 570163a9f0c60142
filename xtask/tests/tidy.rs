//! The house rules, one test each. A failure lists every offender and says how to mend it.
//!
//! Licences and duplicate versions are absent: `cargo xtask licences` judges them, a step of `./test`.

use xtask::conformance::{self, Rules};
use xtask::dependencies::{self, Policy};
use xtask::metadata::Metadata;
use xtask::tree::Tree;
use xtask::{Offenders, boundaries, documents, sources};

fn check(offenders: &Offenders, mend: &str) {
    assert!(
        offenders.is_empty(),
        "\n  {}\nmend: {mend}\n",
        offenders.join("\n  ")
    );
}

fn tree() -> Tree {
    Tree::read().expect("the repository can be read")
}

fn rules(tree: &Tree) -> Rules {
    let file = tree
        .file(conformance::RULES)
        .expect("the rules are written down");
    Rules::parse(&file.text).expect("the rules are TOML of the right shape")
}

fn policy(tree: &Tree) -> Policy {
    let file = tree.file("deny.toml").expect("there is a policy");
    Policy::parse(&file.text).expect("the policy has the keys that cargo-deny knows")
}

fn metadata(tree: &Tree) -> Metadata {
    Metadata::read(policy(tree).targets()).expect("cargo knows the workspace")
}

#[test]
fn every_rule_number_exists() {
    let tree = tree();
    check(
        &conformance::unknown_numbers(&tree, &rules(&tree)),
        "correct the number",
    );
}

#[test]
fn every_rule_comment_stands_above_a_test() {
    let mend = "put the comment directly above the test's attributes";
    check(&conformance::stray_markers(&tree()), mend);
}

#[test]
fn the_conformance_page_is_current() {
    let tree = tree();
    let page = conformance::page(&rules(&tree), &conformance::proofs(&tree));
    let current = tree
        .file(conformance::PAGE)
        .is_some_and(|file| file.text == page);
    assert!(
        current,
        "{} is not current\nmend: cargo xtask conformance",
        conformance::PAGE
    );
}

#[test]
fn no_file_is_too_long() {
    check(&sources::oversized(&tree()), "split the file by subject");
}

#[test]
fn no_module_is_named_mod() {
    check(
        &sources::old_modules(&tree()),
        "name the file after its module, beside its folder",
    );
}

#[test]
fn every_source_begins_with_prose() {
    check(
        &sources::without_prose(&tree()),
        "begin with `//! ` and say why, and what is absent",
    );
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    check(
        &sources::without_lints(&tree()),
        "add `[lints]` with `workspace = true`",
    );
}

#[test]
fn no_source_says_a_banned_word() {
    check(&sources::banned_words(&tree()), "see each line");
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    check(
        &sources::personal_paths(&tree()),
        "name the place from the repository's root",
    );
}

#[test]
fn no_crate_reaches_what_its_boundary_forbids() {
    let mend = "move the code to where it may be known, or add a row in xtask/src/boundaries.rs";
    check(&boundaries::dependency_offenders(&metadata(&tree())), mend);
}

#[test]
fn no_crate_says_what_its_boundary_forbids() {
    let mend = "take it as a parameter, or move the code to where it may be known";
    check(&boundaries::source_offenders(&tree()), mend);
}

#[test]
fn every_dependency_is_used() {
    let tree = tree();
    check(
        &dependencies::unused_offenders(&metadata(&tree), &tree),
        "remove it from the manifest",
    );
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    check(
        &documents::broken_links(&tree()),
        "correct the path or the heading",
    );
}

#[test]
fn every_rule_has_one_place_in_the_architecture() {
    let tree = tree();
    let mend = "name the rule once in ARCHITECTURE.md, in the row of the place that decides it";
    check(&documents::misplaced_rules(&tree, &rules(&tree)), mend);
}
