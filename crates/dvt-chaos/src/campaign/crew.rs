use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dvt_chaos::proxy::Dice;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::plan::{Plan, StoreKind};
use crate::BoxError;
use crate::roles::Role;

/// A process that was told to stop ends by then.
const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// The processes of a campaign that use its store.
#[derive(Debug)]
pub(crate) struct Crew {
    folder: PathBuf,
    seed: u64,
    store: StoreKind,
    pace: u64,
    writers: u64,
    planted: Option<String>,
    /// For each of the proxies, the URL that leads through it; or the file.
    places: Vec<String>,
    members: Mutex<Vec<Member>>,
}

#[derive(Debug)]
struct Member {
    role: Role,
    number: u64,
    incarnation: u64,
    pid: i32,
    child: Child,
}

impl Crew {
    pub(crate) fn new(folder: &Path, plan: &Plan, places: Vec<String>) -> Self {
        Self {
            folder: folder.to_owned(),
            seed: plan.seed,
            store: plan.store,
            pace: plan.pace,
            writers: plan.writers,
            planted: plan.planted.clone(),
            places,
            members: Mutex::default(),
        }
    }

    fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process.
    pub(crate) fn start(&self, role: Role, number: u64, incarnation: u64) -> Result<(), BoxError> {
        let place = usize::try_from(number)? % self.places.len();
        let place = self.places.get(place).ok_or("there is no place")?;
        let log = self
            .folder
            .join("evidence")
            .join(format!("{}{number}.log", role.name()));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["role", role.name(), "--number", &number.to_string()]);
        command.args([
            "--incarnation",
            &incarnation.to_string(),
            "--seed",
            &self.seed.to_string(),
        ]);
        command.args([
            "--pace",
            &self.pace.to_string(),
            "--writers",
            &self.writers.to_string(),
        ]);
        command.arg("--folder").arg(&self.folder);
        if let Some(planted) = &self.planted {
            command.args(["--planted", planted]);
        }
        match self.store {
            StoreKind::Postgres => command.env("DATABASE_URL", place),
            StoreKind::Sqlite => command.arg("--file").arg(place),
        };
        // Whoever works in the folder ends with it.
        command.current_dir(&self.folder).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(OpenOptions::new().create(true).append(true).open(log)?);
        let child = command.spawn()?;
        let pid = i32::try_from(child.id().ok_or("it ended at once")?)?;
        self.members().push(Member {
            role,
            number,
            incarnation,
            pid,
            child,
        });
        Ok(())
    }

    fn pick(&self, role: Role, dice: &mut Dice) -> Option<i32> {
        let members = self.members();
        let pids: Vec<i32> = members
            .iter()
            .filter(|member| member.role == role)
            .map(|member| member.pid)
            .collect();
        let at = usize::try_from(dice.roll(pids.len() as u64)).ok()?;
        pids.get(at).copied()
    }

    /// Signals one of them, and says which.
    pub(crate) fn signal_one(&self, role: Role, signal: Signal, dice: &mut Dice) -> Option<i32> {
        let pid = self.pick(role, dice)?;
        self.signal(pid, signal);
        Some(pid)
    }

    /// Signals it if it still belongs to the crew.
    pub(crate) fn signal(&self, pid: i32, signal: Signal) {
        let is_ours = self.members().iter().any(|member| member.pid == pid);
        if let Some(pid) = Pid::from_raw(pid).filter(|_| is_ours) {
            // It may have ended by itself, which is told in the end.
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills one of them, and starts another in its place.
    pub(crate) async fn kill_one(&self, role: Role, dice: &mut Dice) -> Result<(), BoxError> {
        let Some(pid) = self.pick(role, dice) else {
            return Ok(());
        };
        let killed = {
            let mut members = self.members();
            let at = members.iter().position(|member| member.pid == pid);
            at.map(|at| members.remove(at))
        };
        let Some(mut killed) = killed else {
            return Ok(());
        };
        killed.child.kill().await?;
        self.start(killed.role, killed.number, killed.incarnation + 1)
    }

    /// Tells all of these roles the same.
    pub(crate) async fn order(&self, roles: &[Role], order: &str) {
        let mut inputs = Vec::new();
        for member in self
            .members()
            .iter_mut()
            .filter(|member| roles.contains(&member.role))
        {
            inputs.extend(member.child.stdin.take().map(|input| (member.pid, input)));
        }
        for (pid, mut input) in inputs {
            // One that has ended is told in the end.
            let _ = input.write_all(format!("{order}\n").as_bytes()).await;
            if let Some(member) = self.members().iter_mut().find(|member| member.pid == pid) {
                member.child.stdin = Some(input);
            }
        }
    }

    /// Waits until all writers have settled what they began.
    pub(crate) async fn settled(&self, within: Duration) -> Result<(), BoxError> {
        let mut outputs = Vec::new();
        for member in self
            .members()
            .iter_mut()
            .filter(|member| member.role == Role::Writer)
        {
            outputs.extend(member.child.stdout.take());
        }
        let all = async {
            for output in outputs {
                let line = BufReader::new(output).lines().next_line().await?;
                if line.as_deref() != Some("settled") {
                    return Err("a writer ended before it had settled what it began".into());
                }
            }
            Ok(())
        };
        timeout(within, all)
            .await
            .unwrap_or_else(|_| Err("writers did not settle what they began in time".into()))
    }

    /// Those that ended though nobody killed them.
    pub(crate) fn deserters(&self) -> Vec<String> {
        let mut deserters = Vec::new();
        for member in self.members().iter_mut() {
            if let Ok(Some(status)) = member.child.try_wait() {
                deserters.push(format!(
                    "{}{}i{} ended by itself: {status}",
                    member.role.name(),
                    member.number,
                    member.incarnation
                ));
            }
        }
        deserters
    }

    /// Tells all to stop, and waits for it.
    pub(crate) async fn stop(&self) -> Vec<String> {
        self.order(
            &[Role::Writer, Role::Relay, Role::Reader, Role::Operator],
            "stop",
        )
        .await;
        let members = std::mem::take(&mut *self.members());
        let mut late = Vec::new();
        for mut member in members {
            let name = format!(
                "{}{}i{}",
                member.role.name(),
                member.number,
                member.incarnation
            );
            match timeout(STOPS_WITHIN, member.child.wait()).await {
                Ok(Ok(status)) if status.success() => {}
                Ok(Ok(status)) => late.push(format!("{name} stopped with {status}")),
                _ => {
                    let _ = member.child.kill().await;
                    late.push(format!("{name} did not stop when it was told to"));
                }
            }
        }
        late
    }

    /// The memory in use by the processes of each role, in KiB: the most that one of them has.
    pub(crate) fn memory(&self) -> BTreeMap<String, u64> {
        let mut memory = BTreeMap::new();
        for member in self.members().iter() {
            let status =
                std::fs::read_to_string(format!("/proc/{}/status", member.pid)).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kib = line
                .and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
                .unwrap_or(0);
            let most: &mut u64 = memory.entry(member.role.name().to_owned()).or_default();
            *most = kib.max(*most);
        }
        memory
    }

    /// How many connections all pools together may have.
    pub(crate) fn max_connections(&self) -> u64 {
        self.members()
            .iter()
            .map(|member| u64::from(member.role.connections()))
            .sum()
    }
}
