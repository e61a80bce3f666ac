use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::rounds::Duel;

/// All figures.
#[derive(Debug)]
pub(crate) struct Report {
    quick: bool,
    environment: BTreeMap<&'static str, String>,
    ratios: Vec<Ratio>,
    absolute: Vec<(&'static str, f64)>,
}

#[derive(Debug)]
struct Ratio {
    key: &'static str,
    what: &'static str,
    bar: f64,
    duel: Duel,
}

#[derive(Debug, Serialize)]
struct Object<'a> {
    ratios: BTreeMap<&'a str, f64>,
    absolute: BTreeMap<&'a str, f64>,
    environment: &'a BTreeMap<&'static str, String>,
}

impl Report {
    pub(crate) fn new(quick: bool, environment: BTreeMap<&'static str, String>) -> Self {
        Self {
            quick,
            environment,
            ratios: Vec::new(),
            absolute: Vec::new(),
        }
    }

    /// A ratio that should be at least `bar`.
    pub(crate) fn ratio(&mut self, key: &'static str, what: &'static str, bar: f64, duel: Duel) {
        eprintln!("{key}: {:.2} (bar {bar})", duel.ratio);
        let ratio = Ratio {
            key,
            what,
            bar,
            duel,
        };
        self.ratios.push(ratio);
    }

    pub(crate) fn absolute(&mut self, key: &'static str, value: f64) {
        eprintln!("{key}: {value:.2}");
        self.absolute.push((key, value));
    }

    /// The figures for programs.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        let object = Object {
            ratios: self
                .ratios
                .iter()
                .map(|ratio| (ratio.key, ratio.duel.ratio))
                .collect(),
            absolute: self.absolute.iter().copied().collect(),
            environment: &self.environment,
        };
        serde_json::to_string_pretty(&object)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            writeln!(f, "{name}: {value}")?;
        }
        if self.quick {
            writeln!(f, "quick: the figures mean nothing")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "{:<70} {:>12} {:>12} {:>7} {:>6}",
            "what [key]", "baseline/s", "ours/s", "ratio", "bar"
        )?;
        for Ratio {
            key,
            what,
            bar,
            duel,
        } in &self.ratios
        {
            let mark = if duel.ratio >= *bar { "✓" } else { "✗" };
            writeln!(
                f,
                "{:<70} {:>12.0} {:>12.0} {:>7.2} {bar:>6} {mark}",
                format!("{what} [{key}]"),
                duel.baseline,
                duel.ours,
                duel.ratio
            )?;
        }
        for (key, value) in &self.absolute {
            writeln!(f, "{key:<70} {value:>12.2}")?;
        }
        Ok(())
    }
}
