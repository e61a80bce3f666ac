use deadpool::managed::Object;
use sqlx::SqliteConnection;

use crate::connector::Connector;
use crate::fault::Fault;

/// A transaction. Whoever drops it before its end drops the connection with it, which undoes everything: the statement of a
/// cancelled future goes on in its thread, and nobody else may get into its transaction.
#[derive(Debug)]
pub(crate) struct Session {
    link: Option<Object<Connector>>,
}

impl Session {
    pub(crate) async fn begin(
        link: Object<Connector>,
        statement: &'static str,
    ) -> Result<Self, Fault> {
        let mut session = Self { link: Some(link) };
        let begun = sqlx::query(statement).execute(session.connection()?).await;
        if let Err(error) = begun {
            let fault = Fault::of(error);
            // It did not begin, so there is nothing to undo; most of all while others are busy.
            if matches!(fault, Fault::Busy(_)) {
                session.link.take();
            }
            return Err(fault);
        }
        Ok(session)
    }

    pub(crate) fn connection(&mut self) -> Result<&mut SqliteConnection, Fault> {
        match &mut self.link {
            Some(link) => Ok(&mut link.connection),
            None => Err(Fault::Closed),
        }
    }

    /// Commits what went well, undoes what did not, and gives the connection back.
    pub(crate) async fn end<T>(mut self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        let statement = match outcome {
            Ok(_) => "COMMIT",
            Err(_) => "ROLLBACK",
        };
        let ended = sqlx::query(statement).execute(self.connection()?).await;
        match (outcome, ended) {
            (outcome, Ok(_)) => {
                self.link.take();
                outcome
            }
            (Ok(_), Err(error)) => Err(Fault::of_commit(error)),
            // The first fault tells more than what came of it.
            (Err(fault), Err(_)) => Err(fault),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            drop(Object::take(link));
        }
    }
}
