//! A bank on a development machine, made by `oyez init`, and a person who types commands beside it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A directory with a bank in `bank/`.
pub(crate) struct Desk {
    directory: TempDir,
}

/// What a command did.
pub(crate) struct Done {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Desk {
    /// With nothing on it.
    pub(crate) fn empty() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// With a fresh bank.
    pub(crate) fn with_bank() -> Self {
        let desk = Self::empty();
        assert_eq!(desk.run("init bank").code, 0);
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces a text in the bank's configuration.
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let text = self.read("bank/oyez.toml");
        assert!(text.contains(from), "{from}");
        self.write("bank/oyez.toml", &text.replace(from, to));
    }

    /// Makes all keys older, as if time had passed.
    pub(crate) fn age_keys(&self, seconds: i64) {
        let mut manifest: serde_json::Value =
            serde_json::from_str(&self.read("bank/keys/manifest.json")).unwrap();
        for key in manifest["keys"].as_array_mut().unwrap() {
            for (name, value) in key.as_object_mut().unwrap() {
                if let (Some(at), true) = (value.as_i64(), name != "kid") {
                    *value = (at - seconds).into();
                }
            }
        }
        self.write("bank/keys/manifest.json", &manifest.to_string());
    }

    /// Runs `oyez` with these words.
    pub(crate) fn run(&self, words: &str) -> Done {
        self.run_with(words, "", &[])
    }

    /// The same, with standard input and variables.
    pub(crate) fn run_with(&self, words: &str, stdin: &str, variables: &[(&str, &str)]) -> Done {
        let mut child = self.start(words, variables);
        child
            .stdin
            .take()
            .unwrap()
            .write_all(stdin.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        Done {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }

    /// Starts it, and whoever asked sees to its end.
    pub(crate) fn start(&self, words: &str, variables: &[(&str, &str)]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_oyez"))
            .args(words.split_whitespace())
            .current_dir(self.directory.path())
            .env_clear()
            // As many as any machine allows to be open: what `check` says of it must not differ.
            .env("OYEZ_LISTENER__CONNECTIONS_MAX", "64")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs these commands one after the other, and writes down all that is to be seen.
    pub(crate) fn session(&self, commands: &[&str]) -> String {
        let shown = commands
            .iter()
            .map(|words| self.shown(words, &self.run(words)));
        shown.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn shown(&self, words: &str, done: &Done) -> String {
        let mut text = format!("$ oyez {words}\n{}", done.stdout);
        if !done.stderr.is_empty() {
            text.push_str(&format!("--- standard error\n{}", done.stderr));
        }
        text.push_str(&format!("--- exit code {}\n", done.code));
        text
    }
}

/// Compares with a snapshot in which what differs each time is replaced by text of the same width.
macro_rules! assert_session {
    ($text:expr) => {
        insta::with_settings!({
            filters => vec![
                (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "YYYY-MM-DDThh:mm:ssZ"),
                (r"[A-Za-z0-9_-]{43}", "KID........................................"),
                (r"\d+ KiB", "[SIZE] KiB"),
            ],
            prepend_module_to_snapshot => false,
        }, {
            insta::assert_snapshot!($text);
        });
    };
}
pub(crate) use assert_session;

/// All files below a directory, with their permissions.
pub(crate) fn files(root: &Path) -> Vec<(String, u32)> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::metadata(&path).unwrap();
            if metadata.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, metadata.permissions().mode() & 0o777));
            }
        }
    }
    found.sort();
    found
}
