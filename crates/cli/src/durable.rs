//! Files that are there whole or not at all, and still there after the power failed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::failure::Failure;

/// Writes a new file that only its owner may read.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_new(path, bytes, OWNER_ONLY)
}

/// Writes a new file that everybody may read.
pub(crate) fn write_public(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    write_new(path, bytes, EVERYBODY)
}

/// Replaces a file that only its owner may read: readers see the old one or the new one. The caller sees to it that nobody
/// else replaces it meanwhile.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let draft = path.with_extension("new");
    let written = || {
        let mut options = OpenOptions::new();
        write(
            options.create(true).truncate(true).mode(OWNER_ONLY),
            &draft,
            bytes,
        )?;
        fs::rename(&draft, path)?;
        sync_directory_of(path)
    };
    written().map_err(|error| Failure::file("replace", path, &error))
}

/// Makes a new name in a directory durable.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let written = || {
        write(OpenOptions::new().create_new(true).mode(mode), path, bytes)?;
        sync_directory_of(path)
    };
    written().map_err(|error| Failure::file("write", path, &error))
}

fn write(options: &mut OpenOptions, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = options.write(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

const OWNER_ONLY: u32 = 0o600;
const EVERYBODY: u32 = 0o644;
