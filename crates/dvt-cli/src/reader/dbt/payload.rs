//! The small objects that become payloads: what is worth keeping of a line, as dbt wrote it.

use dvt_contracts::Payload;

use crate::reader::fields::Fields;
use crate::reader::object::Object;

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
