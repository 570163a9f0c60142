//! The campaign in which everybody asks as much as the server can answer.

use std::collections::BTreeMap;
use std::time::Duration;

use oyez_testkit::dice::Dice;
use oyez_testkit::scale;

use super::load::{Errors, Habits, Refusals};
use super::{CHANGING, Campaign, client_of};
use crate::house::House;

/// `./test --quick` leaves these out.
mod slow {
    use super::*;

    // D-08, G-10, I-01, I-02, P-02, P-03, P-09, P-12, S-01, S-04, S-05
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_answered_with_success_is_lost_when_the_server_is_killed() {
        lose_nothing(House::new(&VARIABLES), 200).await;
    }

    // D-08, G-10, I-01, I-02, P-02, P-03, P-09, P-12, S-01, S-04, S-05
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_lost_in_a_shared_ledger_when_the_server_is_killed() {
        lose_nothing(House::on_postgres(&VARIABLES).await, 100).await;
    }

    async fn lose_nothing(house: House, rounds: u32) {
        let mut dice = Dice::new(scale::seed("kill under HTTP"));
        let mut campaign = begin(house).await;
        let rounds = u64::from(scale::rounds(rounds));
        for round in 0..rounds {
            let everybody = campaign.live(round, &mut dice).await;
            campaign.die(everybody, &mut dice).await;
            campaign.house.start();
            campaign.repeat_what_was_not_answered().await;
            campaign.audit(&mut dice).await;
        }
        campaign.audit_all().await;
        assert_eq!(campaign.house.stop(), 0);
        tell(&campaign);
    }
}

async fn begin(mut house: House) -> Campaign {
    house.start();
    let mut tpps = BTreeMap::new();
    for tpp in TPPS {
        let name = client_of(tpp);
        let caller = match tpp {
            CHANGING => house.tpp(&name).await,
            _ => house.subscriber(&name).await,
        };
        tpps.insert(tpp, caller);
    }
    let habits = Habits {
        publishers: 3,
        pause: Duration::ZERO,
        errors: Errors::Some,
        refusals: Refusals::None,
        answers_max: 300,
    };
    Campaign::new(house, tpps, &TPPS, habits)
}

#[expect(clippy::print_stderr, reason = "what a campaign did is for people")]
fn tell(campaign: &Campaign) {
    let books = campaign.books.lock().unwrap();
    let (accepted, sent) = (books.accepted().len(), books.handed_out().len());
    eprintln!(
        "{} kills, {} answers: {accepted} events accepted, {sent} handed out, {} settled",
        campaign.kills.len(),
        books.answers(),
        books.settled().len()
    );
}

const VARIABLES: [(&str, &str); 2] = [
    ("OYEZ_POLLING__ERROR_CAP", "2"),
    ("OYEZ_POLLING__REDELIVERY_DELAY", "1s"),
];
const TPPS: [usize; 3] = [0, 1, CHANGING];
