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

/// A file beside the scripts.
fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/openapi")
        .join(name)
}
