//! Whether as many connections can be open as the configuration promises: each is an open file.

use super::finding::Finding;
use crate::config::Config;
use crate::open_files;

pub(super) fn finding(config: &Config) -> Option<Finding> {
    let wanted = open_files::wanted(config);
    let most = open_files::most()?;
    (most < wanted).then(|| {
        let what = format!(
            "this user may have {most} at a time, and the configured connections need {wanted}"
        );
        let mend = "raise the hard limit (ulimit -Hn, LimitNOFILE), or lower connections_max";
        Finding::warning("open files", what, mend)
    })
}
