use std::collections::BTreeMap;

use dvt_contracts::{AppendError, Destination, Lease, LeaseError, OutboxError, RunKey, StoreError};
use serde::{Deserialize, Serialize};

use crate::row::{RetargetRow, runs};
use crate::run::Run;

/// All that is in the file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    /// Tells our files from others, and from those of later versions.
    format: String,
    pub(crate) destination: Option<Destination>,
    pub(crate) last_retarget: Option<RetargetRow>,
    /// In the order of their keys, which is that of all listings.
    #[serde(with = "runs")]
    pub(crate) runs: BTreeMap<RunKey, Run>,
}

const FORMAT: &str = "dvt adapter template, 2";

impl Default for State {
    fn default() -> Self {
        Self {
            format: FORMAT.to_owned(),
            destination: None,
            last_retarget: None,
            runs: BTreeMap::new(),
        }
    }
}

impl State {
    /// What must hold of a file that can be worked with. The rows have checked themselves.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "expected the format {FORMAT:?}, found {:?}",
                self.format
            ));
        }
        self.runs.values().try_for_each(Run::check)
    }

    pub(crate) fn run<E: NoSuchRun>(&self, run: &RunKey) -> Result<&Run, E> {
        self.runs.get(run).ok_or_else(|| E::no_such_run(run))
    }

    pub(crate) fn run_mut<E: NoSuchRun>(&mut self, run: &RunKey) -> Result<&mut Run, E> {
        self.runs.get_mut(run).ok_or_else(|| E::no_such_run(run))
    }

    /// The run, if the lease on it has not been used, released or stolen. The token alone counts.
    pub(crate) fn leased(&mut self, lease: &Lease) -> Result<&mut Run, LeaseError> {
        let run: &mut Run = self.run_mut(&lease.run)?;
        if run.cursor.token.as_deref() == Some(lease.token.to_string().as_str()) {
            Ok(run)
        } else {
            Err(run.stale_lease())
        }
    }
}

/// An error that can say that a run is not there. Another tenant's run is under another key: it is not there either.
pub(crate) trait NoSuchRun {
    fn no_such_run(run: &RunKey) -> Self;
}

macro_rules! no_such_run {
    ($($error:ty),*) => {$(
        impl NoSuchRun for $error {
            fn no_such_run(run: &RunKey) -> Self {
                Self::RunNotFound { run: run.clone() }
            }
        }
    )*};
}

no_such_run!(StoreError, AppendError, OutboxError, LeaseError);
