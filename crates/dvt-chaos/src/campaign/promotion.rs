//! The last phase on PostgreSQL: the server dies for good.

use std::time::Duration;

use dvt_chaos::proxy::{End, Fault};
use tokio::time::sleep;

use super::run::Campaign;
use crate::BoxError;
use crate::history::FaultPhase;
use crate::nemesis::Kind;

impl Campaign<'_> {
    /// From some moment on everything is acknowledged by a standby, too. Then the server dies, and the standby takes over.
    pub(super) async fn promotion(&mut self) -> Result<(), BoxError> {
        let Some(server) = self.arena.server.clone() else {
            return Ok(());
        };
        let standby = server.with_synchronous_standby().await?;
        for kind in [
            Kind::ProxyCutBeforeComplete,
            Kind::KillWriter,
            Kind::ProxyReset,
            Kind::KillRelay,
        ] {
            sleep(Duration::from_millis(500 + self.dice.roll(500))).await;
            self.alone(kind).await?;
        }
        let number = self.number();
        let kind = Kind::PromoteStandby;
        self.arena.at_work().await;
        self.pen.fault(number, kind, FaultPhase::Begins);
        server.kill_postmaster().await?;
        standby.promote().await?;
        for proxy in &self.arena.proxies {
            proxy.redirect(standby.address());
            proxy.for_present(Fault::now(End::Reset));
            proxy.heal();
        }
        self.pen.fault(number, kind, FaultPhase::Healed);
        self.arena.server = Some(standby);
        sleep(Duration::from_secs(3)).await;
        Ok(())
    }
}
