use dvt_contracts::{
    DeadLetterCause, Lease, LeaseError, LeaseToken, RunKey, RunStatus, SafeText, Timestamp,
};
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::fault::Fault;
use crate::value::{count, count32, integer, moment_if, text};

/// A row of `outbox`: the head of a run's log, and the cursor of its deliveries.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) run: RunKey,
    pub(crate) last_seq: u64,
    pub(crate) last_persisted_at: Option<Timestamp>,
    pub(crate) status: RunStatus,
    pub(crate) pruned_at: Option<Timestamp>,
    pub(crate) delivered_seq: u64,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) claim_no: u64,
    pub(crate) lease: Option<(LeaseToken, Timestamp)>,
    pub(crate) unfinished_claims: u32,
    pub(crate) attempts: u32,
    pub(crate) last_error: Option<SafeText>,
    pub(crate) dead_letters: u64,
    pub(crate) parked_at: Option<Timestamp>,
}

/// Its columns.
#[derive(Debug)]
pub(crate) struct HeadRow {
    pub(crate) last_seq: i64,
    pub(crate) last_persisted_at: Option<i64>,
    pub(crate) status: String,
    pub(crate) pruned_at: Option<i64>,
    pub(crate) delivered_seq: i64,
    pub(crate) due_at: Option<i64>,
    pub(crate) claim_no: i64,
    pub(crate) lease_token: Option<String>,
    pub(crate) lease_expires_at: Option<i64>,
    pub(crate) unfinished_claims: i64,
    pub(crate) attempts: i64,
    pub(crate) last_error: Option<String>,
    pub(crate) dead_letters: i64,
    pub(crate) parked_at: Option<i64>,
}

impl Head {
    /// The run's row, if the run is there.
    pub(crate) async fn load(
        connection: &mut SqliteConnection,
        run: &RunKey,
    ) -> Result<Option<Self>, Fault> {
        let (tenant_id, run_id) = (run.tenant_id.as_str(), run.run_id.as_str());
        let row = sqlx::query_file_as!(HeadRow, "queries/load_head.sql", tenant_id, run_id)
            .fetch_optional(connection)
            .await
            .map_err(Fault::of)?;
        row.map(|row| row.decode(run)).transpose()
    }

    /// Writes the row as it is now.
    pub(crate) async fn save(&self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        let tenant_id = self.run.tenant_id.as_str();
        let run_id = self.run.run_id.as_str();
        let last_seq = integer(self.last_seq);
        let last_persisted_at = self.last_persisted_at.map(Timestamp::as_micros);
        let status = self.status.as_str();
        let pruned_at = self.pruned_at.map(Timestamp::as_micros);
        let delivered_seq = integer(self.delivered_seq);
        let due_at = self.due_at.map(Timestamp::as_micros);
        let claim_no = integer(self.claim_no);
        let lease_token = self.lease.map(|(token, _)| token.to_string());
        let lease_expires_at = self.lease.map(|(_, until)| until.as_micros());
        let unfinished_claims = i64::from(self.unfinished_claims);
        let attempts = i64::from(self.attempts);
        let last_error = self.last_error.as_ref().map(SafeText::as_str);
        let dead_letters = integer(self.dead_letters);
        let parked_at = self.parked_at.map(Timestamp::as_micros);
        sqlx::query_file!(
            "queries/save_head.sql",
            tenant_id,
            run_id,
            last_seq,
            last_persisted_at,
            status,
            pruned_at,
            delivered_seq,
            due_at,
            claim_no,
            lease_token,
            lease_expires_at,
            unfinished_claims,
            attempts,
            last_error,
            dead_letters,
            parked_at,
        )
        .execute(connection)
        .await
        .map(drop)
        .map_err(Fault::of)
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.delivered_seq < self.last_seq
    }

    /// Makes the run due if it has undelivered events and waits for nothing else.
    pub(crate) fn enqueue(&mut self, now: Timestamp) {
        if self.due_at.is_none() {
            self.reschedule(now);
        }
    }

    /// Due at once if events are left and the run is not parked, else not at all.
    pub(crate) fn reschedule(&mut self, now: Timestamp) {
        let waits = self.is_pending() && self.parked_at.is_none();
        self.due_at = waits.then_some(now);
    }

    /// Whether the lease still stands: nobody used, released or stole it.
    pub(crate) fn check_lease(&self, lease: &Lease) -> Result<(), LeaseError> {
        match self.lease {
            Some((token, _)) if token == lease.token => Ok(()),
            _ => Err(self.stale()),
        }
    }

    pub(crate) fn stale(&self) -> LeaseError {
        LeaseError::StaleLease {
            run: self.run.clone(),
            delivered_seq: self.delivered_seq,
        }
    }

    /// Whether the event is still to be answered under the lease.
    pub(crate) fn check_seq(&self, lease: &Lease, seq: u64) -> Result<(), LeaseError> {
        let last_seq = lease.last_seq.min(self.last_seq);
        if self.delivered_seq < seq && seq <= last_seq {
            return Ok(());
        }
        Err(LeaseError::SeqOutOfRange {
            run: self.run.clone(),
            seq,
            delivered_seq: self.delivered_seq,
            last_seq,
        })
    }

    /// Moves the cursor; attempts and error belong to the event after it.
    pub(crate) fn deliver_through(&mut self, seq: u64) {
        if seq > self.delivered_seq {
            self.delivered_seq = seq;
            self.attempts = 0;
            self.last_error = None;
        }
    }

    pub(crate) fn end_lease(&mut self) {
        self.lease = None;
        self.unfinished_claims = 0;
    }

    /// Writes a dead letter for the event after the cursor and parks the run.
    pub(crate) async fn bury(
        &mut self,
        connection: &mut SqliteConnection,
        cause: DeadLetterCause,
        error: &SafeText,
        now: Timestamp,
    ) -> Result<u64, Fault> {
        self.dead_letters += 1;
        self.parked_at = Some(now);
        self.due_at = None;
        let (tenant_id, run_id) = (self.run.tenant_id.as_str(), self.run.run_id.as_str());
        let number = integer(self.dead_letters);
        let run_seq = integer(self.delivered_seq + 1);
        let attempts = i64::from(self.attempts);
        let cause = match cause {
            DeadLetterCause::AttemptsExhausted => "AttemptsExhausted",
            DeadLetterCause::ParkedByOperator => "ParkedByOperator",
        };
        let (error, dead_at) = (error.as_str(), now.as_micros());
        sqlx::query_file!(
            "queries/insert_dead_letter.sql",
            tenant_id,
            run_id,
            number,
            run_seq,
            attempts,
            cause,
            error,
            dead_at,
        )
        .execute(connection)
        .await
        .map_err(Fault::of)?;
        Ok(self.dead_letters)
    }
}

impl HeadRow {
    pub(crate) fn decode(self, run: &RunKey) -> Result<Head, Fault> {
        let lease = match (self.lease_token, moment_if(self.lease_expires_at)?) {
            (Some(token), Some(until)) => {
                let token: Uuid = text("lease token", &token)?;
                Some((LeaseToken::from(token), until))
            }
            _ => None,
        };
        Ok(Head {
            run: run.clone(),
            last_seq: count(self.last_seq)?,
            last_persisted_at: moment_if(self.last_persisted_at)?,
            status: text("status", &self.status)?,
            pruned_at: moment_if(self.pruned_at)?,
            delivered_seq: count(self.delivered_seq)?,
            due_at: moment_if(self.due_at)?,
            claim_no: count(self.claim_no)?,
            lease,
            unfinished_claims: count32(self.unfinished_claims)?,
            attempts: count32(self.attempts)?,
            last_error: self.last_error.as_deref().map(SafeText::from),
            dead_letters: count(self.dead_letters)?,
            parked_at: moment_if(self.parked_at)?,
        })
    }
}
