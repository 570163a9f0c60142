//! What is to be published, read on a thread of its own: a reader of standard input may wait there for ever.
//!
//! Usually each line is an item. What begins with `[`, or with an object that its first line does not end, is taken as a whole:
//! JSON over several lines, as people and `jq` write it, of which each value is an array of items, `{"items": […]}`, or an
//! item. When it is broken, that is one fault at one place, and nothing of it is published; but a broken line with whole items
//! after it is a bad line among good ones.

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
        name,
        source: BufReader::new(source),
        keys,
        pieces,
    };
    thread::spawn(move || reader.run());
    Ok(receiver)
}

struct Reader {
    /// For people.
    name: String,
    source: BufReader<Box<dyn Read + Send>>,
    keys: Keys,
    pieces: mpsc::Sender<Piece>,
}

/// Nobody wants more.
struct Enough;

impl Reader {
    fn run(mut self) {
        if let Err(failure) = self.read() {
            self.pieces.blocking_send(Err(failure)).ok();
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        let mut place = 0;
        let mut is_first = true;
        loop {
            let line = self.line();
            let Some(line) = line.map_err(|error| self.unread(&error))? else {
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

    /// The rest belongs to what was begun.
    fn document(&mut self, mut text: Vec<u8>) -> Result<(), Failure> {
        let first_line = text.len();
        let mut rest = self.source.by_ref().take(DOCUMENT_BYTES_MAX + 1);
        let read = rest.read_to_end(&mut text);
        read.map_err(|error| self.unread(&error))?;
        if text.len() as u64 > DOCUMENT_BYTES_MAX {
            let what = format!("{} is one document of more than 256 MiB", self.name);
            return Err(Failure::environment(what, "write an item a line"));
        }
        match items(&text) {
            Ok(items) => {
                self.send_all(items.into_iter().map(|item| item.get().as_bytes()));
                Ok(())
            }
            Err(_) if has_lines(&text, first_line) => {
                self.send_all(text.split(|byte| *byte == b'\n'));
                Ok(())
            }
            Err(error) => {
                let place = if error.is_eof() {
                    "it ends before it is whole".to_owned()
                } else {
                    error.to_string()
                };
                let what = format!(
                    "{} is not an item a line, and as a whole it is broken JSON: {place}",
                    self.name
                );
                let mend = "correct it there; nothing of it was published";
                Err(Failure::environment(what, mend))
            }
        }
    }

    fn send_all<'t>(&self, texts: impl Iterator<Item = &'t [u8]>) {
        for (place, text) in (1..).zip(texts) {
            if !text.trim_ascii().is_empty() && self.send(place, text).is_err() {
                return;
            }
        }
    }

    fn unread(&self, error: &io::Error) -> Failure {
        Failure::file("read", Path::new(&self.name), error)
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
        Some(b'{') => match serde_json::from_slice::<Whole<'_>>(line) {
            Ok(whole) => whole.items.is_some(),
            Err(error) => {
                error.is_eof() || matches!(line.trim_ascii().last(), Some(b'{' | b'[' | b','))
            }
        },
        _ => false,
    }
}

#[derive(Deserialize)]
struct Whole<'t> {
    #[serde(borrow)]
    items: Option<Vec<&'t RawValue>>,
}

/// The items of all values of a text.
fn items(text: &[u8]) -> serde_json::Result<Vec<&RawValue>> {
    let mut items = Vec::new();
    for value in serde_json::Deserializer::from_slice(text).into_iter::<&RawValue>() {
        let value = value?;
        let list = serde_json::from_str::<Vec<&RawValue>>(value.get()).ok();
        let whole = || serde_json::from_str::<Whole<'_>>(value.get()).ok()?.items;
        match list.or_else(whole) {
            Some(list) => items.extend(list),
            None => items.push(value),
        }
    }
    Ok(items)
}

/// Whether a line after the first is an item by itself: such a text was written in lines. An array is never a line of them,
/// nor is what ends with a bracket that it opens.
fn has_lines(text: &[u8], first_line: usize) -> bool {
    let (first, rest) = text.split_at(first_line);
    let is_opening = first.trim_ascii().ends_with(b"[") || first.trim_ascii().ends_with(b"{");
    let mut lines = rest.split(|byte| *byte == b'\n');
    let next = lines.find(|line| !line.trim_ascii().is_empty());
    !is_opening
        && first.trim_ascii_start().starts_with(b"{")
        && next.is_some_and(|line| judge(line).is_ok())
}

/// Several batches: the next one is there when it is wanted.
const AHEAD: usize = 4_096;
/// Sixteen times what the server takes of one item.
const LINE_BYTES_MAX: u64 = 1024 * 1024;
/// A document is read whole.
const DOCUMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
