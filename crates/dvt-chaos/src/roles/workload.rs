//! What writers append.

use std::collections::VecDeque;

use dvt_chaos::proxy::Dice;
use dvt_contracts::{
    AppendRequest, BootstrapRequest, ConflictPolicy, Event, EventType, Expected, Payload, RunKey,
    RunMetadata, Timestamp,
};

use super::TENANTS;
use crate::BoxError;
use crate::clock;

/// A lane repeats one of so many of its requests.
const REMEMBERED: usize = 12;
/// So long a run is the hot one.
const HOT_MICROS: u64 = 15_000_000;

/// What a lane does next.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Makes runs of one name, one for each tenant.
    Bootstrap(Vec<BootstrapRequest>),
    /// One call.
    Append(Vec<AppendRequest>),
}

/// Decides what a lane does, the same for the same seed and the same replies.
#[derive(Debug)]
pub(crate) struct Workload {
    name: String,
    dice: Dice,
    runs_made: u64,
    events_made: u64,
    current: Option<OwnRun>,
    /// The hot run that this lane has bootstrapped last.
    hot: Option<String>,
    done: VecDeque<AppendRequest>,
}

/// A run that only this lane appends to.
#[derive(Debug)]
struct OwnRun {
    keys: Vec<RunKey>,
    /// The heads as replies told them.
    heads: Vec<Option<u64>>,
    /// Events until it ends.
    left: u64,
}

impl Workload {
    pub(crate) fn new(name: &str, seed: u64) -> Self {
        Self {
            name: name.to_owned(),
            dice: Dice::of(seed, &[crate::fingerprint::key(name)]),
            runs_made: 0,
            events_made: 0,
            current: None,
            hot: None,
            done: VecDeque::new(),
        }
    }

    /// The next step.
    pub(crate) fn next(&mut self) -> Result<Step, BoxError> {
        let Some(run) = self.current.take() else {
            return self.new_run();
        };
        if run.left == 0 {
            let ends = run
                .keys
                .iter()
                .map(|key| self.end(key))
                .collect::<Result<_, _>>()?;
            return Ok(Step::Append(ends));
        }
        let step = match self.dice.roll(100) {
            0..=13 => self.replay(),
            14..=21 => self.partly_known(&run)?,
            22..=27 => Some(self.conditional(&run, 0)?),
            28..=29 => Some(self.conditional(&run, 1 + self.events_made % 3)?),
            30..=33 => self.contradiction(ConflictPolicy::Reject)?,
            34..=35 => self.contradiction(ConflictPolicy::FirstWins)?,
            36..=43 => {
                let step = self.hot()?;
                self.current = Some(run);
                return Ok(step);
            }
            _ => None,
        };
        let step = match step {
            Some(requests) => Step::Append(requests),
            None => {
                let many = if self.dice.roll(3) == 0 {
                    run.keys.len()
                } else {
                    1
                };
                let count = 8 + self.dice.roll(14);
                Step::Append(self.fresh(&run.keys[..many], count)?)
            }
        };
        self.current = Some(run);
        Ok(step)
    }

    /// A call was answered: the head of its runs, where it was stored.
    pub(crate) fn answered(&mut self, request: &AppendRequest, head: u64) {
        if let Some(run) = &mut self.current
            && let Some(at) = run.keys.iter().position(|key| *key == request.run)
        {
            run.heads[at] = Some(head);
            run.left = run.left.saturating_sub(request.events.len() as u64);
        }
        if self.done.len() >= REMEMBERED {
            self.done.pop_front();
        }
        self.done.push_back(request.clone());
    }

    fn new_run(&mut self) -> Result<Step, BoxError> {
        self.runs_made += 1;
        let id = format!("{}-r{}", self.name, self.runs_made);
        let keys: Vec<RunKey> = TENANTS
            .iter()
            .map(|tenant| run_key(tenant, &id))
            .collect::<Result<_, _>>()?;
        let first = self.events_made;
        let requests = keys.iter().map(|run| {
            self.events_made = first;
            let events = match self.dice.roll(4) {
                0 => Vec::new(),
                1 => vec![self.event(run, EventType::RunQueued)?],
                _ => vec![
                    self.event(run, EventType::RunQueued)?,
                    self.event(run, EventType::RunStarted)?,
                ],
            };
            Ok(BootstrapRequest {
                run: run.clone(),
                metadata: metadata()?,
                events,
            })
        });
        let requests = requests.collect::<Result<_, BoxError>>()?;
        self.events_made = first + 2;
        self.current = Some(OwnRun {
            heads: vec![None; keys.len()],
            keys,
            left: 100 + self.dice.roll(400),
        });
        Ok(Step::Bootstrap(requests))
    }

    fn end(&mut self, run: &RunKey) -> Result<AppendRequest, BoxError> {
        // Legal or not: the status is a fold of whatever is in the log.
        let events = vec![
            self.event(run, EventType::RunStarted)?,
            self.event(run, EventType::RunCompleted)?,
        ];
        Ok(AppendRequest::new(run.clone(), events))
    }

    /// New events, the same keys for each of the runs.
    fn fresh(&mut self, runs: &[RunKey], count: u64) -> Result<Vec<AppendRequest>, BoxError> {
        let first = self.events_made;
        let requests = runs.iter().map(|run| {
            self.events_made = first;
            let events = (0..count)
                .map(|_| self.step_event(run))
                .collect::<Result<_, _>>()?;
            Ok(AppendRequest::new(run.clone(), events))
        });
        let requests = requests.collect::<Result<Vec<_>, BoxError>>()?;
        self.events_made = first + count;
        Ok(requests)
    }

    fn any_done(&mut self) -> Option<AppendRequest> {
        let at = usize::try_from(self.dice.roll(self.done.len() as u64)).ok()?;
        self.done.get(at).cloned()
    }

    fn replay(&mut self) -> Option<Vec<AppendRequest>> {
        // A request made only of known keys is answered, whatever it expects.
        let expected = if self.dice.roll(2) == 0 {
            Expected::Any
        } else {
            Expected::At(1)
        };
        Some(vec![self.any_done()?.expecting(expected)])
    }

    fn partly_known(&mut self, run: &OwnRun) -> Result<Option<Vec<AppendRequest>>, BoxError> {
        let Some(mut request) = self.any_done().filter(|done| run.keys.contains(&done.run)) else {
            return Ok(None);
        };
        request.expected = Expected::Any;
        for _ in 0..1 + self.dice.roll(8) {
            request.events.push(self.step_event(&request.run)?);
        }
        let again = request.events.last().cloned();
        request.events.extend(again);
        Ok(Some(vec![request]))
    }

    fn conditional(&mut self, run: &OwnRun, beside: u64) -> Result<Vec<AppendRequest>, BoxError> {
        let at = usize::try_from(self.dice.roll(run.keys.len() as u64))?;
        let requests = self.fresh(&run.keys[at..=at], 5)?;
        let expected = run.heads[at].map_or(Expected::Any, |head| Expected::At(head + beside));
        Ok(requests
            .into_iter()
            .map(|request| request.expecting(expected))
            .collect())
    }

    /// A known key with other content, among new ones.
    fn contradiction(
        &mut self,
        policy: ConflictPolicy,
    ) -> Result<Option<Vec<AppendRequest>>, BoxError> {
        let Some(mut request) = self.any_done() else {
            return Ok(None);
        };
        let Some(known) = request.events.first() else {
            return Ok(None);
        };
        let other = known
            .clone()
            .with_payload(Payload::new(format!("{{\"other\":{}}}", self.events_made))?);
        request.events = vec![other];
        if policy == ConflictPolicy::Reject {
            request.events.push(self.step_event(&request.run)?);
        }
        Ok(Some(vec![
            request.expecting(Expected::Any).on_conflict(policy),
        ]))
    }

    /// A few events for a run that all writers append to.
    fn hot(&mut self) -> Result<Step, BoxError> {
        // All writers name the same one at a time.
        let id = format!("hot-{}", clock::now() / HOT_MICROS);
        let run = run_key(TENANTS[0], &id)?;
        if self.hot.as_ref() != Some(&id) {
            self.hot = Some(id);
            return Ok(Step::Bootstrap(vec![BootstrapRequest {
                run,
                metadata: metadata()?,
                events: Vec::new(),
            }]));
        }
        let count = 1 + self.dice.roll(6);
        Ok(Step::Append(self.fresh(&[run], count)?))
    }

    fn step_event(&mut self, run: &RunKey) -> Result<Event, BoxError> {
        let event_type = match self.dice.roll(4) {
            0 => EventType::StepStarted,
            1 => EventType::StepCompleted,
            2 if self.dice.roll(8) == 0 => EventType::StepSkipped,
            _ => "StepReported".parse()?,
        };
        self.event(run, event_type)
    }

    fn event(&mut self, run: &RunKey, event_type: EventType) -> Result<Event, BoxError> {
        let number = self.events_made;
        self.events_made += 1;
        let key = format!("{}-{number}", self.name);
        let step = match event_type.needs_step() || matches!(event_type, EventType::Other(_)) {
            true => Some(format!("step {}", number % 7).parse()?),
            false => None,
        };
        let pad = match self.dice.roll(200) {
            0 => 4_000,
            _ => self.dice.roll(100),
        };
        let pad = "·".repeat(usize::try_from(pad / 2)?);
        let tenant = &run.tenant_id;
        // Numbers and repeated names as only a store that keeps bytes gives them back.
        let payload =
            format!(r#"{{"tenant":"{tenant}", "n":{number},"f":1.50e+2,"n":-0,"pad":"{pad}"}}"#);
        let event = Event::new(event_type, step, key.parse()?, Timestamp::now())?;
        Ok(event.with_payload(Payload::new(payload)?))
    }
}

pub(crate) fn run_key(tenant: &str, id: &str) -> Result<RunKey, BoxError> {
    Ok(RunKey::new(tenant.parse()?, id.parse()?))
}

fn metadata() -> Result<RunMetadata, BoxError> {
    Ok(RunMetadata {
        project_id: "chaos".parse()?,
        environment_id: "chaos".parse()?,
        plan_id: "nightly".parse()?,
        plan_version: "1".parse()?,
    })
}
