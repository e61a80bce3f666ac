use dvt_contracts::{
    Attempt, EventType, InvalidIdentifier, Payload, PlanVersion, ProjectId, StepId, Timestamp,
};

use super::log_line::LogLine;
use super::naming::{self, UNKNOWN};
use super::nodes::{End, Nodes};
use super::payload;
use crate::reader::fields::Fields;

/// The kinds of lines that say something about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Version,
    NodeStart,
    NodeFinished,
    HookStart,
    HookEnd,
    CommandCompleted,
}

/// One such line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    /// Its kind.
    pub(super) kind: Kind,
    /// Its number.
    pub(super) line: u64,
    /// Its moment.
    pub(super) emitted_at: Timestamp,
    /// All of it.
    pub(super) log: &'a LogLine<'a>,
    /// The invocation, where its run has another id.
    pub(super) invocation_id: Option<&'a str>,
}

impl Entry<'_> {
    /// The kind of line that a name stands for; `None` if such lines say nothing about a run.
    pub(super) fn kind(name: &str) -> Option<Kind> {
        Some(match name {
            "MainReportVersion" => Kind::Version,
            "NodeStart" => Kind::NodeStart,
            "NodeFinished" => Kind::NodeFinished,
            "LogHookStartLine" => Kind::HookStart,
            "LogHookEndLine" => Kind::HookEnd,
            "CommandCompleted" => Kind::CommandCompleted,
            _ => return None,
        })
    }
}

/// An event without the names of its run.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) line: u64,
    pub(super) emitted_at: Timestamp,
    pub(super) event_type: EventType,
    pub(super) step_id: Option<StepId>,
    pub(super) attempt: Attempt,
    pub(super) payload: Payload,
}

/// One invocation of dbt, as far as its log has been read.
///
/// The project is part of a run's metadata and is known from the first node on. So the start is held back until
/// then; an invocation that runs no node belongs to the project `unknown`.
#[derive(Debug, Default)]
pub(super) struct Invocation {
    project_id: Option<ProjectId>,
    plan_version: Option<PlanVersion>,
    /// Whether an event has been given: from then on the names are what they are, for every event of a run
    /// has to agree.
    named: bool,
    start: Start,
    nodes: Nodes,
}

#[derive(Debug, Default)]
enum Start {
    /// The log has not told of it.
    #[default]
    Missing,
    Held(Box<Draft>),
    Given,
}

impl Invocation {
    /// The project and the version of dbt; `unknown` for what the log does not tell.
    pub(super) fn names(&self) -> Result<(ProjectId, PlanVersion), InvalidIdentifier> {
        let project_id = self
            .project_id
            .clone()
            .map_or_else(|| ProjectId::new(UNKNOWN), Ok)?;
        let plan_version = self
            .plan_version
            .clone()
            .map_or_else(|| PlanVersion::new(UNKNOWN), Ok)?;
        Ok((project_id, plan_version))
    }

    /// The project, if the log has told of it.
    pub(super) fn project_id(&self) -> Option<&ProjectId> {
        self.project_id.as_ref()
    }

    /// The start, if it is still held back.
    pub(super) fn give_start(&mut self) -> Option<Draft> {
        match std::mem::replace(&mut self.start, Start::Given) {
            Start::Held(draft) => {
                self.named = true;
                Some(*draft)
            }
            other => {
                self.start = other;
                None
            }
        }
    }

    /// Takes in a line: gives events, or the kind under which the line is ignored, or neither for a start that is
    /// held back.
    pub(super) fn take(
        &mut self,
        entry: &Entry<'_>,
        drafts: &mut Vec<Draft>,
    ) -> Option<&'static str> {
        let data = entry.log.data();
        match entry.kind {
            Kind::Version => self.begins(entry, &data, drafts),
            Kind::NodeStart => self.node_starts(entry, &data, drafts),
            Kind::NodeFinished => self.node_ends(entry, &data, drafts),
            Kind::HookStart | Kind::HookEnd => self.hook(entry, &data, drafts),
            Kind::CommandCompleted => self.ends(entry, &data, drafts),
        }
    }

    /// An input that holds an invocation twice starts it twice. Its nodes then count their attempts anew, so that the
    /// second copy gives the same events as the first.
    fn begins(
        &mut self,
        entry: &Entry<'_>,
        data: &Fields<'_>,
        drafts: &mut Vec<Draft>,
    ) -> Option<&'static str> {
        if matches!(self.start, Start::Held(_)) {
            return Some("MainReportVersion (again)");
        }
        self.nodes.clear();
        let version = data
            .text("version")
            .and_then(|version| naming::plan_version(&version));
        if !self.named {
            self.plan_version = version;
        }
        let draft = run_event(
            entry,
            EventType::RunStarted,
            payload::started(data, entry.invocation_id),
        );
        self.start = Start::Held(Box::new(draft));
        if self.named {
            drafts.extend(self.give_start());
        }
        None
    }

    fn node_starts(
        &mut self,
        entry: &Entry<'_>,
        data: &Fields<'_>,
        drafts: &mut Vec<Draft>,
    ) -> Option<&'static str> {
        let node = data.object("node_info");
        let Some((unique_id, step_id)) = named(&node) else {
            return Some("NodeStart (without id)");
        };
        self.learn_project(&unique_id);
        if is_ephemeral(&node) {
            return Some("NodeStart (ephemeral)");
        }
        let started_at = node.text("node_started_at").unwrap_or_default();
        let Some(attempt) = self.nodes.start(&unique_id, started_at) else {
            return Some("NodeStart (batch)");
        };
        let payload = payload::step_started(&node, entry.log.thread());
        self.step(
            entry,
            EventType::StepStarted,
            step_id,
            attempt,
            payload,
            drafts,
        )
    }

    fn node_ends(
        &mut self,
        entry: &Entry<'_>,
        data: &Fields<'_>,
        drafts: &mut Vec<Draft>,
    ) -> Option<&'static str> {
        let node = data.object("node_info");
        let Some((unique_id, step_id)) = named(&node) else {
            return Some("NodeFinished (without id)");
        };
        self.learn_project(&unique_id);
        if is_ephemeral(&node) {
            return Some("NodeFinished (ephemeral)");
        }
        let started_at = node.text("node_started_at").unwrap_or_default();
        let attempt = match self.nodes.end(&unique_id, &started_at) {
            End::Node(attempt) => attempt,
            End::Batch => return Some("NodeFinished (batch)"),
            End::Nothing => return Some("NodeFinished (again)"),
        };
        let result = data.object("run_result");
        // The node's own status stays "started" where it is skipped because of an ephemeral parent.
        let status = result.text("status").or_else(|| node.text("node_status"));
        let thread = entry.log.thread();
        let payload = payload::step_ended(&node, &result, status.as_deref(), thread);
        self.step(
            entry,
            event_type(status.as_deref()),
            step_id,
            attempt,
            payload,
            drafts,
        )
    }

    /// Hooks are nodes in all but the names of their lines: dbt counts them among its results since version 1.9.
    fn hook(
        &mut self,
        entry: &Entry<'_>,
        data: &Fields<'_>,
        drafts: &mut Vec<Draft>,
    ) -> Option<&'static str> {
        let is_start = entry.kind == Kind::HookStart;
        let ignored = if is_start {
            "LogHookStartLine"
        } else {
            "LogHookEndLine"
        };
        let node = data.object("node_info");
        let Some((unique_id, step_id)) = named(&node) else {
            return Some(ignored);
        };
        self.learn_project(&unique_id);
        if self.plan_version.as_ref().is_some_and(is_before_1_9) {
            return Some(ignored);
        }
        let started_at = node.text("node_started_at").unwrap_or_default();
        let thread = entry.log.thread();
        let (event_type, attempt, payload) = if is_start {
            let attempt = self.nodes.start(&unique_id, started_at);
            (
                EventType::StepStarted,
                attempt,
                payload::step_started(&node, thread),
            )
        } else {
            let attempt = match self.nodes.end(&unique_id, &started_at) {
                End::Node(attempt) => Some(attempt),
                End::Batch | End::Nothing => None,
            };
            let status = data.text("status").or_else(|| node.text("node_status"));
            let payload = payload::step_ended(&node, data, status.as_deref(), thread);
            (event_type(status.as_deref()), attempt, payload)
        };
        match attempt {
            Some(attempt) => self.step(entry, event_type, step_id, attempt, payload, drafts),
            None => Some(ignored),
        }
    }

    fn ends(
        &mut self,
        entry: &Entry<'_>,
        data: &Fields<'_>,
        drafts: &mut Vec<Draft>,
    ) -> Option<&'static str> {
        self.ensure_started(entry, drafts);
        // Versions that do not tell success by a member tell it by their words.
        let failed = || entry.log.message().contains(" failed");
        let event_type = match data.flag("success").unwrap_or_else(|| !failed()) {
            true => EventType::RunCompleted,
            false => EventType::RunFailed,
        };
        drafts.push(run_event(entry, event_type, payload::completed(data)));
        // Nothing of a run follows its end, and a long-lived log holds many invocations.
        self.nodes.clear();
        None
    }

    fn step(
        &mut self,
        entry: &Entry<'_>,
        event_type: EventType,
        step_id: StepId,
        attempt: Attempt,
        payload: Payload,
        drafts: &mut Vec<Draft>,
    ) -> Option<&'static str> {
        self.ensure_started(entry, drafts);
        let step_id = Some(step_id);
        drafts.push(Draft {
            step_id,
            attempt,
            ..run_event(entry, event_type, payload)
        });
        None
    }

    /// Gives the start that was held back. A log whose beginning is missing starts with its first event.
    fn ensure_started(&mut self, entry: &Entry<'_>, drafts: &mut Vec<Draft>) {
        if matches!(self.start, Start::Missing) {
            let draft = run_event(
                entry,
                EventType::RunStarted,
                payload::start_missing(entry.invocation_id),
            );
            self.start = Start::Held(Box::new(draft));
        }
        drafts.extend(self.give_start());
    }

    fn learn_project(&mut self, unique_id: &str) {
        if self.project_id.is_none() && !self.named {
            self.project_id = naming::project_id(unique_id);
        }
    }
}

fn run_event(entry: &Entry<'_>, event_type: EventType, payload: Payload) -> Draft {
    Draft {
        line: entry.line,
        emitted_at: entry.emitted_at,
        event_type,
        step_id: None,
        attempt: Attempt::FIRST,
        payload,
    }
}

/// The node's id, and the step that it is.
fn named(node: &Fields<'_>) -> Option<(String, StepId)> {
    let unique_id = node.text("unique_id")?;
    let step_id = naming::step_id(&unique_id)?;
    Some((unique_id, step_id))
}

/// Ephemeral models are text inside other models: dbt logs them and counts them nowhere.
fn is_ephemeral(node: &Fields<'_>) -> bool {
    node.text("materialized").as_deref() == Some("ephemeral")
}

/// How a step ended. A status that this version does not know is no failure; the payload tells it.
fn event_type(status: Option<&str>) -> EventType {
    match status {
        Some("error" | "fail" | "partial success" | "runtime error") => EventType::StepFailed,
        Some("skipped") => EventType::StepSkipped,
        _ => EventType::StepCompleted,
    }
}

fn is_before_1_9(version: &PlanVersion) -> bool {
    let mut parts = version.as_str().split('.').map(|part| part.parse::<u32>());
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (1, 9),
        _ => false,
    }
}
