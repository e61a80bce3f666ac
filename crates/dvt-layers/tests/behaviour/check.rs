//! Checks that can be made of any layer: they say what they found instead of ending in a panic.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use dvt_contracts::Store;
use tokio::task::JoinSet;

use crate::slow::Slow;

/// What an observer saw that should not be.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

/// Calls that a check expects to succeed end in `?`.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(format!("expected success, found {error:?}"))
    }
}

pub(crate) type Checked = Result<(), Failure>;

/// Makes a layer over the store, and a number that means something to it.
pub(crate) type Make = fn(Slow, usize) -> Arc<dyn Store>;

/// A check by its name.
pub(crate) type Check = (
    &'static str,
    fn(Make) -> Pin<Box<dyn Future<Output = Checked>>>,
);

/// A layer with one planted bug, and the checks that notice it.
pub(crate) struct Mutant {
    pub(crate) bug: &'static str,
    pub(crate) make: Make,
    pub(crate) noticed_by: &'static [&'static str],
}

macro_rules! check {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::check::Failure(format!($($message)+)));
        }
    };
}

macro_rules! check_eq {
    ($found:expr, $expected:expr, $($what:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => $crate::check::check!(
                *found == *expected,
                "{}: expected {expected:?}, found {found:?}",
                format_args!($($what)+)
            ),
        }
    };
}

/// Lists checks: a test of the layer for each of them, and all of them for its mutants.
macro_rules! checks {
    ($real:expr; $($name:ident),+ $(,)?) => {
        const CHECKS: &[$crate::check::Check] = &[
            $((stringify!($name), |make| Box::pin($name(make)))),+
        ];

        mod the_layer {
            $(
                #[test]
                fn $name() {
                    $crate::check::passes($real, |make| Box::pin(super::$name(make)));
                }
            )+
        }
    };
}

pub(crate) use {check, check_eq, checks};

/// Lets everybody get as far as they can: time passes when nobody has anything to do.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Whoever has no answer within an hour, which passes when nobody has anything to do, gets none.
pub(crate) async fn told<T>(answer: impl Future<Output = T>) -> Result<T, Failure> {
    let answer = tokio::time::timeout(Duration::from_secs(3_600), answer).await;
    answer.map_err(|_| Failure("a caller was never answered".to_owned()))
}

/// What all of them were told.
pub(crate) async fn all_told<T: 'static>(callers: &mut JoinSet<T>) -> Result<Vec<T>, Failure> {
    let mut answers = Vec::new();
    while let Some(answer) = told(callers.join_next()).await? {
        answers.push(answer?);
    }
    Ok(answers)
}

/// Polls a future once. Whether it is complete.
pub(crate) async fn polled<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    std::future::poll_fn(|context| {
        let polled = Pin::new(&mut *future).poll(context);
        std::task::Poll::Ready(polled.is_ready())
    })
    .await
}

/// One thread, and time that passes when nobody has anything to do: each run is like the others.
fn play(make: Make, check: fn(Make) -> Pin<Box<dyn Future<Output = Checked>>>) -> Checked {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(check(make))
}

/// The layer as it is must pass.
pub(crate) fn passes(make: Make, check: fn(Make) -> Pin<Box<dyn Future<Output = Checked>>>) {
    if let Err(Failure(found)) = play(make, check) {
        panic!("{found}");
    }
}

/// Every mutant is noticed by the checks that its entry tells, by what they found, and by no others; every check notices one.
pub(crate) fn are_noticed(mutants: &[Mutant], checks: &[Check]) {
    let mut noticed = BTreeMap::<_, Vec<_>>::new();
    let mut told = Vec::new();
    for mutant in mutants {
        let mut by = Vec::new();
        for (name, check) in checks {
            match catch_unwind(AssertUnwindSafe(|| play(mutant.make, *check))) {
                Ok(Ok(())) => {}
                Ok(Err(Failure(found))) => {
                    println!("{}: {name}: {found:.200}", mutant.bug);
                    by.push(*name);
                    noticed.entry(*name).or_default().push(mutant.bug);
                }
                Err(_) => told.push(format!("{}: {name} panicked", mutant.bug)),
            }
        }
        if by.is_empty() || by != mutant.noticed_by {
            told.push(format!("{}: noticed by {by:?}", mutant.bug));
        }
    }
    let idle = checks
        .iter()
        .filter(|(name, _)| !noticed.contains_key(name));
    told.extend(idle.map(|(name, _)| format!("{name} notices no mutant")));
    assert!(told.is_empty(), "{told:#?}");
}
