//! What is to be published, read on a thread of its own: a reader of standard input may wait there for ever.
//!
//! Usually each line is an item. What begins with `[`, or with an object that its first line does not end, is one document:
//! an array of items, `{"items": […]}`, or a single item.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::thread;

use oyez_domain::ids::IdempotencyKey;
use oyez_outbound::Bytes;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::failure::Failure;

/// An item, as it was written.
pub(super) struct Item {
    /// Its line, or which of the items it is, from 1.
    pub(super) place: u64,
    /// What is sent, or why that cannot be.
    pub(super) text: Result<Bytes, String>,
    /// Whether it has an idempotency key.
    pub(super) is_keyed: bool,
}

/// An item; or why the source gave no more, though it had not ended.
pub(super) type Piece = Result<Item, Failure>;

/// How items get an idempotency key that have none.
pub(super) struct Keys(Option<String>);

impl Keys {
    /// By this prefix and their place.
    pub(super) fn of(prefix: Option<&str>) -> Result<Self, Failure> {
        if let Some(prefix) = prefix {
            let longest: Result<IdempotencyKey, _> = format!("{prefix}-{}", u64::MAX).parse();
            longest.map_err(|error| {
                let what = format!("--key-prefix makes no keys: {error}");
                Failure::usage(what, "choose a short one, such as a date")
            })?;
        }
        Ok(Self(prefix.map(str::to_owned)))
    }

    /// The text with a key in it.
    fn give(&self, place: u64, text: &[u8]) -> Option<Bytes> {
        let prefix = self.0.as_ref()?;
        let rest = text.trim_ascii_start().strip_prefix(b"{")?;
        let comma = if rest.trim_ascii_start().starts_with(b"}") {
            ""
        } else {
            ","
        };
        let key = serde_json::Value::String(format!("{prefix}-{place}"));
        let mut keyed = format!("{{\"idempotency_key\":{key}{comma}").into_bytes();
        keyed.extend_from_slice(rest);
        Some(keyed.into())
    }
}

/// Begins to read.
pub(super) fn open(path: &Path, keys: Keys) -> Result<mpsc::Receiver<Piece>, Failure> {
    let (name, source): (_, Box<dyn Read + Send>) = if path == Path::new("-") {
        ("standard input".to_owned(), Box::new(io::stdin()))
    } else {
        let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
        (path.display().to_string(), Box::new(file))
    };
    let (pieces, receiver) = mpsc::channel(AHEAD);
    let reader = Reader {
        source: BufReader::new(source),
        keys,
        pieces,
    };
    thread::spawn(move || reader.run(&name));
    Ok(receiver)
}

struct Reader {
    source: BufReader<Box<dyn Read + Send>>,
    keys: Keys,
    pieces: mpsc::Sender<Piece>,
}

/// Nobody wants more.
struct Enough;

impl Reader {
    fn run(mut self, name: &str) {
        if let Err(error) = self.read() {
            let failure = Failure::file("read", Path::new(name), &error);
            self.pieces.blocking_send(Err(failure)).ok();
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut place = 0;
        let mut is_first = true;
        loop {
            let Some(line) = self.line()? else {
                return Ok(());
            };
            place += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            if std::mem::take(&mut is_first) && begins_document(&line) {
                return self.document(line);
            }
            if self.send(place, &line).is_err() {
                return Ok(());
            }
        }
    }

    /// A line, as far as it may be long; of a longer one, more than that.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let source = &mut self.source;
        source
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        let is_cut = line.len() as u64 > LINE_BYTES_MAX && !line.ends_with(b"\n");
        if is_cut && !begins_document(&line) {
            self.source.skip_until(b'\n')?;
        }
        Ok(Some(line))
    }

    /// The rest belongs to what was begun. What turns out to be no document is taken by lines after all.
    fn document(&mut self, mut text: Vec<u8>) -> io::Result<()> {
        let source = &mut self.source;
        source.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut text)?;
        if text.len() as u64 > DOCUMENT_BYTES_MAX {
            let what = "one document of more than 256 MiB; write an item a line";
            return Err(io::Error::other(what));
        }
        match items(&text) {
            Some(items) => {
                for (place, item) in (1..).zip(items) {
                    if self.send(place, item.get().as_bytes()).is_err() {
                        break;
                    }
                }
            }
            None => {
                for (place, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
                    if !line.trim_ascii().is_empty() && self.send(place, line).is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn send(&self, place: u64, text: &[u8]) -> Result<(), Enough> {
        let (text, is_keyed) = match judge(text) {
            Err(what) => (Err(what), false),
            Ok(true) => (Ok(Bytes::copy_from_slice(text)), true),
            Ok(false) => match self.keys.give(place, text) {
                Some(keyed) => (Ok(keyed), true),
                None => (Ok(Bytes::copy_from_slice(text)), false),
            },
        };
        let item = Item {
            place,
            text,
            is_keyed,
        };
        self.pieces.blocking_send(Ok(item)).map_err(|_| Enough)
    }
}

/// What an item says that is of use here.
#[derive(Deserialize)]
struct Glance {
    idempotency_key: Option<IgnoredAny>,
}

/// Whether an item has an idempotency key; or why it is none.
fn judge(text: &[u8]) -> Result<bool, String> {
    if text.len() as u64 > LINE_BYTES_MAX {
        return Err("longer than 1 MiB".to_owned());
    }
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err("no JSON object".to_owned());
    }
    let glance: Result<Glance, _> = serde_json::from_slice(text);
    let glance = glance.map_err(|error| format!("no JSON object: {error}"))?;
    Ok(glance.idempotency_key.is_some())
}

/// Whether more lines belong to what this one begins.
fn begins_document(line: &[u8]) -> bool {
    match line.trim_ascii_start().first() {
        Some(b'[') => true,
        Some(b'{') => match serde_json::from_slice::<Whole>(line) {
            Ok(whole) => whole.items.is_some(),
            Err(error) => error.is_eof(),
        },
        _ => false,
    }
}

#[derive(Deserialize)]
struct Whole {
    items: Option<Vec<Box<RawValue>>>,
}

/// The items of a document; `None` if it is none.
fn items(text: &[u8]) -> Option<Vec<Box<RawValue>>> {
    if let Ok(list) = serde_json::from_slice(text) {
        return Some(list);
    }
    let whole: Whole = serde_json::from_slice(text).ok()?;
    whole
        .items
        .or_else(|| Some(vec![serde_json::from_slice(text).ok()?]))
}

/// Several batches: the next one is there when it is wanted.
const AHEAD: usize = 4_096;
/// Sixteen times what the server takes of one item.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// A document is read whole.
const DOCUMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
