use std::borrow::Cow;

use dvt_contracts::{
    Attempt, EnvironmentId, Event, EventType, IdempotencyKey, KeyParts, MAX_PAYLOAD_BYTES, Payload,
    PlanId, PlanVersion, ProjectId, ProviderRef, RunId, RunKey, RunMetadata, StepId, TenantId,
    Timestamp,
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Item, Reader, Record, RunOnly, json_error};

/// Reads one event per line.
#[derive(Debug, Default)]
pub(crate) struct NdjsonReader {
    /// The names of the run of the line before: most lines repeat them, and sharing them is cheaper than checking
    /// and keeping them again.
    last: Option<Names>,
}

/// A payload as text can take six bytes per byte (`\u0041`), and every other field together takes far
/// less than what is left: no longer line can hold a valid event, unless it is padded.
const LINE_LIMIT: usize = 6 * MAX_PAYLOAD_BYTES + 2 * 1024 * 1024;

/// A line as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventLine<'a> {
    #[serde(borrow)]
    tenant_id: Cow<'a, str>,
    #[serde(borrow)]
    project_id: Cow<'a, str>,
    #[serde(borrow)]
    environment_id: Cow<'a, str>,
    #[serde(borrow)]
    run_id: Cow<'a, str>,
    #[serde(borrow)]
    plan_id: Cow<'a, str>,
    #[serde(borrow)]
    plan_version: Cow<'a, str>,
    #[serde(borrow)]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    emitted_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    step_id: Option<Cow<'a, str>>,
    logical_attempt: Option<u64>,
    engine_attempt: Option<u64>,
    occurrence: Option<u32>,
    #[serde(borrow)]
    idempotency_key: Option<Cow<'a, str>>,
    /// Read in a second step, like the line itself: a derived struct would also take a list of its fields.
    #[serde(borrow)]
    provider_ref: Option<&'a RawValue>,
    run_seq: Option<u64>,
    /// `null` is a payload too, so it must not count as absent.
    #[serde(borrow, default, deserialize_with = "present")]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    payload_text: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderRefLine<'a> {
    #[serde(borrow)]
    provider: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow)]
    workflow_id: Cow<'a, str>,
    #[serde(borrow)]
    run_id: Option<Cow<'a, str>>,
}

fn present<'de: 'a, 'a, D: Deserializer<'de>>(input: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(input).map(Some)
}

#[derive(Debug)]
struct Names {
    run: RunKey,
    metadata: RunMetadata,
}

impl Names {
    fn new(line: &EventLine<'_>) -> Result<Self, String> {
        let text = |error: dvt_contracts::InvalidIdentifier| error.to_string();
        Ok(Self {
            run: RunKey::new(
                TenantId::new(&line.tenant_id).map_err(text)?,
                RunId::new(&line.run_id).map_err(text)?,
            ),
            metadata: RunMetadata {
                project_id: ProjectId::new(&line.project_id).map_err(text)?,
                environment_id: EnvironmentId::new(&line.environment_id).map_err(text)?,
                plan_id: PlanId::new(&line.plan_id).map_err(text)?,
                plan_version: PlanVersion::new(&line.plan_version).map_err(text)?,
            },
        })
    }

    fn fit(&self, line: &EventLine<'_>) -> bool {
        let Self { run, metadata } = self;
        run.run_id.as_str() == line.run_id
            && run.tenant_id.as_str() == line.tenant_id
            && metadata.project_id.as_str() == line.project_id
            && metadata.environment_id.as_str() == line.environment_id
            && metadata.plan_id.as_str() == line.plan_id
            && metadata.plan_version.as_str() == line.plan_version
    }
}

impl EventLine<'_> {
    /// Whether it tells of a run alone.
    fn has_no_event(&self) -> bool {
        self.event_type.is_none()
            && self.emitted_at.is_none()
            && self.step_id.is_none()
            && self.logical_attempt.is_none()
            && self.engine_attempt.is_none()
            && self.occurrence.is_none()
            && self.idempotency_key.is_none()
            && self.run_seq.is_none()
            && self.payload.is_none()
            && self.payload_text.is_none()
    }
}

impl NdjsonReader {
    fn parse(&mut self, number: u64, text: &str) -> Result<Item, String> {
        let line: EventLine<'_> = object(text)?;
        let names = match self.last.take() {
            Some(names) if names.fit(&line) => names,
            _ => Names::new(&line)?,
        };
        let names = self.last.insert(names);
        if line.has_no_event() {
            return Ok(Item::Run(Box::new(RunOnly {
                line: number,
                run: names.run.clone(),
                metadata: names.metadata.clone(),
                provider_ref: line.provider_ref.map(provider_ref).transpose()?,
            })));
        }
        let record = record(number, &line, names)?;
        Ok(Item::Record(Box::new(record)))
    }
}

/// Reads one JSON object.
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    match text.trim_ascii_start().bytes().next() {
        Some(b'{') => serde_json::from_str(text).map_err(|error| json_error::reason(&error)),
        _ => Err("expected a JSON object".into()),
    }
}

fn record(number: u64, line: &EventLine<'_>, names: &Names) -> Result<Record, String> {
    let event_type: EventType = parsed(needed("event_type", &line.event_type)?)?;
    let step_id: Option<StepId> = line.step_id.as_deref().map(parsed).transpose()?;
    let emitted_at: Timestamp = parsed(needed("emitted_at", &line.emitted_at)?)?;
    let logical_attempt = attempt("logical_attempt", line.logical_attempt)?;
    let engine_attempt = attempt("engine_attempt", line.engine_attempt)?;
    let occurrence = match line.occurrence {
        Some(0) => return Err("occurrence 0 is out of range: occurrences count from 1".into()),
        given => given.unwrap_or(1),
    };
    if line.run_seq == Some(0) {
        return Err("run_seq 0 is out of range: events count from 1".into());
    }
    let key: IdempotencyKey = match &line.idempotency_key {
        Some(key) => parsed(key)?,
        None => KeyParts {
            run_id: &names.run.run_id,
            step_id: step_id.as_ref(),
            logical_attempt,
            event_type: &event_type,
            plan_id: &names.metadata.plan_id,
            plan_version: &names.metadata.plan_version,
            occurrence,
        }
        .derive(),
    };
    let event = Event::new(event_type, step_id, key, emitted_at)
        .map_err(|error| error.to_string())?
        .with_logical_attempt(logical_attempt)
        .with_engine_attempt(engine_attempt)
        .with_payload(payload(line)?);
    Ok(Record {
        line: number,
        run: names.run.clone(),
        metadata: names.metadata.clone(),
        event,
        run_seq: line.run_seq,
        provider_ref: line.provider_ref.map(provider_ref).transpose()?,
    })
}

fn needed<'a>(field: &str, text: &'a Option<Cow<'_, str>>) -> Result<&'a str, String> {
    match text {
        Some(text) => Ok(text),
        None => Err(format!("missing field `{field}`")),
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn attempt(field: &str, number: Option<u64>) -> Result<Attempt, String> {
    number.map_or(Ok(Attempt::FIRST), |number| {
        Attempt::new(number).map_err(|error| format!("{field}: {error}"))
    })
}

fn payload(line: &EventLine<'_>) -> Result<Payload, String> {
    let text = match (line.payload, &line.payload_text) {
        (Some(_), Some(_)) => {
            return Err("payload and payload_text are both given: keep one".into());
        }
        (Some(raw), None) => raw.get(),
        (None, Some(text)) => text,
        (None, None) => return Ok(Payload::null()),
    };
    Payload::new(text).map_err(|error| error.to_string())
}

fn provider_ref(raw: &RawValue) -> Result<ProviderRef, String> {
    let line: ProviderRefLine<'_> =
        object(raw.get()).map_err(|reason| format!("provider_ref: {reason}"))?;
    ProviderRef::new(
        &line.provider,
        line.namespace.as_deref(),
        &line.workflow_id,
        line.run_id.as_deref(),
    )
    .map_err(|error| error.to_string())
}

impl Reader for NdjsonReader {
    fn line_limit(&self) -> usize {
        LINE_LIMIT
    }

    fn line(&mut self, number: u64, text: &str, items: &mut Vec<Item>) {
        items.push(match self.parse(number, text) {
            Ok(item) => item,
            Err(reason) => Item::Rejected {
                line: number,
                reason,
            },
        });
    }

    fn finish(&mut self, _items: &mut Vec<Item>) {}
}

#[cfg(test)]
mod tests;
