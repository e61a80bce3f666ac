use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsConnector;

use crate::connect_error::RabbitMqConnectError;
use crate::dial;
use crate::link::Link;
use crate::settings::RabbitMqSettings;

/// Below the time that a publish has, so that each publish sees how an attempt ends.
const MAX_PAUSE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// A connection that lived shorter than this counts as one more failure: something ends them as soon as they are made.
const STEADY: Duration = Duration::from_secs(5);

/// The one connection of a sink, made again when it is needed and gone.
///
/// However many publishers wait for it, one attempt is under way at a time, with growing pauses between two. An attempt goes on
/// when those who wait for it give up.
pub(crate) struct Uplink {
    settings: RabbitMqSettings,
    tls: Option<TlsConnector>,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// In a row.
    failures: u32,
}

enum Phase {
    Made(Arc<Link>),
    Dialing(watch::Receiver<Option<Outcome>>),
    Failed { not_before: Instant },
}

type Outcome = Result<Arc<Link>, Arc<RabbitMqConnectError>>;

impl Uplink {
    pub(crate) fn new(settings: RabbitMqSettings, tls: Option<TlsConnector>, link: Link) -> Self {
        let phase = Phase::Made(Arc::new(link));
        Self {
            settings,
            tls,
            state: Mutex::new(State { phase, failures: 0 }),
        }
    }

    pub(crate) fn settings(&self) -> &RabbitMqSettings {
        &self.settings
    }

    /// The connection; a new one if there is none.
    pub(crate) async fn link(self: &Arc<Self>) -> Outcome {
        let mut attempt = match self.look() {
            Ok(link) => return Ok(link),
            Err(attempt) => attempt,
        };
        let outcome = match attempt.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        };
        outcome.unwrap_or_else(|| {
            Err(Arc::new(RabbitMqConnectError::Lost {
                server: self.settings.target.server(),
                reason: "the attempt was given up".to_owned(),
            }))
        })
    }

    /// The connection, or the attempt to make one.
    fn look(self: &Arc<Self>) -> Result<Arc<Link>, watch::Receiver<Option<Outcome>>> {
        let mut state = self.state();
        let not_before = match &state.phase {
            Phase::Made(link) if link.is_up() => return Ok(Arc::clone(link)),
            // Without its sender it ended with the runtime that it ran on.
            Phase::Dialing(attempt) if attempt.has_changed().is_ok() => {
                return Err(attempt.clone());
            }
            Phase::Dialing(_) => Instant::now(),
            Phase::Failed { not_before } => *not_before,
            Phase::Made(link) => {
                state.failures = if link.age() < STEADY {
                    state.failures.saturating_add(1)
                } else {
                    0
                };
                Instant::now() + pause(state.failures)
            }
        };
        let (ended, attempt) = watch::channel(None);
        state.phase = Phase::Dialing(attempt.clone());
        drop(state);
        let uplink = Arc::clone(self);
        tokio::spawn(async move {
            sleep_until(not_before).await;
            let outcome = dial::dial(&uplink.settings, uplink.tls.as_ref()).await;
            ended.send_replace(Some(uplink.settle(outcome)));
        });
        Err(attempt)
    }

    fn settle(&self, outcome: Result<Link, RabbitMqConnectError>) -> Outcome {
        let mut state = self.state();
        match outcome {
            Ok(link) => {
                let link = Arc::new(link);
                state.phase = Phase::Made(Arc::clone(&link));
                Ok(link)
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                let not_before = Instant::now() + pause(state.failures);
                state.phase = Phase::Failed { not_before };
                Err(Arc::new(error))
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Doubled for each failure, and somewhere between half and all of that: sinks that lost the same server do not come together.
fn pause(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
    let half = doubled.min(MAX_PAUSE) / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
    // Nothing secret hangs on it.
    let entropy = RandomState::new().hash_one(());
    half + Duration::from_nanos(entropy % nanos.max(1))
}
