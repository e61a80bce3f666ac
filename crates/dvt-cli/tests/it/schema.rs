//! A schema for one test.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

/// The server. It must be there: who sets `DVT_PG_INTEGRATION=1` wants the tests to run.
pub(crate) fn url() -> String {
    std::env::var("DATABASE_URL").expect("DVT_PG_INTEGRATION=1 needs DATABASE_URL=postgres://…")
}

/// The name of a schema that nobody else has; whatever is there at the end is dropped.
pub(crate) struct TestSchema {
    /// `dvt_it_<16 hexadecimal digits>`
    pub(crate) name: String,
}

impl TestSchema {
    /// A name. The schema is not made.
    pub(crate) fn create() -> Self {
        let name = format!("dvt_it_{}", &Uuid::new_v4().simple().to_string()[..16]);
        Self { name }
    }

    /// Runs statements with the schema before all others.
    pub(crate) fn execute(&self, sql: &str) {
        let sql = format!("SET search_path = {}; {sql}", self.name);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut conn = PgConnection::connect(&url())
                .await
                .expect("the server of DATABASE_URL answers");
            conn.execute(AssertSqlSafe(sql)).await.unwrap();
        });
    }
}

impl Drop for TestSchema {
    fn drop(&mut self) {
        self.execute(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name));
    }
}
