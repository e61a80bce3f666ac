//! Two processes that write to one run.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, ExitStatus};
use std::str::FromStr;

use dvt_adapter_postgres::{PostgresSettings, PostgresStore};
use dvt_conformance::fixture::{note, run};
use dvt_contracts::{AppendRequest, Disposition, RunStateStoreExt as _};
use tokio::task::JoinSet;

use crate::child::{self, Task};
use crate::ground::Ground;
use crate::server::url;
use crate::trial::{Outcome, trials};

trials![writers_of_two_processes_number_one_run_densely];

const WRITERS: usize = 16;
const APPENDS: usize = 1_000;
const RUN: &str = "shared";
/// The child says it, and the parent answers with a line, so that both begin at once.
const READY: &str = "ready";

/// What a writer was told of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Appended,
    DuplicateOfTheSame,
    DuplicateOfAnother,
}

/// What a writer asked, and the answer.
#[derive(Debug)]
struct Reply {
    key: String,
    run_seq: u64,
    said: Said,
}

/// One line of the child.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.key, self.run_seq, self.said)
    }
}

impl FromStr for Reply {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let broken = || format!("not a reply: {line:?}");
        let parts: Vec<&str> = line.split(' ').collect();
        let [key, run_seq, said] = parts[..] else {
            return Err(broken());
        };
        let all = [
            Said::Appended,
            Said::DuplicateOfTheSame,
            Said::DuplicateOfAnother,
        ];
        Ok(Self {
            key: key.to_owned(),
            run_seq: run_seq.parse().map_err(|_| broken())?,
            said: all
                .into_iter()
                .find(|word| format!("{word:?}") == said)
                .ok_or_else(broken)?,
        })
    }
}

/// The key of a writer's call: each third one repeats the key before it, by turns its own, and that of its neighbour in
/// the other process, who may come to it later.
fn key_of(process: usize, writer: usize, call: usize) -> String {
    let (process, call) = match (call % 3, call / 3 % 2) {
        (2, 0) => (process, call - 1),
        (2, _) => (1 - process, call - 1),
        _ => (process, call),
    };
    format!("{process}-{writer}-{call}")
}

async fn write(store: PostgresStore, process: usize, writer: usize) -> Result<Vec<Reply>, String> {
    let mut replies = Vec::with_capacity(APPENDS);
    for call in 0..APPENDS {
        let key = key_of(process, writer, call);
        let request = AppendRequest::new(run(RUN), vec![note(&key)]);
        let outcome = store.append_and_enqueue(request).await;
        let outcome = outcome.map_err(|error| format!("{key}: {error:?}"))?;
        let [event] = &outcome.events[..] else {
            return Err(format!("{key}: {outcome:?}"));
        };
        if event.stored.event.idempotency_key().as_str() != key
            || outcome.head < event.stored.run_seq
        {
            return Err(format!("{key}: {outcome:?}"));
        }
        replies.push(Reply {
            key,
            run_seq: event.stored.run_seq,
            said: match event.disposition {
                Disposition::Appended => Said::Appended,
                Disposition::Duplicate { same_content: true } => Said::DuplicateOfTheSame,
                Disposition::Duplicate {
                    same_content: false,
                } => Said::DuplicateOfAnother,
            },
        });
    }
    Ok(replies)
}

/// All writers of a process.
async fn write_all(store: &PostgresStore, process: usize) -> Result<Vec<Reply>, String> {
    let mut writers: JoinSet<_> = (0..WRITERS)
        .map(|writer| write(store.clone(), process, writer))
        .collect();
    let mut replies = Vec::new();
    while let Some(written) = writers.join_next().await {
        replies.extend(written.unwrap()?);
    }
    Ok(replies)
}

/// A child's task: it writes when it is told to, and prints a line for each reply.
pub(crate) async fn write_and_tell(settings: PostgresSettings) -> Outcome {
    let store = PostgresStore::connect(settings).await?;
    println!("{READY}");
    std::io::stdin().read_line(&mut String::new())?;
    let replies = write_all(&store, 1).await?;
    let mut out = std::io::stdout().lock();
    for reply in replies {
        writeln!(out, "{reply}")?;
    }
    Ok(())
}

/// The other process.
struct Other {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    /// It has connected, and waits.
    fn ready(ground: &Ground) -> Self {
        let mut child = child::spawn(Task::Write, &url(), &ground.schema);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), READY);
        Self { child, lines }
    }

    fn go(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }

    fn finish(&mut self) -> (ExitStatus, Vec<Reply>) {
        let lines = self.lines.by_ref();
        let replies = lines.map(|line| line.unwrap().parse().unwrap()).collect();
        (self.child.wait().unwrap(), replies)
    }
}

impl Drop for Other {
    /// If the test fails before its end.
    fn drop(&mut self) {
        // An error means that it has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The key under each number.
async fn log(ground: &Ground) -> BTreeMap<String, u64> {
    let mut keys = BTreeMap::new();
    let mut conn = ground.connection().await;
    let rows = "SELECT idempotency_key, run_seq FROM run_events ORDER BY run_seq";
    let rows: Vec<(String, i64)> = sqlx::query_as(rows).fetch_all(&mut conn).await.unwrap();
    for (key, run_seq) in rows {
        keys.insert(key, u64::try_from(run_seq).unwrap());
    }
    keys
}

/// CASES B 14.
async fn writers_of_two_processes_number_one_run_densely() -> Outcome {
    let ground = Ground::new().await;
    let run = ground.bootstrap(RUN).await;
    let mut other = Other::ready(&ground);

    other.go();
    let mine = write_all(&ground.store, 0).await?;
    let (status, others) = other.finish();

    assert!(status.success(), "the other process: {status}");
    assert_eq!(
        (mine.len(), others.len()),
        (WRITERS * APPENDS, WRITERS * APPENDS)
    );
    // Each key once, under a number of its own; the numbers are dense.
    let log_by_key = log(&ground).await;
    let distinct = u64::try_from(2 * WRITERS * (APPENDS - APPENDS / 3))?;
    assert_eq!(ground.log(&run).await, Vec::from_iter(1..=distinct));
    assert_eq!(u64::try_from(log_by_key.len())?, distinct);

    let mut appended: BTreeMap<&str, u32> = BTreeMap::new();
    for reply in mine.iter().chain(&others) {
        assert_eq!(log_by_key.get(&reply.key), Some(&reply.run_seq), "{reply}");
        assert_ne!(reply.said, Said::DuplicateOfAnother, "{reply}");
        *appended.entry(&reply.key).or_default() += u32::from(reply.said == Said::Appended);
    }
    assert_eq!(appended.len(), log_by_key.len());
    let odd: Vec<_> = appended.iter().filter(|(_, times)| **times != 1).collect();
    assert!(odd.is_empty(), "not appended exactly once: {odd:?}");

    // The test has tested something: the processes ran at the same time, and each was first with a key of the other.
    for (process, replies) in [("0-", &mine), ("1-", &others)] {
        let new = || replies.iter().filter(|reply| reply.said == Said::Appended);
        let first = new().map(|reply| reply.run_seq).min().unwrap();
        assert!(
            first < distinct / 2,
            "process {process} began at {first} of {distinct}"
        );
        let ahead = new().filter(|reply| !reply.key.starts_with(process));
        assert!(ahead.count() > 0, "process {process} was never ahead");
    }
    Ok(())
}
