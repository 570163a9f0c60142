//! The text format that Prometheus had before OpenMetrics, which many agents still read alone. The two differ in their
//! comments: the older one names a counter with its suffix, knows no informations, and has no end.

use std::fmt::Write;

/// The same metrics in the older format.
pub(super) fn classic(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // What is said of a metric stands before its kind, which decides on its name.
    let mut help = None;
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        if let Some(said) = comment.strip_prefix("HELP ") {
            help = said.split_once(' ');
        } else if let Some((name, kind)) = comment
            .strip_prefix("TYPE ")
            .and_then(|it| it.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                kind => ("", kind),
            };
            if let Some((_, said)) = help.take() {
                writeln!(out, "# HELP {name}{suffix} {said}").expect(WRITABLE);
            }
            writeln!(out, "# TYPE {name}{suffix} {kind}").expect(WRITABLE);
        }
    }
    out
}

const WRITABLE: &str = "a string takes whatever is written";

#[cfg(test)]
mod tests {
    use super::classic;

    #[test]
    fn counters_have_their_suffix_and_nothing_is_only_of_the_newer_format() {
        let newer = "# HELP a_b What.\n# TYPE a_b counter\na_b_total{x=\"1\"} 2\n\
            # HELP c Info.\n# TYPE c info\nc_info{v=\"1\"} 1\n# HELP d_seconds How.\n# TYPE d_seconds histogram\n\
            d_seconds_sum 1.0\n# EOF\n";
        let older = "# HELP a_b_total What.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 2\n\
            # HELP c_info Info.\n# TYPE c_info gauge\nc_info{v=\"1\"} 1\n# HELP d_seconds How.\n# TYPE d_seconds histogram\n\
            d_seconds_sum 1.0\n";
        assert_eq!(classic(newer), older);
    }
}
