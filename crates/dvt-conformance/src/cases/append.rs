//! What `append_batch` writes and replies.

use dvt_contracts::{Disposition, EventType};

use crate::cx::Cx;
use crate::failure::{Failure, check_eq};
use crate::fixture::{attempt, moment, note, payload, step};

/// reply with each event as the log then holds it, with all that was given
///
/// CASES: A 1, B 13.
pub async fn reply_equals_the_log(cx: &Cx) -> Result<(), Failure> {
    let run = cx.run("a").await?;
    let full = step(EventType::StepFailed, "load", "k1")
        .with_engine_attempt(attempt(7))
        .with_logical_attempt(attempt(3))
        .with_payload(payload(r#"{"rows": 5}"#));

    let outcome = cx.append(&run, vec![full.clone(), note("k2")]).await?;

    let log = cx.log(&run).await?;
    let replied: Vec<_> = outcome.events.iter().map(|event| event.stored.clone()).collect();
    check_eq!(replied, log, "events in the reply against the log");
    check_eq!(log[0].event, full, "the event in the log");
    check_eq!(outcome.events[0].disposition, Disposition::Appended, "disposition");
    check_eq!(outcome.head, 2, "head in the reply");
    let _ = moment;
    Ok(())
}
