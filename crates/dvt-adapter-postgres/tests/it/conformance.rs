//! The conformance suite on a real server: once as the role of `DATABASE_URL`, as roles whose transactions are stricter by
//! default (the store pins its own isolation, so the answers must be the same), and as a role that owns nothing and has the
//! rights that the guide grants, no more.

use std::sync::Arc;

use dvt_adapter_postgres::{ClockShift, PostgresStore, migrate};
use dvt_conformance::{CASES, Case, Harness, Through, async_trait, evaluate};
use dvt_contracts::{BoxError, Store};
use dvt_layers::{GroupCommit, TransitionGuard};
use libtest_mimic::{Failed, Trial};

use crate::runtime_role::grants;
use crate::server::{TestRole, TestSchema, connect, connect_to, execute, url};

/// What is played as a stricter role unless `DVT_PG_ISOLATION=all` asks for everything: where transactions meet.
const WHERE_TRANSACTIONS_MEET: [&str; 4] = ["races::", "outbox_races::", "append::", "claim::"];

/// The roles' default isolations: the prefix of the tests' names, and the setting.
const STRICTER: [(&str, &str); 2] = [
    ("repeatable_read", "repeatable read"),
    ("serializable", "serializable"),
];

/// What a program that is not the owner may not be able to do, unless `DVT_PG_RUNTIME_ROLE=all` asks for everything: each kind
/// of row is written, changed and removed where the store does that.
const WHERE_RIGHTS_MATTER: [&str; 5] = [
    "bootstrap::",
    "checkpoint::",
    "dead_letter::",
    "destination::",
    "prune::",
];

/// Who uses the store.
#[derive(Debug, Clone, Copy)]
enum User {
    /// The role of `DATABASE_URL`.
    Usual,
    /// An owner whose transactions are isolated so by default.
    Isolated(&'static str),
    /// A role that owns nothing and may not change the schema.
    Runtime,
}

/// A schema for each case, and a role if it is not the usual one.
struct Postgres {
    user: User,
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
        let role = match self.user {
            User::Usual => None,
            User::Isolated(isolation) => Some(role_with(isolation).await),
            User::Runtime => Some(TestRole::create().await),
        };
        let schema = TestSchema::create();
        let by_role = role.as_ref().map_or_else(url, TestRole::url);
        match (self.user, &role) {
            (User::Isolated(_), Some(owner)) => {
                let make = format!(
                    "CREATE SCHEMA {} AUTHORIZATION {}",
                    schema.name(),
                    owner.name
                );
                execute(&mut connect().await, make).await;
                migrate(&schema.settings_by(&by_role), &mut |_| ()).await?;
            }
            (User::Runtime, Some(role)) => {
                migrate(&schema.settings(), &mut |_| ()).await?;
                execute(&mut connect().await, grants(&schema, role)).await;
            }
            _ => {
                migrate(&schema.settings(), &mut |_| ()).await?;
            }
        }
        Ok(Space {
            schema,
            clock: ClockShift::default(),
            url: by_role,
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
    let usual = CASES.iter();
    let mut trials: Vec<Trial> = usual.map(|case| trial("", case, User::Usual)).collect();
    let isolated = played(
        "DVT_PG_ISOLATION",
        &WHERE_TRANSACTIONS_MEET,
        "with stricter isolation",
    );
    for (prefix, isolation) in STRICTER {
        trials.push(premise(prefix, isolation));
        let user = User::Isolated(isolation);
        trials.extend(isolated.iter().map(|case| trial(prefix, case, user)));
    }
    let rights = played(
        "DVT_PG_RUNTIME_ROLE",
        &WHERE_RIGHTS_MATTER,
        "that own nothing",
    );
    trials.extend(
        rights
            .iter()
            .map(|case| trial("runtime_role", case, User::Runtime)),
    );
    for case in CASES {
        trials.push(through("group_commit", case, || {
            Through::new(Postgres { user: User::Usual }, |store| {
                Arc::new(GroupCommit::new(store))
            })
        }));
        // It refuses the events that this family is about.
        if !case.name.starts_with("tolerant::") {
            trials.push(through("transition_guard", case, || {
                let guarded = |store| -> Arc<dyn Store> { Arc::new(TransitionGuard::new(store)) };
                Through::new(Postgres { user: User::Usual }, guarded).judging()
            }));
        }
    }
    trials
}

/// The cases of these families, or all if the environment asks for that; what is left out is told.
fn played(variable: &str, families: &[&str], roles: &str) -> Vec<&'static Case> {
    let all = std::env::var(variable).as_deref() == Ok("all");
    let of_family = |case: &&Case| families.iter().any(|family| case.name.starts_with(family));
    let played: Vec<_> = CASES.iter().filter(|case| all || of_family(case)).collect();
    if played.len() < CASES.len() && std::env::var_os("DVT_PG_INTEGRATION").is_some() {
        println!(
            "left out: {} of {} conformance cases as roles {roles} ({variable}=all plays them)",
            CASES.len() - played.len(),
            CASES.len(),
        );
    }
    played
}

fn trial(prefix: &str, case: &'static Case, user: User) -> Trial {
    let name = match user {
        User::Usual => case.name.to_owned(),
        _ => format!("{prefix}::{}", case.name),
    };
    Trial::test(name, move || {
        let evaluated = runtime()?.block_on(evaluate(Arc::new(Postgres { user }), case));
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
