//! The signing keys: whether they can be used, by whom they can be read, and whether one signs today and in a month (M-06).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use oyez_jose::UnixTime;
use oyez_jose::key_set::{Manifest, lead};

use super::super::keys::next_signing;
use super::finding::Finding;
use crate::config::Signing;
use crate::key_directory::KeyDirectory;
use crate::output::moment;

pub(super) fn findings(config: &Signing, now: UnixTime) -> Vec<Finding> {
    let directory = KeyDirectory::at(&config.keys);
    let subject = directory.path().display().to_string();
    let manifest = match directory.manifest() {
        Ok(manifest) => manifest,
        Err(failure) => return vec![Finding::failed(&subject, failure)],
    };
    let mut findings: Vec<_> = manifest
        .keys
        .iter()
        .filter_map(|entry| readable_by_others(&directory.file_of(entry)))
        .collect();
    if let Err(failure) = directory.load(config.jwks_max_age, now) {
        findings.push(Finding::failed(&subject, failure));
    }
    findings.push(signing(&manifest, lead(config.jwks_max_age), &subject, now));
    findings
}

/// Whether a key signs now, and goes on signing for a while.
fn signing(manifest: &Manifest, lead: Duration, subject: &str, now: UnixTime) -> Finding {
    let Some(signing) = manifest.signing_at(now, lead) else {
        return match next_signing(manifest, lead, now) {
            Some(from) => {
                let what = format!(
                    "no key may sign before {}: events wait until then",
                    moment(from)
                );
                Finding::warning(
                    subject,
                    what,
                    "wait; and keep a spare key from now on: oyez keys new",
                )
            }
            None => Finding::error(subject, "there is no key that signs", "oyez keys new"),
        };
    };
    let soon = now + SOON;
    match manifest.signing_at(soon, lead) {
        None => {
            let what = format!("no key will sign any more by {}", moment(soon));
            Finding::warning(subject, what, "oyez keys rotate, in good time")
        }
        Some(_) => {
            let what = format!(
                "{} ({}) signs; {} in all",
                signing.kid,
                signing.alg,
                manifest.keys.len()
            );
            Finding::note(subject, what)
        }
    }
}

/// A key file that others than its owner may read; one that is not there is another's finding.
pub(super) fn readable_by_others(path: &Path) -> Option<Finding> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & OTHERS != 0).then(|| {
        let what = format!(
            "others than its owner may use this key (mode {:o})",
            mode & 0o777
        );
        Finding::warning(
            path.display().to_string(),
            what,
            format!("chmod 600 {}", path.display()),
        )
    })
}

/// Group and world.
const OTHERS: u32 = 0o077;
/// Time enough to rotate without haste.
const SOON: Duration = Duration::from_secs(30 * 24 * 60 * 60);
