use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use dvt_chaos::proxy::{Control, Dice, End, Fault, Message, Place, Rule, Spot};
use rustix::process::Signal;
use sqlx::{Connection as _, Executor as _, Row as _};
use tokio::time::{Instant, sleep};

use super::Kind;
use crate::BoxError;
use crate::campaign::Crew;
use crate::cluster::Server;
use crate::roles::Role;
use crate::scribe;

/// What the nemesis can get at.
#[derive(Debug, Clone)]
pub(crate) struct Arena {
    pub(crate) folder: PathBuf,
    /// The server, if there is one.
    pub(crate) server: Option<Server>,
    pub(crate) proxies: Vec<Control>,
    pub(crate) crew: Arc<Crew>,
    /// A disk that may be full.
    pub(crate) small: Option<PathBuf>,
}

/// Breaks something and mends it. When this returns, everything works again, or it says why not.
pub(crate) async fn act(arena: &Arena, kind: Kind, dice: &mut Dice) -> Result<(), BoxError> {
    match kind {
        Kind::FreezeRelay => {
            arena
                .freeze(Role::Relay, millis(2_500, 5_000, dice), dice)
                .await
        }
        Kind::FreezeWriter => {
            arena
                .freeze(Role::Writer, millis(500, 3_000, dice), dice)
                .await
        }
        Kind::KillRelay => arena.kill(Role::Relay, dice).await,
        Kind::KillWriter => arena.kill(Role::Writer, dice).await,
        Kind::SinkDown => {
            scribe::tell(&arena.folder, "down").await?;
            sleep(millis(200, 1_500, dice)).await;
            Ok(scribe::tell(&arena.folder, "up").await?)
        }
        Kind::DiskFull => arena.fill_disk(millis(700, 2_000, dice)).await,
        Kind::ProxyReset
        | Kind::ProxyCutBeforeComplete
        | Kind::ProxyCutAfterComplete
        | Kind::ProxyTruncate
        | Kind::ProxyBlackHole
        | Kind::ProxyDelay
        | Kind::ProxyOneByte => arena.hurt_connections(kind, dice).await,
        _ => match &arena.server {
            Some(server) => on_server(server, kind, dice).await,
            None => Err(format!("{} needs a server", kind.name()).into()),
        },
    }
}

async fn on_server(server: &Server, kind: Kind, dice: &mut Dice) -> Result<(), BoxError> {
    match kind {
        Kind::TerminateBackend => terminate(server, dice).await,
        Kind::KillBackend => {
            let mut admin = server.admin().await?;
            let row = admin
                .fetch_optional(
                    "SELECT pid FROM pg_stat_activity WHERE usename = 'dvt_app' ORDER BY state = 'active' DESC, random() LIMIT 1",
                )
                .await?;
            if let Some(row) = row {
                server.signal(row.try_get(0)?, Signal::KILL);
            }
            // All sessions end with it, this one too: until then the server has not noticed.
            let begun = Instant::now();
            while admin.ping().await.is_ok() && begun.elapsed() < Duration::from_secs(5) {
                sleep(Duration::from_millis(10)).await;
            }
            server.accepts().await
        }
        Kind::ImmediateRestart => {
            server.stop_immediately().await?;
            server.start().await
        }
        Kind::KillPostmaster => {
            server.kill_postmaster().await?;
            server.start().await
        }
        Kind::FreezeServer => freeze(server, millis(1_000, 3_000, dice)).await,
        Kind::FreezeServerLong => freeze(server, Duration::from_secs(30)).await,
        Kind::ReadOnly => {
            let mut admin = server.admin().await?;
            admin
                .execute("ALTER SYSTEM SET default_transaction_read_only = on")
                .await?;
            admin.execute("SELECT pg_reload_conf()").await?;
            sleep(millis(300, 1_200, dice)).await;
            let mut admin = server.admin().await?;
            admin
                .execute("ALTER SYSTEM RESET default_transaction_read_only")
                .await?;
            admin.execute("SELECT pg_reload_conf()").await?;
            Ok(())
        }
        Kind::ConnectionsExhausted => exhaust(server, millis(500, 1_500, dice)).await,
        Kind::StatementCancels => {
            let mut admin = server.admin().await?;
            for _ in 0..10 {
                admin
                    .execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'dvt_app' AND state = 'active'")
                    .await?;
                sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        }
        Kind::LockTimeouts => {
            // Longer than the store waits for a lock, which is less than the time that it gives a statement.
            let mut admin = server.admin().await?;
            let mut transaction = admin.begin().await?;
            transaction
                .execute(
                    "SET LOCAL lock_timeout = '2s'; LOCK TABLE dvt.outbox IN ACCESS EXCLUSIVE MODE",
                )
                .await?;
            sleep(millis(1_700, 2_200, dice)).await;
            Ok(transaction.rollback().await?)
        }
        _ => Err(format!("{} is no fault of a server alone", kind.name()).into()),
    }
}

/// Ends one session, or all that are at work, or all.
async fn terminate(server: &Server, dice: &mut Dice) -> Result<(), BoxError> {
    let mut admin = server.admin().await?;
    let which = match dice.roll(4) {
        0 => {
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dvt_app' ORDER BY random() LIMIT 1"
        }
        1 => "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dvt_app'",
        _ => {
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dvt_app' AND state = 'active'"
        }
    };
    admin.execute(which).await?;
    Ok(())
}

async fn freeze(server: &Server, time: Duration) -> Result<(), BoxError> {
    server.signal_all(Signal::STOP);
    sleep(time).await;
    server.signal_all(Signal::CONT);
    server.accepts().await
}

/// Takes every connection that is left, while those that are there have to be made anew.
async fn exhaust(server: &Server, time: Duration) -> Result<(), BoxError> {
    let mut admin = server.admin().await?;
    admin
        .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'dvt_app'")
        .await?;
    let mut taken = Vec::new();
    let until = Instant::now() + time;
    while Instant::now() < until {
        match server.app().await {
            Ok(connection) => taken.push(connection),
            // None is left, or only those for superusers.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
    for connection in taken {
        let _ = connection.close().await;
    }
    Ok(())
}

fn millis(from: u64, to: u64, dice: &mut Dice) -> Duration {
    Duration::from_millis(from + dice.roll(to - from))
}

/// A fault waits for an operation that it could hurt at most this long.
const WAITS_FOR_WORK: Duration = Duration::from_secs(1);

impl Arena {
    /// Returns when an operation is on its way to the server: writers keep a pace, and a fast machine is often done. A file has no
    /// way that could be watched.
    pub(crate) async fn at_work(&self) {
        let until = Instant::now() + WAITS_FOR_WORK;
        let is_idle = || self.proxies.iter().all(|proxy| proxy.in_flight() == 0);
        while !self.proxies.is_empty() && is_idle() && Instant::now() < until {
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn freeze(&self, role: Role, time: Duration, dice: &mut Dice) -> Result<(), BoxError> {
        let frozen = self.crew.signal_one(role, Signal::STOP, dice);
        sleep(time).await;
        if let Some(pid) = frozen {
            self.crew.signal(pid, Signal::CONT);
        }
        Ok(())
    }

    /// The crew replaces who is killed.
    async fn kill(&self, role: Role, dice: &mut Dice) -> Result<(), BoxError> {
        self.crew.kill_one(role, dice).await
    }

    /// Leaves no room beyond what is in use.
    async fn fill_disk(&self, time: Duration) -> Result<(), BoxError> {
        let small = self
            .small
            .as_ref()
            .ok_or("there is no disk that may be full")?;
        let usage = rustix::fs::statvfs(small)?;
        let used = (usage.f_blocks - usage.f_bfree) * usage.f_frsize;
        // What is written meanwhile may need a little more.
        let sizes = [0, 64, 256, 1_024, 8_192].map(|more| format!("size={}", used + more * 1_024));
        if !sizes.iter().any(|size| self.remount(size).is_ok()) {
            return Err("the disk could not be made full".into());
        }
        sleep(time).await;
        self.remount("size=4g")
    }

    fn remount(&self, size: &str) -> Result<(), BoxError> {
        let small = self
            .small
            .as_ref()
            .ok_or("there is no disk that may be full")?;
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{size}")])
            .arg(small)
            .status()?;
        match status.success() {
            true => Ok(()),
            false => Err("the disk could not be mounted anew".into()),
        }
    }

    /// Through one of the proxies, or all.
    async fn hurt_connections(&self, kind: Kind, dice: &mut Dice) -> Result<(), BoxError> {
        let all = dice.roll(4) == 0;
        let at = usize::try_from(dice.roll(self.proxies.len() as u64))?;
        let proxies: Vec<&Control> = match all {
            true => self.proxies.iter().collect(),
            false => self.proxies.get(at).into_iter().collect(),
        };
        let end = if dice.roll(2) == 0 {
            End::Close
        } else {
            End::Reset
        };
        let (fault, times, time): (Fault, u64, Duration) = match kind {
            Kind::ProxyReset => (Fault::now(End::Reset), u64::MAX, Duration::ZERO),
            Kind::ProxyCutBeforeComplete => {
                let spot = Spot::at(Place::Before, Message::COMMAND_COMPLETE);
                (
                    Fault::Cut { spot, end },
                    2 + dice.roll(6),
                    millis(100, 400, dice),
                )
            }
            Kind::ProxyCutAfterComplete => {
                let spot = Spot::at(Place::After, Message::COMMAND_COMPLETE);
                (
                    Fault::Cut { spot, end },
                    2 + dice.roll(6),
                    millis(100, 400, dice),
                )
            }
            Kind::ProxyTruncate => {
                let message = if dice.roll(3) == 0 {
                    Message::COMMAND_COMPLETE
                } else {
                    Message::BIND
                };
                let spot = Spot::at(Place::Within(1 + u32::try_from(dice.roll(12))?), message);
                (
                    Fault::Cut { spot, end },
                    2 + dice.roll(6),
                    millis(100, 400, dice),
                )
            }
            Kind::ProxyBlackHole => {
                let fault = if dice.roll(2) == 0 {
                    Fault::BLACK_HOLE
                } else {
                    Fault::MUTE
                };
                // Some are longer than a client waits for an answer.
                let time = if dice.roll(4) == 0 {
                    Duration::from_millis(4_500)
                } else {
                    millis(300, 1_500, dice)
                };
                (fault, u64::MAX, time)
            }
            Kind::ProxyDelay => (
                Fault::Delay(millis(20, 300, dice)),
                u64::MAX,
                millis(500, 1_500, dice),
            ),
            _ => (Fault::Split, u64::MAX, millis(300, 1_000, dice)),
        };
        for proxy in &proxies {
            match times {
                u64::MAX => proxy.for_present(fault),
                times => proxy.for_present(Rule::from(fault).at_most(times)),
            }
            if fault == Fault::BLACK_HOLE {
                proxy.for_coming(fault);
            }
        }
        sleep(time).await;
        proxies.iter().for_each(|proxy| proxy.heal());
        Ok(())
    }
}
