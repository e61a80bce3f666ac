use std::collections::HashSet;

use dvt_contracts::{
    Acknowledgement, ClaimedRun, Lease, LeaseError, LeaseToken, ResolutionKind, RunKey, RunQuery,
    Store,
};

use super::call::{Call, Grant};
use super::snap::{Grid, STEP};
use super::text;
use crate::cx::Cx;
use crate::failure::Failure;

/// A store under observation: replies become texts that the model can predict.
pub(super) struct Observed {
    pub(super) grid: Grid,
    /// Every claim so far, oldest first.
    pub(super) grants: Vec<Grant>,
    tokens: HashSet<LeaseToken>,
}

impl Observed {
    pub(super) fn new(grid: Grid) -> Self {
        Self {
            grid,
            grants: Vec::new(),
            tokens: HashSet::new(),
        }
    }

    /// Performs the call and tells the reply, with the runs that a claim got.
    pub(super) async fn perform(
        &mut self,
        cx: &Cx,
        store: &dyn Store,
        call: &Call,
    ) -> Result<(String, Vec<RunKey>), Failure> {
        if let Call::Claim(request) = call {
            return Ok(match store.claim(request).await {
                Ok(claimed) => self.claimed(claimed)?,
                Err(error) => (format!("{error:?}"), Vec::new()),
            });
        }
        let reply = self.reply(cx, store, call).await?;
        Ok((reply, Vec::new()))
    }

    async fn reply(&self, cx: &Cx, store: &dyn Store, call: &Call) -> Result<String, Failure> {
        let grid = self.grid;
        Ok(match call {
            Call::Bootstrap(request) => text(grid.snap(store.bootstrap_run(request).await)),
            Call::Append(requests) => text(grid.snap(store.append_batch(requests).await)),
            Call::GetRun(run) => text(grid.snap(store.get_run(run).await)),
            Call::ListRuns(query) => {
                let created_since = query.created_since.map(|since| grid.unsnap(since));
                let created_before = query.created_before.map(|before| grid.unsnap(before));
                let query = RunQuery {
                    created_since,
                    created_before,
                    ..query.clone()
                };
                text(grid.snap(store.list_runs(&query).await))
            }
            Call::ListTenants(after, limit) => {
                text(store.list_tenants(after.as_ref(), *limit).await)
            }
            Call::ListEvents(run, after, limit) => {
                text(grid.snap(store.list_events(run, *after, *limit).await))
            }
            Call::SaveProviderRef(run, provider_ref) => {
                text(grid.snap(store.save_provider_ref(run, provider_ref).await))
            }
            Call::LoadCheckpoint(run) => text(store.load_checkpoint(run).await),
            Call::SaveCheckpoint(run, checkpoint) => {
                let mut reply = store.save_checkpoint(run, checkpoint).await;
                if let Err(error) = &mut reply {
                    super::snap::Snap::snap(error, grid);
                }
                text(reply)
            }
            Call::Prune(run) => text(grid.snap(store.prune_run(run).await)),
            Call::Claim(_) => String::new(),
            Call::Extend(grants, by) => {
                let leases: Vec<_> = grants.iter().map(|grant| grant.lease.clone()).collect();
                match store.extend(&leases, *by).await {
                    Ok(replies) => text(self.extended(replies)),
                    Err(error) => text(error),
                }
            }
            Call::MarkDelivered(marks) => {
                let acknowledgements: Vec<_> = marks
                    .iter()
                    .map(|(grant, through)| Acknowledgement {
                        lease: grant.lease.clone(),
                        through: *through,
                    })
                    .collect();
                text(store.mark_delivered(&acknowledgements).await)
            }
            Call::MarkFailed(grant, seq, error, policy) => {
                let reply = store.mark_failed(&grant.lease, *seq, error, policy).await;
                text(reply.map(|outcome| grid.snap(outcome)))
            }
            Call::Release(grants) => {
                let leases: Vec<_> = grants.iter().map(|grant| grant.lease.clone()).collect();
                text(store.release(&leases).await)
            }
            Call::ListPending(query) => text(
                store
                    .list_pending(query)
                    .await
                    .map(|pending| grid.snap(pending)),
            ),
            Call::ListDeadLetters(query) => text(
                store
                    .list_dead_letters(query)
                    .await
                    .map(|letters| grid.snap(letters)),
            ),
            Call::Resolve(run, number, kind, note) => {
                let reply = match kind {
                    ResolutionKind::Retried => store.retry_dead_letter(run, *number, note).await,
                    ResolutionKind::Skipped => store.skip_dead_letter(run, *number, note).await,
                };
                text(reply.map(|letter| grid.snap(letter)))
            }
            Call::Park(run, note) => text(
                store
                    .park_run(run, note)
                    .await
                    .map(|letter| grid.snap(letter)),
            ),
            Call::Bind(destination) => text(store.bind_destination(destination).await),
            Call::Retarget(from, to, note) => text(store.retarget(from, to, note).await),
            Call::Stats => text(store.stats().await.map(|stats| grid.snap(stats))),
            Call::Advance(steps) => {
                cx.shift_clock(i64::from(*steps) * STEP.as_secs().cast_signed())
                    .await?;
                String::new()
            }
        })
    }

    /// Tokens are random: checked for uniqueness, then left out. Runs that became due together may come in any
    /// order, so they are compared by key.
    fn claimed(&mut self, mut claimed: Vec<ClaimedRun>) -> Result<(String, Vec<RunKey>), Failure> {
        claimed.sort_by(|a, b| a.lease.run.cmp(&b.lease.run));
        let mut runs = Vec::new();
        for ClaimedRun { lease, events, .. } in &claimed {
            if !self.tokens.insert(lease.token) {
                return Err(Failure::new(format!("a lease token came twice: {lease:?}")));
            }
            let first = events.first().map_or(0, |event| event.run_seq);
            let last = events.last().map_or(0, |event| event.run_seq);
            self.grants.push(Grant {
                lease: lease.clone(),
                first,
                last,
            });
            runs.push(lease.run.clone());
        }
        let lines: Vec<_> = claimed
            .into_iter()
            .map(|claimed| {
                let ClaimedRun {
                    lease,
                    attempts,
                    unfinished_claims,
                    events,
                } = claimed;
                let until = self.grid.snap(lease.expires_at);
                let lease = (&lease.run, lease.claim_no, until, lease.last_seq);
                text((lease, attempts, unfinished_claims, self.grid.snap(events)))
            })
            .collect();
        Ok((text(lines), runs))
    }

    fn extended(&self, replies: Vec<Result<Lease, LeaseError>>) -> Vec<String> {
        replies
            .into_iter()
            .map(|reply| {
                text(reply.map(|lease| {
                    (
                        lease.run,
                        lease.claim_no,
                        self.grid.snap(lease.expires_at),
                        lease.last_seq,
                    )
                }))
            })
            .collect()
    }
}
