//! `oyez bench`: the real thing with as little load as will do, so that it is known to run and to end. What it measures so means
//! nothing.

use oyez_testkit::postgres::{Database, runtime};

use crate::bank::{Desk, Done};

/// A PostgreSQL as a benchmark finds it: a user who may make databases, and nothing else.
struct Playground {
    database: Database,
    user: String,
}

impl Playground {
    fn new() -> Self {
        let database = runtime().block_on(Database::empty());
        let user = format!("{}_user", database.name());
        let made = format!("CREATE ROLE {user} LOGIN CREATEDB");
        runtime().block_on(database.run(&made));
        Self { database, user }
    }

    fn url(&self) -> String {
        let user = format!("//{}@", self.user);
        self.database.url().replace("//postgres@", &user)
    }

    /// The databases that this user made and that are still there.
    fn left(&self) -> Vec<String> {
        let user = &self.user;
        let asked = format!(
            "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = '{user}' ORDER BY 1"
        );
        runtime().block_on(self.database.ask(&asked))
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        for name in self.left() {
            let dropped = format!("DROP DATABASE {name} WITH (FORCE)");
            runtime().block_on(self.database.run(&dropped));
        }
        let dropped = format!("DROP ROLE {}", self.user);
        runtime().block_on(self.database.run(&dropped));
    }
}

fn refused(desk: &Desk, words: &str, code: i32, mend: &str) {
    let Done {
        code: was, stderr, ..
    } = desk.run(words);
    assert_eq!(was, code, "{stderr}");
    assert!(stderr.contains(mend), "{stderr}");
    let left = std::fs::read_dir(desk.path(".")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn a_bank_that_is_not_a_benchmarks_is_never_opened() {
    let desk = Desk::empty();
    let postgres = "bench accept --backend postgres";
    refused(&desk, postgres, 2, "OYEZ_BENCH_DATABASE");
    let nobody = format!("{postgres} --database postgresql://nobody@127.0.0.1:1/none");
    refused(&desk, &nobody, 3, "mend: name one that runs");
    for name in ["oyez.db", "bank/oyez.db"] {
        let words = format!("bench poll --ledger {name}");
        refused(&desk, &words, 2, "mend: give it a name such as past.bench");
    }
    refused(
        &desk,
        "bench poll --ledger past.bench",
        3,
        "`oyez bench fill`",
    );
    refused(&desk, "bench fill", 2, "mend: name it: --ledger");
}

mod slow {
    use std::fs;
    use std::path::Path;
    use std::process::Command;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::Playground;
    use crate::bank::{Desk, Done};

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

    /// Where benchmarks run.
    struct Ground {
        desk: Desk,
        postgres: Option<Playground>,
    }

    impl Ground {
        /// One of each backend.
        fn both() -> [Self; 2] {
            [None, Some(Playground::new())].map(|postgres| Self {
                desk: Desk::empty(),
                postgres,
            })
        }

        fn run(&self, words: &str) -> Done {
            let Some(postgres) = &self.postgres else {
                return self.desk.run(&format!("bench {words} --json"));
            };
            let words = format!("bench {words} --backend postgres --json");
            let url = postgres.url();
            self.desk
                .run_with(&words, "", &[("OYEZ_BENCH_DATABASE", &url)])
        }

        /// Runs it and answers the object on the last line.
        fn measured(&self, words: &str) -> Value {
            let done = self.run(words);
            assert_eq!(done.code, 0, "{}", done.stderr);
            self.object(&done)
        }

        fn object(&self, done: &Done) -> Value {
            let figures = figures(done);
            self.of_backend(&figures);
            let database = figures["db_cpu_us_per_event"].as_f64();
            assert_eq!(database.is_some(), self.postgres.is_some(), "{figures}");
            figures
        }

        fn of_backend(&self, figures: &Value) {
            let backend = self.postgres.as_ref().map_or("sqlite", |_| "postgres");
            assert_eq!(figures["backend"], backend);
        }

        /// Nothing but this.
        fn leaves(&self, files: &[&str], databases: &[&str]) {
            let left = fs::read_dir(self.desk.path(".")).unwrap();
            let left: Vec<_> = left.map(|it| it.unwrap().file_name()).collect();
            match &self.postgres {
                None => assert_eq!(left, files),
                Some(postgres) => {
                    assert!(left.is_empty(), "{left:?}");
                    assert_eq!(postgres.left(), databases);
                }
            }
        }
    }

    /// The object on the last line.
    fn figures(done: &Done) -> Value {
        let last = done.stdout.lines().last().unwrap();
        let figures: Value = serde_json::from_str(last).unwrap();
        for name in NAMED {
            assert!(figures[name].as_f64().is_some(), "{name} in {figures}");
        }
        figures
    }

    /// The processes that one has begun.
    fn children(process: u32) -> Vec<String> {
        let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
        // A thread may end meanwhile.
        let begun = threads
            .flatten()
            .map(|thread| thread.path().join("children"));
        let begun: String = begun.flat_map(fs::read_to_string).collect();
        begun.split_whitespace().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_run_that_is_terminated_ends_its_server_and_leaves_nothing_behind() {
        let desk = Desk::empty();
        let run = desk.start("bench accept --events 10000000", &[]);
        let server = loop {
            if let [server] = &children(run.id())[..] {
                break server.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let id = run.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        let done = run.wait_with_output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(said.contains("error: ended by SIGTERM"), "{said}");
        assert_eq!(done.status.code(), Some(3), "{said}");
        assert!(!Path::new("/proc").join(server).exists());
        assert_eq!(fs::read_dir(desk.path(".")).unwrap().count(), 0);
    }

    #[test]
    fn accepting_is_measured_and_leaves_nothing_behind() {
        for ground in Ground::both() {
            let figures = ground.measured("accept --events 450 --connections 2 --tpps 3 --keyed");
            assert_eq!(figures["events"], 450);
            let one_by_one =
                ground.measured("accept --events 30 --batch 1 --connections 4 --tpps 3");
            assert_eq!(one_by_one["batch"], 1);
            ground.leaves(&[], &[]);
        }
    }

    #[test]
    fn polling_is_measured_over_tls_and_behind_a_gateway() {
        for ground in Ground::both() {
            for transport in ["tls", "plain"] {
                let words = format!(
                    "poll --events 90 --batch 20 --tpps 2 --alg ES256 --transport {transport}"
                );
                let figures = ground.measured(&words);
                assert_eq!(figures["events"], 90);
                assert!(figures["set_bytes"].as_u64().unwrap() > 500);
            }
            ground.leaves(&[], &[]);
        }
    }

    #[test]
    fn waking_is_measured_over_tls_and_behind_a_gateway() {
        for ground in Ground::both() {
            for transport in ["tls", "plain"] {
                let words =
                    format!("long-poll --waiters 12 --tpps 3 --alg ES256 --transport {transport}");
                let figures = ground.measured(&words);
                assert_eq!(figures["waiters"], 12);
                assert!(figures["kib_per_waiter"].as_f64().is_some());
                assert!(figures["wake_ms"].as_f64().unwrap() > 0.0);
            }
            ground.leaves(&[], &[]);
        }
    }

    #[test]
    fn pushing_is_measured_and_every_event_is_accounted_for() {
        for ground in Ground::both() {
            let words = "push --events 300 --tpps 3 --alg ES256 --ahead 1000 --bad-neighbours --outstanding 50";
            let figures = ground.measured(words);
            assert_eq!(figures["events"], 300);
            for name in [
                "half_p99_ms",
                "beside_p99_ms",
                "beside_to_alone",
                "rss_peak_mib",
            ] {
                assert!(figures[name].as_f64().unwrap() > 0.0, "{name} in {figures}");
            }
            let over_http_2 =
                ground.measured("push --events 300 --tpps 3 --alg ES256 --ahead 1000 --http 2");
            assert_eq!(over_http_2["http"], "2");
            ground.leaves(&[], &[]);
        }
    }

    #[test]
    fn receiving_is_measured_and_each_set_is_handed_over_once() {
        let desk = Desk::empty();
        for (alg, seen) in [("PS256", "sqlite"), ("ES256", "memory")] {
            let done = desk.run(&format!(
                "bench receive --events 200 --connections 3 --alg {alg} --seen {seen} --json"
            ));
            assert_eq!(done.code, 0, "{}", done.stderr);
            let figures = figures(&done);
            assert_eq!(
                (&figures["backend"], &figures["alg"]),
                (&json!(seen), &json!(alg))
            );
            assert_eq!(figures["events"], 200);
            assert!(figures["cpu_us_outside_verifying"].as_f64().is_some());
        }
        assert_eq!(fs::read_dir(desk.path(".")).unwrap().count(), 0);
    }

    #[test]
    fn draining_is_measured_and_each_event_is_acknowledged() {
        for (ground, seen) in Ground::both().into_iter().zip(["sqlite", "memory"]) {
            let words =
                format!("drain --events 250 --pollers 2 --batch 40 --alg ES256 --seen {seen}");
            let figures = ground.measured(&words);
            assert_eq!(
                (&figures["events"], &figures["seen"]),
                (&json!(250), &json!(seen))
            );
            assert!(figures["server_cpu_us_per_event"].as_f64().is_some());
            ground.leaves(&[], &[]);
        }
    }

    #[test]
    fn the_steady_state_is_measured_by_quarters_and_the_exit_code_says_whether_it_lasts() {
        for ground in Ground::both() {
            let done = ground.run("steady --events 1000 --tpps 4 --batch 20");
            let figures = ground.object(&done);
            let lasts = figures["last_to_first"].as_f64().unwrap() >= 0.9;
            assert_eq!(done.code, i32::from(!lasts), "{}", done.stderr);
            assert_eq!(figures["events"], 1000);
            for quarter in ["first", "second", "third", "last"] {
                for name in ["rate", "p99_ms", "ledger_mib"] {
                    let name = format!("{quarter}_{name}");
                    assert!(
                        figures[&name].as_f64().unwrap() > 0.0,
                        "{name} in {figures}"
                    );
                }
                for name in ["outstanding_dead", "queues_dead", "outstanding_mib"] {
                    let is_told = figures[format!("{quarter}_{name}")].as_f64().is_some();
                    assert_eq!(is_told, ground.postgres.is_some(), "{name} in {figures}");
                }
            }
            ground.leaves(&[], &[]);
        }
    }

    #[test]
    fn a_ledger_with_a_past_is_made_measured_again_and_again_and_stays() {
        for ground in Ground::both() {
            let name = match &ground.postgres {
                None => "past.bench".to_owned(),
                Some(postgres) => format!("{}_bench", postgres.database.name()),
            };
            let fill = format!("fill --settled 2000 --outstanding 60 --tpps 3 --ledger {name}");
            let done = ground.run(&fill);
            assert_eq!(done.code, 0, "{}", done.stderr);
            let figures: Value = serde_json::from_str(done.stdout.trim()).unwrap();
            ground.of_backend(&figures);
            assert_eq!(figures["events"], 2060);
            assert!(figures["rate"].as_f64().unwrap() > 0.0, "{figures}");
            for words in [
                "accept --events 450 --connections 2 --tpps 3",
                "push --events 300 --tpps 3 --alg ES256 --ahead 1000",
                "poll --events 90 --batch 20 --tpps 2 --alg ES256",
                "poll --events 90 --batch 20 --tpps 2 --alg ES256",
            ] {
                let figures = ground.measured(&format!("{words} --ledger {name}"));
                assert_eq!(figures["ledger"], name.as_str());
            }
            assert_eq!(ground.run(&fill).code, 3, "it is there already");
            ground.leaves(&["past.bench", "past.bench.lock"], &[&name]);
        }
    }
}
