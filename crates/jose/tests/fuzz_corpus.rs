//! The fuzz targets of this crate as ordinary tests: see fuzz/campaign.rs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a campaign says what would repeat it")]

#[path = "../../../fuzz/campaign.rs"]
mod campaign;

#[path = "../../../fuzz/bodies/jwks.rs"]
mod jwks;
#[path = "../../../fuzz/bodies/jws.rs"]
mod jws;

// T-08, M-01
#[test]
fn jws_holds_over_its_corpus_and_mutations() {
    campaign::run("jws", jws::run);
}

// M-05
#[test]
fn jwks_holds_over_its_corpus_and_mutations() {
    campaign::run("jwks", jwks::run);
}
