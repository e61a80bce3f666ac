//! Logs for the tests of what is made of them.

use dvt_contracts::{Attempt, Event, RunEvent, Timestamp};

use super::attempts::Attempts;
use super::course::Course;

/// What these events of steps tell: type, step, attempt and microsecond.
pub(super) fn course(events: &[(&str, String, u32, i64)]) -> Course {
    let mut attempts = Attempts::default();
    for (at, (event_type, step, attempt, micros)) in events.iter().enumerate() {
        let at_time = Timestamp::from_micros(*micros).unwrap();
        let key = format!("{at}").parse().unwrap();
        let event_type = event_type.parse().unwrap();
        let event = Event::new(event_type, Some(step.parse().unwrap()), key, at_time)
            .unwrap()
            .with_logical_attempt(Attempt::new(*attempt).unwrap());
        attempts.fold(&RunEvent {
            run_seq: at as u64 + 1,
            persisted_at: at_time,
            event,
        });
    }
    Course::of(attempts)
}
