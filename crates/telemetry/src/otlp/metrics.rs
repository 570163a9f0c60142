//! Metrics as OTLP has them, from the text that a scraper reads: so what is exported is what is scraped, by the same names, and
//! nothing is counted twice.

use std::collections::BTreeMap;

use super::{Resource, attribute, request, scope};
use crate::protobuf::Message;
use crate::span::Value;

/// When something was counted, since 1970 in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What grows grew from nothing then.
    pub began_ns: u64,
    /// Now.
    pub now_ns: u64,
}

/// An `ExportMetricsServiceRequest` of a text in OpenMetrics.
pub fn metrics(resource: &Resource, text: &str, window: Window) -> Vec<u8> {
    let mut of_scope = scope();
    for family in families(text) {
        if let Some(message) = family.message(window) {
            of_scope.message(2, &message);
        }
    }
    request(resource, &of_scope)
}

/// A metric with its lines.
#[derive(Debug, Default)]
struct Family<'a> {
    name: &'a str,
    help: &'a str,
    kind: &'a str,
    samples: Vec<Sample<'a>>,
}

/// One line.
#[derive(Debug)]
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

/// A histogram of one set of labels.
#[derive(Debug, Default)]
struct Histogram {
    bounds: Vec<f64>,
    /// As they are written: each holds those before it.
    cumulated: Vec<f64>,
    sum: f64,
    count: f64,
}

fn families(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            let (name, help) = said.split_once(' ').unwrap_or((said, ""));
            families.push(Family {
                name,
                help,
                ..Family::default()
            });
        } else if let Some(said) = line.strip_prefix("# TYPE ") {
            if let (Some(family), Some((_, kind))) = (families.last_mut(), said.split_once(' ')) {
                family.kind = kind;
            }
        } else if !line.starts_with('#')
            && let (Some(family), Some(sample)) = (families.last_mut(), sample(line))
        {
            family.samples.push(sample);
        }
    }
    families
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else {
        return Some(Sample {
            name: series,
            labels: Vec::new(),
            value,
        });
    };
    Some(Sample {
        name,
        labels: labels_of(labels.strip_suffix('}')?)?,
        value,
    })
}

/// `a="b",c="d"`, where a value may hold `\"`, `\\` and `\n`.
fn labels_of(mut text: &str) -> Option<Vec<(&str, String)>> {
    let mut labels = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.push((name, value));
        text = rest[end + 1..].trim_start_matches(',');
    }
    Some(labels)
}

impl Family<'_> {
    /// `None` if there is nothing to tell.
    fn message(&self, window: Window) -> Option<Message> {
        if self.samples.is_empty() {
            return None;
        }
        let mut message = Message::default();
        message.text(1, self.name);
        message.text(2, self.help);
        message.text(3, unit(self.name));
        match self.kind {
            "counter" => {
                let mut sum = self.points(window);
                sum.number(2, CUMULATIVE);
                sum.number(3, u64::from(true));
                message.message(7, &sum);
            }
            "histogram" => message.message(9, &self.histograms(window)),
            _ => message.message(5, &self.points(window)),
        }
        Some(message)
    }

    fn points(&self, window: Window) -> Message {
        let mut points = Message::default();
        for sample in &self.samples {
            let mut point = Message::default();
            point.fixed64(2, window.began_ns);
            point.fixed64(3, window.now_ns);
            point.double(4, sample.value);
            for (name, value) in &sample.labels {
                point.message(7, &attribute(name, &Value::Text(value.clone())));
            }
            points.message(1, &point);
        }
        points
    }

    fn histograms(&self, window: Window) -> Message {
        let mut by_labels: BTreeMap<Vec<(&str, &str)>, Histogram> = BTreeMap::new();
        for sample in &self.samples {
            let own = |(name, _): &&(&str, String)| *name != "le";
            let labels = sample.labels.iter().filter(own);
            let labels = labels
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            by_labels.entry(labels).or_default().add(sample);
        }
        let mut points = Message::default();
        for (labels, histogram) in by_labels {
            let mut point = Message::default();
            point.fixed64(2, window.began_ns);
            point.fixed64(3, window.now_ns);
            histogram.write(&mut point);
            for (name, value) in labels {
                point.message(9, &attribute(name, &Value::from(value)));
            }
            points.message(1, &point);
        }
        points.number(2, CUMULATIVE);
        points
    }
}

impl Histogram {
    fn add(&mut self, sample: &Sample<'_>) {
        let bound = sample.labels.iter().find(|(name, _)| *name == "le");
        match bound {
            Some((_, bound)) => {
                self.cumulated.push(sample.value);
                // The last bucket has no bound.
                if let Some(bound) = bound.parse().ok().filter(|bound: &f64| bound.is_finite()) {
                    self.bounds.push(bound);
                }
            }
            None if sample.name.ends_with("_sum") => self.sum = sample.value,
            None => self.count = sample.value,
        }
    }

    fn write(&self, point: &mut Message) {
        point.fixed64(4, whole(self.count));
        point.double(5, self.sum);
        let mut before = 0.0;
        let counts = self.cumulated.iter().map(|cumulated| {
            let count = cumulated - before;
            before = *cumulated;
            whole(count)
        });
        let counts: Vec<u64> = counts.collect();
        point.packed(6, counts.into_iter());
        point.packed(7, self.bounds.iter().map(|bound| bound.to_bits()));
    }
}

/// Counts are whole and not negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count below 2^53, read from its own text"
)]
fn whole(count: f64) -> u64 {
    count.max(0.0) as u64
}

/// As UCUM writes it.
fn unit(name: &str) -> &'static str {
    if name.ends_with("_seconds") {
        "s"
    } else if name.ends_with("_bytes") {
        "By"
    } else {
        ""
    }
}

const CUMULATIVE: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whatever_stands_in_its_labels() {
        let line = r#"a_total{b="x \"y\", z\\",c=""} 7"#;
        let read = sample(line).unwrap();
        assert_eq!(read.name, "a_total");
        assert_eq!(
            read.labels,
            [("b", r#"x "y", z\"#.to_owned()), ("c", String::new())]
        );
        assert!((read.value - 7.0).abs() < f64::EPSILON);
        assert!(sample(r#"a{b="c} 1"#).is_none());
    }
}
