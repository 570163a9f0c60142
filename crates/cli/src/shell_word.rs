//! Paths in commands that people paste into a shell.

use std::borrow::Cow;
use std::path::Path;

/// As a shell reads it as one word: in quotes if it must be.
pub(crate) fn shell_word(path: &Path) -> String {
    let text: Cow<'_, str> = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_plain_path_stays_as_it_is() {
        for path in ["/tmp/oyez-demo-1a2b", "target/release/oyez", "bank.toml"] {
            assert_eq!(shell_word(Path::new(path)), path);
        }
    }

    #[test]
    fn a_shell_reads_any_path_as_the_one_word_that_it_is() {
        for path in [
            "", "~", "a b", "it's", "'", "$HOME", "`x`", "a;b", "a\nb", "#", "*", "ü", "\\",
        ] {
            let script = format!("printf %s {}", shell_word(Path::new(path)));
            let said = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), path, "{script}");
        }
    }
}
