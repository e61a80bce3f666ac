//! What is worth keeping of an event's attributes: what a person asks for, and nothing that a workflow was given or gave,
//! which may be secret and is written in the workflow's own encoding.

use dvt_contracts::Payload;

use crate::reader::fields::Fields;
use crate::reader::object::Object;

/// A failure names its cause, and that its own. Nobody reads more of them.
const CAUSES: u32 = 10;

/// Scalars as they are written, what has a name by its name, and failures in short.
pub(super) fn of(attributes: &Fields<'_>) -> Payload {
    let mut object = Object::new();
    for (name, raw) in attributes.iter() {
        object = match raw.get().bytes().next() {
            Some(b'"') => object.text(name, attributes.text(name).as_deref()),
            Some(b'{') if name == "failure" || name == "lastFailure" => {
                let failure = failure(&attributes.object(name), CAUSES);
                object.raw(name, failure.as_deref())
            }
            Some(b'{') => object.text(name, attributes.object(name).text("name").as_deref()),
            Some(b'[' | b'n') | None => object,
            Some(_) => object.raw(name, Some(raw.get())),
        };
    }
    object.payload()
}

/// An attempt that failed, if anything is known of it.
pub(super) fn failed(fields: &Fields<'_>) -> Option<Payload> {
    let failure = failure(fields, CAUSES)?;
    Some(Object::new().raw("failure", Some(&failure)).payload())
}

fn failure(fields: &Fields<'_>, causes: u32) -> Option<String> {
    let info = fields.object("applicationFailureInfo");
    let timeout = fields.object("timeoutFailureInfo");
    let cause = match causes {
        0 => None,
        _ => failure(&fields.object("cause"), causes - 1),
    };
    Object::new()
        .text("message", fields.text("message").as_deref())
        .text("type", info.text("type").as_deref())
        .raw("nonRetryable", info.raw("nonRetryable"))
        .raw("timeoutType", timeout.raw("timeoutType"))
        .raw("cause", cause.as_deref())
        .json()
}
