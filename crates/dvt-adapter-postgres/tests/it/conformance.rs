//! The conformance suite on a real server: once as the role of `DATABASE_URL`, and as roles whose transactions are
//! stricter by default. The store pins its own isolation, so the answers must be the same.

use std::sync::Arc;

use dvt_adapter_postgres::{ClockShift, PostgresStore, migrate};
use dvt_conformance::{CASES, Case, Harness, Through, async_trait, evaluate};
use dvt_contracts::{BoxError, Store};
use dvt_layers::{GroupCommit, TransitionGuard};
use libtest_mimic::{Failed, Trial};

use crate::server::{TestRole, TestSchema, connect, connect_to, execute, url};

/// What is played as a stricter role unless `DVT_PG_ISOLATION=all` asks for everything: where transactions meet.
const WHERE_TRANSACTIONS_MEET: [&str; 4] = ["races::", "outbox_races::", "append::", "claim::"];

/// The roles' default isolations: the prefix of the tests' names, and the setting.
const STRICTER: [(&str, &str); 2] = [
    ("repeatable_read", "repeatable read"),
    ("serializable", "serializable"),
];

/// A schema for each case, and a role if the isolation is not the server's.
struct Postgres {
    isolation: Option<&'static str>,
}

struct Space {
    schema: TestSchema,
    clock: ClockShift,
    url: String,
    // Last: a role goes after what it owns.
    _role: Option<TestRole>,
}

#[async_trait]
impl Harness for Postgres {
    type Space = Space;

    async fn create(&self) -> Result<Space, BoxError> {
        let role = match self.isolation {
            Some(isolation) => Some(role_with(isolation).await),
            None => None,
        };
        let schema = TestSchema::create();
        let url = match &role {
            Some(role) => {
                let (name, owner) = (schema.name(), &role.name);
                let make = format!("CREATE SCHEMA {name} AUTHORIZATION {owner}");
                execute(&mut connect().await, make).await;
                role.url()
            }
            None => url(),
        };
        migrate(&schema.settings_by(&url), &mut |_| ()).await?;
        Ok(Space {
            schema,
            clock: ClockShift::default(),
            url,
            _role: role,
        })
    }

    async fn open(&self, space: &Space) -> Result<Arc<dyn Store>, BoxError> {
        let settings = space.schema.settings_by(&space.url);
        let settings = settings.with_clock_shift(space.clock.clone());
        Ok(Arc::new(PostgresStore::connect(settings).await?))
    }

    async fn shift_clock(&self, space: &Space, seconds: i64) -> Result<(), BoxError> {
        space.clock.advance(seconds);
        Ok(())
    }
}

/// A role whose transactions are isolated so, unless told otherwise.
async fn role_with(isolation: &str) -> TestRole {
    let role = TestRole::create().await;
    let name = &role.name;
    let change = format!("ALTER ROLE {name} SET default_transaction_isolation = '{isolation}'");
    execute(&mut connect().await, change).await;
    role
}

/// Every case, none waived, and through each layer.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = CASES.iter().map(|case| trial(case, None)).collect();
    let all = std::env::var("DVT_PG_ISOLATION").as_deref() == Ok("all");
    let meets = |case: &&Case| {
        WHERE_TRANSACTIONS_MEET
            .iter()
            .any(|family| case.name.starts_with(family))
    };
    let played: Vec<&Case> = CASES.iter().filter(|case| all || meets(case)).collect();
    for (prefix, isolation) in STRICTER {
        trials.push(premise(prefix, isolation));
        trials.extend(
            played
                .iter()
                .map(|case| trial(case, Some((prefix, isolation)))),
        );
    }
    for case in CASES {
        trials.push(through("group_commit", case, || {
            Through::new(Postgres { isolation: None }, |store| {
                Arc::new(GroupCommit::new(store))
            })
        }));
        // It refuses the events that this family is about.
        if !case.name.starts_with("tolerant::") {
            trials.push(through("transition_guard", case, || {
                let guarded = |store| -> Arc<dyn Store> { Arc::new(TransitionGuard::new(store)) };
                Through::new(Postgres { isolation: None }, guarded).judging()
            }));
        }
    }
    if played.len() < CASES.len() && std::env::var_os("DVT_PG_INTEGRATION").is_some() {
        println!(
            "left out: {} of {} conformance cases as roles with stricter isolation (DVT_PG_ISOLATION=all plays them)",
            CASES.len() - played.len(),
            CASES.len(),
        );
    }
    trials
}

fn trial(case: &'static Case, stricter: Option<(&str, &'static str)>) -> Trial {
    let name = match stricter {
        Some((prefix, _)) => format!("{prefix}::{}", case.name),
        None => case.name.to_owned(),
    };
    let isolation = stricter.map(|(_, isolation)| isolation);
    Trial::test(name, move || {
        let harness = Arc::new(Postgres { isolation });
        let evaluated = runtime()?.block_on(evaluate(harness, case));
        evaluated.map_err(|failure| Failed::from(failure.to_string()))
    })
}

/// The case through a layer.
fn through(layer: &str, case: &'static Case, harness: fn() -> Through<Postgres>) -> Trial {
    Trial::test(format!("{layer}::{}", case.name), move || {
        let evaluated = runtime()?.block_on(evaluate(Arc::new(harness()), case));
        evaluated.map_err(|failure| Failed::from(failure.to_string()))
    })
}

/// CASES B 16: the role's default is what the tests say it is, and the store's connections do not follow it.
fn premise(prefix: &str, isolation: &'static str) -> Trial {
    Trial::test(
        format!("{prefix}::is_the_default_of_the_role_alone"),
        move || {
            runtime()?.block_on(async {
                let role = role_with(isolation).await;
                let settings = TestSchema::create().settings_by(&role.url());
                let mut plain = connect_to(&role.url()).await;
                let mut ours = settings.store_connection().await?;

                let show = "SHOW transaction_isolation";
                let by_default: String = sqlx::query_scalar(show).fetch_one(&mut plain).await?;
                let in_store: String = sqlx::query_scalar(show).fetch_one(&mut ours).await?;

                assert_eq!(by_default, isolation);
                assert_eq!(in_store, "read committed");
                Ok(())
            })
        },
    )
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}
