use std::io::Write as _;
use std::time::{Duration, Instant};

use super::watch::Doing;
use crate::console::{Page, Tint};
use crate::text;

/// Reasons quote what a sink said; this much of them is enough.
const MAX_NOTICE: usize = 2_000;

/// Says on a terminal how the delivery goes, and anywhere what an operator wants to know.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    page: &'a mut Page,
    drawn: bool,
    last: Option<(Instant, u64)>,
    rate: f64,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(page: &'a mut Page) -> Self {
        Self {
            page,
            drawn: false,
            last: None,
            rate: 0.0,
        }
    }

    /// Whether anybody sees the line.
    pub(crate) fn is_seen(&self) -> bool {
        self.page.is_terminal
    }

    /// Draws the line anew.
    pub(crate) fn draw(&mut self, doing: &Doing) {
        if !self.page.is_terminal {
            return;
        }
        let now = Instant::now();
        if let Some((at, delivered)) = self.last {
            let seconds = (now - at).as_secs_f64().max(0.001);
            let fresh = (doing.delivered - delivered) as f64 / seconds;
            // Smooth enough to read, fresh enough to trust.
            self.rate = self.rate * 0.7 + fresh * 0.3;
        }
        self.last = Some((now, doing.delivered));
        let line = line(doing, self.rate);
        let line = text::shortened(&line, self.page.width.saturating_sub(1)).into_owned();
        let _ = write!(self.page, "\r\x1b[K{line}");
        let _ = self.page.flush();
        self.drawn = true;
    }

    /// Tells what happened.
    pub(crate) fn notice(&mut self, notice: &str) {
        self.clear();
        let label = self.page.paint.paint(Tint::Yellow, "relay:");
        let notice = text::shortened(notice, MAX_NOTICE);
        let _ = writeln!(self.page, "{label} {notice}");
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(self.page, "\r\x1b[K");
            let _ = self.page.flush();
        }
    }
}

fn line(doing: &Doing, rate: f64) -> String {
    let delivered = format!("{} delivered", text::grouped(doing.delivered));
    if let Some(reason) = &doing.down_because {
        return format!("{delivered} · the sink is down: {reason}");
    }
    // No more than a glance is asked for.
    let whole = rate.round().max(0.0) as u64;
    let going = format!("{delivered} · {}/s", text::grouped(whole));
    let Some(pending) = doing.pending else {
        return going;
    };
    let waiting = format!("{going} · {} pending", text::grouped(pending));
    match (pending, whole) {
        (1.., 1..) => {
            let left = Duration::from_secs_f64(pending as f64 / rate);
            format!("{waiting} · {} to go", text::duration(left))
        }
        _ => waiting,
    }
}

#[cfg(test)]
mod tests {
    use dvt_contracts::SafeText;

    use super::*;

    #[test]
    fn the_line_tells_rate_backlog_and_time_left() {
        let mut doing = Doing {
            delivered: 1_234,
            down_because: None,
            pending: None,
        };
        assert_eq!(line(&doing, 0.0), "1,234 delivered · 0/s");
        doing.pending = Some(90_000);
        assert_eq!(
            line(&doing, 1_000.2),
            "1,234 delivered · 1,000/s · 90,000 pending · 1 m 29 s to go"
        );
        assert_eq!(line(&doing, 0.0), "1,234 delivered · 0/s · 90,000 pending");
        doing.down_because = Some(SafeText::new("503"));
        assert_eq!(line(&doing, 9.0), "1,234 delivered · the sink is down: 503");
    }
}
