//! `oyez check`: everything that is wrong or remarkable about a configuration, its keys and its ledger. Nothing is changed.

mod certificates;
mod departures;
mod finding;
mod keys;
mod ledger;
mod open_files;
mod operators;
mod policy;

use oyez_jose::UnixTime;

use super::{Surroundings, directory_of, read_config};
use crate::args::Check;
use crate::config::Draft;
use crate::failure::Failure;
use crate::output::Reply;

use finding::Finding;

/// Looks at everything.
pub(crate) fn run(args: &Check, around: &Surroundings) -> Result<Reply, Failure> {
    let path = &args.config.path;
    let text = read_config(path)?;
    let now = around.as_of(&args.as_of);
    let (draft, faults) = Draft::judge(&text, directory_of(path), &around.variables);
    let sound = faults.is_empty();
    let file = path.display().to_string();
    let mut findings: Vec<_> = faults
        .into_iter()
        .map(|fault| Finding::fault(fault, &file))
        .collect();
    let beside = outside(&draft, now);
    // What the configuration decides as a whole cannot be told by one that is wrong.
    if let Some(config) = draft.whole().filter(|_| sound) {
        findings.extend(policy::findings(&config));
        findings.extend(open_files::finding(&config));
    }
    findings.extend(beside);
    Ok(finding::reply(findings, around.paint))
}

/// The files that sections name, as far as those could be read.
fn outside(draft: &Draft, now: UnixTime) -> Vec<Finding> {
    let mut findings = certificates::findings(draft, now);
    if let Some(internal) = &draft.internal {
        findings.extend(operators::findings(internal));
    }
    if let Some(signing) = &draft.signing {
        findings.extend(keys::findings(signing, now));
    }
    if let Some(path) = draft
        .developer
        .as_ref()
        .and_then(|pages| pages.logo.as_ref())
        && let Err(failure) = crate::serve::logo(path)
    {
        let (what, mend) = failure.into_what_and_mend();
        findings.push(Finding::error("developer.logo", what, mend));
    }
    if let Some(store) = &draft.store {
        findings.extend(ledger::findings(store));
    }
    findings
}
