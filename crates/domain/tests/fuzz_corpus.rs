//! The fuzz targets of this crate as ordinary tests: see fuzz/campaign.rs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "a campaign says what would repeat it")]

#[path = "../../../fuzz/campaign.rs"]
mod campaign;

#[path = "../../../fuzz/bodies/callback_url.rs"]
mod callback_url;
#[path = "../../../fuzz/bodies/claims.rs"]
mod claims;
#[path = "../../../fuzz/bodies/poll.rs"]
mod poll;

// S-07, C-09
#[test]
fn callback_url_holds_over_its_corpus_and_mutations() {
    campaign::run("callback_url", callback_url::run);
}

// T-01, T-03, T-05
#[test]
fn claims_holds_over_its_corpus_and_mutations() {
    campaign::run("claims", claims::run);
}

// P-01, P-04
#[test]
fn poll_holds_over_its_corpus_and_mutations() {
    campaign::run("poll", poll::run);
}
