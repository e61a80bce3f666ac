//! Errors of the ports that have a cause below them: their class, their text, and the cause itself.
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

use std::error::Error;
use std::fmt;

use dvt_contracts::{BoxError, ErrorClass, OutboxError, SharedError, StoreError};

/// What an adapter met.
#[derive(Debug)]
struct Cause(u32);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "disk {} is on fire", self.0)
    }
}

impl Error for Cause {}

/// How a port's error is made from a cause.
type Make<E> = fn(&'static str, BoxError) -> E;

const STORE: [Make<StoreError>; 4] = [
    StoreError::refused,
    StoreError::transient,
    StoreError::unknown,
    StoreError::bug,
];

const OUTBOX: [Make<OutboxError>; 4] = [
    OutboxError::refused,
    OutboxError::transient,
    OutboxError::unknown,
    OutboxError::bug,
];

const EXPECTED: [(ErrorClass, &str); 4] = [
    (
        ErrorClass::Caller,
        "claim was refused by the store: see the cause",
    ),
    (
        ErrorClass::Transient,
        "claim failed for now, nothing was written: try again",
    ),
    (
        ErrorClass::Unknown,
        "claim may or may not have happened: repeat the same call, which is safe",
    ),
    (
        ErrorClass::Bug,
        "claim met a state that cannot be: please report it",
    ),
];

/// The cause below an error, which is the end of the chain. It is found shared, as a `SharedError`, or as itself.
fn cause(error: &dyn Error) -> &Cause {
    let source = error.source().unwrap();
    assert!(source.source().is_none(), "the cause is told once");
    let shared = source.downcast_ref::<SharedError>();
    let cause = match shared {
        Some(shared) => shared.downcast_ref(),
        None => source.downcast_ref(),
    };
    cause.unwrap()
}

#[track_caller]
fn check<E>(make: [Make<E>; 4], class: fn(&E) -> ErrorClass)
where
    E: Error + Clone + Send + Sync + 'static,
{
    for (make, expected) in make.into_iter().zip(EXPECTED) {
        let error = make("claim", Box::new(Cause(7)));
        assert_eq!((class(&error), &*error.to_string()), expected);
        assert_eq!(cause(&error).0, 7);

        let copy = error.clone();
        assert_eq!((class(&copy), &*copy.to_string()), expected);
        assert!(
            std::ptr::eq(cause(&copy), cause(&error)),
            "one cause for all"
        );

        let plain = make("claim", "out of paper".into());
        assert_eq!(plain.to_string(), expected.1);
        assert_eq!(plain.source().unwrap().to_string(), "out of paper");
    }
}

#[test]
fn failures_have_a_class_a_text_and_the_cause_that_was_given() {
    check(STORE, StoreError::class);
    check(OUTBOX, OutboxError::class);
}
