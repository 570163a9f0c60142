//! Where the tools are that others wrote.

use std::path::PathBuf;

/// Python with the libraries that our tests need: where the variable says, or where `./test` puts it.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is told where its tools are"
)]
pub(crate) fn python_tool(name: &str) -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let installed = target.parent().unwrap().join("interop/venv/bin/python");
    let python = std::env::var_os("OYEZ_TEST_PYTHON").map_or(installed, PathBuf::from);
    let tool = python.with_file_name(name);
    assert!(
        tool.exists(),
        "{} is missing: ./test installs it",
        tool.display()
    );
    tool
}
