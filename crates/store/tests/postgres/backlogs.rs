//! What a change does to a backlog of any size (S-05, D-07).

mod slow {
    use oyez_domain::event::Family;
    use oyez_domain::ids::RegistrationId;
    use oyez_domain::ledger::registering::{Kind, Target, Wish};
    use oyez_domain::version::ApiVersion;
    use oyez_store::Store;
    use oyez_store::postgres::Options;
    use oyez_testkit::making::{DAWN, Jtis, UPDATE, everything, notice, pushed_to, submission};
    use oyez_testkit::postgres::Database;

    use crate::{node, subscriber};

    // S-05, D-07
    #[tokio::test]
    async fn a_backlog_of_more_than_is_done_at_once_begins_anew_and_is_withdrawn_whole() {
        let database = Database::new().await;
        let ledger = node(&database, Options::default()).await.unwrap();
        let (tpp, jtis) = (subscriber(&ledger, "backlog").await, Jtis::from(1));
        let item = || submission(jtis.next(DAWN), notice(&tpp, Family::Aisp, &[UPDATE]));
        for _ in 0..BATCHES {
            let batch = (0..BATCH).map(|_| item()).collect();
            ledger.accept(batch, DAWN).await.unwrap();
        }
        database
            .run("UPDATE outstanding SET refusals = 1, refused_since = 1")
            .await;
        let target = Target {
            id: RegistrationId::new("of-backlog").unwrap(),
            kind: Kind::Subscription,
            api: ApiVersion::V4_0,
        };
        let wish = Wish::Subscription(pushed_to("acme.example", everything()));
        let replaced = ledger.replace_registration(tpp.clone(), target.clone(), wish, DAWN);
        let (_, effect) = replaced.await.unwrap().unwrap();
        assert_eq!(effect.withdrawn, 0);
        assert_eq!(database.number(CHARGED).await, 0);
        let deleted = ledger.delete_registration(tpp.clone(), target, DAWN);
        let effect = deleted.await.unwrap().unwrap();
        assert_eq!(effect.withdrawn, BATCHES * BATCH);
        let counts = ledger.counts(tpp).await.unwrap();
        assert_eq!((counts.outstanding, counts.withdrawn), (0, BATCHES * BATCH));
        assert_eq!(database.number(SETTLED).await, 12_000);
    }

    const BATCHES: u64 = 12;
    const BATCH: u64 = 1_000;
    const CHARGED: &str = "
        SELECT count(*) FROM outstanding WHERE refusals > 0 OR refused_since IS NOT NULL OR push_at IS NULL";
    const SETTLED: &str = "SELECT count(*) FROM settlements WHERE NOT superseded";
}
