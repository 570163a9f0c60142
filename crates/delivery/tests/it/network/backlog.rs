//! A long queue in front of a dead endpoint.

mod slow {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use oyez_domain::ledger::lanes::Health;
    use oyez_domain::tpp::Overrides;
    use oyez_testkit::endpoint::Behaviour;
    use oyez_testkit::scale;
    use tokio::time::Instant;

    use crate::network::world::{PATH, World};

    /// Of this process, in bytes.
    fn resident() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
        let kib: u64 = line
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        kib * 1_024
    }

    #[expect(clippy::print_stderr, reason = "figures are for people")]
    fn tell(figures: &str) {
        eprintln!("{figures}");
    }

    // D-04, D-06, D-09, D-10
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_hundred_thousand_queued_events_cost_one_probe_per_step_and_all_arrive() {
        let events = usize::try_from(scale::rounds(100_000)).unwrap();
        let world = World::start().await;
        let one_at_once = Overrides {
            pushes_at_once_max: NonZeroU32::new(1),
            ..Overrides::default()
        };
        let tpp = world
            .tpp_with("acme", Behaviour::status(503), one_at_once)
            .await;
        let jtis = world.publish(&tpp, events).await;
        let before = (resident(), tpp.endpoint.count(PATH));
        let failures = |health: Health| match health {
            Health::Failing { failures, .. } => failures,
            other => panic!("{other:?}"),
        };
        let is_failing = |it: &Health| matches!(it, Health::Failing { .. });
        let first = failures(world.until_health(&tpp, is_failing).await);
        tpp.endpoint.until_count(PATH, before.1 + 30).await;
        let last = failures(world.health(&tpp).await);
        let grown = resident().saturating_sub(before.0);
        assert!(grown < 32 << 20, "{grown} bytes more while nothing is sent");
        // One request for each failure that was counted, and the one that is not yet.
        let probes = tpp.endpoint.count(PATH) - before.1;
        let counted = usize::try_from(last - first).unwrap();
        assert!(probes <= counted + 2, "{probes} probes, {counted} steps");

        let tried = tpp.inbox().distinct().to_vec();
        let outage_requests = tpp.endpoint.count(PATH);
        let begun = Instant::now();
        tpp.endpoint.behave(PATH, Behaviour::accept());
        tpp.endpoint
            .until_within(PATH, Duration::from_secs(600), |inbox| {
                inbox.accepted().len() == events
            })
            .await;
        let inbox = tpp.inbox();
        let never_tried_before: Vec<_> = jtis
            .iter()
            .filter(|jti| !tried.contains(jti))
            .copied()
            .collect();
        // Of first attempts: on a machine that is busy with other things one may fail, and is made again.
        let after = &inbox.distinct()[tried.len()..];
        assert!(
            after == never_tried_before,
            "not in the order of acceptance"
        );
        let again = (inbox.jtis().len() - outage_requests).saturating_sub(events);
        let took = begun.elapsed();
        let arrivals = inbox.arrivals().iter();
        let kept: usize = arrivals.map(|seen| seen.head.len() + seen.body.len()).sum();
        let peak = resident().saturating_sub(before.0 + kept as u64);
        tell(&format!(
            "{events} events: {probes} probes in {counted} steps, {} KiB more meanwhile; delivered in {took:.1?}, \
             {again} twice, {} KiB more in all beside the {} KiB that the endpoint keeps",
            grown >> 10,
            peak >> 10,
            kept >> 10
        ));
        assert!(inbox.differing().is_empty());
        assert!(peak < 256 << 20, "{peak} bytes more");
        world.until_all_settled(&tpp).await;
    }
}
