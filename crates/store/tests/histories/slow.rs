//! The campaigns, compiled once for each backend: `open` is the backend's, one level up, and `SHARE` the part of the rounds
//! that it plays, as one to so many. `./test --quick` leaves these out.

use oyez_domain::rules::Switches;
use oyez_testkit::scale;

use super::{SHARE, open};
use crate::step::{self, Lanes};
use crate::{alone, campaign, in_company};

// M-06, P-02, P-04, P-05, P-08, P-09, P-12, P-14, I-02, I-03, I-06, S-02, S-05, S-12, C-08, D-07, D-10
#[test]
fn a_backend_answers_every_history_as_the_model_does() {
    let history = step::history(120, Lanes::Played);
    campaign(
        open,
        "histories",
        scale::rounds(3_000 / SHARE),
        history,
        Switches::default(),
        alone,
    );
}

// P-10, C-07a, S-05
#[test]
fn a_backend_answers_as_the_model_does_where_polling_needs_no_subscription() {
    let switches = Switches {
        polling_requires_subscription: false,
        polling_with_callback_url: true,
        ..Switches::default()
    };
    let history = step::history(120, Lanes::Played);
    campaign(
        open,
        "histories of open polling",
        scale::rounds(1_000 / SHARE),
        history,
        switches,
        alone,
    );
}

// A-07, D-09, I-01, I-02, I-03
#[test]
fn histories_of_many_at_once_go_as_if_each_were_alone() {
    let histories = proptest::collection::vec(step::history(80, Lanes::LeftOut), 2..8);
    let cases = scale::rounds(500 / SHARE);
    campaign(
        open,
        "histories in company",
        cases,
        histories,
        Switches::default(),
        in_company,
    );
}
