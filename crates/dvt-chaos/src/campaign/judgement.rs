//! What came of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufReader;

use sqlx::{Executor as _, Row as _};

use super::run::Campaign;
use super::upkeep;
use crate::BoxError;
use crate::checker::{self, Facts, Terms};
use crate::cluster::Folder;
use crate::history::Final;
use crate::report::Report;
use crate::roles::MAX_ATTEMPTS;
use crate::scribe;

impl Campaign<'_> {
    pub(super) async fn judge(&mut self, folder: &Folder, last: Final) -> Result<Report, BoxError> {
        let plan = self.plan.clone();
        let environment = self.environment().await?;
        let path = folder.path().to_owned();
        let file = folder.evidence().join("final.jsonl");
        let mut report = tokio::task::spawn_blocking(move || {
            let mut lines = Vec::new();
            for run in last.values() {
                serde_json::to_writer(&mut lines, run)?;
                lines.push(b'\n');
            }
            fs::write(file, lines)?;
            let history = File::open(scribe::history_file(&path))?;
            let facts = Facts::read(BufReader::with_capacity(1 << 20, history))?;
            let terms = Terms {
                max_attempts: MAX_ATTEMPTS.into(),
                drained_within: plan.drained_within,
            };
            let verdict = checker::check(&facts, &last, terms);
            let outcomes = checker::outcomes(&facts, &last);
            Ok::<_, BoxError>(Report::new(&plan, &facts, &verdict, outcomes, environment))
        })
        .await??;
        report.failures.append(&mut self.failures);
        let told = report.json()?;
        fs::write(folder.evidence().join("report.json"), &told)?;
        if let Some(server) = &self.arena.server {
            let secret = server.secret().exposed();
            for file in upkeep::files_with(&folder.evidence(), secret)? {
                report
                    .failures
                    .push(format!("{file} has the password in it"));
            }
        }
        Ok(report)
    }

    async fn environment(&self) -> Result<BTreeMap<String, String>, BoxError> {
        let mut environment = BTreeMap::from([
            (
                "cores".to_owned(),
                std::thread::available_parallelism()?.to_string(),
            ),
            (
                "build".to_owned(),
                if cfg!(debug_assertions) {
                    "debug"
                } else {
                    "release"
                }
                .to_owned(),
            ),
        ]);
        if self.arena.small.is_none() {
            let why = "no: a disk of its own cannot be mounted here".to_owned();
            environment.insert("disk_full".to_owned(), why);
        }
        if let Some(server) = &self.arena.server {
            let row = server.admin().await?.fetch_one("SELECT version()").await?;
            environment.insert("server".to_owned(), row.try_get(0)?);
        }
        Ok(environment)
    }
}
