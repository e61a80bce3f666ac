use async_trait::async_trait;
use dvt_contracts::{EventSink, Published, RunEvent, RunKey, SafeText, Stop};

use super::fault::{Fault, Injected};
use super::injector::{Faults, dropped};
use super::method::Method;
use super::plan::FaultPlan;

/// A sink under faults: any sink, and a plan of what happens to its calls.
///
/// It keeps what a sink promises: what it says to be stored is stored, in order, and more only where it answers `Unknown`.
#[derive(Debug)]
pub struct FaultSink<S> {
    sink: S,
    faults: Faults,
}

impl<S> FaultSink<S> {
    /// Around this sink.
    #[must_use]
    pub fn new(sink: S, plan: FaultPlan) -> Self {
        Self {
            sink,
            faults: Faults::new(plan),
        }
    }

    /// What happened to its calls, and the switch.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults.clone()
    }
}

#[async_trait]
impl<S: EventSink> EventSink for FaultSink<S> {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        let Some((fault, mut dice)) = self.faults.blow(Method::Publish) else {
            return self.sink.publish(run, claim_no, events).await;
        };
        let reason = SafeText::new(Injected(fault).to_string());
        let unavailable = Stop::Unavailable {
            reason: reason.clone(),
            retry_after: None,
        };
        let unknown = Stop::Unknown { reason };
        let stopped = |stored, stop| Published {
            stored,
            stop: Some(stop),
        };
        match fault {
            Fault::Refused => stopped(0, unavailable),
            Fault::RequestLost => stopped(0, unknown),
            Fault::ReplyLost => {
                self.sink.publish(run, claim_no, events).await;
                stopped(0, unknown)
            }
            Fault::Cut => {
                let part = &events[..dice.index(events.len())];
                let published = match part {
                    [] => stopped(0, unavailable.clone()),
                    _ => self.sink.publish(run, claim_no, part).await,
                };
                match published.stop {
                    Some(_) => published,
                    None if dice.one_in(2) => stopped(published.stored, unavailable),
                    // It knows of some, perhaps of none.
                    None => stopped(dice.index(1 + published.stored), unknown),
                }
            }
            Fault::Delayed => {
                self.faults.delay(&mut dice).await;
                let published = self.sink.publish(run, claim_no, events).await;
                self.faults.delay(&mut dice).await;
                published
            }
            Fault::Dropped => {
                dropped(&mut dice, self.sink.publish(run, claim_no, events)).await;
                stopped(0, unknown)
            }
        }
    }
}
