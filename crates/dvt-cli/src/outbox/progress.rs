use std::time::Duration;

use crate::console::Page;
use crate::progress_line::{ProgressLine, rate};
use crate::text;

/// How many dead letters are retried.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    line: ProgressLine<'a>,
    /// How many there were when it began, if that is known.
    total: Option<u64>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(page: &'a mut Page, total: Option<u64>) -> Self {
        Self {
            line: ProgressLine::new(page),
            total,
        }
    }

    /// Draws the line anew, now and then.
    pub(super) fn draw(&mut self, retried: u64) {
        let total = self.total;
        self.line.draw(|elapsed| line(retried, total, elapsed));
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        self.line.clear();
    }
}

fn line(retried: u64, total: Option<u64>, elapsed: Duration) -> String {
    let per_second = retried as f64 / elapsed.as_secs_f64().max(0.001);
    let told = rate(retried, elapsed);
    let far = text::grouped(retried);
    match total.map(|total| (total, total.saturating_sub(retried))) {
        Some((total, left @ 1..)) if per_second >= 1.0 => {
            let to_go = text::duration(Duration::from_secs_f64(left as f64 / per_second));
            let total = text::grouped(total);
            format!("{far} of {total} retried · {told} · {to_go} to go")
        }
        _ => format!("{far} retried · {told}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_how_fast_and_how_long() {
        let second = Duration::from_secs(1);
        assert_eq!(
            line(20_000, Some(100_000), 10 * second),
            "20,000 of 100,000 retried · 2,000/s · 40.00 s to go"
        );
        assert_eq!(line(1_500, None, second), "1,500 retried · 1,500/s");
        // More died meanwhile.
        assert_eq!(line(12, Some(10), second), "12 retried · 12/s");
        assert_eq!(line(0, Some(10), second), "0 retried · 0/s");
    }
}
