use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use dvt_adapter_postgres::migrate;
use dvt_chaos::proxy::{Dice, Proxy};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _, Row as _};
use tokio::io::AsyncBufReadExt as _;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::plan::{Plan, StoreKind};
use super::{Crew, upkeep};
use crate::BoxError;

use crate::cluster::{Folder, Programs, Server};
use crate::dump;
use crate::history::{FaultPhase, Final, Record};
use crate::nemesis::{self, Arena, Kind};
use crate::pen::Pen;
use crate::report::Report;
use crate::roles::{Backing, Role};
use crate::scribe;

/// Connections go through so many proxies, so that faults hit some of them.
const PROXIES: usize = 4;
/// So many faults that hurt only some may be under way at once.
const AT_ONCE: usize = 3;
/// How often it tells how far it is.
const TELLS_EVERY: Duration = Duration::from_secs(30);
/// Writers settle what they began by then.
const SETTLED_WITHIN: Duration = Duration::from_secs(40);

/// Runs it, and removes everything but the evidence of what it found.
pub(crate) async fn run(plan: &Plan) -> Result<Report, BoxError> {
    let folder = Folder::new(plan.planted.as_deref().unwrap_or("run")).await?;
    let report = Campaign::fight(plan, &folder).await;
    let keeps = report
        .as_ref()
        .map_or(true, |report| report.has_failed() || report.void)
        && plan.planted.is_none();
    if keeps {
        folder.keep()?;
        println!("evidence: {}", folder.evidence().display());
    }
    folder.remove().await?;
    report
}

/// A campaign under way.
pub(super) struct Campaign<'a> {
    pub(super) plan: &'a Plan,
    pub(super) arena: Arena,
    pub(super) pen: Pen,
    pub(super) dice: Dice,
    next: u64,
    pub(super) failures: Vec<String>,
    /// What the processes weighed when the campaign had come into its stride.
    early: BTreeMap<String, u64>,
    begun: Instant,
}

impl<'a> Campaign<'a> {
    async fn fight(plan: &'a Plan, folder: &Folder) -> Result<Report, BoxError> {
        let mut scribe = Command::new(std::env::current_exe()?);
        scribe
            .arg("scribe")
            .arg("--folder")
            .arg(folder.path())
            .args(["--seed", &plan.seed.to_string()]);
        scribe
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut scribe = scribe.spawn()?;
        let output = scribe.stdout.take().ok_or("the scribe has no output")?;
        tokio::io::BufReader::new(output)
            .lines()
            .next_line()
            .await?;

        let (server, proxies, places, small) = match plan.store {
            StoreKind::Postgres => {
                let server = Server::new(Programs::find()?, folder.path()).await?;
                let proxies = proxies(&server).await?;
                let url = server.url();
                let places = proxies
                    .iter()
                    .map(|proxy| proxy.url(&url))
                    .collect::<Result<_, _>>()?;
                migrate(&Backing::settings(&url)?, &mut |_| ()).await?;
                let small = server.can_be_full().then(|| folder.path().join("small"));
                (Some(server), proxies, places, small)
            }
            StoreKind::Sqlite => {
                let (file, small) = place_file(folder.path())?;
                (None, Vec::new(), vec![file.display().to_string()], small)
            }
        };
        #[cfg(feature = "planted")]
        if let (Some(server), Some(planted)) = (&server, &plan.planted) {
            crate::planted::in_database(server, planted).await?;
        }
        let crew = Arc::new(Crew::new(folder.path(), plan, places));
        let arena = Arena {
            folder: folder.path().to_owned(),
            server,
            proxies: proxies.iter().map(Proxy::control).collect(),
            crew,
            small,
        };
        let mut campaign = Campaign {
            plan,
            arena,
            pen: Pen::new(folder.path(), "coordinator")?,
            dice: Dice::of(plan.seed, &[1]),
            next: 0,
            failures: Vec::new(),
            early: BTreeMap::new(),
            begun: Instant::now(),
        };
        campaign.start_crew()?;
        campaign.war().await?;
        if plan.promotes {
            campaign.promotion().await?;
        }
        campaign.peace().await?;
        scribe::tell(folder.path(), "finish").await?;
        scribe.wait().await?;
        let last = campaign.dump().await?;
        let report = campaign.judge(folder, last).await?;
        Ok(report)
    }

    fn start_crew(&self) -> Result<(), BoxError> {
        for number in 0..self.plan.writers {
            self.arena.crew.start(Role::Writer, number, 0)?;
        }
        for number in 0..self.plan.relays {
            self.arena.crew.start(Role::Relay, number, 0)?;
        }
        self.arena.crew.start(Role::Reader, 3, 0)?;
        self.arena.crew.start(Role::Operator, 3, 0)
    }

    /// One fault after the other, by the schedule. Where the time is short, those go that came often enough.
    async fn war(&mut self) -> Result<(), BoxError> {
        let plan = self.plan;
        let can_be_full = self.arena.small.is_some();
        let kinds: Vec<Kind> = plan
            .kinds
            .iter()
            .copied()
            .filter(|kind| *kind != Kind::DiskFull || can_be_full)
            .collect();
        let mut span = plan.span.saturating_sub(promotion_time(plan));
        sleep(Duration::from_secs(2).min(span)).await;
        if plan.freezes_long {
            self.long_freeze().await?;
        }
        span = span.saturating_sub(self.begun.elapsed());
        let begun = Instant::now();
        let acts = nemesis::schedule(&kinds, plan.least, plan.faults, span, plan.seed);
        let mut done: BTreeMap<Kind, u64> = BTreeMap::new();
        let mut under_way = JoinSet::new();
        let mut told = Instant::now();
        for (at, kind) in acts {
            if begun.elapsed() > span {
                break;
            }
            if told.elapsed() > TELLS_EVERY && plan.planted.is_none() {
                told = Instant::now();
                let faults: u64 = done.values().sum();
                let (now, all) = (self.begun.elapsed().as_secs(), plan.span.as_secs());
                eprintln!("{now} s of {all} s, {faults} faults");
            }
            let is_late = begun.elapsed() > at + Duration::from_secs(3);
            if is_late
                && !kind.is_alone()
                && done.get(&kind).is_some_and(|times| *times >= plan.least)
            {
                continue;
            }
            if self.early.is_empty() && begun.elapsed() > span / 3 {
                self.early = self.arena.crew.memory();
            }
            sleep_until(begun + at).await;
            *done.entry(kind).or_default() += 1;
            let most = if kind.is_alone() { 0 } else { AT_ONCE };
            while under_way.len() > most || (most == 0 && !under_way.is_empty()) {
                under_way.join_next().await;
            }
            if kind.is_alone() {
                self.alone(kind).await?;
                // Long enough for those who wait to come back, and be hurt by something else.
                sleep(Duration::from_millis(200)).await;
            } else {
                let (arena, pen, number) = (self.arena.clone(), self.pen.clone(), self.number());
                let mut dice = Dice::of(plan.seed, &[2, number]);
                under_way.spawn(async move {
                    if let Err(error) = perform(&arena, &pen, number, kind, &mut dice).await {
                        eprintln!("{}: {error}", kind.name());
                    }
                });
            }
        }
        while under_way.join_next().await.is_some() {}
        sleep((begun + span).saturating_duration_since(Instant::now())).await;
        self.failures.extend(self.arena.crew.deserters());
        Ok(())
    }

    /// After a short one, so that everybody is busy catching up when it begins.
    async fn long_freeze(&mut self) -> Result<(), BoxError> {
        sleep(Duration::from_secs(8)).await;
        self.alone(Kind::FreezeServer).await?;
        sleep(Duration::from_millis(100)).await;
        self.alone(Kind::FreezeServerLong).await?;
        self.pen.write(Record::LongFreeze);
        sleep(Duration::from_secs(12)).await;
        Ok(())
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A fault of the whole server. If that does not come back, the campaign is over.
    pub(super) async fn alone(&mut self, kind: Kind) -> Result<(), BoxError> {
        let number = self.number();
        let mut dice = Dice::of(self.plan.seed, &[2, number]);
        match perform(&self.arena, &self.pen, number, kind, &mut dice).await {
            Ok(()) => Ok(()),
            Err(error) => {
                eprintln!("{}: {error}", kind.name());
                match &self.arena.server {
                    Some(server) => server.accepts().await,
                    None => Ok(()),
                }
            }
        }
    }

    /// No more faults: what was begun is settled, and what waits is delivered.
    async fn peace(&mut self) -> Result<(), BoxError> {
        let crew = Arc::clone(&self.arena.crew);
        self.pen.write(Record::Healed);
        let healed = Instant::now();
        crew.order(&[Role::Writer, Role::Reader, Role::Operator], "settle")
            .await;
        if let Err(error) = crew.settled(SETTLED_WITHIN).await {
            self.failures.push(error.to_string());
        }
        let pending = loop {
            let pending = self.pending().await?;
            if pending == 0 || healed.elapsed() > self.plan.drained_within {
                break pending;
            }
            sleep(Duration::from_millis(50)).await;
        };
        self.pen.write(Record::Drained { pending });
        // What is in transit now is over in a moment, or it is stuck.
        sleep(Duration::from_millis(1_500)).await;
        let health = upkeep::health(self.arena.server.as_ref(), &crew, &self.early).await?;
        self.pen.write(Record::Health(health));
        self.failures.extend(crew.deserters());
        self.failures.extend(crew.stop().await);
        Ok(())
    }

    async fn pending(&self) -> Result<u64, BoxError> {
        const QUESTION: &str =
            "SELECT CAST(coalesce(sum(last_seq - delivered_seq), 0) AS bigint) FROM ";
        let pending: i64 = match &self.arena.server {
            Some(server) => {
                let question = format!("{QUESTION} dvt.outbox");
                server
                    .admin()
                    .await?
                    .fetch_one(sqlx::AssertSqlSafe(question))
                    .await?
                    .try_get(0)?
            }
            None => {
                let question = format!("{QUESTION} outbox");
                self.file()
                    .await?
                    .fetch_one(sqlx::AssertSqlSafe(question))
                    .await?
                    .try_get(0)?
            }
        };
        Ok(u64::try_from(pending)?)
    }

    async fn file(&self) -> Result<sqlx::SqliteConnection, BoxError> {
        let (file, _) = file_in(&self.arena.folder, self.arena.small.is_some());
        let options = SqliteConnectOptions::new()
            .filename(file)
            .busy_timeout(Duration::from_secs(10));
        Ok(options.connect().await?)
    }

    async fn dump(&self) -> Result<Final, BoxError> {
        match &self.arena.server {
            Some(server) => dump::of_postgres(&mut server.admin().await?).await,
            None => dump::of_sqlite(&mut self.file().await?).await,
        }
    }
}

/// Breaks, mends, and writes down when.
async fn perform(
    arena: &Arena,
    pen: &Pen,
    number: u64,
    kind: Kind,
    dice: &mut Dice,
) -> Result<(), BoxError> {
    arena.at_work().await;
    pen.fault(number, kind, FaultPhase::Begins);
    let done = nemesis::act(arena, kind, dice).await;
    let phase = match done {
        Ok(()) => FaultPhase::Healed,
        Err(_) => FaultPhase::Failed,
    };
    pen.fault(number, kind, phase);
    done
}

fn promotion_time(plan: &Plan) -> Duration {
    match plan.promotes {
        true => Duration::from_secs(12),
        false => Duration::ZERO,
    }
}

async fn proxies(server: &Server) -> Result<Vec<Proxy>, BoxError> {
    let mut proxies = Vec::new();
    for _ in 0..PROXIES {
        proxies.push(Proxy::start(server.address()).await?);
    }
    Ok(proxies)
}

/// A file on a disk that may be full, where mounting one is permitted.
fn place_file(folder: &Path) -> Result<(PathBuf, Option<PathBuf>), BoxError> {
    let small = folder.join("small");
    fs::create_dir(&small)?;
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=4g", "tmpfs"])
        .arg(&small)
        .output();
    Ok(file_in(
        folder,
        mount.is_ok_and(|mount| mount.status.success()),
    ))
}

fn file_in(folder: &Path, is_small: bool) -> (PathBuf, Option<PathBuf>) {
    let small = folder.join("small");
    (small.join("dvt.db"), is_small.then_some(small))
}
