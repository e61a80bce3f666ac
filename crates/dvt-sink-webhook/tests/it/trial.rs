//! From an asynchronous function to a test of the harness.

use std::error::Error;
use std::pin::Pin;

use libtest_mimic::{Failed, Trial};

/// How a test ends.
pub(crate) type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// A test and its name.
pub(crate) struct Test {
    name: String,
    run: fn() -> Pin<Box<dyn Future<Output = Outcome>>>,
}

impl Test {
    pub(crate) fn new(
        module: &str,
        name: &str,
        run: fn() -> Pin<Box<dyn Future<Output = Outcome>>>,
    ) -> Self {
        let module = module.rsplit("::").next().unwrap_or(module);
        Self {
            name: format!("{module}::{name}"),
            run,
        }
    }

    /// Each test has a runtime of its own.
    pub(crate) fn into_trial(self) -> Trial {
        let run = self.run;
        Trial::test(self.name, move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime
                .block_on(run())
                .map_err(|error| Failed::from(chain(&*error)))
        })
    }
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

/// The tests of a module, by their functions.
macro_rules! trials {
    ($($name:ident),+ $(,)?) => {
        pub(crate) fn trials() -> Vec<$crate::trial::Test> {
            vec![$($crate::trial::Test::new(module_path!(), stringify!($name), || Box::pin($name()))),+]
        }
    };
}
pub(crate) use trials;
