use sqlx::SqliteConnection;

use crate::file::Identity;

/// A connection, and the file that it was opened on.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: SqliteConnection,
    /// None: an empty store in memory that stands in for a file that is not there yet.
    pub(crate) file: Option<Identity>,
}
