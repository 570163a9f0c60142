//! A second server that follows the first in step: what the first has committed, the second has on disk.

use std::time::Duration;

use tokio::time::Instant;

use super::{Cluster, USER};

impl Cluster {
    /// A copy of this one that follows it from now on; nothing is committed any more without it.
    pub fn standby(&self) -> Self {
        let directory = self.programs.directory();
        let mut copy = self
            .programs
            .command("pg_basebackup", self.directory.path());
        copy.args(["-U", USER, "-h"]).arg(self.directory.path());
        copy.arg("-p").arg(self.port.to_string());
        copy.arg("-D").arg(directory.path().join("data"));
        copy.args(["--write-recovery-conf", "--no-sync", "-X", "stream"]);
        let copied = copy.args(["-c", "fast"]).output().unwrap();
        assert!(
            copied.status.success(),
            "pg_basebackup: {}",
            String::from_utf8_lossy(&copied.stderr)
        );
        let standby = Self::over(self.programs.clone(), directory, self.settings.clone());
        self.set("synchronous_standby_names", "*");
        let began = Instant::now();
        while self.ask(IN_STEP) != "1" {
            assert!(began.elapsed() < IN_STEP_WITHIN, "{}", standby.log());
            std::thread::park_timeout(LOOK_AGAIN);
        }
        standby
    }

    /// A standby takes over: it takes writes when this returns.
    pub fn promote(&self) {
        let mut promote = self.programs.command("pg_ctl", self.directory.path());
        promote.args(["promote", "-s", "-D"]);
        let promoted = promote.arg(self.directory.path().join("data")).status();
        assert!(promoted.unwrap().success(), "{}", self.log());
    }

    /// SIGKILL, now: its data is not to be used again.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

const IN_STEP: &str = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
const IN_STEP_WITHIN: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
