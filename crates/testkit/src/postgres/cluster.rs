//! A PostgreSQL of our own: made in a temporary directory, on a socket there and a free port of this machine, gone when it is
//! dropped. The server refuses to run as root, so there it runs as Debian's user `postgres`.

use std::fs::File;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

/// A server, and all its data.
pub struct Cluster {
    server: Child,
    programs: Programs,
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

impl Cluster {
    /// Makes one and starts it.
    pub fn start(durability: Durability) -> Self {
        let programs = Programs::find();
        let directory = tempfile::Builder::new()
            .prefix("oyez-pg-")
            .tempdir()
            .unwrap();
        if let Some((user, group)) = programs.user {
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }
        let data = directory.path().join("data");
        let mut initdb = programs.command("initdb", directory.path());
        initdb
            .arg("-D")
            .arg(&data)
            .args(["-U", USER, "-A", "trust"]);
        initdb.args([
            "--no-locale",
            "-E",
            "UTF8",
            "--no-sync",
            "--no-instructions",
        ]);
        let made = initdb.output().unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let port = free_port();
        let server = spawn(&programs, directory.path(), port, durability);
        let cluster = Self {
            server,
            programs,
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
        loop {
            let mut ready = self.programs.command("pg_isready", self.directory.path());
            ready.arg("-h").arg(self.directory.path());
            ready.arg("-p").arg(self.port.to_string());
            if ready.stdout(Stdio::null()).status().unwrap().success() {
                return;
            }
            assert!(began.elapsed() < STARTS_WITHIN, "{}", self.log());
            std::thread::park_timeout(LOOK_AGAIN);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.programs.command("pg_ctl", self.directory.path());
        stop.args(["stop", "-m", "immediate", "-s", "-D"]);
        let stopped = stop.arg(self.directory.path().join("data")).status();
        if !stopped.is_ok_and(|status| status.success()) {
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

    fn command(&self, program: &str, directory: &Path) -> Command {
        let mut command = Command::new(self.folder.join(program));
        command.current_dir(directory);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

fn spawn(programs: &Programs, directory: &Path, port: u16, durability: Durability) -> Child {
    let log = File::create(directory.join(LOG)).unwrap();
    let mut server = programs.command("postgres", directory);
    server.arg("-D").arg(directory.join("data"));
    server.arg("-k").arg(directory);
    server.arg("-p").arg(port.to_string());
    let common = ["listen_addresses=127.0.0.1", "max_connections=300"];
    let careless = [
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
    ];
    let careless = (durability == Durability::None).then_some(careless);
    for setting in common.into_iter().chain(careless.into_iter().flatten()) {
        server.arg("-c").arg(setting);
    }
    // A terminal's ^C is for whoever started us: we stop the server ourselves.
    server.process_group(0);
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
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
