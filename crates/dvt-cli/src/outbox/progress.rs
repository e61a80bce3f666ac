use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::console::Page;
use crate::text;

/// Says on a terminal how many dead letters are retried.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    page: &'a mut Page,
    /// How many there were when it began, if that is known.
    total: Option<u64>,
    begun: Instant,
    drawn: Option<Instant>,
}

const REDRAW: Duration = Duration::from_millis(100);

impl<'a> Progress<'a> {
    pub(super) fn new(page: &'a mut Page, total: Option<u64>) -> Self {
        Self {
            page,
            total,
            begun: Instant::now(),
            drawn: None,
        }
    }

    /// Draws the line anew, now and then.
    pub(super) fn draw(&mut self, retried: u64) {
        if !self.page.is_terminal || self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return;
        }
        let elapsed = self.begun.elapsed();
        if elapsed < REDRAW {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = line(retried, self.total, elapsed);
        let line = text::shortened(&line, self.page.width.saturating_sub(1)).into_owned();
        let _ = write!(self.page, "\r\x1b[K{line}");
        let _ = self.page.flush();
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(self.page, "\r\x1b[K");
            let _ = self.page.flush();
        }
    }
}

fn line(retried: u64, total: Option<u64>, elapsed: Duration) -> String {
    let rate = retried as f64 / elapsed.as_secs_f64().max(0.001);
    // No more than a glance is asked for.
    let told = format!("{}/s", text::grouped(rate.round() as u64));
    let far = text::grouped(retried);
    match total.map(|total| (total, total.saturating_sub(retried))) {
        Some((total, left @ 1..)) if rate >= 1.0 => {
            let to_go = text::duration(Duration::from_secs_f64(left as f64 / rate));
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
