//! The conformance suite on a real server.

use std::sync::Arc;

use dvt_adapter_postgres::{ClockShift, PostgresStore, migrate};
use dvt_conformance::{CASES, Harness, async_trait, evaluate};
use dvt_contracts::{BoxError, Store};
use libtest_mimic::{Failed, Trial};

use crate::server::TestSchema;

/// A schema for each case.
struct Postgres;

struct Space {
    schema: TestSchema,
    clock: ClockShift,
}

#[async_trait]
impl Harness for Postgres {
    type Space = Space;

    async fn create(&self) -> Result<Space, BoxError> {
        let schema = TestSchema::create();
        migrate(&schema.settings(), &mut |_| ()).await?;
        Ok(Space {
            schema,
            clock: ClockShift::default(),
        })
    }

    async fn open(&self, space: &Space) -> Result<Arc<dyn Store>, BoxError> {
        let settings = space.schema.settings();
        let settings = settings.with_clock_shift(space.clock.clone());
        Ok(Arc::new(PostgresStore::connect(settings).await?))
    }

    async fn shift_clock(&self, space: &Space, seconds: i64) -> Result<(), BoxError> {
        space.clock.advance(seconds);
        Ok(())
    }
}

/// Every case, none waived.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |case: &'static dvt_conformance::Case| {
        Trial::test(case.name, move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            let evaluated = runtime.block_on(evaluate(Arc::new(Postgres), case));
            evaluated.map_err(|failure| Failed::from(failure.to_string()))
        })
    };
    CASES.iter().map(trial).collect()
}
