use std::collections::BTreeMap;

use dvt_contracts::{ClaimedRun, Lease, RunEvent, RunKey, UNFINISHED_CLAIMS_ALONE};
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// The runs that a relay has claimed and not yet answered for.
#[derive(Debug, Default)]
pub(crate) struct HeldRuns {
    /// In the order of their keys: what is told of several at once depends on nothing else.
    runs: BTreeMap<RunKey, Held>,
    bytes: u64,
    taken_in: u64,
    /// As many had been taken in at the last hint.
    hinted: u64,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) lease: Lease,
    /// When the lease ends, at the latest, by this process's clock.
    pub(crate) expires_at: Instant,
    pub(crate) attempts: u32,
    /// It was claimed again and again and never finished: it may take this process down.
    is_suspect: bool,
    pub(crate) first_seq: u64,
    pub(crate) events: usize,
    /// How many of them the sink was given.
    pub(crate) sent: usize,
    pub(crate) phase: Phase,
    /// Counts those that were taken in.
    number: u64,
    bytes: u64,
}

/// What is being done about it.
#[derive(Debug)]
pub(crate) enum Phase {
    /// It is about to go out, or others have to be done first.
    Waiting(Vec<RunEvent>),
    /// The sink works on it.
    Publishing {
        begun_at: Instant,
        abort: AbortHandle,
    },
    /// The sink failed on it, and whose fault that is must be found out.
    Doubted,
    /// The store is being told.
    Settling,
}

impl Held {
    pub(crate) fn is_publishing(&self) -> bool {
        matches!(self.phase, Phase::Publishing { .. })
    }

    /// Whether its lease must be kept: the store is not yet being told how it went.
    pub(crate) fn is_working(&self) -> bool {
        !matches!(self.phase, Phase::Settling)
    }
}

impl HeldRuns {
    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether one of them is a suspect. Then nothing else is claimed.
    pub(crate) fn has_suspect(&self) -> bool {
        self.iter().any(|held| held.is_suspect)
    }

    /// Whether the run must not be published now: a suspect shares the sink with nobody, and waits for those that are `coming`.
    pub(crate) fn must_wait(&self, run: &RunKey, coming: bool) -> bool {
        let is_suspect = self.runs.get(run).is_some_and(|held| held.is_suspect);
        if is_suspect && coming {
            return true;
        }
        let mut others = self.iter().filter(|held| held.is_publishing());
        others.any(|other| is_suspect || other.is_suspect)
    }

    /// Notes a hint: it may be about any of these runs, whose new events nobody can claim as long as they are held.
    pub(crate) fn hinted(&mut self) {
        self.hinted = self.taken_in;
    }

    /// Whether there was a hint since this run was taken in.
    pub(crate) fn was_hinted(&self, held: &Held) -> bool {
        held.number <= self.hinted
    }

    /// Payload bytes of all of them.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn publishing(&self) -> usize {
        self.runs
            .values()
            .filter(|held| held.is_publishing())
            .count()
    }

    /// Takes a claimed run in that is not held, with so many payload bytes; it waits.
    pub(crate) fn take_in(&mut self, claimed: ClaimedRun, bytes: u64, expires_at: Instant) {
        self.bytes += bytes;
        self.taken_in += 1;
        let held = Held {
            number: self.taken_in,
            expires_at,
            attempts: claimed.attempts,
            is_suspect: claimed.unfinished_claims >= UNFINISHED_CLAIMS_ALONE,
            first_seq: claimed.events.first().map_or(0, |event| event.run_seq),
            events: claimed.events.len(),
            sent: 0,
            phase: Phase::Waiting(claimed.events),
            bytes,
            lease: claimed.lease,
        };
        self.runs.insert(held.lease.run.clone(), held);
    }

    pub(crate) fn get(&self, run: &RunKey) -> Option<&Held> {
        self.runs.get(run)
    }

    pub(crate) fn get_mut(&mut self, run: &RunKey) -> Option<&mut Held> {
        self.runs.get_mut(run)
    }

    /// The run as it is held under this lease, and no longer: a late answer must not end the work of a later claim.
    pub(crate) fn remove(&mut self, lease: &Lease) -> Option<Held> {
        let is_it = self
            .runs
            .get(&lease.run)
            .is_some_and(|held| held.lease.token == lease.token);
        if !is_it {
            return None;
        }
        let held = self.runs.remove(&lease.run)?;
        self.bytes -= held.bytes;
        if let Phase::Publishing { abort, .. } = &held.phase {
            abort.abort();
        }
        Some(held)
    }

    /// The runs that wait, those that were claimed first first: the store gives out what has been due longest. Suspects come
    /// last: whoever waited behind one would be taken down with it.
    pub(crate) fn waiting(&self) -> Vec<RunKey> {
        let waiting = self
            .runs
            .values()
            .filter(|held| matches!(held.phase, Phase::Waiting(_)));
        let mut waiting: Vec<&Held> = waiting.collect();
        waiting.sort_unstable_by_key(|held| (held.is_suspect, held.number));
        waiting.iter().map(|held| held.lease.run.clone()).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Held> {
        self.runs.values()
    }
}
