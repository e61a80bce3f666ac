use crate::console::Page;
use crate::progress_line::{ProgressLine, rate};
use crate::text::counted;

/// How far the verification is.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    line: ProgressLine<'a>,
    runs: u64,
    events: u64,
}

impl<'a> Progress<'a> {
    pub(super) fn new(page: &'a mut Page) -> Self {
        Self {
            line: ProgressLine::new(page),
            runs: 0,
            events: 0,
        }
    }

    pub(super) fn run(&mut self) {
        self.runs += 1;
    }

    pub(super) fn events(&mut self, events: u64) {
        self.events += events;
        let (runs, events) = (counted(self.runs, "run"), counted(self.events, "event"));
        let total = self.events;
        self.line
            .draw(|elapsed| format!("{runs} · {events} · {}", rate(total, elapsed)));
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        self.line.clear();
    }
}
