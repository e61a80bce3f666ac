use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::cx::Cx;
use crate::failure::Failure;

type Played<'a> = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// One case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// Family and outcome, such as `append::reply_equals_the_log`.
    pub name: &'static str,
    play: for<'a> fn(&'a Cx) -> Played<'a>,
}

impl Case {
    pub(crate) async fn play(&self, cx: &Cx) -> Result<(), Failure> {
        (self.play)(cx).await
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case({})", self.name)
    }
}

/// The one list of cases. It hands itself to the macro named in brackets, after the arguments given.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    ([$($callback:tt)+] $arguments:tt) => {
        $($callback)+! {
            $arguments
            // cases: begin
            append {
                reply_equals_the_log,
            }
            // cases: end
        }
    };
}

macro_rules! table {
    (() $($family:ident { $($case:ident,)* })*) => {
        /// Every case, in the order of the list.
        pub const CASES: &[Case] = &[$($(
            Case {
                name: concat!(stringify!($family), "::", stringify!($case)),
                play: |cx| Box::pin(crate::cases::$family::$case(cx)),
            },
        )*)*];
    };
}

for_each_case! { [table] () }
