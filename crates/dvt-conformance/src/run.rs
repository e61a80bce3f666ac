use std::sync::Arc;

use crate::audit::audit;
use crate::cx::Cx;
use crate::failure::Failure;
use crate::harness::Harness;
use crate::list::{CASES, Case};

/// Plays one case on a store of its own and audits the store afterwards.
///
/// # Errors
/// [`Failure`] says which expectation the store broke.
pub async fn evaluate<H: Harness>(harness: Arc<H>, case: &Case) -> Result<(), Failure> {
    let cx = Cx::create(harness).await?;
    case.play(&cx).await?;
    audit(cx.store.as_ref()).await
}

/// The body of each test that [`suite!`](crate::suite) emits: plays the named case, unless it is waived.
///
/// # Panics
/// If the case fails, or there is none of that name.
#[expect(clippy::panic, reason = "this is how a test fails")]
pub fn run_case<H: Harness>(harness: H, name: &str, waivers: &[(&str, &str)]) {
    if let Some((_, reason)) = waivers.iter().find(|(waived, _)| *waived == name) {
        println!("waived: {name}: {reason}");
        return;
    }
    let Some(case) = CASES.iter().find(|case| case.name == name) else {
        panic!("the suite has no case {name}");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(evaluate(Arc::new(harness), case)),
        Err(error) => panic!("no runtime for {name}: {error}"),
    };
    if let Err(failure) = outcome {
        panic!("{name}: {failure}");
    }
}

/// Emits one test for each case of the suite, in a module for each family:
/// `suite!(MyHarness)`, or with waivers
/// `suite!(MyHarness, waive: { append::keeps_payloads => "the reason, which is printed" })`.
///
/// A waiver that names no case does not compile.
#[macro_export]
macro_rules! suite {
    ($harness:expr) => {
        $crate::suite!($harness, waive: {});
    };
    ($harness:expr, waive: { $($family:ident::$case:ident => $reason:literal),* $(,)? }) => {
        $(const _: () = { let _ = $crate::cases::$family::$case; };)*
        $crate::for_each_case! {
            [$crate::__emit_tests]
            ($harness, [$((
                concat!(stringify!($family), "::", stringify!($case)),
                $reason,
            )),*])
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __emit_tests {
    (($harness:expr, $waivers:tt) $($family:ident { $($case:ident,)* })*) => {$(
        mod $family {
            use super::*;
            $(
                #[test]
                fn $case() {
                    $crate::run_case(
                        $harness,
                        concat!(stringify!($family), "::", stringify!($case)),
                        &$waivers,
                    );
                }
            )*
        }
    )*};
}
