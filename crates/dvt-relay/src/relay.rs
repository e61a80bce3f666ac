use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use dvt_contracts::{EventSink, OutboxError, OutboxStorage};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::chance::Chance;
use crate::engine::Engine;
use crate::observer::{RelayEvent, RelayObserver};
use crate::report::{RelayError, RelayMode, RelayReport};
use crate::settings::RelaySettings;
use crate::work;

/// Delivers an outbox to a sink: each run's events in order, many runs at once.
///
/// # What an observer can rely on
///
/// - Events are acknowledged after the sink has stored them, never before. A crash in between redelivers them with the same
///   event ids and counts no attempt.
/// - The sink is never called for a run whose lease has ended, as far as this process can know: a lease is lengthened while
///   it is worked under, and the work ends when it is lost.
/// - An event is charged a failed attempt when the sink refuses it, or when the sink fails on it while other runs get
///   through. While nobody gets through, nobody is charged, with one exception: an event that was charged before, and whose
///   run is the only one that is sent, is charged again, since with nobody to compare it with poison looks like an outage.
/// - A run that was claimed again and again and never finished is worked on alone.
#[derive(Debug)]
pub struct Relay {
    store: Arc<dyn OutboxStorage>,
    sink: Arc<dyn EventSink>,
    settings: RelaySettings,
    observer: Arc<dyn RelayObserver>,
    chance: Chance,
    wake: Arc<Notify>,
}

/// Tells a relay that there is work, so that it need not wait for its next look. A hint: lost ones cost time only.
#[derive(Debug, Clone)]
pub struct RelayWaker(Arc<Notify>);

impl RelayWaker {
    /// Something was appended.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

impl Relay {
    /// A relay from this store to this sink.
    ///
    /// # Errors
    /// [`RelayError::Settings`] names the bound that is out of range.
    pub fn new(
        store: Arc<dyn OutboxStorage>,
        sink: Arc<dyn EventSink>,
        settings: RelaySettings,
    ) -> Result<Self, RelayError> {
        settings.check()?;
        Ok(Self {
            store,
            sink,
            settings,
            observer: Arc::new(()),
            chance: Chance::default(),
            wake: Arc::default(),
        })
    }

    /// The same relay, watched.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn RelayObserver>) -> Self {
        Self { observer, ..self }
    }

    /// The same relay, with waits spread as this seed says: in a simulation, the same seed gives the same run again.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self {
            chance: Chance::seeded(seed),
            ..self
        }
    }

    /// What wakes it up.
    #[must_use]
    pub fn waker(&self) -> RelayWaker {
        RelayWaker(Arc::clone(&self.wake))
    }

    /// Works until `stop` completes, or until there is no more to do. Needs a Tokio runtime with time.
    ///
    /// A store that is away for now is asked again and again, from the beginning on.
    ///
    /// When told to stop it claims no more, finishes what is in flight within [`RelaySettings::stop_within`], and gives the
    /// rest back. If the future is dropped, leases end by their time.
    ///
    /// # Errors
    /// [`RelayError`]
    pub async fn run(
        &self,
        mode: RelayMode,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<RelayReport, RelayError> {
        let mut stop = pin!(stop);
        tokio::select! {
            biased;
            () = &mut stop => return Ok(RelayReport::default()),
            bound = self.bind() => bound?,
        }
        let engine = Engine::new(
            Arc::clone(&self.store),
            Arc::clone(&self.sink),
            Arc::clone(&self.observer),
            self.settings.clone(),
            self.chance.clone(),
        );
        engine.run(mode, &self.wake, stop).await
    }

    /// Names the destination to the store, which may be away for now.
    async fn bind(&self) -> Result<(), OutboxError> {
        loop {
            match self
                .store
                .bind_destination(&self.settings.destination)
                .await
            {
                Err(error) if work::is_passing(&error) => {
                    let failed = RelayEvent::StoreFailed { error: &error };
                    self.observer.observe(&failed);
                    sleep(self.settings.poll_interval).await;
                }
                answer => return answer,
            }
        }
    }
}
