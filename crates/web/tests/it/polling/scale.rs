//! Ten thousand polls that wait. What it costs is printed and judged by people; that all are answered is a test.

mod slow {
    use std::sync::Arc;

    use oyez_domain::ids::ClientId;
    use tokio::task::JoinSet;
    use tokio::time::Instant;

    use super::super::bank::{Bank, Polling, answer_of, at_most, until, waiting};

    const TPPS: usize = 1_000;
    const POLLS_EACH: usize = 10;

    // P-07
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn ten_thousand_polls_are_woken_by_one_event_each() {
        let bank = Arc::new(Bank::new());
        let tpps = known(&bank).await;
        let mut polls: Vec<Polling> = Vec::with_capacity(TPPS * POLLS_EACH);
        let began = Instant::now();
        for tpp in &tpps {
            for _ in 0..POLLS_EACH {
                polls.push(bank.start(at_most(1, waiting(tpp))));
            }
        }
        until(|| bank.waiters.counts().waiting == TPPS * POLLS_EACH).await;
        println!("{} polls lay down in {:?}", polls.len(), began.elapsed());
        let began = Instant::now();
        let looks = bank.looks();
        let mut publishing = JoinSet::new();
        for tpp in tpps {
            let bank = Arc::clone(&bank);
            publishing.spawn(async move { bank.accept(&tpp, POLLS_EACH).await });
        }
        for poll in polls {
            assert_eq!(answer_of(poll).await.sets.len(), 1);
        }
        let looks = bank.looks() - looks;
        println!(
            "all were woken, signed for and answered in {:?}, with {looks} looks",
            began.elapsed()
        );
        assert_eq!(bank.waiters.counts().waiting, 0);
    }

    async fn known(bank: &Arc<Bank>) -> Vec<ClientId> {
        let mut registering = JoinSet::new();
        for number in 0..TPPS {
            let bank = Arc::clone(bank);
            registering.spawn(async move { bank.tpp(&format!("tpp-{number}")).await });
        }
        registering.join_all().await
    }
}
