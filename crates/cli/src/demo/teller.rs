//! Tells what happens, line by line: for people with marks and chapters, for scripts as JSON lines. The marks differ in
//! shape and not in colour alone.

use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::why::Why;
use crate::failure::Failure;
use crate::output::{self, Format, Paint};

/// Whoever tells the story.
pub(super) struct Teller {
    format: Format,
    paint: Paint,
    chapter: &'static str,
    steps: u32,
    began: Instant,
}

/// Why the story is not told to its end.
pub(super) enum Interrupted {
    /// A step failed, and that was told.
    StepFailed,
    /// Nobody could be told.
    Unheard(Failure),
}

/// A step under way. What is done in one is long, and so kept on the heap.
type Telling<'s, T> = Pin<Box<dyn Future<Output = Result<T, Interrupted>> + 's>>;

/// One step, after it was tried.
struct Step<'s> {
    number: u32,
    chapter: &'static str,
    what: &'s str,
    took: Duration,
}

impl Teller {
    pub(super) fn new(format: Format, paint: Paint) -> Self {
        Self {
            format,
            paint,
            chapter: "",
            steps: 0,
            began: Instant::now(),
        }
    }

    /// A new chapter begins.
    pub(super) fn chapter(&mut self, title: &'static str) -> Result<(), Interrupted> {
        let gap = if self.steps == 0 { "" } else { "\n" };
        self.chapter = title;
        match self.format {
            Format::People => say(format_args!("{gap}{title}")).map_err(Interrupted::Unheard),
            Format::Scripts => Ok(()),
        }
    }

    /// One step: `what` is done by `deed`, or the story ends here.
    pub(super) fn step<'s, T: 's>(
        &'s mut self,
        what: &'s str,
        deed: impl Future<Output = Result<T, Why>> + 's,
    ) -> Telling<'s, T> {
        let deed = async { deed.await.map(|done| (done, String::new())) };
        self.measured(what, deed)
    }

    /// The same, with something to add that only the deed knows.
    pub(super) fn measured<'s, T: 's>(
        &'s mut self,
        what: &'s str,
        deed: impl Future<Output = Result<(T, String), Why>> + 's,
    ) -> Telling<'s, T> {
        Box::pin(async move {
            let began = Instant::now();
            let done = deed.await;
            self.tried(what, began.elapsed(), done)
        })
    }

    fn tried<T>(
        &mut self,
        what: &str,
        took: Duration,
        done: Result<(T, String), Why>,
    ) -> Result<T, Interrupted> {
        self.steps += 1;
        let step = Step {
            number: self.steps,
            chapter: self.chapter,
            what,
            took,
        };
        let (text, line) = match &done {
            Ok((_, note)) => step.done(note, self.paint),
            Err(why) => step.failed(why, self.paint),
        };
        self.tell(&text, &line).map_err(Interrupted::Unheard)?;
        match done {
            Ok((done, _)) => Ok(done),
            Err(_) => Err(Interrupted::StepFailed),
        }
    }

    /// All of it was told.
    pub(super) fn end(&self) -> Result<(), Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        let steps = self.steps;
        let text = format!("\n{steps} steps in {seconds:.1} s, and every one of them holds.");
        self.tell(
            &text,
            &json!({"steps": steps, "ok": true, "seconds": (seconds * 10.0).round() / 10.0}),
        )
    }

    /// One line, for either.
    pub(super) fn tell(&self, text: &str, line: &Value) -> Result<(), Failure> {
        match self.format {
            Format::People => say(text),
            Format::Scripts => say(line),
        }
    }
}

impl Step<'_> {
    fn done(&self, note: &str, paint: Paint) -> (String, Value) {
        let mark = paint.green("✓");
        let mut text = format!("  {mark} {}", self.what);
        let mut line = self.line(true);
        if !note.is_empty() {
            text.push_str(&format!(" ({note})"));
            line["note"] = json!(note);
        }
        (text, line)
    }

    fn failed(&self, Why(why): &Why, paint: Paint) -> (String, Value) {
        let mark = paint.red("✗");
        let text = format!(
            "  {mark} this failed: {}\n    because {why}\n\nStep {} failed, and the story ends here.",
            self.what, self.number
        );
        let mut line = self.line(false);
        line["why"] = json!(why);
        (text, line)
    }

    fn line(&self, ok: bool) -> Value {
        let ms = self.took.as_secs_f64() * 1000.0;
        json!({
            "step": self.number,
            "chapter": self.chapter,
            "what": self.what,
            "ok": ok,
            "ms": (ms * 10.0).round() / 10.0,
        })
    }
}

fn say(line: impl std::fmt::Display) -> Result<(), Failure> {
    output::line(line).map_err(|error| {
        let mend = "check where standard output goes";
        Failure::environment("cannot write what happens", mend).because(&error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_failed_says_which_and_why() {
        let step = Step {
            number: 7,
            chapter: "Polling",
            what: "Acme polls",
            took: Duration::from_micros(12_345),
        };
        let (text, line) = step.failed(&Why("nobody answered".to_owned()), Paint::Plain);
        assert_eq!(
            text,
            "  ✗ this failed: Acme polls\n    because nobody answered\n\nStep 7 failed, and the story ends here."
        );
        let expected = json!({
            "step": 7, "chapter": "Polling", "what": "Acme polls", "ok": false, "ms": 12.3,
            "why": "nobody answered",
        });
        assert_eq!(line, expected);
    }

    #[tokio::test]
    async fn the_first_step_that_fails_ends_the_story() {
        let mut teller = Teller::new(Format::Scripts, Paint::Plain);
        let done = teller.step("it holds", async { Ok(1) }).await;
        assert!(matches!(done, Ok(1)));
        let failed = async { Err::<(), _>(Why("it does not hold".to_owned())) };
        let ended = teller.step("it should hold", failed).await;
        assert!(matches!(ended, Err(Interrupted::StepFailed)));
    }
}
