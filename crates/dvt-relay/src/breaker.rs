use std::collections::HashMap;
use std::time::Duration;

use dvt_contracts::{Lease, RunKey, SafeText};
use tokio::time::Instant;

use crate::chance::Chance;

/// Tells an outage of the sink from an event that it cannot take.
///
/// A failed publish is a doubt at first. If another run gets through since it was begun, the sink is well and the event is
/// charged an attempt. If nobody does, the sink is down: nobody is charged, and single runs probe it with growing pauses.
/// A run that fails alone proves nothing, unless its event was charged before.
#[derive(Debug)]
pub(crate) struct Breaker {
    verdict_within: Duration,
    probe_interval: Duration,
    chance: Chance,
    state: State,
    doubts: Vec<Doubt>,
    /// The last successes of two different runs, the latest first.
    successes: Vec<(RunKey, Instant)>,
    /// Events that failed and were not charged for it, and since when another run's success would have told that it was them.
    uncharged: HashMap<RunKey, (u64, Instant)>,
}

/// So many of them are remembered; an outage that meets more begins anew.
const MAX_UNCHARGED: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// Nothing is sent until then; so many outages came one after another.
    Open {
        until: Instant,
        outages: u32,
    },
    /// One run is on its way.
    Probing {
        outages: u32,
    },
}

/// A publish that failed for a reason that may be the sink's or the event's.
#[derive(Debug, Clone)]
pub(crate) struct Doubt {
    pub(crate) lease: Lease,
    pub(crate) seq: u64,
    pub(crate) reason: SafeText,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the sink said that it was this event, or was given no other.
    pub(crate) is_exact: bool,
    /// Whether this very event was charged before.
    pub(crate) charged_before: bool,
    pub(crate) begun_at: Instant,
    pub(crate) failed_at: Instant,
}

/// What becomes of doubts.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// The events are at fault.
    pub(crate) charged: Vec<Doubt>,
    /// The sink is: these are given back.
    pub(crate) acquitted: Vec<Doubt>,
}

/// How much may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claiming {
    Freely,
    /// One run, to probe the sink.
    One,
    /// Nothing before then.
    NotBefore(Instant),
}

impl Breaker {
    pub(crate) fn new(verdict_within: Duration, probe_interval: Duration, chance: Chance) -> Self {
        Self {
            verdict_within,
            probe_interval,
            chance,
            state: State::Closed,
            doubts: Vec::new(),
            successes: Vec::new(),
            uncharged: HashMap::new(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// How much may be claimed, with so many runs on their way.
    pub(crate) fn claiming(&self, now: Instant, in_flight: usize) -> Claiming {
        match self.state {
            State::Closed => Claiming::Freely,
            State::Open { until, .. } if now < until => Claiming::NotBefore(until),
            State::Open { .. } | State::Probing { .. } if in_flight == 0 => Claiming::One,
            // Whoever is on the way is the probe.
            State::Open { .. } | State::Probing { .. } => {
                Claiming::NotBefore(now + self.probe_interval)
            }
        }
    }

    /// A run goes out.
    pub(crate) fn sent(&mut self) {
        if let State::Open { outages, .. } = self.state {
            self.state = State::Probing { outages };
        }
    }

    /// A run got through.
    pub(crate) fn success(&mut self, run: &RunKey, now: Instant) -> Verdicts {
        self.state = State::Closed;
        self.succeeded(run, now);
        self.uncharged.remove(run);
        let (own, charged) = std::mem::take(&mut self.doubts)
            .into_iter()
            .partition(|doubt| doubt.lease.run == *run);
        self.doubts = own;
        Verdicts {
            charged,
            ..Verdicts::default()
        }
    }

    /// A run got through up to this event, which failed in a publish that was begun then. When the last event before it did is
    /// not known; the sink may be down since: it is no evidence against others that were begun later.
    pub(crate) fn stopped_at(&mut self, run: &RunKey, seq: u64, begun_at: Instant) {
        self.state = State::Closed;
        self.succeeded(run, begun_at);
        self.remember(run, seq, begun_at);
    }

    fn succeeded(&mut self, run: &RunKey, at: Instant) {
        let known = self.successes.iter().position(|(known, _)| known == run);
        let before = known.map(|known| self.successes.remove(known).1);
        let at = before.map_or(at, |before| before.max(at));
        self.successes.push((run.clone(), at));
        self.successes.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
        self.successes.truncate(2);
    }

    fn remember(&mut self, run: &RunKey, seq: u64, since: Instant) {
        if self.uncharged.len() >= MAX_UNCHARGED {
            self.uncharged.clear();
        }
        self.uncharged.insert(run.clone(), (seq, since));
    }

    /// A run did not get through.
    pub(crate) fn failure(&mut self, doubt: Doubt, in_flight: usize) -> Verdicts {
        // If the same event failed before, it is enough that another run got through in between: once, or what got through
        // before an outage would go on to charge it.
        let since = match self.uncharged.remove(&doubt.lease.run) {
            Some((seq, since)) if seq == doubt.seq => doubt.begun_at.min(since),
            _ => doubt.begun_at,
        };
        let another_got_through = self
            .successes
            .iter()
            .any(|(run, at)| *run != doubt.lease.run && *at >= since);
        if another_got_through {
            return Verdicts {
                charged: vec![doubt],
                ..Verdicts::default()
            };
        }
        let now = doubt.failed_at;
        self.doubts.push(doubt);
        self.judge(now, in_flight)
    }

    /// When [`judge`](Self::judge) is to be asked again.
    pub(crate) fn next_verdict(&self) -> Option<Instant> {
        let first = self.doubts.iter().map(|doubt| doubt.failed_at).min();
        first.map(|failed_at| failed_at + self.verdict_within)
    }

    /// Decides about the doubts, if it is time: nobody is left who could get through, or the time is up.
    pub(crate) fn judge(&mut self, now: Instant, in_flight: usize) -> Verdicts {
        let time_is_up = self.next_verdict().is_some_and(|at| at <= now);
        let probing = !self.is_closed();
        let nobody_left = in_flight == 0 && (probing || self.doubts.len() > 1);
        if self.doubts.is_empty() || !(time_is_up || nobody_left) {
            return Verdicts::default();
        }
        let doubts = std::mem::take(&mut self.doubts);
        if !probing && doubts.len() == 1 && doubts[0].charged_before {
            return Verdicts {
                charged: doubts,
                ..Verdicts::default()
            };
        }
        self.open(now, &doubts);
        for doubt in &doubts {
            self.remember(&doubt.lease.run, doubt.seq, doubt.failed_at);
        }
        Verdicts {
            acquitted: doubts,
            ..Verdicts::default()
        }
    }

    /// Takes a run's doubt back: its lease is lost, or the relay stops.
    pub(crate) fn forget(&mut self, run: &RunKey) {
        self.doubts.retain(|doubt| doubt.lease.run != *run);
    }

    /// Takes all doubts back.
    pub(crate) fn forget_all(&mut self) -> Vec<Doubt> {
        std::mem::take(&mut self.doubts)
    }

    fn open(&mut self, now: Instant, doubts: &[Doubt]) {
        let outages = match self.state {
            State::Closed => 1,
            State::Open { outages, .. } | State::Probing { outages } => outages.saturating_add(1),
        };
        // Full jitter below a hundredth of the interval, doubled with each outage up to the interval.
        let ceiling = (self.probe_interval / 100)
            .saturating_mul(1 << (outages - 1).min(16))
            .min(self.probe_interval);
        let asked = doubts.iter().filter_map(|doubt| doubt.retry_after).max();
        // A sink that asks for hours is asked again sooner.
        let asked = asked.unwrap_or_default().min(self.probe_interval);
        let until = now + self.chance.below(ceiling).max(asked);
        self.state = State::Open { until, outages };
    }
}

#[cfg(test)]
mod tests {
    use dvt_conformance::fixture;
    use dvt_contracts::{LeaseToken, Timestamp};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> Breaker {
        Breaker::new(SECOND, 30 * SECOND, Chance::default())
    }

    fn doubt(run: &str, charged_before: bool, begun_at: Instant) -> Doubt {
        Doubt {
            lease: Lease {
                run: fixture::run(run),
                claim_no: 1,
                token: LeaseToken::generate(),
                expires_at: Timestamp::MAX,
                last_seq: 1,
            },
            seq: 1,
            reason: "503".into(),
            retry_after: None,
            is_exact: true,
            charged_before,
            begun_at,
            failed_at: begun_at,
        }
    }

    fn runs(doubts: &[Doubt]) -> Vec<&str> {
        doubts
            .iter()
            .map(|doubt| doubt.lease.run.run_id.as_str())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn another_runs_success_charges_the_event() {
        let (mut breaker, now) = (breaker(), Instant::now());

        let waiting = breaker.failure(doubt("a", false, now), 1);
        let own = breaker.success(&fixture::run("a"), now);
        let verdicts = breaker.success(&fixture::run("b"), now);
        let at_once = breaker.failure(doubt("c", false, now), 0);

        assert!(waiting.charged.is_empty() && waiting.acquitted.is_empty());
        assert!(own.charged.is_empty());
        assert_eq!(runs(&verdicts.charged), ["a"]);
        assert_eq!(runs(&at_once.charged), ["c"]);
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_charged_while_nobody_gets_through() {
        let (mut breaker, now) = (breaker(), Instant::now());

        breaker.failure(doubt("a", true, now), 2);
        breaker.failure(doubt("b", true, now), 1);
        let verdicts = breaker.failure(doubt("c", true, now), 0);

        assert_eq!(runs(&verdicts.acquitted), ["a", "b", "c"]);
        assert!(verdicts.charged.is_empty());
        assert!(
            matches!(breaker.claiming(now, 0), Claiming::NotBefore(until) if until <= now + SECOND)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_alone_is_charged_only_if_it_was_before() {
        for (charged_before, charged, acquitted) in [(false, 0, 1), (true, 1, 0)] {
            let (mut breaker, now) = (breaker(), Instant::now());

            let early = breaker.failure(doubt("a", charged_before, now), 0);
            let verdicts = breaker.judge(now + SECOND, 0);

            assert!(early.charged.is_empty() && early.acquitted.is_empty());
            assert_eq!(
                (verdicts.charged.len(), verdicts.acquitted.len()),
                (charged, acquitted)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_that_fails_again_after_another_run_got_through_is_charged() {
        let (mut breaker, now) = (breaker(), Instant::now());
        breaker.failure(doubt("a", false, now), 0);
        let outage = breaker.judge(now + SECOND, 0);
        breaker.success(&fixture::run("b"), now + 2 * SECOND);

        let again = breaker.failure(doubt("a", false, now + 3 * SECOND), 0);
        let other = Doubt {
            seq: 2,
            ..doubt("a", false, now + 4 * SECOND)
        };
        let other = breaker.failure(other, 0);

        assert_eq!(runs(&outage.acquitted), ["a"]);
        assert_eq!(runs(&again.charged), ["a"]);
        assert!(other.charged.is_empty(), "it is another event");
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_before_an_outage_charges_an_event_once() {
        let (mut breaker, now) = (breaker(), Instant::now());
        breaker.success(&fixture::run("b"), now);
        breaker.success(&fixture::run("a"), now);
        breaker.stopped_at(&fixture::run("a"), 1, now);

        let first = breaker.failure(doubt("a", false, now + SECOND), 0);
        breaker.failure(doubt("a", true, now + 2 * SECOND), 0);
        let second = breaker.failure(doubt("c", false, now + 2 * SECOND), 0);

        assert_eq!(runs(&first.charged), ["a"]);
        assert_eq!(runs(&second.acquitted), ["a", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_run_at_a_time_probes_with_growing_pauses() {
        let (mut breaker, mut now) = (breaker(), Instant::now());
        let mut longest = Duration::ZERO;
        for outage in 0..64 {
            breaker.failure(doubt("a", true, now), 0);
            breaker.failure(doubt("b", true, now), 0);
            let Claiming::NotBefore(until) = breaker.claiming(now, 0) else {
                panic!("outage {outage} left the breaker closed");
            };
            assert!(until <= now + 30 * SECOND);
            longest = longest.max(until - now);
            now = until;
            assert_eq!(breaker.claiming(now, 0), Claiming::One);
            breaker.sent();
            assert!(matches!(breaker.claiming(now, 1), Claiming::NotBefore(_)));
        }

        assert!(longest > 10 * SECOND, "{longest:?}");
        breaker.success(&fixture::run("a"), now);
        assert_eq!(breaker.claiming(now, 1), Claiming::Freely);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_is_left_alone_as_long_as_it_asks() {
        let (mut breaker, now) = (breaker(), Instant::now());
        let asking = |run| Doubt {
            retry_after: Some(7 * SECOND),
            ..doubt(run, false, now)
        };

        breaker.failure(asking("a"), 1);
        breaker.failure(asking("b"), 0);

        assert!(
            matches!(breaker.claiming(now, 0), Claiming::NotBefore(until) if until >= now + 7 * SECOND)
        );
    }
}
