use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dvt_contracts::{OutboxError, StoreError};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::counts::FaultCounts;
use super::dice::Dice;
use super::fault::{Fault, Injected};
use super::method::Method;
use super::plan::FaultPlan;
use crate::race::after_polls;

/// A dropped call is polled at most so often. Its work takes two polls more than by itself.
pub(super) const MOST_POLLS: u64 = 4;

/// The faults of one wrapper: what they were, and when they end. Clones are the same.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    plan: FaultPlan,
    healed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<Method, u64>,
    counts: FaultCounts,
}

impl Faults {
    pub(super) fn new(plan: FaultPlan) -> Self {
        Self(Arc::new(Shared {
            plan,
            healed: AtomicBool::new(false),
            state: Mutex::default(),
        }))
    }

    /// No more faults from now on. Calls that were hit before meet their fate.
    pub fn heal(&self) {
        self.0.healed.store(true, Ordering::SeqCst);
    }

    /// What was injected so far.
    #[must_use]
    pub fn counts(&self) -> FaultCounts {
        self.state().counts.clone()
    }

    /// How often the method was called before the faults ended.
    #[must_use]
    pub fn calls(&self, method: Method) -> u64 {
        self.state().calls.get(&method).copied().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to the next call of this method.
    pub(super) fn blow(&self, method: Method) -> Option<(Fault, Dice)> {
        if self.0.healed.load(Ordering::SeqCst) {
            return None;
        }
        let mut state = self.state();
        let calls = state.calls.entry(method).or_default();
        let number = *calls;
        *calls += 1;
        let blow = self.0.plan.blow(method, number);
        if let Some((fault, _)) = blow {
            *state.counts.hits.entry((method, fault)).or_default() += 1;
        }
        blow
    }

    pub(super) async fn delay(&self, dice: &mut Dice) {
        sleep(self.0.plan.delay(dice)).await;
    }

    /// Does the work of a store's method, or what the plan has in store for it.
    pub(super) async fn around<T: Send, E: PortError>(
        &self,
        method: Method,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let Some((fault, mut dice)) = self.blow(method) else {
            return work.await;
        };
        let operation = method.name();
        match fault {
            Fault::Refused => return Err(E::transient(operation, Injected(fault))),
            Fault::RequestLost | Fault::Cut => {}
            Fault::ReplyLost => drop(work.await),
            Fault::Delayed => {
                self.delay(&mut dice).await;
                let reply = work.await;
                self.delay(&mut dice).await;
                return reply;
            }
            Fault::Dropped => drop(dropped(&mut dice, work).await),
        }
        Err(E::unknown(operation, Injected(fault)))
    }
}

/// Drops the work at one of its awaits. There is one before it begins and one after it ends, whatever it is.
pub(super) async fn dropped<T: Send>(
    dice: &mut Dice,
    work: impl Future<Output = T> + Send,
) -> Option<T> {
    let polls = dice.index(1 + MOST_POLLS as usize);
    let work = async {
        yield_now().await;
        let done = work.await;
        yield_now().await;
        done
    };
    after_polls(polls, work).await
}

/// An error that a wrapper can make.
pub(super) trait PortError: Send {
    fn transient(operation: &'static str, cause: Injected) -> Self;
    fn unknown(operation: &'static str, cause: Injected) -> Self;
}

macro_rules! port_error {
    ($($error:ty),*) => {$(
        impl PortError for $error {
            fn transient(operation: &'static str, cause: Injected) -> Self {
                Self::transient(operation, cause)
            }
            fn unknown(operation: &'static str, cause: Injected) -> Self {
                Self::unknown(operation, cause)
            }
        }
    )*};
}

port_error!(StoreError, OutboxError);
