//! A relay's line to the sink. What was sent arrives, even if the sender dies or loses patience meanwhile.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dvt_contracts::{EventSink, Published, RunEvent, RunKey, SafeText, Stop};
use tokio::time::{Instant, sleep};

use crate::gate::Gate;
use crate::link::Link;
use crate::planted::Bug;
use crate::stage::{Mood, Poison, Stage};
use crate::violation::Invariant;

#[derive(Debug)]
pub(crate) struct Line {
    stage: Arc<Stage>,
    link: Arc<Link>,
    gate: Gate,
}

/// What becomes of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Store,
    /// It arrives, and the sender does not get to know.
    LoseReply,
    /// It does not arrive, and the sender does not get to know.
    LoseRequest,
    Reject,
    Refuse,
    /// No answer.
    Hang,
    Panic,
}

impl Line {
    pub(crate) fn new(stage: &Arc<Stage>, link: &Arc<Link>, gate: &Gate) -> Arc<Self> {
        Arc::new(Self {
            stage: Arc::clone(stage),
            link: Arc::clone(link),
            gate: gate.clone(),
        })
    }

    fn act(&self, run: &RunKey, seq: u64) -> (Act, Duration) {
        let mut state = self.stage.state();
        let longest = match state.mood {
            Mood::Slow(longest) => longest.as_millis(),
            _ => 20,
        };
        let longest = u64::try_from(longest).unwrap_or(u64::MAX);
        let latency = Duration::from_millis(state.rng.u64(0..=longest));
        let poison = state.poison.get(&(run.clone(), seq)).copied();
        let act = match (state.mood, poison) {
            (Mood::Unavailable, _)
            | (Mood::Well | Mood::Slow(_) | Mood::Lossy, Some(Poison::Unavailable)) => Act::Refuse,
            (Mood::Silent, _) | (_, Some(Poison::Silence)) => Act::Hang,
            (_, Some(Poison::Rejected)) => Act::Reject,
            (_, Some(Poison::Panic)) => Act::Panic,
            (Mood::Lossy, _) => match state.rng.u8(0..4) {
                0 => Act::LoseRequest,
                1 => Act::LoseReply,
                _ => Act::Store,
            },
            (Mood::Well | Mood::Slow(_), _) => Act::Store,
        };
        (act, latency)
    }

    /// Work ends when its lease is lost; but whoever was stopped has a moment after it before it can know.
    fn check_work_goes_on(&self, run: &RunKey, claim_no: u64) {
        let until = self.link.stands_until(run, claim_no);
        let stands = until.is_some_and(|until| until >= Instant::now()) || self.gate.just_opened();
        let mut state = self.stage.state();
        state.book.check(stands, Invariant::CalledUnderALease, || {
            format!("claim {claim_no} of {run} had ended, and the next event was sent")
        });
    }

    /// Sends an event and waits for the word that it is stored.
    async fn send(&self, run: &RunKey, claim_no: u64, event: &RunEvent, latency: Duration) {
        let (stage, run) = (Arc::clone(&self.stage), run.clone());
        let seq = event.run_seq;
        let sent = tokio::spawn(async move {
            sleep(latency).await;
            let mut state = stage.state();
            state
                .trace
                .note(format_args!("arrival of {run} {seq} under {claim_no}"));
            state.book.arrived(&run, claim_no, seq);
        });
        // It is not aborted, and does not panic.
        let _ = sent.await;
    }
}

#[async_trait]
impl EventSink for Line {
    async fn publish(&self, run: &RunKey, claim_no: u64, events: &[RunEvent]) -> Published {
        let until = self.link.stands_until(run, claim_no);
        let stands = until.is_some_and(|until| until > Instant::now());
        self.stage
            .state()
            .book
            .check(stands, Invariant::CalledUnderALease, || {
                format!("claim {claim_no} of {run} had ended, as the relay could know")
            });
        let mut unanswered = Unanswered::begin(&self.stage, run, events);
        let mut order: Vec<&RunEvent> = events.iter().collect();
        if self.stage.bug == Some(Bug::SinkReorders) && order.len() > 1 {
            order.swap(0, 1);
        }
        for (stored, event) in order.into_iter().enumerate() {
            self.gate.pass().await;
            self.check_work_goes_on(run, claim_no);
            let (act, latency) = self.act(run, event.run_seq);
            let reason = || SafeText::new("as it is");
            let stop = match act {
                Act::Store | Act::LoseReply => {
                    if self.stage.bug == Some(Bug::AcknowledgedBeforeSent) {
                        let sending = self.send(run, claim_no, event, latency);
                        let _ = tokio::time::timeout(Duration::ZERO, sending).await;
                    } else {
                        self.send(run, claim_no, event, latency).await;
                    }
                    (act == Act::LoseReply).then(|| Stop::Unknown { reason: reason() })
                }
                Act::Reject if self.stage.bug == Some(Bug::SinkDrops) => None,
                Act::Reject => Some(Stop::Rejected { reason: reason() }),
                Act::LoseRequest => Some(Stop::Unknown { reason: reason() }),
                Act::Refuse => {
                    sleep(latency).await;
                    let retry_after = (latency.as_millis() % 2 == 0).then_some(10 * latency);
                    Some(Stop::Unavailable {
                        reason: reason(),
                        retry_after,
                    })
                }
                Act::Hang => std::future::pending().await,
                // As a panic, but without its message on the terminal.
                Act::Panic => std::panic::resume_unwind(Box::new("as it is")),
            };
            self.gate.pass().await;
            if stop.is_some() {
                unanswered.answered(Some(event.run_seq));
                return Published { stored, stop };
            }
        }
        unanswered.answered(None);
        Published {
            stored: events.len(),
            stop: None,
        }
    }
}

/// A publish that may be cut off, or panic: then nobody knows more than that its first event was not confirmed.
struct Unanswered<'a> {
    stage: &'a Stage,
    run: &'a RunKey,
    failed: Option<u64>,
    answered: bool,
}

impl<'a> Unanswered<'a> {
    fn begin(stage: &'a Stage, run: &'a RunKey, events: &[RunEvent]) -> Self {
        Self {
            stage,
            run,
            failed: events.first().map(|event| event.run_seq),
            answered: false,
        }
    }

    fn answered(&mut self, failed: Option<u64>) {
        self.failed = failed;
        self.answered = true;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let mut state = self.stage.state();
        let (run, failed, answered) = (self.run, self.failed, self.answered);
        state.trace.note(format_args!(
            "published {run}: not {failed:?}, answered: {answered}"
        ));
        if let Some(seq) = failed {
            let how = if answered {
                "failures of the sink"
            } else {
                "publishes cut off"
            };
            state.book.tally.count(how);
            state.book.not_taken(run, seq);
        }
    }
}
