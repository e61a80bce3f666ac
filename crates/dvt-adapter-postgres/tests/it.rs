//! Integration tests on a real server.
#![expect(clippy::unwrap_used, reason = "a broken fixture must fail the test")]

mod conformance {
    use std::sync::Arc;

    use dvt_adapter_postgres::{ClockShift, PostgresSettings, PostgresStore};
    use dvt_conformance::{CASES, Harness, async_trait, evaluate};
    use dvt_contracts::{BoxError, Store};
    use libtest_mimic::Trial;
    use sqlx::Connection as _;

    pub(crate) struct Postgres;

    pub(crate) struct Space {
        name: String,
        clock: ClockShift,
    }

    impl Drop for Space {
        fn drop(&mut self) {
            let name = self.name.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut connection = sqlx::PgConnection::connect(&url()).await.unwrap();
                    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP SCHEMA {name} CASCADE"))).execute(&mut connection).await.unwrap();
                });
            }).join().unwrap();
        }
    }

    fn url() -> String {
        std::env::var("DATABASE_URL").unwrap()
    }

    #[async_trait]
    impl Harness for Postgres {
        type Space = Space;

        async fn create(&self) -> Result<Space, BoxError> {
            let name = format!("dvt_it_{}", uuid::Uuid::new_v4().simple());
            let mut connection = sqlx::PgConnection::connect(&url()).await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE SCHEMA {name}; SET search_path = {name}, pg_temp; SET client_min_messages=warning"))).execute(&mut connection).await?;
            for migration in sqlx::migrate!().iter() {
                sqlx::raw_sql(migration.sql.clone()).execute(&mut connection).await?;
            }
            Ok(Space { name, clock: ClockShift::default() })
        }

        async fn open(&self, space: &Space) -> Result<Arc<dyn Store>, BoxError> {
            let settings = PostgresSettings::from_url(&url())?
                .with_schema(space.name.parse()?)
                .with_clock_shift(space.clock.clone());
            Ok(Arc::new(PostgresStore::connect(settings).await?))
        }

        async fn shift_clock(&self, space: &Space, seconds: i64) -> Result<(), BoxError> {
            space.clock.advance(seconds);
            Ok(())
        }
    }

    pub(crate) fn trials() -> Vec<Trial> {
        CASES.iter().map(|case| Trial::test(case.name, move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            runtime.block_on(evaluate(Arc::new(Postgres), case)).map_err(|failure| failure.to_string().into())
        })).collect()
    }
}

fn main() {
    let arguments = libtest_mimic::Arguments::from_args();
    libtest_mimic::run(&arguments, conformance::trials()).exit();
}
