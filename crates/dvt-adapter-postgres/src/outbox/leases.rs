//! What ends or lengthens leases: many at once, each answered on its own.

use std::collections::BTreeMap;
use std::time::Duration;

use dvt_contracts::{Acknowledgement, Lease, LeaseError, RunKey};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::database::{Call, Database};
use crate::event_columns::{bigint, bigint_or_none, count};
use crate::fault::Fault;
use crate::moment::Moment;
use crate::statement::Statement;

/// Work on one lease.
pub(super) trait LeaseWork: Clone + Send + Sync + 'static {
    type Outcome: Send;

    fn lease(&self) -> &Lease;

    /// Asks the server about works on different runs, in the order of their keys: one answer for each, in that order.
    fn ask(
        database: &Database,
        call: &Call,
        works: &[&Self],
    ) -> impl Future<Output = Result<Vec<Answer>, Fault>> + Send;

    /// What a done work replies.
    fn outcome(&self, answer: &Answer) -> Result<Self::Outcome, Fault>;

    /// What the work asks for, if it can be out of range.
    fn seq(&self) -> u64 {
        0
    }
}

/// The server's answer to one work. The statements of all works have these columns, NULL where they have nothing to tell.
#[derive(Debug)]
pub(super) struct Answer {
    answer_no: i64,
    verdict: String,
    delivered_seq: Option<i64>,
    last_seq: Option<i64>,
    claim_no: Option<i64>,
    expires_at: Option<Moment>,
}

/// Answers works as if done one after another.
pub(super) async fn answer<W: LeaseWork>(
    database: &Database,
    works: Vec<W>,
) -> Result<Vec<Result<W::Outcome, LeaseError>>, Fault> {
    let mut runs: Vec<&RunKey> = works.iter().map(|work| &work.lease().run).collect();
    runs.sort();
    if runs.is_sorted_by(|a, b| a < b) {
        return rounds(database, &works).await;
    }
    // Two works on one run take two statements: a task does both, even if the caller goes away.
    let database = database.clone();
    let task = tokio::spawn(async move { rounds(&database, &works).await });
    task.await.unwrap_or_else(|error| Err(Fault::Task(error)))
}

async fn rounds<W: LeaseWork>(
    database: &Database,
    works: &[W],
) -> Result<Vec<Result<W::Outcome, LeaseError>>, Fault> {
    let mut call = database.call();
    let mut rest: Vec<(usize, &W)> = works.iter().enumerate().collect();
    let mut replies: BTreeMap<usize, Result<W::Outcome, LeaseError>> = BTreeMap::new();
    while !rest.is_empty() {
        let mut round: BTreeMap<&RunKey, (usize, &W)> = BTreeMap::new();
        rest.retain(|(index, work)| {
            let run = &work.lease().run;
            let taken = round.contains_key(run);
            if !taken {
                round.insert(run, (*index, work));
            }
            taken
        });
        let asked: Vec<&W> = round.values().map(|(_, work)| *work).collect();
        let mut answers = W::ask(database, &call, &asked).await?;
        call.had_effect();
        answers.sort_by_key(|answer| answer.answer_no);
        if answers.len() != asked.len() {
            return Err(Fault::Corrupt("a lease without an answer".to_owned()));
        }
        for ((index, work), answer) in round.values().zip(answers) {
            replies.insert(*index, reply(*work, &answer)?);
        }
    }
    Ok(replies.into_values().collect())
}

fn reply<W: LeaseWork>(work: &W, answer: &Answer) -> Result<Result<W::Outcome, LeaseError>, Fault> {
    let run = &work.lease().run;
    let number = |column: Option<i64>| count(column.unwrap_or(0));
    Ok(Err(match answer.verdict.as_str() {
        "done" => return Ok(Ok(work.outcome(answer)?)),
        "missing" => LeaseError::RunNotFound { run: run.clone() },
        "stale" => LeaseError::StaleLease {
            run: run.clone(),
            delivered_seq: number(answer.delivered_seq)?,
        },
        "out_of_range" => LeaseError::SeqOutOfRange {
            run: run.clone(),
            seq: work.seq(),
            delivered_seq: number(answer.delivered_seq)?,
            last_seq: number(answer.last_seq)?,
        },
        other => return Err(Fault::Corrupt(format!("verdict {other:?}"))),
    }))
}

/// The columns that all works send.
#[derive(Debug, Default)]
struct LeaseColumns<'a> {
    tenant_ids: Vec<&'a str>,
    run_ids: Vec<&'a str>,
    tokens: Vec<Uuid>,
}

impl<'a> LeaseColumns<'a> {
    fn of<W: LeaseWork>(works: &[&'a W]) -> Self {
        let mut columns = Self::default();
        for work in works {
            let lease = work.lease();
            columns.tenant_ids.push(lease.run.tenant_id.as_str());
            columns.run_ids.push(lease.run.run_id.as_str());
            columns.tokens.push(lease.token.as_uuid());
        }
        columns
    }
}

/// Everything up to an event is delivered, and the lease ends.
#[derive(Clone)]
pub(super) struct Acknowledge(pub(super) Acknowledgement);

/// `queries/mark_delivered.sql`
struct MarkDelivered<'a> {
    leases: LeaseColumns<'a>,
    lease_seqs: Vec<i64>,
    through: Vec<i64>,
    clock_shift: i64,
}

impl Statement for MarkDelivered<'_> {
    const WRITES: bool = true;
    type Reply = Vec<Answer>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            Answer,
            "queries/mark_delivered.sql",
            &self.leases.tenant_ids as _,
            &self.leases.run_ids as _,
            &self.leases.tokens,
            &self.lease_seqs,
            &self.through,
            self.clock_shift,
        )
        .fetch_all(connection)
        .await
    }
}

impl LeaseWork for Acknowledge {
    type Outcome = ();

    fn lease(&self) -> &Lease {
        &self.0.lease
    }

    async fn ask(database: &Database, call: &Call, works: &[&Self]) -> Result<Vec<Answer>, Fault> {
        let statement = MarkDelivered {
            leases: LeaseColumns::of(works),
            lease_seqs: works
                .iter()
                .map(|work| bigint(work.0.lease.last_seq))
                .collect(),
            through: works
                .iter()
                .map(|work| bigint_or_none(work.0.through))
                .collect(),
            clock_shift: database.clock_shift(),
        };
        database.ask(call, &statement).await
    }

    fn outcome(&self, _answer: &Answer) -> Result<(), Fault> {
        Ok(())
    }

    fn seq(&self) -> u64 {
        self.0.through
    }
}

/// The lease ends so much later than now.
#[derive(Clone)]
pub(super) struct Extend {
    pub(super) lease: Lease,
    pub(super) by: Duration,
}

/// `queries/extend.sql`
struct ExtendLeases<'a> {
    leases: LeaseColumns<'a>,
    by: i64,
    clock_shift: i64,
}

impl Statement for ExtendLeases<'_> {
    const WRITES: bool = true;
    type Reply = Vec<Answer>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            Answer,
            "queries/extend.sql",
            &self.leases.tenant_ids as _,
            &self.leases.run_ids as _,
            &self.leases.tokens,
            self.by,
            self.clock_shift,
        )
        .fetch_all(connection)
        .await
    }
}

impl LeaseWork for Extend {
    type Outcome = Lease;

    fn lease(&self) -> &Lease {
        &self.lease
    }

    async fn ask(database: &Database, call: &Call, works: &[&Self]) -> Result<Vec<Answer>, Fault> {
        let by = works.first().map_or(0, |work| work.by.as_micros());
        let statement = ExtendLeases {
            leases: LeaseColumns::of(works),
            by: i64::try_from(by).unwrap_or(i64::MAX),
            clock_shift: database.clock_shift(),
        };
        database.ask(call, &statement).await
    }

    fn outcome(&self, answer: &Answer) -> Result<Lease, Fault> {
        let (Some(claim_no), Some(expires_at)) = (answer.claim_no, answer.expires_at) else {
            return Err(Fault::Corrupt(
                "an extended lease without an end".to_owned(),
            ));
        };
        Ok(Lease {
            claim_no: count(claim_no)?,
            expires_at: expires_at.0,
            ..self.lease.clone()
        })
    }
}

/// The run is given back undone.
#[derive(Clone)]
pub(super) struct Release(pub(super) Lease);

/// `queries/release.sql`
struct ReleaseLeases<'a> {
    leases: LeaseColumns<'a>,
    clock_shift: i64,
}

impl Statement for ReleaseLeases<'_> {
    const WRITES: bool = true;
    type Reply = Vec<Answer>;

    async fn execute(&self, connection: &mut PgConnection) -> sqlx::Result<Self::Reply> {
        sqlx::query_file_as!(
            Answer,
            "queries/release.sql",
            &self.leases.tenant_ids as _,
            &self.leases.run_ids as _,
            &self.leases.tokens,
            self.clock_shift,
        )
        .fetch_all(connection)
        .await
    }
}

impl LeaseWork for Release {
    type Outcome = ();

    fn lease(&self) -> &Lease {
        &self.0
    }

    async fn ask(database: &Database, call: &Call, works: &[&Self]) -> Result<Vec<Answer>, Fault> {
        let statement = ReleaseLeases {
            leases: LeaseColumns::of(works),
            clock_shift: database.clock_shift(),
        };
        database.ask(call, &statement).await
    }

    fn outcome(&self, _answer: &Answer) -> Result<(), Fault> {
        Ok(())
    }
}
