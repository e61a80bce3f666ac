use dvt_chaos::proxy::Dice;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    TerminateBackend,
    KillBackend,
    ImmediateRestart,
    KillPostmaster,
    FreezeServer,
    FreezeServerLong,
    FreezeRelay,
    KillRelay,
    KillWriter,
    FreezeWriter,
    ProxyReset,
    ProxyCutBeforeComplete,
    ProxyCutAfterComplete,
    ProxyTruncate,
    ProxyBlackHole,
    ProxyDelay,
    ProxyOneByte,
    ReadOnly,
    ConnectionsExhausted,
    DiskFull,
    StatementCancels,
    LockTimeouts,
    SinkDown,
    PromoteStandby,
}

impl Kind {
    /// Those that a campaign on PostgreSQL has throughout; the long freeze and the promotion have moments of their own.
    pub(crate) const POSTGRES: [Self; 22] = [
        Self::TerminateBackend,
        Self::KillBackend,
        Self::ImmediateRestart,
        Self::KillPostmaster,
        Self::FreezeServer,
        Self::FreezeRelay,
        Self::KillRelay,
        Self::KillWriter,
        Self::FreezeWriter,
        Self::ProxyReset,
        Self::ProxyCutBeforeComplete,
        Self::ProxyCutAfterComplete,
        Self::ProxyTruncate,
        Self::ProxyBlackHole,
        Self::ProxyDelay,
        Self::ProxyOneByte,
        Self::ReadOnly,
        Self::ConnectionsExhausted,
        Self::DiskFull,
        Self::StatementCancels,
        Self::LockTimeouts,
        Self::SinkDown,
    ];

    /// Those on a file.
    pub(crate) const SQLITE: [Self; 6] = [
        Self::FreezeRelay,
        Self::KillRelay,
        Self::KillWriter,
        Self::FreezeWriter,
        Self::DiskFull,
        Self::SinkDown,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TerminateBackend => "terminate_backend",
            Self::KillBackend => "kill_backend",
            Self::ImmediateRestart => "immediate_restart",
            Self::KillPostmaster => "kill_postmaster",
            Self::FreezeServer => "freeze_server",
            Self::FreezeServerLong => "freeze_server_30s",
            Self::FreezeRelay => "freeze_relay",
            Self::KillRelay => "kill_relay",
            Self::KillWriter => "kill_writer",
            Self::FreezeWriter => "freeze_writer",
            Self::ProxyReset => "proxy_reset",
            Self::ProxyCutBeforeComplete => "proxy_cut_before_command_complete",
            Self::ProxyCutAfterComplete => "proxy_cut_after_command_complete",
            Self::ProxyTruncate => "proxy_truncated_frame",
            Self::ProxyBlackHole => "proxy_black_hole",
            Self::ProxyDelay => "proxy_delay",
            Self::ProxyOneByte => "proxy_one_byte_writes",
            Self::ReadOnly => "read_only",
            Self::ConnectionsExhausted => "connections_exhausted",
            Self::DiskFull => "disk_full",
            Self::StatementCancels => "statement_cancels",
            Self::LockTimeouts => "lock_timeouts",
            Self::SinkDown => "sink_down",
            Self::PromoteStandby => "promote_standby",
        }
    }

    /// Whether the whole server suffers: such faults come one at a time.
    pub(crate) const fn is_alone(self) -> bool {
        matches!(
            self,
            Self::KillBackend
                | Self::ImmediateRestart
                | Self::KillPostmaster
                | Self::FreezeServer
                | Self::FreezeServerLong
                | Self::ReadOnly
                | Self::ConnectionsExhausted
                | Self::DiskFull
                | Self::LockTimeouts
                | Self::PromoteStandby
        )
    }

    /// How many of them there are, compared with the others that come as they like.
    pub(crate) const fn weight(self) -> u64 {
        match self {
            Self::TerminateBackend => 30,
            Self::ProxyCutBeforeComplete | Self::ProxyCutAfterComplete | Self::ProxyTruncate => 10,
            Self::ProxyReset => 8,
            Self::KillRelay | Self::FreezeRelay => 4,
            Self::StatementCancels => 5,
            Self::KillWriter | Self::ProxyBlackHole | Self::ProxyDelay | Self::ProxyOneByte => 3,
            Self::FreezeWriter | Self::SinkDown => 2,
            _ => 0,
        }
    }

    /// One of those by their weights.
    pub(crate) fn any(kinds: &[Self], dice: &mut Dice) -> Option<Self> {
        let total = kinds.iter().map(|kind| kind.weight()).sum();
        let mut left = dice.roll(total);
        kinds.iter().copied().find(|kind| {
            let is_it = left < kind.weight();
            left = left.saturating_sub(kind.weight());
            is_it
        })
    }
}
