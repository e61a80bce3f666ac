//! The runs as a list, for `#[serde(with = …)]`: each tells its own key.

use std::collections::BTreeMap;

use dvt_contracts::RunKey;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

use crate::run::Run;

pub(crate) fn serialize<S: Serializer>(
    runs: &BTreeMap<RunKey, Run>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(runs.values())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<RunKey, Run>, D::Error> {
    let runs: Vec<Run> = Vec::deserialize(deserializer)?;
    let count = runs.len();
    let runs: BTreeMap<_, _> = runs.into_iter().map(|run| (run.key.clone(), run)).collect();
    if runs.len() < count {
        return Err(D::Error::custom("a run stands there twice"));
    }
    Ok(runs)
}
