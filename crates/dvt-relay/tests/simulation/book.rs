//! The checker's own account of the outbox, kept from what was called and answered, and what must hold in it.

use std::collections::{BTreeMap, BTreeSet};

use dvt_contracts::{
    ClaimedRun, DeadLetter, FailOutcome, Lease, LeaseError, LeaseToken, OnExhausted, RetryPolicy,
    RunKey, Timestamp,
};

use tokio::time::Instant;

use crate::tally::Tally;
use crate::violation::{Invariant, Violation};

/// A lease that nobody has ended yet.
#[derive(Debug, Clone, Copy)]
struct Standing {
    token: LeaseToken,
    expires_at: Timestamp,
}

/// What is known of one run.
#[derive(Debug, Default)]
pub(crate) struct RunBook {
    /// The numbers that producers were told, by key.
    pub(crate) told: BTreeMap<String, u64>,
    pub(crate) cursor: u64,
    pub(crate) claim_no: u64,
    pub(crate) attempts: u32,
    pub(crate) unfinished: u32,
    pub(crate) parked: bool,
    lease: Option<Standing>,
    arrived: BTreeSet<u64>,
    /// The highest claim under which something arrived.
    newest_claim: u64,
    /// With the last claim before they were skipped.
    pub(crate) skipped: BTreeMap<u64, u64>,
    /// By event: how often the sink did not take it, less how often it was charged.
    uncharged_failures: BTreeMap<u64, i64>,
}

#[derive(Debug)]
pub(crate) struct Book {
    begun_at: Instant,
    pub(crate) runs: BTreeMap<RunKey, RunBook>,
    pub(crate) tally: Tally,
    violation: Option<Violation>,
}

impl Book {
    pub(crate) fn begin() -> Self {
        Self {
            begun_at: Instant::now(),
            runs: BTreeMap::new(),
            tally: Tally::default(),
            violation: None,
        }
    }

    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    /// Notes what does not hold; the first counts.
    pub(crate) fn check(
        &mut self,
        holds: bool,
        invariant: Invariant,
        text: impl FnOnce() -> String,
    ) {
        if !holds && self.violation.is_none() {
            self.violation = Some(Violation {
                at: self.begun_at.elapsed(),
                invariant,
                text: text(),
            });
        }
    }

    pub(crate) fn run(&mut self, run: &RunKey) -> &mut RunBook {
        self.runs.entry(run.clone()).or_default()
    }

    pub(crate) fn claimed(&mut self, claimed: &ClaimedRun, now: Timestamp) {
        self.tally.count("claims");
        if claimed.unfinished_claims >= dvt_contracts::UNFINISHED_CLAIMS_ALONE {
            self.tally.count("claims of a suspect");
        }
        let lease = &claimed.lease;
        let book = self.run(&lease.run);
        let another = book.lease.filter(|standing| standing.expires_at > now);
        let (parked, cursor) = (book.parked, book.cursor);
        let counts = (book.claim_no + 1, book.attempts, book.unfinished + 1);
        book.claim_no = lease.claim_no;
        book.unfinished = claimed.unfinished_claims;
        book.lease = Some(Standing {
            token: lease.token,
            expires_at: lease.expires_at,
        });
        self.check(another.is_none(), Invariant::OneLease, || {
            format!("{} was claimed under an unexpired lease", lease.run)
        });
        let found = (lease.claim_no, claimed.attempts, claimed.unfinished_claims);
        self.check(found == counts, Invariant::Accounting, || {
            format!("claim {found:?} of {}, expected {counts:?}", lease.run)
        });
        let seqs: Vec<u64> = claimed.events.iter().map(|event| event.run_seq).collect();
        let follow = !seqs.is_empty() && seqs.iter().copied().eq(cursor + 1..=lease.last_seq);
        self.check(follow && !parked, Invariant::ClaimsFollowTheCursor, || {
            format!(
                "{} gave {seqs:?} after {cursor}, parked: {parked}",
                lease.run
            )
        });
    }

    pub(crate) fn extended(
        &mut self,
        lease: &Lease,
        reply: &Result<Lease, LeaseError>,
        now: Timestamp,
    ) {
        let standing = self.run(&lease.run).lease;
        let mine = standing.filter(|standing| standing.token == lease.token);
        match (reply, mine) {
            (Ok(extended), Some(mine)) if mine.expires_at > now => {
                self.tally.count("leases lengthened");
                let expires_at = extended.expires_at;
                self.run(&lease.run).lease = Some(Standing { expires_at, ..mine });
            }
            (Ok(_), _) => self.check(false, Invariant::StaleMarksChangeNothing, || {
                format!("a lease on {} was lengthened that had ended", lease.run)
            }),
            (Err(error), mine) => {
                let stands = mine.is_some_and(|mine| mine.expires_at > now);
                self.refused(lease, error, stands);
            }
        }
    }

    pub(crate) fn released(&mut self, lease: &Lease, reply: &Result<(), LeaseError>) {
        if self.ended(lease, reply.as_ref().map(drop)) {
            self.tally.count("leases given back");
        }
    }

    pub(crate) fn acknowledged(
        &mut self,
        lease: &Lease,
        through: u64,
        reply: &Result<(), LeaseError>,
    ) {
        if self.ended(lease, reply.as_ref().map(drop)) {
            self.pass(&lease.run, through);
        }
    }

    pub(crate) fn failed(
        &mut self,
        lease: &Lease,
        seq: u64,
        policy: &RetryPolicy,
        reply: Result<FailOutcome, &LeaseError>,
        now: Timestamp,
    ) {
        if !self.ended(lease, reply.map(drop)) {
            return;
        }
        let Ok(outcome) = reply else { return };
        self.tally.count("charges");
        self.pass(&lease.run, seq - 1);
        let book = self.run(&lease.run);
        book.attempts += 1;
        let (attempts, claim_no) = (book.attempts, book.claim_no);
        let failures = book.uncharged_failures.entry(seq).or_default();
        *failures -= 1;
        let failed_before = *failures >= 0;
        self.check(failed_before, Invariant::Accounting, || {
            format!(
                "{seq} of {} was charged once more than it failed",
                lease.run
            )
        });
        let used_up = attempts >= policy.max_attempts();
        let ceiling = now.saturating_add(policy.ceiling(attempts));
        let as_counted = match outcome {
            FailOutcome::BackingOff { until } => !used_up && (now..=ceiling).contains(&until),
            FailOutcome::Parked { .. } => used_up && policy.on_exhausted() == OnExhausted::Park,
            FailOutcome::Skipped { .. } => used_up && policy.on_exhausted() == OnExhausted::Skip,
        };
        self.check(as_counted, Invariant::Accounting, || {
            format!(
                "failure {attempts} of {seq} of {} led to {outcome:?}",
                lease.run
            )
        });
        match outcome {
            FailOutcome::Parked { .. } => self.run(&lease.run).parked = true,
            FailOutcome::Skipped { .. } => self.skip(&lease.run, seq, claim_no),
            _ => {}
        }
    }

    pub(crate) fn parked(&mut self, letter: &DeadLetter) {
        self.tally.count("parked by hand");
        let book = self.run(&letter.run);
        book.lease = None;
        book.unfinished = 0;
        book.parked = true;
    }

    pub(crate) fn resolved(&mut self, letter: &DeadLetter) {
        let claim_no = self.run(&letter.run).claim_no;
        if letter.is_skipped() {
            self.skip(&letter.run, letter.run_seq, claim_no);
        } else {
            self.tally.count("dead letters retried");
        }
        let book = self.run(&letter.run);
        book.attempts = 0;
        book.parked = false;
    }

    fn skip(&mut self, run: &RunKey, seq: u64, claim_no: u64) {
        self.tally.count("events skipped");
        let book = self.run(run);
        book.skipped.insert(seq, claim_no);
        book.cursor = seq;
        book.attempts = 0;
    }

    /// Whether the answer ended the lease: it must, if the lease stood, and must not, if not.
    fn ended(&mut self, lease: &Lease, reply: Result<(), &LeaseError>) -> bool {
        let standing = self.run(&lease.run).lease;
        let stood = standing.is_some_and(|standing| standing.token == lease.token);
        if let Err(error) = reply {
            self.refused(lease, error, stood);
            return false;
        }
        self.check(stood, Invariant::StaleMarksChangeNothing, || {
            format!(
                "claim {} of {} had ended and was taken",
                lease.claim_no, lease.run
            )
        });
        let book = self.run(&lease.run);
        book.lease = None;
        book.unfinished = 0;
        true
    }

    fn refused(&mut self, lease: &Lease, error: &LeaseError, stood: bool) {
        self.tally.count("stale leases");
        let stale = LeaseError::StaleLease {
            run: lease.run.clone(),
            delivered_seq: self.run(&lease.run).cursor,
        };
        self.check(
            !stood && *error == stale,
            Invariant::StaleMarksChangeNothing,
            || format!("expected {stale}, found {error}; the lease stood: {stood}"),
        );
    }

    /// The cursor moves.
    fn pass(&mut self, run: &RunKey, through: u64) {
        let book = self.run(run);
        let unknown = (book.cursor + 1..=through).find(|seq| !book.arrived.contains(seq));
        if through > book.cursor {
            book.cursor = through;
            book.attempts = 0;
        }
        self.check(
            unknown.is_none(),
            Invariant::StoredBeforeAcknowledged,
            || format!("{run} was acknowledged through {through}, the sink lacks {unknown:?}"),
        );
    }

    /// The sink did not say that it has the event.
    pub(crate) fn not_taken(&mut self, run: &RunKey, seq: u64) {
        *self.run(run).uncharged_failures.entry(seq).or_default() += 1;
    }

    pub(crate) fn arrived(&mut self, run: &RunKey, claim_no: u64, seq: u64) {
        self.tally.count("arrivals");
        let book = self.run(run);
        let is_first = book.arrived.insert(seq);
        let older = claim_no < book.newest_claim;
        book.newest_claim = book.newest_claim.max(claim_no);
        let before = (1..seq).rev();
        let missing = before
            .take_while(|_| is_first)
            .find(|seq| !book.arrived.contains(seq) && !book.skipped.contains_key(seq));
        let skipped_at = book.skipped.get(&seq).copied();
        if !is_first {
            self.tally.count("repeated arrivals");
        }
        if older {
            self.tally.count("arrivals under an older claim");
        }
        self.check(missing.is_none(), Invariant::FirstArrivalsInOrder, || {
            format!("{seq} of {run} arrived, and {missing:?} had not")
        });
        let too_late = skipped_at.is_some_and(|last| claim_no > last);
        self.check(!too_late, Invariant::SkippedStaysSkipped, || {
            format!("{seq} of {run} went out under claim {claim_no}, skipped after {skipped_at:?}")
        });
    }

    /// After all is healed and delivered.
    pub(crate) fn complete(&mut self, run: &RunKey, head: u64) {
        let book = self.run(run);
        let lacking = |seq: &u64| !book.arrived.contains(seq) && !book.skipped.contains_key(seq);
        let missing = (1..=head).find(lacking);
        self.check(missing.is_none(), Invariant::AtLeastOnce, || {
            format!("{missing:?} of {run} never arrived and was not skipped")
        });
    }
}
