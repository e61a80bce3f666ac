use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::console::{Page, Tint};
use crate::text;

/// Says how far the reading is, on a terminal only, and which lines were rejected.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    page: &'a mut Page,
    size: Option<u64>,
    begun: Instant,
    drawn: Option<Instant>,
    told: u64,
}

/// More rejected lines than this are only counted: a wrong file has millions.
const TOLD_LINES: u64 = 20;
/// Reasons quote the input; this much of them is enough to see what is meant.
const TOLD_BYTES: usize = 600;
const REDRAW: Duration = Duration::from_millis(100);

impl<'a> Progress<'a> {
    pub(super) fn new(page: &'a mut Page, size: Option<u64>) -> Self {
        Self {
            page,
            size,
            begun: Instant::now(),
            drawn: None,
            told: 0,
        }
    }

    /// Draws the line anew, now and then.
    pub(super) fn draw(&mut self, lines: u64, bytes: u64) {
        if !self.page.is_terminal || self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return;
        }
        let elapsed = self.begun.elapsed();
        if elapsed < REDRAW {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = line(lines, bytes, self.size, elapsed);
        let line = text::shortened(&line, self.page.width.saturating_sub(1)).into_owned();
        let _ = write!(self.page, "\r\x1b[K{line}");
        let _ = self.page.flush();
    }

    /// Where to say something else: the line is taken away for it.
    pub(super) fn page(&mut self) -> &mut Page {
        self.clear();
        self.page
    }

    /// Tells of a rejected line.
    pub(super) fn rejected(&mut self, line: u64, reason: &str) {
        self.told += 1;
        if self.told > TOLD_LINES + 1 {
            return;
        }
        self.clear();
        if self.told > TOLD_LINES {
            let _ = writeln!(
                self.page,
                "more lines were rejected: they are counted, not listed"
            );
            return;
        }
        let label = self
            .page
            .paint
            .paint(Tint::Yellow, format_args!("line {line}:"));
        let reason = text::shortened(reason, TOLD_BYTES).into_owned();
        let _ = writeln!(self.page, "{label} {reason}");
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(self.page, "\r\x1b[K");
            let _ = self.page.flush();
        }
    }
}

fn line(lines: u64, bytes: u64, size: Option<u64>, elapsed: Duration) -> String {
    let micros = u64::try_from(elapsed.as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    let rate = u128::from(bytes) * 1_000_000 / u128::from(micros);
    let rate = text::bytes(u64::try_from(rate).unwrap_or(u64::MAX));
    let far = match size.filter(|size| *size > 0) {
        Some(size) => {
            let percent = (u128::from(bytes) * 100 / u128::from(size)).min(100);
            format!(
                "{} of {} ({percent} %)",
                text::bytes(bytes),
                text::bytes(size)
            )
        }
        None => text::bytes(bytes),
    };
    format!("{} lines · {far} · {rate}/s", text::grouped(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_and_how_fast() {
        let second = Duration::from_secs(1);
        assert_eq!(
            line(1_234_567, 500_000_000, Some(1_000_000_000), 2 * second),
            "1,234,567 lines · 500.0 MB of 1.0 GB (50 %) · 250.0 MB/s"
        );
        assert_eq!(line(1, 100, None, second), "1 lines · 100 B · 100 B/s");
        assert_eq!(line(0, 0, Some(0), Duration::ZERO), "0 lines · 0 B · 0 B/s");
    }
}
