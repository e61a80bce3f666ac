//! What is cut: operations that can be done again and again, each time on something of its own.

use dvt_adapter_postgres::PostgresStore;
use dvt_conformance::fixture::{claim_all, metadata, note, notes, policy, run};
use dvt_contracts::{
    AppendRequest, BootstrapRequest, ClaimRequest, ClaimedRun, Disposition, ErrorClass,
    FailOutcome, Lease, LeaseError, OutboxError, OutboxStorage as _, OutboxStorageExt as _,
    RunStateStore as _, RunStateStoreExt as _, SafeText, StoreError,
};

use crate::proxied::{LEASE, Proxied};
use crate::stage::bootstrap;

/// How an operation failed.
pub(crate) type Failed = (ErrorClass, String);

/// An operation.
pub(crate) trait Operation: Sized {
    const NAME: &str;

    async fn prepare(on: &Proxied) -> Self;

    /// Whatever is needed so that the next first time meets a connection on which its statement is prepared. Repeating does it.
    async fn warm(&mut self, _: &Proxied, _: usize) {}

    /// Does number `n`, for the first time.
    async fn first(&mut self, on: &Proxied, n: usize) -> Result<(), Failed>;

    /// Repeats it with the same keys or the same lease. Whether the first time had had its effect.
    async fn again(&mut self, on: &Proxied, n: usize) -> Result<bool, Failed>;

    /// After numbers 0 to `count - 1` each one has had its effect exactly once.
    async fn check(&mut self, on: &Proxied, count: usize);
}

fn of_store(error: &StoreError) -> Failed {
    (error.class(), format!("{error:?}"))
}

fn of_outbox(error: &OutboxError) -> Failed {
    (error.class(), format!("{error:?}"))
}

fn one_event(key: &str) -> AppendRequest {
    AppendRequest::new(run("run"), vec![note(key)])
}

/// Appends an event, and tells whether it was there.
async fn was_there(store: &PostgresStore, key: &str) -> Result<bool, Failed> {
    let appended = store.append_and_enqueue(one_event(key)).await;
    let appended = appended.map_err(|error| of_store(&error))?;
    assert_eq!(appended.events.len(), 1);
    match appended.events[0].disposition {
        Disposition::Appended => Ok(false),
        Disposition::Duplicate { same_content } => {
            assert!(same_content);
            Ok(true)
        }
    }
}

/// An append of one event, by a process that has met no known key: it takes all keys to be new. Another one repeats it.
pub(crate) struct AppendNew;

impl Operation for AppendNew {
    const NAME: &str = "append of new keys";

    async fn prepare(on: &Proxied) -> Self {
        bootstrap(&on.direct, &["run"]).await;
        Self
    }

    async fn warm(&mut self, on: &Proxied, n: usize) {
        // The last connection may have been cut after a whole reply.
        let mut warmed = was_there(&on.store, &format!("w{n:06}")).await;
        if warmed.is_err() {
            warmed = was_there(&on.store, &format!("w{n:06}")).await;
        }
        assert_eq!(warmed, Ok(false));
    }

    async fn first(&mut self, on: &Proxied, n: usize) -> Result<(), Failed> {
        was_there(&on.store, &format!("k{n:06}")).await.map(drop)
    }

    async fn again(&mut self, on: &Proxied, n: usize) -> Result<bool, Failed> {
        was_there(&on.direct, &format!("k{n:06}")).await
    }

    async fn check(&mut self, on: &Proxied, count: usize) {
        let events = "SELECT count(*) FROM SCHEMA.run_events WHERE idempotency_key LIKE 'k%'";
        assert_eq!(on.number(events).await, count as i64);
    }
}

/// An append of one event, by a process that has just met a known key: it looks for all of them. It repeats it by itself.
pub(crate) struct AppendWithALook;

impl Operation for AppendWithALook {
    const NAME: &str = "append with a look";

    async fn prepare(on: &Proxied) -> Self {
        bootstrap(&on.direct, &["run"]).await;
        was_there(&on.store, "known").await.unwrap();
        Self
    }

    async fn warm(&mut self, on: &Proxied, _: usize) {
        assert_eq!(was_there(&on.store, "known").await, Ok(true));
    }

    async fn first(&mut self, on: &Proxied, n: usize) -> Result<(), Failed> {
        was_there(&on.store, &format!("k{n:06}")).await.map(drop)
    }

    async fn again(&mut self, on: &Proxied, n: usize) -> Result<bool, Failed> {
        was_there(&on.store, &format!("k{n:06}")).await
    }

    async fn check(&mut self, on: &Proxied, count: usize) {
        let events = "SELECT count(*) FROM SCHEMA.run_events WHERE idempotency_key LIKE 'k0%'";
        assert_eq!(on.number(events).await, count as i64);
    }
}

/// A run with one event, made anew each time.
pub(crate) struct Bootstrap;

impl Operation for Bootstrap {
    const NAME: &str = "bootstrap";

    async fn prepare(_: &Proxied) -> Self {
        Self
    }

    async fn first(&mut self, on: &Proxied, n: usize) -> Result<(), Failed> {
        let made = on.store.bootstrap_run(&with_one_event(n)).await;
        made.map(drop).map_err(|error| of_store(&error))
    }

    async fn again(&mut self, on: &Proxied, n: usize) -> Result<bool, Failed> {
        let made = on.store.bootstrap_run(&with_one_event(n)).await;
        let made = made.map_err(|error| of_store(&error))?;
        assert_eq!(made.events.len(), 1);
        Ok(!made.created)
    }

    async fn check(&mut self, on: &Proxied, count: usize) {
        for table in ["run_metadata", "run_events", "outbox"] {
            let rows = format!("SELECT count(*) FROM SCHEMA.{table}");
            assert_eq!(on.number(&rows).await, count as i64, "{table}");
        }
    }
}

fn with_one_event(n: usize) -> BootstrapRequest {
    BootstrapRequest {
        run: run(&format!("r{n:06}")),
        metadata: metadata(),
        events: notes(1, 1),
    }
}

/// A claim of the one run that there is, again each time when the lease has ended.
pub(crate) struct Claim {
    claim_no: u64,
}

impl Claim {
    fn request() -> ClaimRequest {
        ClaimRequest {
            lease: LEASE,
            ..claim_all()
        }
    }

    async fn claim(on: &Proxied) -> Result<Vec<ClaimedRun>, Failed> {
        let claimed = on.store.claim(&Self::request()).await;
        claimed.map_err(|error| of_outbox(&error))
    }
}

impl Operation for Claim {
    const NAME: &str = "claim";

    async fn prepare(on: &Proxied) -> Self {
        on.direct.bootstrap_run(&with_one_event(0)).await.unwrap();
        Self { claim_no: 0 }
    }

    async fn first(&mut self, on: &Proxied, _: usize) -> Result<(), Failed> {
        Self::claim(on).await.map(drop)
    }

    async fn again(&mut self, on: &Proxied, _: usize) -> Result<bool, Failed> {
        // Whoever may have the lease has lost it.
        on.clock.advance(LEASE.as_secs() as i64 + 1);
        let mut claimed = Vec::new();
        // A first claim that is still under way holds the run.
        while claimed.is_empty() {
            claimed = Self::claim(on).await?;
        }
        assert_eq!((claimed.len(), claimed[0].events.len()), (1, 1));
        let risen = claimed[0].lease.claim_no - self.claim_no;
        self.claim_no += risen;
        // Due again, and nothing is known of what lies below.
        assert_eq!(Self::claim(on).await?.len(), 0);
        on.clock.advance(LEASE.as_secs() as i64 + 1);
        assert!((1..=2).contains(&risen), "claimed {risen} times");
        Ok(risen == 2)
    }

    async fn check(&mut self, on: &Proxied, _: usize) {
        let claims = "SELECT claim_no FROM SCHEMA.outbox";
        assert_eq!(on.number(claims).await, self.claim_no as i64);
        let delivered = "SELECT delivered_seq FROM SCHEMA.outbox";
        assert_eq!(on.number(delivered).await, 0);
    }
}

/// Leases on runs of one event each, made by the hundred.
#[derive(Default)]
struct Leases {
    left: Vec<Lease>,
    current: Option<Lease>,
    made: usize,
}

impl Leases {
    /// The next one becomes the current one.
    async fn next(&mut self, on: &Proxied) -> &Lease {
        if self.left.is_empty() {
            for _ in 0..100 {
                self.made += 1;
                let request = with_one_event(self.made);
                on.direct.bootstrap_run(&request).await.unwrap();
            }
            let claimed = on.direct.claim(&Claim::request()).await.unwrap();
            assert_eq!(claimed.len(), 100);
            self.left = claimed.into_iter().map(|run| run.lease).collect();
        }
        self.current = self.left.pop();
        self.current()
    }

    fn current(&self) -> &Lease {
        self.current.as_ref().unwrap()
    }
}

/// Whether a repeated answer to a lease found it ended, with the cursor where it should be.
fn was_ended(answer: Result<(), OutboxError>, cursor: u64) -> Result<bool, Failed> {
    match answer {
        Ok(()) => Ok(false),
        Err(OutboxError::Lease(LeaseError::StaleLease { delivered_seq, .. })) => {
            assert_eq!(delivered_seq, cursor);
            Ok(true)
        }
        Err(error) => Err(of_outbox(&error)),
    }
}

/// An acknowledgement of one event of one run.
pub(crate) struct MarkDelivered(Leases);

impl Operation for MarkDelivered {
    const NAME: &str = "mark_delivered";

    async fn prepare(_: &Proxied) -> Self {
        Self(Leases::default())
    }

    async fn first(&mut self, on: &Proxied, _: usize) -> Result<(), Failed> {
        let lease = self.0.next(on).await;
        let answer = on.store.acknowledge(lease, 1).await;
        answer.map_err(|error| of_outbox(&error))
    }

    async fn again(&mut self, on: &Proxied, _: usize) -> Result<bool, Failed> {
        was_ended(on.store.acknowledge(self.0.current(), 1).await, 1)
    }

    async fn check(&mut self, on: &Proxied, count: usize) {
        let done = "SELECT count(*) FROM SCHEMA.outbox WHERE delivered_seq = 1 AND lease_token IS NULL AND due_at IS NULL";
        assert_eq!(on.number(done).await, count as i64);
    }
}

/// A failed delivery of one event of one run.
pub(crate) struct MarkFailed(Leases);

impl MarkFailed {
    async fn fail(&self, on: &Proxied) -> Result<(), OutboxError> {
        let (lease, error) = (self.0.current(), SafeText::new("no"));
        let failed = on.store.mark_failed(lease, 1, &error, &policy(3)).await?;
        assert!(
            matches!(failed, FailOutcome::BackingOff { .. }),
            "{failed:?}"
        );
        Ok(())
    }
}

impl Operation for MarkFailed {
    const NAME: &str = "mark_failed";

    async fn prepare(_: &Proxied) -> Self {
        Self(Leases::default())
    }

    async fn first(&mut self, on: &Proxied, _: usize) -> Result<(), Failed> {
        self.0.next(on).await;
        self.fail(on).await.map_err(|error| of_outbox(&error))
    }

    async fn again(&mut self, on: &Proxied, _: usize) -> Result<bool, Failed> {
        was_ended(self.fail(on).await, 0)
    }

    async fn check(&mut self, on: &Proxied, count: usize) {
        let counted = "SELECT sum(attempts)::bigint FROM SCHEMA.outbox WHERE attempts <= 1 AND delivered_seq = 0";
        assert_eq!(on.number(counted).await, count as i64);
        let twice = "SELECT count(*) FROM SCHEMA.outbox WHERE attempts > 1";
        assert_eq!(on.number(twice).await, 0);
    }
}
