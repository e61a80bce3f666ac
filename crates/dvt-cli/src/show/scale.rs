use std::time::Duration;

use dvt_contracts::Timestamp;

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Its first moment.
    pub(super) start: Timestamp,
    /// Its last moment, not before the first.
    pub(super) end: Timestamp,
}

/// Columns that a bar takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bar {
    /// The first one, counted from 0.
    pub(super) column: usize,
    /// How many, at least one.
    pub(super) length: usize,
}

/// Maps moments to columns: column `c` of `n` stands for the time from `c/n` to `(c+1)/n` of the span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    span: Span,
    columns: usize,
}

impl Span {
    pub(super) fn length(self) -> Duration {
        self.end.saturating_since(self.start)
    }
}

impl Scale {
    pub(super) fn new(span: Span, columns: usize) -> Self {
        Self {
            span,
            columns: columns.max(1),
        }
    }

    /// The bar of a stretch of time: every column that it touches, so that nothing is drawn shorter than it was, and
    /// what took no time is still seen.
    pub(super) fn bar(self, start: Timestamp, end: Timestamp) -> Bar {
        let last = self.columns - 1;
        let column = self.position(start, false).min(last);
        let end = self.position(end, true).min(self.columns);
        Bar {
            column,
            length: end.saturating_sub(column).max(1),
        }
    }

    /// How many columns there are.
    pub(super) fn columns(self) -> usize {
        self.columns
    }

    /// The time that a column stands for.
    pub(super) fn span_of(self, column: usize) -> Span {
        let total = self.span.length().as_micros();
        let moment = |column: usize| {
            let offset = total * column as u128 / self.columns as u128;
            let offset = u64::try_from(offset).unwrap_or(u64::MAX);
            self.span
                .start
                .saturating_add(Duration::from_micros(offset))
        };
        Span {
            start: moment(column),
            end: moment(column + 1),
        }
    }

    fn position(self, moment: Timestamp, up: bool) -> usize {
        let total = self.span.length().as_micros();
        let offset = moment
            .saturating_since(self.span.start)
            .as_micros()
            .min(total);
        if total == 0 {
            return 0;
        }
        // Below 2^58 µs times a few hundred columns: far from overflow.
        let scaled = offset * self.columns as u128;
        let position = if up {
            scaled.div_ceil(total)
        } else {
            scaled / total
        };
        usize::try_from(position).unwrap_or(self.columns)
    }

    /// Where to write the time on the axis: round offsets from the start, at least `gap` columns apart.
    pub(super) fn ticks(self, gap: usize) -> Vec<(usize, Duration)> {
        let total = self.span.length().as_micros();
        let most = (self.columns / gap.max(1)).max(1) as u128;
        let step = round_up(total.div_ceil(most).max(1));
        let mut ticks = Vec::new();
        let mut offset = 0;
        while offset <= total {
            let offset_duration = Duration::from_micros(u64::try_from(offset).unwrap_or(u64::MAX));
            let column = self.position(self.span.start.saturating_add(offset_duration), false);
            if column < self.columns {
                ticks.push((column, offset_duration));
            }
            offset += step;
        }
        ticks
    }
}

/// The next step that people count in: 1, 2 or 5 times a power of ten µs up to seconds, then minutes, hours and days.
fn round_up(micros: u128) -> u128 {
    const SECOND: u128 = 1_000_000;
    let mut power = 1;
    while power < SECOND * 10 {
        for step in [power, 2 * power, 5 * power] {
            if step >= micros && step <= 30 * SECOND {
                return step;
            }
        }
        power *= 10;
    }
    let longer = [
        15, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400,
    ];
    let found = longer
        .into_iter()
        .map(|seconds| seconds * SECOND)
        .find(|step| *step >= micros);
    // Years of days: whole multiples of a day.
    found.unwrap_or_else(|| micros.div_ceil(86_400 * SECOND) * 86_400 * SECOND)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros).unwrap()
    }

    fn scale(start: i64, end: i64, columns: usize) -> Scale {
        Scale::new(
            Span {
                start: at(start),
                end: at(end),
            },
            columns,
        )
    }

    #[test]
    fn bars_are_to_scale() {
        let scale = scale(1_000, 11_000, 100);
        assert_eq!(
            scale.bar(at(1_000), at(11_000)),
            Bar {
                column: 0,
                length: 100
            }
        );
        assert_eq!(
            scale.bar(at(2_000), at(7_000)),
            Bar {
                column: 10,
                length: 50
            }
        );
        assert_eq!(
            scale.bar(at(2_050), at(2_150)),
            Bar {
                column: 10,
                length: 2
            }
        );
        assert_eq!(
            scale.bar(at(3_000), at(3_000)),
            Bar {
                column: 20,
                length: 1
            }
        );
        assert_eq!(
            scale.bar(at(11_000), at(11_000)),
            Bar {
                column: 99,
                length: 1
            }
        );
    }

    #[test]
    fn a_span_without_length_still_draws() {
        assert_eq!(
            scale(5, 5, 10).bar(at(5), at(5)),
            Bar {
                column: 0,
                length: 1
            }
        );
        assert_eq!(scale(5, 5, 10).ticks(8), [(0, Duration::ZERO)]);
    }

    #[test]
    fn ticks_are_round_and_apart() {
        let seconds = |ticks: Vec<(usize, Duration)>| -> Vec<_> {
            ticks
                .into_iter()
                .map(|(column, offset)| (column, offset.as_millis()))
                .collect()
        };
        assert_eq!(
            seconds(scale(0, 10_000_000, 50).ticks(10)),
            [(0, 0), (10, 2_000), (20, 4_000), (30, 6_000), (40, 8_000)]
        );
        assert_eq!(
            seconds(scale(0, 90_000_000, 30).ticks(10)),
            [(0, 0), (10, 30_000), (20, 60_000)]
        );
    }

    proptest! {
        #[test]
        fn any_bar_lies_on_the_axis_and_covers_its_time(
            columns in 1usize..300,
            (start, span) in (0i64..1_000_000_000_000, 0i64..1_000_000_000_000),
            (from, length) in (0i64..2_000_000_000_000, 0i64..2_000_000_000_000),
        ) {
            let scale = scale(start, start + span, columns);
            let bar = scale.bar(at(from), at(from + length));
            prop_assert!(bar.length >= 1);
            prop_assert!(bar.column + bar.length <= columns);
            let inside = from >= start && from + length <= start + span && span > 0;
            if inside {
                // Its true length in columns, and at most two more for the columns it touches in part.
                let exact = length as f64 * columns as f64 / span as f64;
                prop_assert!(bar.length as f64 >= exact - 1e-6);
                prop_assert!(bar.length as f64 <= exact + 2.0);
            }
        }

        #[test]
        fn ticks_are_few_and_in_order(columns in 1usize..300, span in 0i64..100_000_000_000_000_000) {
            let ticks = scale(0, span, columns).ticks(10);
            prop_assert!(ticks.len() <= columns / 10 + 2);
            prop_assert!(ticks.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert!(ticks.iter().all(|(column, _)| *column < columns));
        }
    }
}
