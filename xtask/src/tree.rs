//! The text files of the working tree, read once.
//!
//! The tree is walked rather than asked of git, so that the checks see files that are not added yet and
//! work in an unpacked archive. Build output is recognised by the tag that cargo leaves in it, wherever
//! it is. Files that are not UTF-8 hold nothing to check and are left out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What is not ours to keep tidy.
const SKIPPED: [&str; 4] = [".git", ".venv", "node_modules", "target"];

/// Marks a folder as a cache (cargo writes it into every target folder).
const CACHE_TAG: &str = "CACHEDIR.TAG";

/// One text file.
pub struct File {
    /// Relative to the root, with `/` between the parts.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl File {
    /// The crate folder this file belongs to: `domain` for `crates/domain/…`, `xtask` for `xtask/…`.
    pub fn crate_folder(&self) -> Option<&str> {
        let mut parts = self.path.split('/');
        match parts.next()? {
            "crates" => parts.next(),
            "xtask" => Some("xtask"),
            _ => None,
        }
    }

    /// Whether everything in this file serves tests, or is an example: it can be reached by no user of the crate.
    pub fn is_test_code(&self) -> bool {
        let test_folder = self.path.split('/').any(|part| {
            matches!(part, "tests" | "benches" | "examples" | "testkit" | "fuzz")
                || part.starts_with("contract")
        });
        test_folder || self.path.ends_with("/tests.rs")
    }

    /// The lines with their numbers that a user of the crate runs: no comments, nothing after the file's
    /// own test module begins.
    pub fn shipped_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let all = if self.is_test_code() {
            ""
        } else {
            self.text.as_str()
        };
        self.numbered(all)
            .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Every line with its number, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.numbered(&self.text)
    }

    fn numbered<'a>(&self, text: &'a str) -> impl Iterator<Item = (usize, &'a str)> + use<'a> {
        text.lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }
}

/// The working tree.
pub struct Tree {
    root: PathBuf,
    files: Vec<File>,
}

impl Tree {
    /// Reads the repository that we stand in.
    pub fn read() -> io::Result<Self> {
        let root = root()?;
        let mut files = Vec::new();
        walk(&root, &root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root, files })
    }

    /// All files, ordered by path.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// The files whose name ends in `.extension`.
    pub fn with_extension(&self, extension: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| {
            Path::new(&file.path)
                .extension()
                .is_some_and(|it| it == extension)
        })
    }

    /// One file by its path.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether `path` (relative to the root) is there at all: text, binary or folder.
    pub fn has(&self, path: &Path) -> bool {
        self.root.join(path).exists()
    }
}

/// The root of the repository that we stand in. Asked when it is needed and not when this is compiled: checkouts
/// that share a target folder share what is compiled there.
pub fn root() -> io::Result<PathBuf> {
    let here = std::env::current_dir()?;
    let root = here
        .ancestors()
        .find(|folder| folder.join("xtask/Cargo.toml").exists());
    root.map(Path::to_path_buf)
        .ok_or_else(|| io::Error::other("not inside the repository"))
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<File>) -> io::Result<()> {
    if folder.join(CACHE_TAG).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        // `.git` is a file in a worktree.
        if SKIPPED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, files)?;
        } else if kind.is_file() {
            let relative = path
                .strip_prefix(root)
                .expect("the walk started at the root");
            match fs::read_to_string(&path) {
                Ok(text) => files.push(File {
                    path: slashed(relative),
                    text,
                }),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
