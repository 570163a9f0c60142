//! Files that change while the server runs: certificates, keys, lists. They are read again on SIGHUP, and when they are seen
//! to have changed. What is wrong is logged, and what was there before stays in force: a slip of the pen stops nobody.
//!
//! A look at a file's name, length, time and number is a look at all that `mv` and editors do; two files that belong together
//! and are replaced one after the other fail once, and are read again at the second.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::failure::Failure;

/// Something that is made from files.
pub(super) struct Source {
    name: &'static str,
    paths: Vec<PathBuf>,
    reload: Box<dyn FnMut() -> Result<(), Failure> + Send>,
    seen: Vec<Option<Stamp>>,
}

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    number: u64,
    length: u64,
    changed: (i64, i64),
}

/// Why it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// It is time again: only what changed is read.
    Glance,
    /// Somebody says so: all is read.
    Asked,
}

/// Reads now, and whenever these files change: whoever has the other end of the channel sees the latest that was sound.
pub(super) fn kept_up<T: Send + Sync + 'static>(
    name: &'static str,
    paths: Vec<PathBuf>,
    mut read: impl FnMut() -> Result<T, Failure> + Send + 'static,
) -> Result<(watch::Receiver<Arc<T>>, Source), Failure> {
    // Before the files are read: what changes meanwhile is seen at the first glance.
    let seen = stamps(&paths);
    let (sender, receiver) = watch::channel(Arc::new(read()?));
    let reload = move || {
        sender.send_replace(Arc::new(read()?));
        Ok(())
    };
    let source = Source {
        name,
        paths,
        reload: Box::new(reload),
        seen,
    };
    Ok((receiver, source))
}

impl Source {
    fn look(&mut self, occasion: Occasion) {
        let now = stamps(&self.paths);
        if occasion == Occasion::Glance && now == self.seen {
            return;
        }
        // Remembered whatever comes of it: the same fault is told once.
        self.seen = now;
        match (self.reload)() {
            Ok(()) => tracing::info!("{} read again", self.name),
            Err(failure) => {
                tracing::error!("{} not read again, the old ones stay: {failure}", self.name);
            }
        }
    }
}

/// Keeps the sources up to date.
pub(super) async fn keep_up(mut sources: Vec<Source>, mut hang_up: Signal) {
    let mut glances = interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let occasion = tokio::select! {
            _ = glances.tick() => Occasion::Glance,
            Some(()) = hang_up.recv() => Occasion::Asked,
        };
        // Files may be on a disk that is slow, or gone.
        let looked = tokio::task::spawn_blocking(move || {
            for source in &mut sources {
                source.look(occasion);
            }
            sources
        });
        match looked.await {
            Ok(back) => sources = back,
            // A panic is this part's death, and the server's; otherwise the runtime ends.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        }
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| {
        let found = fs::metadata(path).ok()?;
        Some(Stamp {
            device: found.dev(),
            number: found.ino(),
            length: found.size(),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    };
    paths.iter().map(stamp).collect()
}

/// Soon enough for somebody who watches, seldom enough to cost nothing.
const GLANCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    // A-06, M-06
    #[test]
    fn what_is_sound_is_passed_on_and_what_is_not_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "1").unwrap();
        let from = path.clone();
        let read = move || {
            let text =
                fs::read_to_string(&from).map_err(|error| Failure::file("read", &from, &error))?;
            text.parse::<u32>()
                .map_err(|error| Failure::environment("it is no number", "mend it").because(&error))
        };
        let (mut number, mut source) = kept_up("the number", vec![path.clone()], read).unwrap();
        let mut look = |occasion| {
            source.look(occasion);
            let news = number.has_changed().unwrap();
            (**number.borrow_and_update(), news)
        };
        assert_eq!(look(Occasion::Glance), (1, false));
        fs::write(&path, "22").unwrap();
        assert_eq!(look(Occasion::Glance), (22, true));
        assert_eq!(look(Occasion::Glance), (22, false));
        assert_eq!(look(Occasion::Asked), (22, true));
        fs::write(&path, "many").unwrap();
        assert_eq!(look(Occasion::Glance), (22, false));
        fs::remove_file(&path).unwrap();
        assert_eq!(look(Occasion::Asked), (22, false));
        fs::write(&path, "3").unwrap();
        assert_eq!(look(Occasion::Glance), (3, true));
    }
}
