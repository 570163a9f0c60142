//! Lines of JSON: on standard output, or at the end of a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use oyez_tpp::{Declined, HandOver, Notification, Pending};
use tokio::sync::Mutex;
use tokio::task::block_in_place;

use super::later;
use crate::durable::sync_directory_of;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::tpp::record;

/// Standard output: safe once it is written, for whoever reads it has it then.
pub(super) struct Stdout {
    /// A line of JSON each; people at a terminal get words.
    is_for_people: bool,
    turn: Mutex<()>,
}

impl Stdout {
    pub(super) fn new(format: Format) -> Self {
        Self {
            is_for_people: format == Format::People && output::is_watched(),
            turn: Mutex::default(),
        }
    }
}

impl HandOver for Stdout {
    fn hand_over<'a>(
        &'a self,
        notifications: &'a [Notification],
    ) -> Pending<'a, Vec<Result<(), Declined>>> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            let text = if self.is_for_people {
                notifications.iter().map(record::for_people).collect()
            } else {
                lines(notifications)
            };
            // Whoever reads slowly is waited for, on a thread that may wait.
            let written = block_in_place(|| output::data(&text));
            all(notifications, &written)
        })
    }
}

/// The end of a file: safe once the disk has it.
pub(super) struct Lines {
    path: PathBuf,
    file: Mutex<File>,
}

impl Lines {
    pub(super) fn open(path: PathBuf) -> Result<Self, Failure> {
        let file = open(&path).map_err(|error| Failure::file("open", &path, &error))?;
        Ok(Self {
            path,
            file: Mutex::new(file),
        })
    }
}

impl HandOver for Lines {
    fn hand_over<'a>(
        &'a self,
        notifications: &'a [Notification],
    ) -> Pending<'a, Vec<Result<(), Declined>>> {
        Box::pin(async move {
            let mut file = self.file.lock().await;
            let text = lines(notifications);
            let written = block_in_place(|| append(&self.path, &mut file, text.as_bytes()));
            all(notifications, &written)
        })
    }
}

fn lines(notifications: &[Notification]) -> String {
    let lines = notifications
        .iter()
        .map(|it| format!("{}\n", record::of(it)));
    lines.collect()
}

fn all(notifications: &[Notification], written: &io::Result<()>) -> Vec<Result<(), Declined>> {
    let outcome = |_| match written {
        Ok(()) => Ok(()),
        Err(error) => Err(later(format!("it cannot be written: {error}"))),
    };
    notifications.iter().map(outcome).collect()
}

fn append(path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let is_there = std::fs::metadata(path).is_ok_and(|there| {
        file.metadata()
            .is_ok_and(|ours| (there.dev(), there.ino()) == (ours.dev(), ours.ino()))
    });
    if !is_there {
        *file = open(path)?;
    }
    let end = file.seek(SeekFrom::End(0))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_data());
    if written.is_err() {
        // Half a line is worse than none. If it cannot be taken back the next start ends it.
        file.set_len(end).ok();
    }
    written
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    sync_directory_of(path)?;
    // What was torn off when the power failed is not glued to what follows: it comes again whole.
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}
