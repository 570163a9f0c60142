//! Walking a chain from its beginning, and saying where it breaks first.
//!
//! One entry at a time: a chain may be longer than memory. After a break the walk goes on, since only the rest tells whether an
//! entry is gone or stands elsewhere.

use std::fmt;

use super::Link;
use crate::ledger::history::AuditEntry;

/// A chain under way.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    last: Option<Link>,
    unchained: u64,
    unchained_until: u64,
    broken: Option<Break>,
}

/// A chain that was walked to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walked {
    /// Its last link; `None` of a chain without one.
    pub last: Option<Link>,
    /// Entries before the chain began: they were written before there were chains, and nothing proves them.
    pub unchained: u64,
}

/// The first thing that is wrong with a chain. Sequences are places in the trail as a whole, numbers are places in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// An entry says something else than was written, or its hash was changed.
    Edited {
        /// Where it stands.
        sequence: u64,
        /// Its place in the chain.
        number: u64,
    },
    /// Entries are gone.
    Removed {
        /// The first that is gone.
        number: u64,
        /// Which stands there instead.
        next: u64,
        /// Where that one stands.
        sequence: u64,
    },
    /// An entry stands where another belongs.
    Reordered {
        /// Where it stands.
        sequence: u64,
        /// Its place in the chain.
        number: u64,
        /// The number that belongs there.
        expected: u64,
    },
    /// An entry without a link after the chain had begun: it was put in by somebody, or written by an older binary.
    NotChained {
        /// Where it stands.
        sequence: u64,
    },
    /// The last entries are gone: the ledger remembers more.
    EndRemoved {
        /// The last that there is; 0 for none.
        last: u64,
        /// How many there were.
        head: u64,
    },
    /// An entry is not the one that was known under its number: all from there on may have been written anew.
    Replaced {
        /// Its place in the chain.
        number: u64,
    },
}

impl Walk {
    /// A walk on which entries up to a sequence may stand outside of the chain: binaries that did not know it wrote until then.
    pub fn accepting_until(sequence: u64) -> Self {
        Self {
            unchained_until: sequence,
            ..Self::default()
        }
    }

    /// Looks at the next entry of the chain.
    pub fn next(&mut self, entry: &AuditEntry) {
        let Some(link) = entry.link else {
            let sequence = entry.sequence;
            if self.last.is_some() && sequence > self.unchained_until {
                self.breaks(Break::NotChained { sequence });
            }
            self.unchained += 1;
            return;
        };
        let expected = self.last.map_or(0, |last| last.number) + 1;
        let sequence = entry.sequence;
        if link.number > expected {
            self.breaks(Break::Removed {
                number: expected,
                next: link.number,
                sequence,
            });
        } else if link.number < expected {
            self.found_elsewhere(sequence, link.number, expected);
        } else if entry.link_after(self.last) != link {
            let number = link.number;
            self.breaks(Break::Edited { sequence, number });
        }
        self.last = Some(link);
    }

    /// Whether an entry that was known under its number is still the same; to be asked after each entry.
    pub fn expect(&mut self, known: Link) {
        let same_place = self.last.filter(|last| last.number == known.number);
        if same_place.is_some_and(|last| last.hash != known.hash) {
            let number = known.number;
            self.breaks(Break::Replaced { number });
        }
    }

    /// Ends the walk. Each of `heads` is a link that the chain must have come to: the ledger's own, or that of an export.
    pub fn end(mut self, heads: &[Link]) -> Result<Walked, Break> {
        let last = self.last.map_or(0, |last| last.number);
        for head in heads.iter().filter(|head| head.number > last) {
            let head = head.number;
            self.breaks(Break::EndRemoved { last, head });
        }
        match self.broken {
            Some(broken) => Err(broken),
            None => Ok(Walked {
                last: self.last,
                unchained: self.unchained,
            }),
        }
    }

    /// What was missed stands here: it was not removed.
    fn found_elsewhere(&mut self, sequence: u64, number: u64, expected: u64) {
        match self.broken {
            Some(Break::Removed {
                number: missed,
                next,
                sequence,
            }) if missed == number => {
                self.broken = Some(Break::Reordered {
                    sequence,
                    number: next,
                    expected: missed,
                });
            }
            Some(_) => {}
            None => self.breaks(Break::Reordered {
                sequence,
                number,
                expected,
            }),
        }
    }

    fn breaks(&mut self, broken: Break) {
        self.broken.get_or_insert(broken);
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { sequence, number } => write!(
                f,
                "entry {number} (sequence {sequence}) was edited, or the one before it: its hash is another"
            ),
            Self::Removed {
                number, sequence, ..
            } => write!(
                f,
                "entry {number} is gone: it stood before sequence {sequence}"
            ),
            Self::Reordered {
                sequence,
                number,
                expected,
            } => write!(
                f,
                "entry {number} stands where {expected} belongs (sequence {sequence})"
            ),
            Self::NotChained { sequence } => write!(
                f,
                "the entry at sequence {sequence} is not in the chain: it was put in, or written by an older binary"
            ),
            Self::EndRemoved { last, head } => {
                write!(
                    f,
                    "its end is gone: there were {head} entries, and the last is {last}"
                )
            }
            Self::Replaced { number } => {
                write!(
                    f,
                    "entry {number} is not the one that was known: it was written anew"
                )
            }
        }
    }
}
