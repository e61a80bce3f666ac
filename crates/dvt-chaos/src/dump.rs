//! What the database holds, asked without the store's code.

mod log;
mod postgres;
mod sqlite;

pub(crate) use self::postgres::dump as of_postgres;
pub(crate) use self::sqlite::dump as of_sqlite;
