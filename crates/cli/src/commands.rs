//! The commands: each takes what the command line says and the surroundings, does one thing and answers.

pub(crate) mod audit;
mod call;
pub(crate) mod check;
pub(crate) mod dev;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod publish;
pub(crate) mod store;
pub(crate) mod tpps;
pub(crate) mod verify;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use oyez_jose::UnixTime;

use crate::args::AsOf;
use crate::config::{Calling, Config, Variables};
use crate::failure::Failure;
use crate::output::Paint;

/// What a command needs of the world, brought by `main`.
pub(crate) struct Surroundings {
    /// What time it is.
    pub(crate) now: UnixTime,
    /// Bytes that nobody can guess.
    pub(crate) random: fn() -> Result<[u8; 32], Failure>,
    /// The environment, as far as it is ours.
    pub(crate) variables: Variables,
    /// Where files may lie that nobody needs later.
    pub(crate) temporary: PathBuf,
    /// Where this program is, for those who are told to type its name.
    pub(crate) program: PathBuf,
    /// What it says to commands that call a server.
    pub(crate) calling: Calling,
    /// The PostgreSQL that benchmarks may make databases in, as the environment says.
    pub(crate) bench_database: Option<String>,
    /// How to set words off.
    pub(crate) paint: Paint,
}

impl Surroundings {
    /// The moment to answer for.
    pub(crate) fn as_of(&self, as_of: &AsOf) -> UnixTime {
        as_of.at.unwrap_or(self.now)
    }

    /// The configuration, which must be without fault.
    pub(crate) fn config(&self, path: &Path) -> Result<Config, Failure> {
        let text = read_config(path)?;
        Config::read(&text, directory_of(path), &self.variables).map_err(|faults| {
            Failure::Configuration {
                file: path.display().to_string(),
                faults,
            }
        })
    }
}

/// The text of a configuration. That there is none is mostly a flag forgotten, or a beginning.
fn read_config(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let mend = "name the configuration: -c FILE; or make one: oyez init DIR";
            Failure::environment(format!("cannot read {}", path.display()), mend).because(&error)
        }
        _ => Failure::file("read", path, &error),
    })
}

/// A file's text.
fn read_text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))
}

/// Where relative paths in a configuration file start.
pub(crate) fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// A file's text, or that of standard input; at most `bytes_max`.
fn read_file_or_stdin(path: Option<&Path>, bytes_max: u64) -> Result<String, Failure> {
    let mut text = String::new();
    let (read, name) = match path.filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let file = fs::File::open(path);
            (
                file.and_then(|file| file.take(bytes_max).read_to_string(&mut text)),
                path,
            )
        }
        None => (
            io::stdin().take(bytes_max).read_to_string(&mut text),
            Path::new("standard input"),
        ),
    };
    read.map_err(|error| Failure::file("read", name, &error))?;
    Ok(text)
}
