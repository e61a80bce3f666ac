use dvt_contracts::Lease;
use tokio::time::{Instant, sleep_until};

use super::Engine;
use crate::held::Phase;
use crate::report::RelayMode;

impl Engine {
    /// Claims no more, finishes what is in flight in the time that is left for it, and gives the rest back.
    pub(super) async fn finish(&mut self) {
        let deadline = Instant::now() + self.settings.stop_within;
        self.breaker.forget_all();
        self.give_back(|phase| !matches!(phase, Phase::Publishing { .. } | Phase::Settling));
        self.work_until(deadline).await;
        // Time is up: whoever is still publishing is cut off.
        let cut_off = self.give_back(|phase| matches!(phase, Phase::Publishing { .. }));
        self.report.cut_off += cut_off;
        if cut_off > 0 {
            let last = Instant::now() + self.settings.stop_within.min(self.settings.lease);
            self.work_until(last).await;
        }
        // What the store was not told of in time comes again.
        self.report.cut_off += self.held.len() as u64;
        self.tasks.abort_all();
    }

    async fn work_until(&mut self, deadline: Instant) {
        loop {
            self.acknowledge();
            let verdicts = self.breaker.judge(Instant::now(), 0);
            self.carry_out(verdicts);
            self.keep_leases(Instant::now());
            // A claim that was under way when the order came is given back unseen.
            self.give_back(|phase| matches!(phase, Phase::Waiting(_) | Phase::Doubted));
            if self.tasks.is_empty() {
                return;
            }
            tokio::select! {
                // Time first: whatever goes on ending must not put off the end.
                biased;
                () = sleep_until(deadline.min(self.next_lease_work())) => {
                    if Instant::now() >= deadline {
                        return;
                    }
                }
                Some(done) = self.tasks.join_next_with_id() => {
                    // What cannot be told to the store any more ends with its lease.
                    let _ = self.take_in(done, RelayMode::Forever);
                }
            }
        }
    }

    /// Gives back the runs in these phases, and tells how many they were.
    fn give_back(&mut self, these: impl Fn(&Phase) -> bool) -> u64 {
        let given: Vec<Lease> = self
            .held
            .iter()
            .filter(|held| these(&held.phase))
            .map(|held| held.lease.clone())
            .collect();
        if given.is_empty() {
            return 0;
        }
        let count = given.len() as u64;
        for lease in &given {
            self.breaker.forget(&lease.run);
            self.let_go(lease);
        }
        self.release(given, self.settings.stop_within);
        count
    }
}
