//! A PostgreSQL of our own: made in a temporary directory, on a socket there and a free port of this machine, gone when it is
//! dropped. The server refuses to run as root, so there it runs as Debian's user `postgres`.

mod disk;
mod standby;

use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::certificates::Certified;

pub use disk::{Disk, Stored};

/// A server, and all its data.
pub struct Cluster {
    server: Child,
    programs: Programs,
    settings: Vec<String>,
    port: u16,
    directory: TempDir,
}

/// Whether what was committed survives the machine. It survives the server's death either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production: for tests that kill, and figures that are compared.
    Full,
    /// Nothing is forced to the disk: twice as fast, for tests that only ask what is answered.
    None,
}

/// Where the programs are, and as whom they run.
#[derive(Clone)]
struct Programs {
    folder: PathBuf,
    user: Option<(u32, u32)>,
}

impl Durability {
    fn settings(self) -> Vec<String> {
        let common = ["listen_addresses=127.0.0.1", "max_connections=300"];
        let careless = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
        ];
        let careless = (self == Self::None).then_some(careless);
        let settings = common.into_iter().chain(careless.into_iter().flatten());
        settings.map(str::to_owned).collect()
    }
}

impl Cluster {
    /// Makes one and starts it.
    pub fn start(durability: Durability) -> Self {
        Self::make(durability, None, None)
    }

    /// The same, with all its data or its log on a small disk of its own.
    pub fn start_on(disk: &Disk, stored: Stored) -> Self {
        Self::make(Durability::Full, None, Some((disk, stored)))
    }

    /// The same, which over TCP speaks TLS alone, with this certificate, and asks for [`PASSWORD`].
    pub fn start_secured(certified: &Certified) -> Self {
        let cluster = Self::make(Durability::None, Some(certified), None);
        cluster.ask(&format!("ALTER USER {USER} PASSWORD '{PASSWORD}'"));
        cluster
    }

    fn make(
        durability: Durability,
        secured: Option<&Certified>,
        small: Option<(&Disk, Stored)>,
    ) -> Self {
        let programs = Programs::find();
        let directory = programs.directory();
        let data = directory.path().join("data");
        let mut initdb = programs.command("initdb", directory.path());
        initdb.args(["-U", USER, "-A", "trust"]);
        initdb.args([
            "--no-locale",
            "-E",
            "UTF8",
            "--no-sync",
            "--no-instructions",
        ]);
        let mut settings = durability.settings();
        match small {
            Some((disk, stored)) => {
                disk.take_in(stored, directory.path(), &mut initdb);
                settings.extend(disk::settings());
            }
            None => {
                initdb.arg("-D").arg(&data);
            }
        }
        let made = initdb.output().unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        if let Some(certified) = secured {
            settings.push("ssl=on".to_owned());
            for (name, text) in [
                ("server.crt", certified.pem()),
                ("server.key", certified.key_pem()),
                ("pg_hba.conf", HOSTS_BY_TLS.to_owned()),
            ] {
                programs.write(&data.join(name), &text);
            }
        }
        Self::over(programs, directory, settings)
    }

    /// A server over data that is there.
    fn over(programs: Programs, directory: TempDir, settings: Vec<String>) -> Self {
        let port = free_port();
        let server = spawn(&programs, directory.path(), port, &settings);
        let cluster = Self {
            server,
            programs,
            settings,
            port,
            directory,
        };
        cluster.await_readiness();
        cluster
    }

    /// How it is reached, over its socket.
    pub fn address(&self) -> String {
        let directory = self.directory.path().to_str().unwrap().replace('/', "%2F");
        format!("postgresql://{USER}@{directory}:{}/postgres", self.port)
    }

    /// The same over TCP.
    pub fn address_of_host(&self) -> String {
        format!("postgresql://{USER}@localhost:{}/postgres", self.port)
    }

    /// Stops the server as its operators do in a hurry; the data stays.
    pub fn halt(&mut self) {
        self.control("fast");
        self.server.wait().unwrap();
    }

    /// Starts it again.
    pub fn resume(&mut self) {
        self.server = spawn(
            &self.programs,
            self.directory.path(),
            self.port,
            &self.settings,
        );
        self.await_readiness();
    }

    /// Waits until it answers; starts it again if it gave itself up, as whatever looks after it does.
    pub fn recover(&mut self) {
        let began = Instant::now();
        while !self.is_ready() {
            if self.server.try_wait().unwrap().is_some() {
                self.resume();
            }
            assert!(began.elapsed() < STARTS_WITHIN, "{}", self.log());
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    /// Runs a statement; answers its rows as text, one a line.
    pub fn ask(&self, statement: &str) -> String {
        let mut psql = self.programs.command("psql", self.directory.path());
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", USER, "-h"]);
        psql.arg(self.directory.path());
        psql.arg("-p").arg(self.port.to_string());
        let asked = psql.args(["-c", statement]).output().unwrap();
        assert!(
            asked.status.success(),
            "{statement}: {}",
            String::from_utf8_lossy(&asked.stderr)
        );
        String::from_utf8(asked.stdout).unwrap().trim().to_owned()
    }

    /// Sets one of its settings; sessions that are open follow.
    pub fn set(&self, setting: &str, value: &str) {
        self.ask(&format!("ALTER SYSTEM SET {setting} = '{value}'"));
        self.ask("SELECT pg_reload_conf()");
    }

    fn control(&self, mode: &str) -> bool {
        let mut stop = self.programs.command("pg_ctl", self.directory.path());
        stop.args(["stop", "-s", "-m", mode, "-D"]);
        let stopped = stop.arg(self.directory.path().join("data")).status();
        stopped.is_ok_and(|status| status.success())
    }

    /// The port of this machine that it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What it wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join(LOG)).unwrap_or_default()
    }

    fn await_readiness(&self) {
        let began = Instant::now();
        while !self.is_ready() {
            assert!(began.elapsed() < STARTS_WITHIN, "{}", self.log());
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }

    fn is_ready(&self) -> bool {
        let mut ready = self.programs.command("pg_isready", self.directory.path());
        ready.arg("-h").arg(self.directory.path());
        ready.arg("-p").arg(self.port.to_string());
        ready.stdout(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let is_over = self.server.try_wait().is_ok_and(|status| status.is_some());
        if !is_over && !self.control("immediate") {
            self.server.kill().ok();
        }
        self.server.wait().ok();
    }
}

impl Programs {
    fn find() -> Self {
        let debian = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten();
        let mut folders: Vec<PathBuf> = debian
            .filter_map(|version| Some(version.ok()?.path().join("bin")))
            .filter(|folder| folder.join("initdb").exists())
            .collect();
        // The newest; where there is none, whatever the system's own path has.
        folders.sort();
        Self {
            folder: folders.pop().unwrap_or_default(),
            user: is_root().then(user),
        }
    }

    /// A directory that the server may write to.
    fn directory(&self) -> TempDir {
        let directory = tempfile::Builder::new().prefix("oyez-pg-").tempdir();
        let directory = directory.unwrap();
        if let Some((user, group)) = self.user {
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }
        directory
    }

    /// A file that the server alone may read.
    fn write(&self, path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn command(&self, program: &str, directory: &Path) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.current_dir(directory);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

fn spawn(programs: &Programs, directory: &Path, port: u16, settings: &[String]) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(directory.join(LOG))
        .unwrap();
    let mut server = programs.command("postgres", directory);
    server.arg("-D").arg(directory.join("data"));
    server.arg("-k").arg(directory);
    server.arg("-p").arg(port.to_string());
    for setting in settings {
        server.arg("-c").arg(setting);
    }
    // In our own process group: what ends us all, such as a terminal's ^C or a runner's patience, ends it too.
    server.stdin(Stdio::null());
    server.stdout(log.try_clone().unwrap()).stderr(log);
    server.spawn().unwrap()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The user and group that Debian's package made.
fn user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let mut lines = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let found = lines.find(|fields| fields[0] == USER);
    let found = found.expect("there is a user `postgres`: install Debian's postgresql");
    (found[2].parse().unwrap(), found[3].parse().unwrap())
}

fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

const USER: &str = "postgres";
const LOG: &str = "log";
/// Of the user of a secured cluster.
pub const PASSWORD: &str = "open sesame";
const HOSTS_BY_TLS: &str = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
