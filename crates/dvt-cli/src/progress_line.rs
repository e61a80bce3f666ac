use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::console::Page;
use crate::text;

/// A line on a terminal that says how far a long work is. Elsewhere there is none.
#[derive(Debug)]
pub(crate) struct ProgressLine<'a> {
    page: &'a mut Page,
    begun: Instant,
    drawn: Instant,
    is_drawn: bool,
}

/// More often than this nobody can read it. What ends sooner needs no line.
const REDRAW: Duration = Duration::from_millis(100);

impl<'a> ProgressLine<'a> {
    /// The work begins.
    pub(crate) fn new(page: &'a mut Page) -> Self {
        let now = Instant::now();
        Self {
            page,
            begun: now,
            drawn: now,
            is_drawn: false,
        }
    }

    /// Draws the line anew, now and then; `line` is told how long the work has lasted.
    pub(crate) fn draw(&mut self, line: impl FnOnce(Duration) -> String) {
        if !self.page.is_terminal || self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        self.is_drawn = true;
        let line = line(self.begun.elapsed());
        let line = text::shortened(&line, self.page.width.saturating_sub(1)).into_owned();
        let _ = write!(self.page, "\r\x1b[K{line}");
        let _ = self.page.flush();
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            let _ = write!(self.page, "\r\x1b[K");
            let _ = self.page.flush();
        }
    }
}

/// `1,500/s`
pub(crate) fn rate(count: u64, elapsed: Duration) -> String {
    let rate = count as f64 / elapsed.as_secs_f64().max(0.001);
    // No more than a glance is asked for.
    format!("{}/s", text::grouped(rate.round() as u64))
}
