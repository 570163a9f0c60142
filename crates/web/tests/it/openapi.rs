//! What the descriptions of the API promise is what is served: they are pinned, a generator of requests tries them on a live
//! server, and they are compared with the standard's own.

mod generated;
mod official;

use std::path::PathBuf;

use oyez_domain::base_url::BaseUrl;
use oyez_domain::rules::Rules;
use oyez_domain::versions::Row;
use oyez_testkit::bank::BASE_URL;
use oyez_web::openapi::{self, Facts, Signatures};
use oyez_web::tpp::{Features, routes};
use serde_json::Value;

// W-02, G-11
#[test]
fn the_documents_of_the_tpp_api_are_pinned() {
    let rules = Rules::default();
    for row in rules.versions.rows() {
        let text = serde_json::to_string_pretty(&document(&rules, row)).unwrap();
        insta::assert_snapshot!(format!("tpp-{}", row.api), text);
    }
}

/// The document of a version as a bank with the defaults serves it.
fn document(rules: &Rules, row: &Row) -> Value {
    let base_url: BaseUrl = BASE_URL.parse().unwrap();
    let facts = Facts {
        row,
        base_url: &base_url,
        token_url: "https://auth.bank.example/token",
        signatures: Signatures::Required,
    };
    openapi::tpp(facts, &routes(rules, Features::default()))
}

/// Python with the libraries that `requirements.txt` beside the scripts names: where the variable says, or where `./test` puts it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told where its tools are"
)]
fn python_tool(name: &str) -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let installed = target.parent().unwrap().join("interop/venv/bin/python");
    let python = std::env::var_os("OYEZ_TEST_PYTHON").map_or(installed, PathBuf::from);
    let tool = python.with_file_name(name);
    assert!(
        tool.exists(),
        "{} is missing: ./test installs it",
        tool.display()
    );
    tool
}

/// A file beside the scripts.
fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/openapi")
        .join(name)
}
