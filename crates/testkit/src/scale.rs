//! How long campaigns run, and by which seed: `OYEZ_TEST_SCALE` is `quick`, `tenth` (the default) or `full`;
//! `OYEZ_TEST_SEED` repeats a run.

use std::hash::{BuildHasher, Hasher, RandomState};

/// So many rounds of a campaign that has `full` of them.
pub fn rounds(full: u32) -> u32 {
    match variable("OYEZ_TEST_SCALE").as_deref() {
        Some("full") => full,
        Some("quick") => full.div_ceil(100),
        Some("tenth") | None => full.div_ceil(10),
        Some(other) => panic!("OYEZ_TEST_SCALE is quick, tenth or full, not {other}"),
    }
}

/// The seed that was asked for, else one at random; printed either way.
#[expect(clippy::print_stderr, reason = "seeds are for people")]
pub fn seed(campaign: &str) -> u64 {
    let seed = variable("OYEZ_TEST_SEED").map_or_else(
        || RandomState::new().build_hasher().finish(),
        |text| text.parse().expect("OYEZ_TEST_SEED is a number"),
    );
    eprintln!("{campaign}: to repeat this run, set OYEZ_TEST_SEED={seed}");
    seed
}

#[expect(
    clippy::disallowed_methods,
    reason = "the scale of a test run is not configuration of the product"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
