//! `oyez bench`: the real thing with as little load as will do, so that it is known to run and to end. What it measures so means
//! nothing.

mod slow {
    use std::fs;

    use serde_json::Value;

    use crate::bank::Desk;

    /// The figures that every run names.
    const NAMED: [&str; 8] = [
        "rate",
        "limit_rate",
        "ratio",
        "cpu_us_per_event",
        "p50_ms",
        "p99_ms",
        "rss_mib",
        "events",
    ];

    /// Runs it and answers the object on the last line.
    fn measured(words: &str) -> Value {
        let desk = Desk::empty();
        let done = desk.run(&format!("bench {words} --json"));
        assert_eq!(done.code, 0, "{}", done.stderr);
        let last = done.stdout.lines().last().unwrap();
        let figures: Value = serde_json::from_str(last).unwrap();
        for name in NAMED {
            assert!(figures[name].as_f64().is_some(), "{name} in {figures}");
        }
        assert_eq!(figures["backend"], "sqlite");
        let left: Vec<_> = fs::read_dir(desk.path(".")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        figures
    }

    #[test]
    fn accepting_is_measured_and_leaves_nothing_behind() {
        let figures = measured("accept --events 450 --connections 2 --tpps 3 --keyed");
        assert_eq!(figures["events"], 450);
        let one_by_one = measured("accept --events 30 --batch 1 --connections 4 --tpps 3");
        assert_eq!(one_by_one["batch"], 1);
    }

    #[test]
    fn polling_is_measured_over_tls_and_behind_a_gateway() {
        for transport in ["tls", "plain"] {
            let words =
                format!("poll --events 90 --batch 20 --tpps 2 --alg ES256 --transport {transport}");
            let figures = measured(&words);
            assert_eq!(figures["events"], 90);
            assert!(figures["set_bytes"].as_u64().unwrap() > 500);
        }
    }

    #[test]
    fn waking_is_measured_over_tls_and_behind_a_gateway() {
        for transport in ["tls", "plain"] {
            let words =
                format!("long-poll --waiters 12 --tpps 3 --alg ES256 --transport {transport}");
            let figures = measured(&words);
            assert_eq!(figures["waiters"], 12);
            assert!(figures["kib_per_waiter"].as_f64().is_some());
            assert!(figures["wake_ms"].as_f64().unwrap() > 0.0);
        }
    }

    #[test]
    fn pushing_is_measured_and_every_event_is_accounted_for() {
        let words =
            "push --events 300 --tpps 3 --alg ES256 --ahead 1000 --bad-neighbours --outstanding 50";
        let figures = measured(words);
        assert_eq!(figures["events"], 300);
        for name in [
            "half_p99_ms",
            "beside_p99_ms",
            "beside_to_alone",
            "rss_peak_mib",
        ] {
            assert!(figures[name].as_f64().unwrap() > 0.0, "{name} in {figures}");
        }
        let over_http_2 = measured("push --events 300 --tpps 3 --alg ES256 --ahead 1000 --http 2");
        assert_eq!(over_http_2["http"], "2");
    }
}
