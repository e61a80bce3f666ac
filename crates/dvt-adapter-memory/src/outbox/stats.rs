use dvt_contracts::{OutboxStats, PendingState, Timestamp};

use crate::state::State;

impl State {
    pub(super) fn stats(&self, now: Timestamp) -> OutboxStats {
        let letters = || self.runs.values().flat_map(|run| &run.dead_letters);
        let mut stats = OutboxStats {
            dead_letters: letters().count() as u64,
            skipped_events: letters().filter(|letter| letter.is_skipped()).count() as u64,
            destination: self.destination.clone(),
            last_retarget: self.last_retarget.clone(),
            ..OutboxStats::default()
        };
        for pending in self
            .runs
            .iter()
            .filter_map(|(key, run)| run.pending(key, now))
        {
            stats.pending_events += pending.last_seq - pending.delivered_seq;
            match pending.state {
                PendingState::Due => stats.due_runs += 1,
                PendingState::Leased { .. } => stats.leased_runs += 1,
                PendingState::BackingOff { .. } => stats.backing_off_runs += 1,
                PendingState::Parked { .. } => {
                    stats.parked_runs += 1;
                    // The event after the cursor is dead, those behind it are pending.
                    stats.pending_events -= 1;
                }
            }
            let age = now.saturating_since(pending.pending_since);
            stats.oldest_pending_age = stats.oldest_pending_age.max(Some(age));
        }
        stats
    }
}
