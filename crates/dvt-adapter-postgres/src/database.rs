use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolError, QueueMode};
use dvt_contracts::ErrorClass;
use sqlx::PgConnection;
use tokio::time::{Instant, sleep, timeout_at};

use crate::connector::Connector;
use crate::fault::Fault;
use crate::jitter;
use crate::migrations;
use crate::settings::PostgresSettings;
use crate::sqlstate::{Cause, cause, is_answer};
use crate::statement::Statement;

/// How often a statement is sent again that others got in the way of. Under the heaviest contention seen, none was refused
/// more than 8 times.
const ATTEMPTS: u32 = 32;

/// How long an idle connection may take to show that it is alive: so short that a pool full of dead ones is through long
/// before a call's deadline.
const PING: Duration = Duration::from_millis(500);

/// The pool, and the one way to use it.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: Pool<Connector>,
}

/// One call of a port, which may take several statements.
#[derive(Debug)]
pub(crate) struct Call {
    deadline: Instant,
    length: Duration,
    /// Whether a statement of it had an effect: from then on no failure is harmless.
    effect: bool,
}

impl Call {
    /// Notes that a statement had its effect.
    pub(crate) fn had_effect(&mut self) {
        self.effect = true;
    }

    /// Begins the time anew: the call got ahead.
    pub(crate) fn renew(&mut self) {
        self.deadline = Instant::now() + self.length;
    }

    /// What a failure means after all that the call did.
    pub(crate) fn fault(&self, fault: Fault) -> Fault {
        if self.effect {
            Fault::AfterEffect(Box::new(fault))
        } else {
            fault
        }
    }

    /// Waits a moment before a statement is sent again: full jitter below 2, 4, 8 … 64 ms.
    pub(crate) async fn back_off(&self, attempt: u32) -> Result<(), Fault> {
        if attempt >= ATTEMPTS {
            return Err(Fault::Contended { attempts: attempt });
        }
        sleep(jitter::below(Duration::from_millis(1 << attempt.min(6)))).await;
        Ok(())
    }
}

impl Database {
    pub(crate) fn new(settings: PostgresSettings) -> Result<Self, Fault> {
        let max_size = settings.max_connections() as usize;
        let pool = Pool::builder(Connector { settings })
            .max_size(max_size)
            .queue_mode(QueueMode::Lifo)
            .recycle_timeout(Some(PING))
            .runtime(Runtime::Tokio1)
            .build();
        match pool {
            Ok(pool) => Ok(Self { pool }),
            Err(error) => Err(Fault::corrupt("pool", error)),
        }
    }

    pub(crate) fn settings(&self) -> &PostgresSettings {
        &self.pool.manager().settings
    }

    /// How far the store's clock is ahead of the database's, in microseconds: 0 but in tests.
    pub(crate) fn clock_shift(&self) -> i64 {
        self.settings().clock_shift().micros()
    }

    /// Connects, and checks that the schema is the one that this crate was made for.
    pub(crate) async fn check_schema(&self) -> Result<(), Fault> {
        let work = async {
            let mut session = self.session().await?;
            let schema = self.settings().schema();
            let fit = migrations::check(session.connection()?, schema).await;
            fit.map_err(|error| Fault::of(error, false))??;
            session.give_back();
            Ok(())
        };
        let length = self.settings().deadline();
        let checked = tokio::time::timeout(length, work).await;
        checked.unwrap_or(Err(Fault::NoConnection {
            after: length,
            connections: self.settings().max_connections(),
        }))
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// Begins a call: its deadline runs from now.
    pub(crate) fn call(&self) -> Call {
        let length = self.settings().deadline();
        Call {
            deadline: Instant::now() + length,
            length,
            effect: false,
        }
    }

    /// Sends a statement and waits for its reply. It is sent again if others got in its way.
    pub(crate) async fn ask<S: Statement>(
        &self,
        call: &Call,
        statement: &S,
    ) -> Result<S::Reply, Fault> {
        let sent = AtomicBool::new(false);
        let answer = timeout_at(call.deadline, self.answer(call, statement, &sent)).await;
        match answer {
            Ok(answered) => answered.map_err(|fault| call.fault(fault)),
            Err(_) if sent.load(Ordering::Relaxed) => Err(call.fault(Fault::Unanswered {
                after: call.length,
                writes: S::WRITES,
            })),
            Err(_) => Err(call.fault(Fault::NoConnection {
                after: call.length,
                connections: self.settings().max_connections(),
            })),
        }
    }

    async fn answer<S: Statement>(
        &self,
        call: &Call,
        statement: &S,
        sent: &AtomicBool,
    ) -> Result<S::Reply, Fault> {
        let mut attempt = 0;
        loop {
            let mut session = match self.session().await {
                Ok(session) => session,
                Err(fault @ Fault::Connect { .. }) if fault.class() == ErrorClass::Transient => {
                    attempt += 1;
                    if attempt >= ATTEMPTS {
                        return Err(fault);
                    }
                    call.back_off(attempt).await?;
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            sent.store(true, Ordering::Relaxed);
            let error = match statement.execute(session.connection()?).await {
                Ok(reply) => {
                    session.give_back();
                    return Ok(reply);
                }
                Err(error) => error,
            };
            sent.store(false, Ordering::Relaxed);
            if is_answer(&error) {
                session.give_back();
            }
            if cause(&error) != Cause::Contention {
                return Err(Fault::of(error, S::WRITES));
            }
            attempt += 1;
            call.back_off(attempt).await?;
        }
    }

    /// A connection of one's own, for work that is not one statement.
    pub(crate) async fn session(&self) -> Result<Session, Fault> {
        match self.pool.get().await {
            Ok(object) => Ok(Session {
                object: Some(object),
            }),
            Err(PoolError::Backend(fault)) => Err(fault),
            Err(PoolError::Closed) => Err(Fault::Closed),
            // The pool has no time limits and no hooks of its own.
            Err(other) => Err(Fault::corrupt("pool", other)),
        }
    }
}

/// A borrowed connection. Dropped before it is given back, it is closed: whatever was going on in it, nobody else meets it.
#[derive(Debug)]
pub(crate) struct Session {
    object: Option<Object<Connector>>,
}

impl Session {
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, Fault> {
        match &mut self.object {
            Some(object) => Ok(object),
            None => Err(Fault::Corrupt(
                "a connection was used after its return".to_owned(),
            )),
        }
    }

    /// Gives the connection back, after a complete reply.
    pub(crate) fn give_back(&mut self) {
        self.object = None;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
        }
    }
}
