//! This program as a child of its own tests: a second process, which may be killed, or which writes to the same store.

use std::process::{Child, Command, ExitCode, Stdio};

use dvt_adapter_postgres::PostgresSettings;

use crate::server::TestSchema;
use crate::trial::Outcome;
use crate::{interrupted, two_processes};

const TASK: &str = "DVT_IT_CHILD";
const URL: &str = "DVT_IT_CHILD_URL";
const SCHEMA: &str = "DVT_IT_CHILD_SCHEMA";

/// What a child does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    /// [`interrupted::migrate_and_tell`]
    Migrate,
    /// [`two_processes::write_and_tell`]
    Write,
}

impl Task {
    const ALL: [Self; 2] = [Self::Migrate, Self::Write];

    fn name(self) -> String {
        format!("{self:?}")
    }

    async fn run(self, settings: PostgresSettings) -> Outcome {
        match self {
            Self::Migrate => interrupted::migrate_and_tell(&settings).await,
            Self::Write => two_processes::write_and_tell(settings).await,
        }
    }
}

/// Starts this program again with a task on a schema. Its standard input and output are pipes.
pub(crate) fn spawn(task: Task, url: &str, schema: &TestSchema) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .env(TASK, task.name())
        .env(URL, url)
        .env(SCHEMA, schema.name().as_str())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Does the task, if this process is a child.
pub(crate) fn outcome() -> Option<ExitCode> {
    let name = std::env::var(TASK).ok()?;
    let task = Task::ALL.into_iter().find(|task| task.name() == name);
    let task = task.unwrap_or_else(|| panic!("{TASK}={name} is no task"));
    let schema = std::env::var(SCHEMA).unwrap().parse().unwrap();
    let settings = PostgresSettings::from_url(&std::env::var(URL).unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let done = runtime.block_on(task.run(settings.with_schema(schema)));
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    })
}
