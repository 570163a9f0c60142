//! What the descriptions of the API promise is what is served: they are pinned, a generator of requests tries them on a live
//! server, and they are compared with the standard's own.

mod generated;
mod official;

use std::collections::BTreeSet;
use std::path::PathBuf;

use oyez_domain::base_url::BaseUrl;
use oyez_domain::rules::Rules;
use oyez_domain::versions::Row;
use oyez_testkit::bank::BASE_URL;
use oyez_web::internal::operators::Role;
use oyez_web::internal::{Access, ROUTES};
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

// I-05
#[test]
fn the_document_of_the_internal_api_is_pinned_and_has_every_route() {
    let document = openapi::internal();
    let text = serde_json::to_string_pretty(&document).unwrap();
    insta::assert_snapshot!("internal", text);
    for route in &ROUTES {
        let method = route.method.as_str().to_lowercase();
        let described = &document["paths"][route.path][method];
        assert_eq!(described["operationId"], route.id);
        let roles = &described["security"][0]["Token"];
        for role in Role::ALL {
            let named = roles
                .as_array()
                .is_some_and(|all| all.contains(&role.name().into()));
            let open = route.access != Access::Anyone && route.access.is_open_to(role);
            assert_eq!(named, open, "{} as {}", route.id, role.name());
        }
    }
    let paths = document["paths"].as_object().unwrap().values();
    let described: usize = paths
        .map(|methods| methods.as_object().unwrap().len())
        .sum();
    assert_eq!(described, ROUTES.len());
}

// I-05, W-02
#[test]
fn every_schema_that_a_document_refers_to_is_there_and_used() {
    let rules = Rules::default();
    let rows = rules.versions.rows().iter();
    let documents = rows.map(|row| document(&rules, row));
    for document in documents.chain([openapi::internal()]) {
        let text = document.to_string();
        let used: BTreeSet<&str> = text
            .split("\"#/components/schemas/")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        let there = document["components"]["schemas"].as_object().unwrap();
        let there: BTreeSet<&str> = there.keys().map(String::as_str).collect();
        assert_eq!(used, there);
    }
}

/// The document of a version as a bank with the defaults serves it.
fn document(rules: &Rules, row: &Row) -> Value {
    let base_url: BaseUrl = BASE_URL.parse().unwrap();
    let facts = Facts {
        row,
        base_url: &base_url,
        token_url: Some("https://auth.bank.example/token"),
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
