//! Tells what happens, line by line: for people with marks and chapters, for scripts as JSON lines.

use tokio::time::Instant;

use serde_json::{Value, json};

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
    pub(super) async fn step<T>(
        &mut self,
        what: &str,
        deed: impl Future<Output = Result<T, Why>>,
    ) -> Result<T, Interrupted> {
        let deed = async { deed.await.map(|done| (done, String::new())) };
        self.measured(what, deed).await
    }

    /// The same, with something to add that only the deed knows.
    pub(super) async fn measured<T>(
        &mut self,
        what: &str,
        deed: impl Future<Output = Result<(T, String), Why>>,
    ) -> Result<T, Interrupted> {
        let began = Instant::now();
        let done = Box::pin(deed).await;
        let ms = began.elapsed().as_millis();
        self.steps += 1;
        let mut line = json!({
            "step": self.steps, "chapter": self.chapter, "what": what, "ok": done.is_ok(), "ms": ms as u64,
        });
        let (text, outcome) = match done {
            Ok((done, note)) => {
                let mark = self.paint.green("✓");
                let shown = if note.is_empty() {
                    format!("  {mark} {what}")
                } else {
                    line["note"] = json!(note);
                    format!("  {mark} {what} ({note})")
                };
                (shown, Ok(done))
            }
            Err(Why(why)) => {
                line["why"] = json!(why);
                let mark = self.paint.red("✗");
                (
                    format!("  {mark} this failed: {what}\n    because {why}"),
                    Err(Interrupted::StepFailed),
                )
            }
        };
        self.tell(&text, &line).map_err(Interrupted::Unheard)?;
        outcome
    }

    /// All of it was told.
    pub(super) fn end(&self) -> Result<(), Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        let steps = self.steps;
        let text = format!("\n{steps} steps in {seconds:.1} s, and every one of them holds.");
        self.tell(
            &text,
            &json!({"steps": steps, "ok": true, "seconds": seconds}),
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

fn say(line: impl std::fmt::Display) -> Result<(), Failure> {
    output::line(line).map_err(|error| {
        let mend = "check where standard output goes";
        Failure::environment("cannot write what happens", mend).because(&error)
    })
}
