//! `oyez check`: everything that is wrong or remarkable about a configuration, its keys and its ledger. Nothing is changed.

mod finding;
mod keys;
mod ledger;
mod policy;
mod tokens;

use super::{Surroundings, directory_of, read_text};
use crate::args::Check;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Reply;

use finding::Finding;

/// Looks at everything.
pub(crate) fn run(args: &Check, around: &Surroundings) -> Result<Reply, Failure> {
    let path = &args.config.path;
    let text = read_text(path)?;
    let findings = match Config::read(&text, directory_of(path), &around.variables) {
        Ok(config) => {
            let mut findings = policy::findings(&config);
            findings.extend(tokens::findings(&config));
            findings.extend(keys::findings(&config, around.as_of(&args.as_of)));
            findings.push(ledger::finding(&config));
            findings
        }
        // The rest cannot be judged by keys that are wrong.
        Err(faults) => {
            let file = path.display().to_string();
            faults
                .into_iter()
                .map(|fault| Finding::fault(fault, &file))
                .collect()
        }
    };
    Ok(finding::reply(findings, around.paint))
}
