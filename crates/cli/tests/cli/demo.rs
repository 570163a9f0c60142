//! `oyez demo`: the real binary, with a directory for temporary files that shows whether it left something behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::bank::Desk;

/// The demonstration that stays. Dropped, it is killed.
pub(crate) struct Demo {
    child: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
    /// What it said first: addresses, the directory, and what to type.
    pub(crate) world: Value,
}

impl Demo {
    pub(crate) fn start(temporary: &Path) -> Self {
        let mut command = command_in(temporary, &["demo", "--json"]);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let world = line(&mut stdout);
        Self {
            child,
            stdout,
            world,
        }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        PathBuf::from(self.world["directory"].as_str().unwrap())
    }

    fn commands(&self) -> Vec<&str> {
        let commands = self.world["commands"].as_array().unwrap().iter();
        commands
            .map(|one| one["command"].as_str().unwrap())
            .collect()
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `oyez` with these words, its temporary files on the desk.
fn command(desk: &Desk, words: &[&str]) -> Command {
    command_in(&desk.path(""), words)
}

fn command_in(temporary: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oyez"));
    command
        .args(words)
        .env_clear()
        .env("TMPDIR", temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a script says, which must end well.
pub(crate) fn shell(script: &str, directory: &Path) -> String {
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", script]).current_dir(directory).output();
    let done = done.unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{script}: {said}{errors}");
    said
}

pub(crate) fn line(stdout: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("this is no JSON: {line:?}"))
}

fn left_in(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn the_story_is_told_to_its_end_and_leaves_nothing_behind() {
    let desk = Desk::empty();
    let done = command(&desk, &["demo", "--once"]).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    let errors = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(0), "{said}{errors}");
    insta::with_settings!({
        filters => vec![(r"\d+(\.\d+)? (ms|s\b)", "[TIME]")],
        prepend_module_to_snapshot => false,
    }, {
        insta::assert_snapshot!(said);
    });
    assert_eq!(errors, "");
    assert_eq!(left_in(&desk.path("")), 0);
}

#[test]
fn the_story_for_scripts_is_a_line_of_json_per_step() {
    let desk = Desk::empty();
    let done = command(&desk, &["demo", "--once", "--json"]).output();
    let said = String::from_utf8(done.unwrap().stdout).unwrap();
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (end, steps) = lines.split_last().unwrap();
    for (step, number) in steps.iter().zip(1..) {
        assert_eq!(step["step"], number, "{step}");
        assert_eq!(step["ok"], true, "{step}");
        assert!(step["what"].is_string() && step["chapter"].is_string());
    }
    assert_eq!(end["ok"], true);
    assert_eq!(end["steps"], steps.len());
}

#[test]
fn a_story_that_is_interrupted_leaves_nothing_behind_either() {
    let desk = Desk::empty();
    let mut child = command(&desk, &["demo", "--once", "--json"])
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut stdout)["step"], 1);
    assert_eq!(left_in(&desk.path("")), 1);
    let kill = format!("kill -INT {}", child.id());
    let sent = Command::new("sh").args(["-c", &kill]).status();
    assert!(sent.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert_eq!(left_in(&desk.path("")), 0);
}

#[test]
fn a_place_for_the_directory_is_asked_for_where_there_is_none() {
    let desk = Desk::empty();
    let mut command = command(&desk, &["demo", "--once"]);
    let done = command
        .env("TMPDIR", desk.path("nowhere"))
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(3));
    let errors = String::from_utf8(done.stderr).unwrap();
    assert!(errors.contains("cannot make"), "{errors}");
    assert!(errors.contains("mend: check the path"), "{errors}");
}

/// Needs curl; `./test` installs it.
#[test]
fn what_the_world_that_stays_says_to_type_works_and_ctrl_c_removes_it() {
    let desk = Desk::empty();
    // A shell would take this for three words and an open quote.
    let temporary = desk.path("the bank's own $desk");
    fs::create_dir(&temporary).unwrap();
    let mut demo = Demo::start(&temporary);
    // By then something was published for Bolt, too.
    assert!(line(&mut demo.stdout)["published"].is_array());
    let commands = demo.commands();
    let [poll, show, token, others @ ..] = commands.as_slice() else {
        panic!("there are more commands than {commands:?}")
    };
    // Without what follows it would go on for ever.
    let polled = shell(&format!("{poll} --once"), &desk.path(""));
    let record: Value = serde_json::from_str(polled.lines().next().unwrap()).unwrap();
    assert_eq!(record["claims"]["aud"], "bolt", "{polled}");
    assert_eq!(record["maybe_repeated"], false, "{polled}");
    let shown = shell(show, &desk.path(""));
    assert!(shown.contains("nowhere: it is polled"), "{shown}");
    let mut answers = Vec::new();
    for command in others {
        let script = format!("set -e; {token}; {command}");
        answers.push(shell(&script, &demo.directory()));
    }
    let json = |index: usize| -> Value {
        let answer = &answers[index];
        serde_json::from_str(answer).unwrap_or_else(|_| panic!("this is no JSON: {answer}"))
    };
    assert_eq!(
        json(0)["Data"]["EventSubscription"][0]["Version"],
        "4.0",
        "{answers:#?}"
    );
    let outcome = &json(1)["outcomes"][0];
    assert_eq!(outcome["outcome"], "accepted");
    let jti = outcome["jti"].as_str().unwrap();
    assert!(json(2)["sets"][jti].is_string(), "{answers:#?}");
    assert!(json(3)["sets"].is_object(), "{answers:#?}");
    assert!(json(3)["sets"][jti].is_null(), "{answers:#?}");
    assert_eq!(json(4)["state"], "responsive");
    assert_eq!(json(5)["keys"][0]["alg"], "PS256");
    assert!(answers[6].contains("oyez_published_items"), "{answers:#?}");
    demo.signal("INT");
    assert_eq!(demo.child.wait().unwrap().code(), Some(0));
    assert_eq!(left_in(&temporary), 0);
}
