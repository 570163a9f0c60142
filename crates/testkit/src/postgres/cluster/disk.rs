//! A small disk for a server to fill: a file system in memory, mounted for one test.
//!
//! It takes root to mount one, or `sudo` that asks no password; without either the test fails and says so. A process of its own
//! holds the mount, and undoes it when its standard input ends: so it goes whatever becomes of the test.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::is_root;

/// A disk of its own, unmounted when it is dropped.
pub struct Disk {
    guard: Child,
    directory: TempDir,
}

/// What of a server is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Everything but its log of changes.
    Data,
    /// Its log of changes alone: when that cannot be written the server gives itself up.
    Log,
}

impl Disk {
    /// Mounts one.
    pub fn mount() -> Self {
        let directory = tempfile::Builder::new().prefix("oyez-disk-").tempdir();
        let directory = directory.unwrap();
        let mut guard = if is_root() {
            Command::new("sh")
        } else {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "sh"]);
            sudo
        };
        guard.args(["-c", GUARD, "sh"]).arg(directory.path());
        guard.arg(BYTES.to_string());
        // Not in our process group: it has to outlive whatever ends us.
        guard.process_group(0);
        guard.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guard = guard.spawn().unwrap();
        let mut said = String::new();
        let stdout = guard.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        assert_eq!(
            said,
            "mounted\n",
            "no file system can be mounted at {}: this test needs root, or sudo without a password, \
             on a machine that lets root mount (in a container: CAP_SYS_ADMIN)",
            directory.path().display()
        );
        Self { guard, directory }
    }

    /// Leaves so many bytes free, as if something else had filled the disk.
    pub fn fill(&self, bytes_left: u64) {
        let mut ballast = File::create(self.directory.path().join(BALLAST)).unwrap();
        let block = vec![0xa5; BLOCK];
        while ballast.write_all(&block).is_ok() {}
        let full = ballast.metadata().unwrap().len();
        ballast.set_len(full.saturating_sub(bytes_left)).unwrap();
    }

    /// Gives all of that back.
    pub fn relieve(&self) {
        std::fs::remove_file(self.directory.path().join(BALLAST)).unwrap();
    }

    /// Has a server made with this part of it here, and the rest at `home`.
    pub(super) fn take_in(&self, stored: Stored, home: &Path, initdb: &mut Command) {
        let (here, there) = (self.directory.path().join("server"), home.join("server"));
        let (data, log) = match stored {
            Stored::Data => (&here, &there),
            Stored::Log => (&there, &here),
        };
        initdb.arg("-D").arg(data).arg("--waldir").arg(log);
        initdb.args(["--wal-segsize", "1"]);
        symlink(data, home.join("data")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().ok();
    }
}

/// A log of changes that a small disk has room for.
pub(super) fn settings() -> impl Iterator<Item = String> {
    ["max_wal_size=16MB", "min_wal_size=2MB"]
        .into_iter()
        .map(str::to_owned)
}

/// $1 is where, $2 how large. What still has files open there keeps them; nobody sees them any more.
const GUARD: &str = r#"
trap '' HUP INT TERM
mount -t tmpfs -o "size=$2,mode=0777" oyez "$1" || exit 1
echo mounted
cat >/dev/null
umount -l "$1"
"#;

/// Three times what an empty server takes.
const BYTES: u64 = 150 << 20;
const BLOCK: usize = 1 << 16;
const BALLAST: &str = "ballast";
