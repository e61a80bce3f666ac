use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use dvt_contracts::{FailOutcome, OutboxStats, SafeText};
use dvt_relay::{RelayEvent, RelayObserver};
use tokio::sync::Notify;

use super::metrics::{Metrics, Outage};

/// Silence of the relay's loop, which goes round once a second, for longer than this means that it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(10);
/// More notices than this between two looks are counted, not kept.
const MAX_NOTICES: usize = 50;

/// Watches a relay, for those who ask: the terminal, Prometheus, a health probe.
#[derive(Debug)]
pub(crate) struct Watch {
    metrics: Metrics,
    seen: Mutex<Seen>,
    noticed: Notify,
}

#[derive(Debug)]
struct Seen {
    turned_at: Instant,
    delivered: u64,
    down_because: Option<SafeText>,
    outage: Outage,
    store_answers: bool,
    /// What the store last said of its backlog, and how much had been delivered by then.
    backlog: Option<(u64, u64)>,
    notices: Vec<String>,
    more_notices: u64,
}

/// How a relay is doing.
#[derive(Debug, Clone)]
pub(crate) struct Doing {
    /// Events delivered since it began.
    pub(crate) delivered: u64,
    /// Why the sink is down, if it is.
    pub(crate) down_because: Option<SafeText>,
    /// Pending events of the store, as far as is known.
    pub(crate) pending: Option<u64>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            metrics: Metrics::new(),
            seen: Mutex::new(Seen {
                turned_at: Instant::now(),
                delivered: 0,
                down_because: None,
                outage: Outage::default(),
                store_answers: true,
                backlog: None,
                notices: Vec::new(),
                more_notices: 0,
            }),
            noticed: Notify::new(),
        }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Takes over what the store says of its outbox.
    pub(crate) fn set_stats(&self, stats: &OutboxStats) {
        self.metrics.set_outbox(stats);
        let mut seen = self.seen();
        seen.backlog = Some((stats.pending_events, seen.delivered));
    }

    pub(crate) fn doing(&self) -> Doing {
        let seen = self.seen();
        Doing {
            delivered: seen.delivered,
            down_because: seen.down_because.clone(),
            // Asking is dear and rare; what went out since then is known.
            pending: seen
                .backlog
                .map(|(pending, delivered)| pending.saturating_sub(seen.delivered - delivered)),
        }
    }

    /// Why the relay's loop is not well, if it is not.
    pub(crate) fn illness(&self) -> Option<String> {
        let silence = self.seen().turned_at.elapsed();
        (silence > HANGS_AFTER).then(|| format!("the relay's loop hangs since {silence:.0?}"))
    }

    /// Why no events are delivered at the moment, if so.
    pub(crate) fn hindrance(&self) -> Option<String> {
        if let Some(illness) = self.illness() {
            return Some(illness);
        }
        let seen = self.seen();
        if let Some(reason) = &seen.down_because {
            return Some(format!("the sink is down: {reason}"));
        }
        (!seen.store_answers).then(|| "the store does not answer".to_owned())
    }

    /// Waits for something worth telling, and takes it.
    pub(crate) async fn notices(&self) -> Vec<String> {
        self.noticed.notified().await;
        self.take_notices()
    }

    pub(crate) fn take_notices(&self) -> Vec<String> {
        let mut seen = self.seen();
        let mut notices = std::mem::take(&mut seen.notices);
        let more = std::mem::take(&mut seen.more_notices);
        if more > 0 {
            notices.push(format!("and {more} more"));
        }
        notices
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Numbers and texts: whoever panicked in between left them whole.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RelayObserver for Watch {
    fn observe(&self, event: &RelayEvent<'_>) {
        self.metrics.count(event);
        let mut seen = self.seen();
        let notice = seen.take_in(event);
        let is_down = seen.down_because.is_some();
        let more = seen.outage.advance(is_down);
        if !more.is_zero() {
            self.metrics.unavailable(more);
        }
        if let Some(notice) = notice {
            if seen.notices.len() < MAX_NOTICES {
                seen.notices.push(notice);
            } else {
                seen.more_notices += 1;
            }
            self.noticed.notify_one();
        }
    }
}

impl Seen {
    /// Remembers what happened, and says it if an operator wants to know.
    fn take_in(&mut self, event: &RelayEvent<'_>) -> Option<String> {
        match event {
            RelayEvent::Turned => {
                self.turned_at = Instant::now();
                None
            }
            RelayEvent::Claimed { .. } => {
                let answers_again = !self.store_answers;
                self.store_answers = true;
                answers_again.then(|| "the store answers again".to_owned())
            }
            RelayEvent::Delivered { events } => {
                self.delivered += events;
                None
            }
            RelayEvent::Charged {
                run,
                run_seq,
                outcome,
            } => match outcome {
                FailOutcome::BackingOff { .. } => None,
                FailOutcome::Parked { .. } => Some(format!(
                    "run {run} is parked: its event {run_seq} used up its attempts; see dvt outbox dead-letters"
                )),
                FailOutcome::Skipped { .. } => Some(format!(
                    "event {run_seq} of run {run} is skipped: it used up its attempts"
                )),
            },
            RelayEvent::LeaseLost { run } => Some(format!(
                "the lease on run {run} is lost: another relay goes on with it"
            )),
            RelayEvent::SinkDown { reason } => {
                let before = self.down_because.replace((*reason).clone());
                // Each probe that fails says it again.
                (before.is_none()).then(|| format!("the sink is down: {reason}"))
            }
            RelayEvent::SinkUp => {
                self.down_because = None;
                Some("the sink is back".to_owned())
            }
            RelayEvent::StoreFailed { error } => {
                let answered = std::mem::replace(&mut self.store_answers, false);
                answered.then(|| format!("the store does not answer: {error}"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
impl Watch {
    /// One whose relay was last heard of so long ago.
    pub(crate) fn silent_for(time: Duration) -> Self {
        let watch = Self::new();
        watch.seen().turned_at -= time;
        watch
    }
}

#[cfg(test)]
mod tests {
    use dvt_contracts::RunKey;

    use super::*;

    fn down(watch: &Watch, reason: &str) {
        let reason = SafeText::new(reason);
        watch.observe(&RelayEvent::SinkDown { reason: &reason });
    }

    #[test]
    fn silence_is_an_illness_and_a_sink_that_is_down_is_a_hindrance() {
        let silent = Watch::silent_for(HANGS_AFTER + Duration::from_secs(1));
        assert!(silent.illness().unwrap().contains("hangs"));
        assert_eq!(silent.hindrance(), silent.illness());
        silent.observe(&RelayEvent::Turned);
        assert_eq!((silent.illness(), silent.hindrance()), (None, None));

        down(&silent, "503");
        assert_eq!(silent.illness(), None);
        assert_eq!(silent.hindrance().unwrap(), "the sink is down: 503");
        silent.observe(&RelayEvent::SinkUp);
        assert_eq!(silent.hindrance(), None);
    }

    #[test]
    fn what_went_out_since_the_store_was_asked_is_pending_no_more() {
        let watch = Watch::new();
        assert_eq!(watch.doing().pending, None);
        watch.observe(&RelayEvent::Delivered { events: 5 });
        watch.set_stats(&OutboxStats {
            pending_events: 100,
            ..OutboxStats::default()
        });
        watch.observe(&RelayEvent::Delivered { events: 30 });
        let doing = watch.doing();
        assert_eq!((doing.delivered, doing.pending), (35, Some(70)));
    }

    #[test]
    fn an_outage_is_told_once_and_a_flood_of_notices_is_counted() {
        let watch = Watch::new();
        down(&watch, "503");
        down(&watch, "502");
        assert_eq!(watch.take_notices(), ["the sink is down: 503"]);
        assert_eq!(watch.doing().down_because.unwrap().as_str(), "502");
        watch.observe(&RelayEvent::SinkUp);
        assert_eq!(watch.take_notices(), ["the sink is back"]);

        let run = RunKey::new("t".parse().unwrap(), "r".parse().unwrap());
        for _ in 0..MAX_NOTICES + 7 {
            watch.observe(&RelayEvent::LeaseLost { run: &run });
        }
        let notices = watch.take_notices();
        assert_eq!(notices.len(), MAX_NOTICES + 1);
        assert_eq!(notices[MAX_NOTICES], "and 7 more");
        assert_eq!(watch.take_notices(), [] as [&str; 0]);
    }
}
