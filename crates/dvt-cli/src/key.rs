use std::io::Write as _;

use dvt_contracts::{Attempt, KeyParts, StepId};
use serde::Serialize;

use crate::args::KeyArgs;
use crate::console::Console;
use crate::failure::{Exit, Failure};

/// The key and what it was made of. The names are part of the command's interface.
#[derive(Debug, Serialize)]
struct DerivedKey {
    idempotency_key: String,
    hashed_text: String,
}

/// Runs the command.
pub(crate) fn command(args: &KeyArgs, console: &mut Console) -> Result<Exit, Failure> {
    let derived = derive(args)?;
    if args.json {
        console.out.write_json(&derived)?;
    } else {
        writeln!(console.out, "{}", derived.idempotency_key)?;
    }
    Ok(Exit::Done)
}

fn derive(args: &KeyArgs) -> Result<DerivedKey, Failure> {
    let event_type = &args.event_type;
    match args.step_id {
        None if event_type.needs_step() => {
            return Err(usage(format!(
                "a {event_type} event needs a step: give --step-id"
            )));
        }
        Some(_) if !event_type.allows_step() => {
            return Err(usage(format!(
                "a {event_type} event belongs to the run: leave --step-id out"
            )));
        }
        _ => {}
    }
    let logical_attempt = Attempt::new(args.logical_attempt)
        .map_err(|error| usage(format!("--logical-attempt: {error}")))?;
    let parts = KeyParts {
        run_id: &args.run_id,
        step_id: args.step_id.as_ref(),
        logical_attempt,
        event_type,
        plan_id: &args.plan_id,
        plan_version: &args.plan_version,
        occurrence: args.occurrence,
    };
    Ok(DerivedKey {
        idempotency_key: parts.derive().into(),
        hashed_text: hashed_text(&parts),
    })
}

/// The text whose digest the key is, for whoever compares with a derivation of their own.
fn hashed_text(parts: &KeyParts<'_>) -> String {
    let step = parts.step_id.map_or("RUN", StepId::as_str);
    let KeyParts {
        run_id,
        logical_attempt,
        event_type,
        plan_id,
        plan_version,
        ..
    } = parts;
    let text = format!("{run_id}|{step}|{logical_attempt}|{event_type}|{plan_id}|{plan_version}");
    match parts.occurrence {
        0 | 1 => text,
        occurrence => format!("{text}|{occurrence}"),
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::Usage(message.into())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn args(step_id: Option<&str>, event_type: &str, occurrence: u32) -> KeyArgs {
        KeyArgs {
            run_id: "run-1".parse().unwrap(),
            plan_id: "plan".parse().unwrap(),
            plan_version: "1".parse().unwrap(),
            event_type: event_type.parse().unwrap(),
            step_id: step_id.map(|id| id.parse().unwrap()),
            logical_attempt: 1,
            occurrence,
            json: false,
        }
    }

    #[test]
    fn the_known_vector_comes_out() {
        let derived = derive(&args(None, "RunStarted", 1)).unwrap();
        assert_eq!(derived.hashed_text, "run-1|RUN|1|RunStarted|plan|1");
        assert_eq!(
            derived.idempotency_key,
            "84aa85852bafcae757b6f28bd8679cff89fb8b398bc8e3a5b4a4a798576ac327"
        );
    }

    #[test]
    fn the_key_is_the_digest_of_the_text_that_is_shown() {
        for args in [
            args(Some("load"), "StepFailed", 1),
            args(None, "RunPaused", 3),
        ] {
            let derived = derive(&args).unwrap();
            let digest = Sha256::digest(&derived.hashed_text);
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(derived.idempotency_key, hex);
        }
    }

    #[test]
    fn coordinates_that_no_event_can_have_are_refused() {
        for wrong in [
            args(None, "StepFailed", 1),
            args(Some("s"), "RunStarted", 1),
        ] {
            assert_eq!(derive(&wrong).unwrap_err().exit().code(), 2);
        }
    }
}
