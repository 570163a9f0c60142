//! `oyez store copy`: moves a ledger, and says how far that is.

use std::sync::Arc;

use oyez_store::copy::{self, Copied, Fault, Means, Step};
use serde_json::json;

use super::{place, section};
use crate::args::CopyStore;
use crate::commands::Surroundings;
use crate::config::{Backend, Store};
use crate::failure::Failure;
use crate::ledger::Place;
use crate::output::{Format, Progress, Reply, Table, aside};
use crate::runtime::with_one_worker;
use crate::serve::rules;
use crate::shell_word::shell_word;

/// Copies, or goes on with a copy.
pub(super) fn run(
    args: &CopyStore,
    format: Format,
    around: &Surroundings,
) -> Result<Reply, Failure> {
    let (from, to) = (section(&args.from, around)?, section(&args.to, around)?);
    let rules = match from.backend {
        // What a server would still have to do there is done by its rules.
        Backend::Sqlite => rules(&around.config(&args.from)?)?,
        Backend::Postgres => oyez_domain::rules::Rules::default(),
    };
    let sides = Sides {
        from: place(&from)?,
        to: place(&to)?,
    };
    sides.refuse_same((&from, &to))?;
    let runtime = with_one_worker()?;
    let random = (around.random)()?;
    let (id, _) = random
        .split_first_chunk()
        .expect("32 bytes have 16 first ones");
    let means = Means {
        id: *id,
        rules: Arc::new(rules),
        runtime: runtime.handle().clone(),
    };
    let mut telling = Telling::new(format);
    let done = copy::run((&sides.from.0, &sides.to.0), &means, &mut |step| {
        telling.tell(step);
    });
    telling.end();
    match done {
        Ok(copied) => Ok(sides.reply(&copied, args)),
        Err(fault) => Err(sides.failure(&fault, telling.has_begun)),
    }
}

/// Both places, for the copy and for people.
struct Sides {
    from: (copy::Place, Place),
    to: (copy::Place, Place),
}

impl Sides {
    fn refuse_same(&self, (from, to): (&Store, &Store)) -> Result<(), Failure> {
        let one = |store: &Store| store.path.canonicalize().ok();
        let is_same = match (from.backend, to.backend) {
            (Backend::Sqlite, Backend::Sqlite) => {
                from.path == to.path || one(from).is_some_and(|it| one(to) == Some(it))
            }
            (Backend::Postgres, Backend::Postgres) => {
                self.from.1.to_string() == self.to.1.to_string()
            }
            _ => false,
        };
        if is_same {
            let what = format!("both configurations name the ledger {}", self.to.1);
            let mend = "name another in --to; OYEZ_STORE__… in the environment counts for both";
            return Err(Failure::usage(what, mend));
        }
        Ok(())
    }

    fn failure(&self, fault: &Fault, has_begun: bool) -> Failure {
        let to = &self.to.1;
        let (what, mend) = match fault {
            Fault::Source(error) => self.from.1.failure(error).into_what_and_mend(),
            Fault::Target(error) => to.failure(error).into_what_and_mend(),
            Fault::NotEmpty { table } => {
                let what =
                    format!("the ledger {to} is not empty: there is something in its {table}");
                let mend = "name an empty database, or a file that is not there";
                return Failure::environment(what, mend);
            }
            Fault::AnotherCopy { of } => {
                let what = format!(
                    "the ledger {to} holds an unfinished copy of {of}, which is another ledger or was used since"
                );
                let mend =
                    "remove what was copied (drop the database, or the file), and begin anew";
                return Failure::environment(what, mend);
            }
            Fault::Differs { table, key, what } => {
                let what =
                    format!("the copy {to} is not as its source: {what} in {table} at {key}");
                let mend =
                    "remove what was copied, begin anew, and report this; the source is as it was";
                return Failure::refused(what, mend);
            }
        };
        if has_begun {
            let mend = format!("{mend}; then copy again: it goes on where it stopped");
            return Failure::cut_off(what, mend);
        }
        Failure::environment(what, mend)
    }

    fn reply(&self, copied: &Copied, args: &CopyStore) -> Reply {
        let mut table = Table::new(&["TABLE", "ROWS", "SHA-256 OF BOTH"]);
        let mut tables = Vec::new();
        for one in &copied.tables {
            table.row(vec![
                one.table.to_owned(),
                one.rows.to_string(),
                one.checksum.clone(),
            ]);
            tables.push(json!({ "table": one.table, "rows": one.rows, "sha256": one.checksum }));
        }
        let (from, to) = (self.from.1.to_string(), self.to.1.to_string());
        let rows: u64 = copied.tables.iter().map(|one| one.rows).sum();
        let json = json!({
            "from": from, "to": to, "rows": rows, "rows_before": copied.rows_before, "tables": tables,
        });
        Reply::new(table.render(), json)
            .remark(format!("{to} says the same as {from}, row by row."))
            .remark(format!(
                "Next: oyez serve -c {}; and nobody serves {} any more.",
                shell_word(&args.to),
                args.from.display()
            ))
    }
}

/// Says how far it is: a bar on a terminal, else a line for each table.
struct Telling {
    bar: Progress,
    lines: bool,
    doing: &'static str,
    /// The table that rows were copied or compared of last, and how many.
    last: Option<(&'static str, u64)>,
    rows: u64,
    has_begun: bool,
}

impl Telling {
    fn new(format: Format) -> Self {
        Self {
            bar: Progress::none(),
            lines: format == Format::People,
            doing: "copied",
            last: None,
            rows: 0,
            has_begun: false,
        }
    }

    fn tell(&mut self, step: Step) {
        match step {
            Step::Begun { rows, copied } => {
                self.has_begun = true;
                self.rows = rows;
                if copied > 0 {
                    aside(format_args!("going on after {copied} rows of about {rows}"));
                }
                self.show(rows.saturating_sub(copied));
            }
            Step::Comparing { rows } => {
                self.end();
                self.doing = "compared";
                self.show(rows);
            }
            Step::Copied { table, rows } | Step::Compared { table, rows } => {
                self.bar
                    .advance(usize::try_from(rows).unwrap_or(usize::MAX));
                match &mut self.last {
                    Some((last, sum)) if *last == table => *sum += rows,
                    _ => {
                        self.line();
                        self.last = Some((table, rows));
                    }
                }
            }
        }
    }

    fn show(&mut self, rows: u64) {
        self.bar = Progress::towards(rows, &format!("rows {}", self.doing));
        self.lines &= !self.bar.is_shown();
    }

    fn line(&mut self) {
        if let Some((table, rows)) = self.last.take().filter(|(_, rows)| self.lines && *rows > 0) {
            aside(format_args!("{} {table}: {rows} rows", self.doing));
        }
    }

    fn end(&mut self) {
        self.line();
        self.bar.finish();
    }
}
