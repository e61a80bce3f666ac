//! Appending: requests become groups, groups become statements, verdicts become replies.

mod doubt;
mod group;
mod statement;

use std::collections::BTreeMap;

use dvt_contracts::{AppendError, AppendOutcome, AppendRequest, RunKey};
use sqlx::PgConnection;

pub(crate) use self::doubt::Doubt;
use self::group::{Group, Judged};
use self::statement::{Append, Rows};
use crate::database::{Call, Database};
use crate::fault::Fault;
use crate::statement::Statement as _;

type Reply = Result<AppendOutcome, AppendError>;

/// Where statements go: to the pool, or into somebody's transaction.
pub(crate) enum Target<'t> {
    Pool(&'t Database, &'t Doubt),
    /// There a refused statement would be the end of it, so none is risked.
    Transaction(&'t mut PgConnection),
}

impl Target<'_> {
    /// Whether keys are looked for although none is likely to be known.
    fn doubts(&self) -> bool {
        match self {
            Self::Pool(_, doubt) => doubt.is_raised(),
            Self::Transaction(_) => true,
        }
    }

    async fn ask(&mut self, call: &Call, statement: &Append<'_>) -> Result<Rows, Fault> {
        match self {
            Self::Pool(database, doubt) => {
                let rows = database.ask(call, statement).await?;
                doubt.learn(&rows);
                Ok(rows)
            }
            Self::Transaction(connection) => {
                let rows = statement.execute(connection).await;
                // Whatever breaks before its commit undoes the transaction.
                rows.map_err(|error| Fault::of(error, false))
            }
        }
    }
}

/// The requests for one run that have no reply yet.
struct Queue<'a> {
    rest: &'a [(usize, &'a AppendRequest)],
    /// Set if the next one goes alone, since together with others it could not be answered.
    one_by_one: bool,
}

/// Answers requests as if executed one after another. Requests for different runs go together in one statement; those for
/// one run go together as long as they cannot differ in their fate.
pub(crate) async fn append(
    mut target: Target<'_>,
    call: &mut Call,
    clock_shift: i64,
    requests: &[AppendRequest],
) -> Result<Vec<Reply>, Fault> {
    let mut by_run: BTreeMap<&RunKey, Vec<(usize, &AppendRequest)>> = BTreeMap::new();
    for (index, request) in requests.iter().enumerate() {
        by_run
            .entry(&request.run)
            .or_default()
            .push((index, request));
    }
    let mut queues: BTreeMap<&RunKey, Queue<'_>> = BTreeMap::new();
    for (run, rest) in &by_run {
        let one_by_one = false;
        queues.insert(run, Queue { rest, one_by_one });
    }
    let mut replies: Vec<Option<Reply>> = vec![None; requests.len()];
    let mut groups: BTreeMap<&RunKey, Group<'_>> = BTreeMap::new();
    let mut races = 0;
    loop {
        for (run, queue) in &mut queues {
            if !queue.rest.is_empty() && !groups.contains_key(run) {
                let group = Group::of(queue.rest, queue.one_by_one);
                groups.insert(run, group);
            }
        }
        if groups.is_empty() {
            break;
        }
        let looks = target.doubts() || groups.values().any(Group::must_look);
        let statement = Append::of(groups.values(), clock_shift, looks);
        let rows = target.ask(call, &statement).await?;
        drop(statement);
        let answers = rows.answers(groups.len())?;
        let mut raced = false;
        for ((run, mut group), answer) in std::mem::take(&mut groups).into_iter().zip(answers) {
            let Some(queue) = queues.get_mut(run) else {
                continue;
            };
            let Some(answer) = answer else {
                group.was_not_written();
                groups.insert(run, group);
                continue;
            };
            match group.judge(answer)? {
                Judged::Answered {
                    replies: answered,
                    wrote,
                } => {
                    // In a transaction nothing has happened before its commit.
                    if wrote && matches!(target, Target::Pool(..)) {
                        call.had_effect();
                    }
                    let (done, rest) = queue.rest.split_at(answered.len());
                    for ((index, _), reply) in done.iter().zip(answered) {
                        replies[*index] = Some(reply);
                    }
                    queue.rest = rest;
                    queue.one_by_one = false;
                    // A call of many statements takes as long as it takes, but each of them has its time.
                    call.renew();
                    races = 0;
                }
                Judged::TakeApart => queue.one_by_one = true,
                Judged::AskForTheRest => {
                    groups.insert(run, group);
                }
                Judged::Raced => {
                    groups.insert(run, group);
                    raced = true;
                }
            }
        }
        if raced {
            races += 1;
            let waited = call.back_off(races).await;
            waited.map_err(|fault| call.fault(fault))?;
        }
    }
    let missing = || Fault::Corrupt("a request got no reply".to_owned());
    replies
        .into_iter()
        .map(|reply| reply.ok_or_else(missing))
        .collect()
}
