//! A command that is run for each event.
//!
//! It and what it starts are a process group of their own. When its time is over, or ours, the whole group is killed, so that
//! nothing of it goes on with an event that the bank will offer again. A command that ended by itself may leave what it likes
//! running; and what leaves the group (`setsid`) is out of reach.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use oyez_tpp::{Declined, HandOver, Notification, Pending, Repeat};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::later;
use crate::tpp::record;

/// The shell runs it, with the event on standard input; exit code 0 says that it has the event.
pub(super) struct Command {
    text: String,
    time_max: Duration,
    places: Semaphore,
}

/// The processes of a command. Dropped before it has ended, all of them are killed.
struct Group {
    shell: process::Child,
}

impl Command {
    pub(super) fn new(text: String, time_max: Duration) -> Self {
        Self {
            text,
            time_max,
            places: Semaphore::new(AT_ONCE_MAX),
        }
    }

    async fn run(&self, notification: &Notification) -> Result<(), Declined> {
        // Nobody closes it.
        let _place = self.places.acquire().await.ok();
        let ran = timeout(self.time_max, self.feed(notification)).await;
        match ran {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(later(format!("the command ended with {status}"))),
            Ok(Err(error)) => Err(later(format!("the command cannot be run: {error}"))),
            Err(_) => Err(later(format!(
                "the command took longer than {:?}",
                self.time_max
            ))),
        }
    }

    async fn feed(&self, notification: &Notification) -> io::Result<ExitStatus> {
        let repeated = notification.repeat == Repeat::Possible;
        let shell = process::Command::new("sh")
            .arg("-c")
            .arg(&self.text)
            .env("OYEZ_BANK", &*notification.bank)
            .env("OYEZ_JTI", &notification.claims.jti)
            .env("OYEZ_MAYBE_REPEATED", repeated.to_string())
            .stdin(Stdio::piped())
            // What it says is for people; standard output is data's.
            .stdout(io::stderr())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut group = Group { shell };
        let line = format!("{}\n", record::of(notification));
        if let Some(mut stdin) = group.shell.stdin.take() {
            // A command that does not read says what it thinks by its exit code.
            stdin.write_all(line.as_bytes()).await.ok();
        }
        group.shell.wait().await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Until it is waited for it has its id, and nobody else can have it.
        let id = self.shell.id().and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = id.and_then(Pid::from_raw) {
            kill_process_group(leader, Signal::KILL).ok();
        }
    }
}

impl HandOver for Command {
    fn hand_over<'a>(
        &'a self,
        notifications: &'a [Notification],
    ) -> Pending<'a, Vec<Result<(), Declined>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(notifications.len());
            for notification in notifications {
                outcomes.push(self.run(notification).await);
            }
            outcomes
        })
    }
}

/// Pushes come side by side; a machine bears so many processes.
const AT_ONCE_MAX: usize = 8;
