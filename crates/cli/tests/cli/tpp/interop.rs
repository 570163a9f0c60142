//! Against parts that nobody here wrote: a receiver and a transmitter of OpenID Shared Signals, the JOSE libraries of other
//! languages, OpenSSL's certificates. And an application that embeds the library, as its example does.

mod easyssf;
mod example;
mod libraries;
mod openssl;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{PATIENCE, Running};
use crate::bank::Desk;

/// A program of somebody else's that says a line of JSON at a time. Dropped, it is killed.
struct Peer {
    desk: Desk,
    running: Running,
}

impl Peer {
    /// Starts it on a desk of its own, which has these files.
    fn start(program: &Path, words: &[&str], files: &[(&str, String)]) -> Self {
        let desk = Desk::empty();
        for (name, text) in files {
            desk.write(name, text);
        }
        let file = |name| File::create(desk.path(name)).unwrap();
        let child = Command::new(program)
            .args(words)
            .current_dir(desk.path(""))
            .stdin(Stdio::null())
            .stdout(file(SAID))
            .stderr(file(COMPLAINED))
            .spawn();
        let running = Running(child.unwrap());
        Self { desk, running }
    }

    /// easyssf in one of its roles, told what to do.
    fn easyssf(role: &str, wish: &Value, files: &[(&str, String)]) -> Self {
        let program = installed("OYEZ_TEST_EASYSSF", "debug/easyssf-peer");
        let mut files = files.to_vec();
        files.push(("wish.json", wish.to_string()));
        Self::start(&program, &[role, "wish.json"], &files)
    }

    /// The lines of JSON that it said so far.
    fn said(&self) -> Vec<Value> {
        lines(&self.whole_lines())
    }

    fn whole_lines(&self) -> String {
        let mut text = self.desk.read(SAID);
        text.truncate(text.rfind('\n').unwrap_or(0));
        text
    }

    /// Waits until there is an answer to what it has said, in whole lines.
    async fn until<T>(&self, what: &str, look: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.whole_lines();
            if let Some(found) = look(&text) {
                return found;
            }
            let complaint = self.desk.read(COMPLAINED);
            assert!(
                Instant::now() < deadline,
                "not so: {what}\n{text}\n{complaint}"
            );
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until it has said this many lines with this member; their values.
    async fn until_said(&self, member: &str, count: usize) -> Vec<Value> {
        let what = format!("it said `{member}` {count} times");
        let enough =
            |text: &str| Some(values(&lines(text), member)).filter(|values| values.len() >= count);
        self.until(&what, enough).await
    }

    /// Waits for a line with these words in it; what follows them there.
    async fn until_told(&self, words: &str) -> String {
        let rest = |text: &str| {
            let mut told = text.lines().filter_map(|line| line.split_once(words));
            told.next().map(|(_, rest)| rest.to_owned())
        };
        self.until(words, rest).await
    }

    /// Waits until it ends of itself, well; all that it said.
    fn ended(mut self) -> Vec<Value> {
        let status = self.running.0.wait().unwrap();
        let complaint = self.desk.read(COMPLAINED);
        assert!(status.success(), "{complaint}");
        self.said()
    }
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.map(Result::unwrap).collect()
}

/// What lines say under this name.
fn values(said: &[Value], member: &str) -> Vec<Value> {
    let values = said.iter().filter_map(|line| line.get(member));
    values.cloned().collect()
}

/// What a script answers to a document.
fn asked(mut script: Command, document: &Value) -> Value {
    let child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(document.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script:?}: {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A script of `tests/interop`.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/interop")
        .join(name)
}

/// Where `variable` says, else in the target folder: `./test` puts it there.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told where its tools are"
)]
pub(crate) fn installed(variable: &str, default: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let default = target.join(default);
    let path = std::env::var_os(variable).map_or(default, PathBuf::from);
    assert!(path.exists(), "{} is not there: run ./test", path.display());
    path
}

const SAID: &str = "said";
const COMPLAINED: &str = "complained";
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(10);
