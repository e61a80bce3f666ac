use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::console::Page;
use crate::text;

/// Says on a terminal how far the verification is.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    page: &'a mut Page,
    begun: Instant,
    drawn: Instant,
    is_drawn: bool,
    runs: u64,
    events: u64,
}

const REDRAW: Duration = Duration::from_millis(100);

impl<'a> Progress<'a> {
    pub(super) fn new(page: &'a mut Page) -> Self {
        let now = Instant::now();
        Self {
            page,
            begun: now,
            drawn: now,
            is_drawn: false,
            runs: 0,
            events: 0,
        }
    }

    pub(super) fn run(&mut self) {
        self.runs += 1;
    }

    pub(super) fn events(&mut self, events: u64) {
        self.events += events;
        if !self.page.is_terminal || self.drawn.elapsed() < REDRAW {
            return;
        }
        self.drawn = Instant::now();
        self.is_drawn = true;
        let rate = self.events as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        let line = format!(
            "{} · {} · {}/s",
            text::counted(self.runs, "run"),
            text::counted(self.events, "event"),
            text::grouped(rate.round() as u64)
        );
        let line = text::shortened(&line, self.page.width.saturating_sub(1)).into_owned();
        let _ = write!(self.page, "\r\x1b[K{line}");
        let _ = self.page.flush();
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if self.is_drawn {
            let _ = write!(self.page, "\r\x1b[K");
            let _ = self.page.flush();
        }
    }
}
