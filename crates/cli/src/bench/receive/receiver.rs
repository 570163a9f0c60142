//! The receiver that is measured: `oyez listen` in a process of its own, with an application in it that counts.

use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::oneshot;

use crate::args::{self, BenchSeen};
use crate::bench::application::{Count, Counter};
use crate::bench::process::Process;
use crate::bench::{broken, unexpected};
use crate::commands::Surroundings;
use crate::failure::Failure;
use crate::output::{self, Reply};
use crate::tpp;

/// A running one. Dropped, it is killed.
pub(super) struct Receiver {
    child: Child,
    said: BufReader<ChildStdout>,
    pub(super) process: Process,
    pub(super) address: SocketAddr,
}

/// Its first line.
#[derive(Serialize, Deserialize)]
struct Ready {
    address: SocketAddr,
}

impl Receiver {
    pub(super) fn start(config: &Path, seen: BenchSeen) -> Result<Self, Failure> {
        let cannot = |error: io::Error| broken("cannot start the receiver", &error);
        let mut child = Command::new(std::env::current_exe().map_err(cannot)?)
            .args(["bench", "receiver", "--json", "--seen", seen.name()])
            .arg("--config")
            .arg(config)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(cannot)?;
        let said = child.stdout.take().expect("it was piped");
        // From here on it is killed whatever happens.
        let mut receiver = Self {
            process: Process::of(&child),
            child,
            said: BufReader::new(said),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let Ready { address } = receiver.line()?;
        receiver.address = address;
        Ok(receiver)
    }

    /// Ends it; answers what its application got.
    pub(super) fn finish(mut self) -> Result<Count, Failure> {
        drop(self.child.stdin.take());
        self.line()
    }

    fn line<T: for<'de> Deserialize<'de>>(&mut self) -> Result<T, Failure> {
        let mut line = String::new();
        let read = self.said.read_line(&mut line);
        read.map_err(|error| broken("cannot hear the receiver", &error))?;
        serde_json::from_str(&line)
            .map_err(|_| unexpected("the receiver did not start, or ended early: see above"))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Is that process: it receives until its standard input ends.
pub(in crate::bench) fn run(
    args: &args::Receiver,
    around: &Surroundings,
) -> Result<Reply, Failure> {
    let counter = Arc::new(Counter::default());
    let application = Arc::clone(&counter);
    let announce = |address| {
        // Whoever is gone has closed standard input too.
        output::line(json!(Ready { address })).ok();
    };
    let (seen, end) = (args.seen, end_of_input());
    tpp::receive(&args.config, seen, application, around, announce, end)?;
    let count = counter.count();
    Ok(Reply::new(format!("{count:?}"), json!(count)).on_one_line())
}

/// On a thread that may wait.
fn end_of_input() -> impl Future<Output = ()> + Send + 'static {
    let (ended, end) = oneshot::channel::<()>();
    thread::spawn(move || {
        io::copy(&mut io::stdin().lock(), &mut io::sink()).ok();
        drop(ended);
    });
    async {
        end.await.ok();
    }
}
