//! What leaves the program: data to standard output, everything else to standard error. Only this file writes to either.
//!
//! A command answers with a [`Reply`]: the same answer for people and for scripts. Colour is an addition for terminals; it
//! never carries a meaning that the words do not.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use oyez_domain::time::span;
use oyez_jose::UnixTime;
use serde_json::Value;

/// What a command answers.
pub(crate) struct Reply {
    /// For people.
    pub(crate) text: String,
    /// For scripts: the same facts.
    pub(crate) json: Value,
    /// How they are laid out.
    layout: Layout,
    /// Beside the data: what to do next, what to beware of.
    pub(crate) remarks: Vec<String>,
    /// Whether the answer is yes.
    pub(crate) verdict: Verdict,
}

/// How JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// For people who look at it too.
    Indented,
    /// For scripts that read the last line.
    OneLine,
}

/// Whether the answer of a command is yes: what its exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Done, or sound.
    Yes,
    /// The token does not verify, the configuration has faults, the server refused something.
    No,
    /// The rest could not be done; what was done is said.
    Unfinished,
}

impl Reply {
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
            layout: Layout::Indented,
            remarks: Vec::new(),
            verdict: Verdict::Yes,
        }
    }

    /// When all data was written already.
    pub(crate) fn written() -> Self {
        Self::new("", Value::Null)
    }

    /// With its JSON on one line.
    pub(crate) fn on_one_line(self) -> Self {
        Self {
            layout: Layout::OneLine,
            ..self
        }
    }

    pub(crate) fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remarks.push(remark.into());
        self
    }

    pub(crate) fn verdict(self, verdict: Verdict) -> Self {
        Self { verdict, ..self }
    }
}

/// For whom to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Tables.
    People,
    /// JSON.
    Scripts,
}

/// How to set words off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Not at all.
    Plain,
    /// With colours, on a terminal.
    Colour,
}

impl Paint {
    /// Colours for standard output, if it is a terminal and nobody asked for none.
    pub(crate) fn for_stdout(no_colour: bool) -> Self {
        if io::stdout().is_terminal() && !no_colour {
            Self::Colour
        } else {
            Self::Plain
        }
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.wrap(text, "31")
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap(text, "33")
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.wrap(text, "32")
    }

    fn wrap(self, text: &str, code: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// Writes an answer. A reader that went away (`| head`) is no failure.
pub(crate) fn reply(reply: &Reply, format: Format) -> io::Result<()> {
    let text = match format {
        _ if reply.json.is_null() => String::new(),
        Format::People => reply.text.clone(),
        Format::Scripts => match reply.layout {
            Layout::Indented => format!("{:#}", reply.json),
            Layout::OneLine => reply.json.to_string(),
        },
    };
    if !text.is_empty() {
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    for remark in &reply.remarks {
        aside(remark);
    }
    Ok(())
}

/// Data as it comes, whole lines.
pub(crate) fn data(lines: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines.as_bytes())?;
    stdout.flush()
}

/// Whether somebody looks at the data.
pub(crate) fn is_watched() -> bool {
    io::stdout().is_terminal()
}

/// Writes one line of data while the program runs on. A reader that went away is no failure.
pub(crate) fn line(data: impl fmt::Display) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{data}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Writes beside the data. When even standard error is gone there is nobody left to tell.
pub(crate) fn aside(text: impl fmt::Display) {
    writeln!(io::stderr().lock(), "{text}").ok();
}

/// Writes the help that was asked for, or what is wrong with the command line.
pub(crate) fn help_or_usage(error: &clap::Error) {
    error.print().ok();
}

/// How far a long work is, on standard error if that is a terminal. Clones are the same.
#[derive(Clone)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// For as many of these as come.
    pub(crate) fn of(what: &str) -> Self {
        let bar = if io::stderr().is_terminal() {
            ProgressBar::no_length()
        } else {
            ProgressBar::hidden()
        };
        let template = format!("{{spinner}} {{pos}} {what}, {{per_sec}}, {{elapsed}}");
        let style = ProgressStyle::with_template(&template);
        bar.set_style(style.expect("the template is one"));
        Self(bar)
    }

    /// For so many of these.
    pub(crate) fn towards(count: u64, what: &str) -> Self {
        let bar = if io::stderr().is_terminal() {
            ProgressBar::new(count)
        } else {
            ProgressBar::hidden()
        };
        let template = format!("{{bar:30}} {{pos}} of {{len}} {what}, {{per_sec}}, {{eta}} left");
        let style = ProgressStyle::with_template(&template);
        bar.set_style(style.expect("the template is one"));
        Self(bar)
    }

    /// Whether anybody sees it.
    pub(crate) fn is_shown(&self) -> bool {
        !self.0.is_hidden()
    }

    /// Of what is done at once.
    pub(crate) fn none() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Says something beside it.
    pub(crate) fn aside(&self, text: impl fmt::Display) {
        self.0.suspend(|| aside(text));
    }

    /// So many more are done.
    pub(crate) fn advance(&self, count: usize) {
        self.0.inc(count as u64);
    }

    /// Takes it away.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// Columns with a heading, aligned.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self {
            rows: vec![heading.iter().map(|title| (*title).to_owned()).collect()],
        }
    }

    /// Names and values, without a heading.
    pub(crate) fn of_facts() -> Self {
        Self { rows: Vec::new() }
    }

    /// One of these.
    pub(crate) fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.row(vec![name.to_owned(), value.into()]);
    }

    pub(crate) fn row(&mut self, mut cells: Vec<String>) {
        for cell in &mut cells {
            *cell = printable(cell);
        }
        self.rows.push(cells);
    }

    /// The rows, each on its line.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                write!(line, "{cell:<width$}  ").expect("a string takes all text");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A text of somebody else's, such as what a TPP answered, as it may stand on a terminal: it moves no cursor and begins no
/// line.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// A length of time in its two largest units, rounded down: `2d 6h`.
pub(crate) fn about(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [
        ("d", seconds / 86_400),
        ("h", seconds / 3_600 % 24),
        ("m", seconds / 60 % 60),
        ("s", seconds % 60),
    ];
    let largest = units.iter().position(|(_, count)| *count > 0).unwrap_or(3);
    let shown = units[largest..]
        .iter()
        .take(2)
        .filter(|(_, count)| *count > 0);
    let words: Vec<_> = shown
        .map(|(unit, count)| format!("{count}{unit}"))
        .collect();
    if words.is_empty() {
        span::print(time)
    } else {
        words.join(" ")
    }
}

/// A moment for people and scripts alike: RFC 3339 in UTC, to the second.
pub(crate) fn moment(at: UnixTime) -> String {
    jiff::Timestamp::from_second(at.seconds())
        .map_or_else(|_| format!("{at} s"), |moment| moment.to_string())
}
