use std::time::Duration;

use crate::nemesis::Kind;

/// What the store is kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoreKind {
    Postgres,
    Sqlite,
}

/// What a campaign is to be.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) store: StoreKind,
    /// How long writers and nemesis work against each other.
    pub(crate) span: Duration,
    pub(crate) writers: u64,
    pub(crate) relays: u64,
    /// Events that are appended in a second.
    pub(crate) pace: u64,
    pub(crate) kinds: Vec<Kind>,
    /// How often each kind comes at least.
    pub(crate) least: u64,
    pub(crate) faults: u64,
    /// Whether a standby is promoted in the end.
    pub(crate) promotes: bool,
    /// Whether the server freezes once for half a minute.
    pub(crate) freezes_long: bool,
    /// A bug that is planted.
    pub(crate) planted: Option<String>,
    /// Everything is delivered so soon after the last fault.
    pub(crate) drained_within: Duration,
    /// What the campaign must reach, lest it say nothing.
    pub(crate) bars: Option<Bars>,
}

/// Less than this and a campaign is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bars {
    pub(crate) faults: u64,
    pub(crate) faults_of_a_kind: u64,
    pub(crate) kinds: usize,
    pub(crate) acknowledged: u64,
    pub(crate) append_calls: u64,
    pub(crate) unknown: u64,
    pub(crate) unknown_stored: u64,
    pub(crate) unknown_not_stored: u64,
}

/// What 20 minutes must reach.
const FULL: Bars = Bars {
    faults: 1_000,
    faults_of_a_kind: 10,
    kinds: 12,
    acknowledged: 1_000_000,
    append_calls: 100_000,
    unknown: 1_000,
    unknown_stored: 100,
    unknown_not_stored: 100,
};
const FULL_SECONDS: u64 = 1_200;

impl Bars {
    /// A share of the bars of 20 minutes. Shorter campaigns than 5 minutes get half of their share: the first and the last seconds weigh
    /// more in them.
    fn scaled(span: Duration) -> Self {
        let seconds = span.as_secs().min(FULL_SECONDS);
        let half = if seconds < 300 { 2 } else { 1 };
        let share = |bar: u64| bar * seconds / FULL_SECONDS / half;
        Self {
            faults: share(FULL.faults),
            faults_of_a_kind: share(FULL.faults_of_a_kind),
            kinds: FULL.kinds,
            acknowledged: share(FULL.acknowledged),
            append_calls: share(FULL.append_calls),
            unknown: share(FULL.unknown),
            unknown_stored: share(FULL.unknown_stored),
            unknown_not_stored: share(FULL.unknown_not_stored),
        }
    }
}

impl Plan {
    pub(crate) fn new(store: StoreKind, minutes: f64, seed: u64) -> Self {
        let span = Duration::from_secs_f64(minutes * 60.0);
        let share = |of_full: u64| (of_full * span.as_secs()).div_ceil(FULL_SECONDS);
        match store {
            StoreKind::Postgres => Self {
                seed,
                store,
                span,
                writers: 8,
                relays: 4,
                pace: 1_500,
                kinds: Kind::POSTGRES.to_vec(),
                least: share(13),
                faults: share(1_250),
                promotes: true,
                freezes_long: minutes >= 5.0,
                planted: None,
                drained_within: Duration::from_secs(60),
                bars: Some(Bars::scaled(span)),
            },
            StoreKind::Sqlite => Self {
                seed,
                store,
                span,
                writers: 4,
                relays: 2,
                pace: 3_000,
                kinds: Kind::SQLITE.to_vec(),
                least: share(60),
                faults: share(600),
                promotes: false,
                freezes_long: false,
                planted: None,
                drained_within: Duration::from_secs(60),
                bars: None,
            },
        }
    }
}
