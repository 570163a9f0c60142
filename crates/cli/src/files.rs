//! Reading what the configuration names.

use std::fs;
use std::path::Path;

use oyez_jose::Zeroizing;

use crate::config::Secret;
use crate::failure::Failure;

/// A file's bytes.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::file("read", path, &error))
}

/// A file's bytes that must not lie about in memory.
pub(crate) fn secret_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    bytes(path).map(Zeroizing::new)
}

/// A secret's text, wherever it stands; white space around it is an editor's.
pub(crate) fn secret(secret: &Secret) -> Result<Zeroizing<String>, Failure> {
    match secret {
        Secret::Here(text) => Ok(Zeroizing::new(text.clone())),
        Secret::In(path) => {
            let text = fs::read_to_string(path).map(Zeroizing::new);
            let text = text.map_err(|error| Failure::file("read", path, &error))?;
            Ok(Zeroizing::new(text.trim().to_owned()))
        }
    }
}
