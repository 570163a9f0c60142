//! What flowed, as bars: drawn on the server, read without colour too. Each chart has its numbers in words beside it.

use std::time::Duration;

use maud::{Markup, html};
use oyez_domain::ledger::history::Minute;
use oyez_domain::time::Timestamp;

use super::words::{number, rough};

/// A span of time, and into how many bars it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// In addresses.
    pub(super) word: &'static str,
    /// For people.
    pub(super) name: &'static str,
    pub(super) span: Duration,
    bars: usize,
}

pub(super) const HOUR: Window = Window {
    word: "hour",
    name: "Last hour",
    span: Duration::from_secs(3600),
    bars: 60,
};
const DAY: Window = Window {
    word: "day",
    name: "Last day",
    span: Duration::from_secs(24 * 3600),
    bars: 96,
};
pub(super) const WEEK: Window = Window {
    word: "week",
    name: "Last week",
    span: Duration::from_secs(7 * 24 * 3600),
    bars: 84,
};

/// A name, a class, and what is counted.
type Series = (&'static str, &'static str, fn(&Minute) -> u64);

/// All that can be chosen.
pub(super) const WINDOWS: [Window; 3] = [HOUR, DAY, WEEK];

/// Accepted, acknowledged and failed, a chart each.
pub(super) fn charts(minutes: &[Minute], now: Timestamp, window: &Window) -> Markup {
    let series: [Series; 3] = [
        ("Accepted", "bars", |one| one.accepted),
        ("Acknowledged", "bars good", |one| one.acknowledged),
        ("Failed or expired", "bars bad", |one| {
            one.failed + one.expired
        }),
    ];
    html! {
        div.charts {
            @for (name, class, of) in series { (chart(name, class, &window.cut(minutes, now, of), window)) }
        }
    }
}

impl Window {
    /// By the word of an address; the last hour if it is none.
    pub(super) fn of_word(word: &str) -> Self {
        WINDOWS
            .into_iter()
            .find(|one| one.word == word)
            .unwrap_or(HOUR)
    }

    /// The sums per bar, oldest first. The minute that is now counts into the last.
    fn cut(&self, minutes: &[Minute], now: Timestamp, of: impl Fn(&Minute) -> u64) -> Vec<u64> {
        let mut sums = vec![0; self.bars];
        let width = self.span.as_secs() / self.bars as u64;
        for one in minutes {
            let age = now.minute().since(one.minute).as_secs() / width;
            if let Some(sum) = usize::try_from(age).ok().and_then(|age| sums.get_mut(age)) {
                *sum += of(one);
            }
        }
        sums.reverse();
        sums
    }
}

fn chart(name: &str, class: &str, sums: &[u64], window: &Window) -> Markup {
    let highest = sums.iter().copied().max().unwrap_or(0);
    let total: u64 = sums.iter().sum();
    let width = rough(window.span / u32::try_from(sums.len().max(1)).unwrap_or(1));
    let per = if width == "60 s" || width == "1 min" {
        "minute".to_owned()
    } else {
        width
    };
    let label = format!(
        "{name}: {total} in the {}, at most {highest} per {per}",
        window.name.to_lowercase()
    );
    html! {
        figure.chart {
            figcaption { (name) strong { (number(total)) } span.quiet { "at most " (number(highest)) " per " (per) } }
            svg class=(class) viewBox=(format!("0 0 {} {HEIGHT}", sums.len() * STEP)) preserveAspectRatio="none" role="img" aria-label=(label) {
                line.base x1="0" x2=(sums.len() * STEP) y1=(HEIGHT) y2=(HEIGHT) {}
                @for (place, sum) in sums.iter().enumerate() {
                    @if *sum > 0 {
                        @let tall = (sum * HEIGHT).div_ceil(highest).max(1);
                        rect x=(place * STEP) y=(HEIGHT - tall) width=(STEP - 1) height=(tall) {}
                    }
                }
            }
        }
    }
}

/// Of a bar and the gap after it.
const STEP: usize = 5;
const HEIGHT: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    // I-03
    #[test]
    fn every_minute_counts_once_and_the_last_bar_is_now() {
        let now = Timestamp::from_unix_seconds(1_700_000_030);
        let minute = |ago: u64, accepted| Minute {
            minute: now.minute() - Duration::from_secs(60 * ago),
            accepted,
            ..Minute::default()
        };
        let minutes = [minute(70, 1000), minute(59, 1), minute(1, 2), minute(0, 3)];
        let sums = HOUR.cut(&minutes, now, |one| one.accepted);
        assert_eq!((sums[0], sums[58], sums[59]), (1, 2, 3));
        assert_eq!(sums.iter().sum::<u64>(), 6);
        assert_eq!(
            DAY.cut(&minutes, now, |one| one.accepted)
                .iter()
                .sum::<u64>(),
            1006
        );
    }
}
