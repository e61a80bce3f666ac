//! The small objects that become payloads: what is worth keeping of a line, as dbt wrote it.

use dvt_contracts::{Payload, SafeText};

use super::fields::Fields;

/// Builds a JSON object from values that are JSON already.
#[derive(Debug)]
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn raw(mut self, name: &str, json: Option<&str>) -> Self {
        if let Some(json) = json {
            let comma = if self.0.len() > 1 { "," } else { "" };
            self.0.push_str(&format!("{comma}\"{name}\":{json}"));
        }
        self
    }

    fn text(self, name: &str, text: Option<&str>) -> Self {
        // Texts come from anywhere, messages above all: bounded, and without what no store can hold.
        let json = text.and_then(|text| serde_json::to_string(SafeText::new(text).as_str()).ok());
        self.raw(name, json.as_deref())
    }

    /// Members that no store takes (a NUL in a text, say) make the payload `null` rather than lose the event.
    fn payload(mut self) -> Payload {
        self.0.push('}');
        Payload::new(&self.0).unwrap_or_default()
    }
}

/// A run starts.
pub(super) fn started(data: &Fields<'_>, invocation_id: Option<&str>) -> Payload {
    Object::new()
        .text("invocation_id", invocation_id)
        .raw("dbt_version", data.raw("version"))
        .raw("log_version", data.raw("log_version"))
        .payload()
}

/// A run starts in a log whose beginning is missing.
pub(super) fn start_missing(invocation_id: Option<&str>) -> Payload {
    Object::new()
        .text("invocation_id", invocation_id)
        .text(
            "message",
            Some("the log does not hold the start of this invocation"),
        )
        .payload()
}

/// A run ends.
pub(super) fn completed(data: &Fields<'_>) -> Payload {
    Object::new()
        .raw("command", data.raw("command"))
        .raw("success", data.raw("success"))
        .raw("elapsed", data.raw("elapsed"))
        .raw("completed_at", data.raw("completed_at"))
        .payload()
}

/// A node or hook starts.
pub(super) fn step_started(node: &Fields<'_>, thread: Option<&str>) -> Payload {
    Object::new()
        .raw("status", node.raw("node_status"))
        .raw("started_at", node.raw("node_started_at"))
        .raw("thread", thread)
        .payload()
}

/// A node or hook ends; `result` is what dbt says about that.
pub(super) fn step_ended(
    node: &Fields<'_>,
    result: &Fields<'_>,
    status: Option<&str>,
    thread: Option<&str>,
) -> Payload {
    let response = result.object("adapter_response");
    Object::new()
        .text("status", status)
        .raw("execution_time", result.raw("execution_time"))
        .raw("started_at", node.raw("node_started_at"))
        .raw("finished_at", node.raw("node_finished_at"))
        .raw("timing", result.raw("timing_info"))
        .text(
            "message",
            result
                .text("message")
                .as_deref()
                .filter(|text| !text.is_empty()),
        )
        .raw("rows", response.raw("rows_affected"))
        .raw(
            "failures",
            result.raw("num_failures").filter(|number| *number != "0"),
        )
        .raw("thread", result.raw("thread").or(thread))
        .payload()
}
