use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::rounds::Duel;

/// All figures.
#[derive(Debug)]
pub(crate) struct Report {
    quick: bool,
    environment: BTreeMap<&'static str, String>,
    ratios: Vec<Ratio>,
    absolute: Vec<Absolute>,
    latencies: Vec<(&'static str, Histogram<u64>)>,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    AtLeast(f64),
    AtMost(f64),
    /// It is told, and nothing is asked of it.
    None,
}

/// A figure of ours beside that of a baseline.
#[derive(Debug)]
pub(crate) struct Ratio {
    pub(crate) group: &'static str,
    pub(crate) key: &'static str,
    pub(crate) what: &'static str,
    pub(crate) bar: Bar,
    pub(crate) duel: Duel,
}

#[derive(Debug)]
struct Absolute {
    key: &'static str,
    bar: Bar,
    value: f64,
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
            latencies: Vec::new(),
        }
    }

    pub(crate) fn ratio(&mut self, ratio: Ratio) {
        eprintln!("{}: {:.2} ({})", ratio.key, ratio.duel.ratio, ratio.bar);
        self.ratios.push(ratio);
    }

    pub(crate) fn absolute(&mut self, key: &'static str, bar: Bar, value: f64) {
        eprintln!("{key}: {value:.2} ({bar})");
        self.absolute.push(Absolute { key, bar, value });
    }

    /// How long single calls took, in microseconds.
    pub(crate) fn latency(&mut self, what: &'static str, micros: Histogram<u64>) {
        self.latencies.push((what, micros));
    }

    /// The ratios by their groups, in the order in which they were measured.
    pub(crate) fn groups(&self) -> Vec<(&'static str, Vec<&Ratio>)> {
        let mut groups: Vec<(&'static str, Vec<&Ratio>)> = Vec::new();
        for ratio in &self.ratios {
            match groups.iter_mut().find(|(name, _)| *name == ratio.group) {
                Some((_, ratios)) => ratios.push(ratio),
                None => groups.push((ratio.group, vec![ratio])),
            }
        }
        groups
    }

    /// The figures for programs.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        let ratios = self
            .ratios
            .iter()
            .map(|ratio| (ratio.key, ratio.duel.ratio));
        let absolute = self
            .absolute
            .iter()
            .map(|figure| (figure.key, figure.value));
        serde_json::to_string_pretty(&Object {
            ratios: ratios.collect(),
            absolute: absolute.collect(),
            environment: &self.environment,
        })
    }
}

impl Bar {
    fn mark(self, value: f64) -> &'static str {
        match self {
            Self::AtLeast(bar) if value >= bar => "✓",
            Self::AtMost(bar) if value <= bar => "✓",
            Self::None => "",
            _ => "✗",
        }
    }

    /// The value, if there is one.
    pub(crate) fn value(self) -> Option<f64> {
        match self {
            Self::AtLeast(bar) | Self::AtMost(bar) => Some(bar),
            Self::None => None,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::AtLeast(bar) => format!("≥ {bar}"),
            Self::AtMost(bar) => format!("≤ {bar}"),
            Self::None => "no bar".to_owned(),
        };
        f.pad(&text)
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
        for (group, ratios) in self.groups() {
            writeln!(f, "\n## {group}\n")?;
            writeln!(f, "| what [key] | baseline | ours | ratio | bar | |")?;
            writeln!(f, "| --- | ---: | ---: | ---: | --- | --- |")?;
            for ratio in ratios {
                let Duel {
                    baseline,
                    ours,
                    ratio: value,
                } = ratio.duel;
                let (what, key, bar) = (ratio.what, ratio.key, ratio.bar);
                let mark = bar.mark(value);
                writeln!(
                    f,
                    "| {what} [`{key}`] | {baseline:.0} | {ours:.0} | {value:.2} | {bar} | {mark} |"
                )?;
            }
        }
        writeln!(f, "\n## absolute\n\n| key | value | bar | |")?;
        writeln!(f, "| --- | ---: | --- | --- |")?;
        for Absolute { key, bar, value } in &self.absolute {
            writeln!(f, "| `{key}` | {value:.2} | {bar} | {} |", bar.mark(*value))?;
        }
        writeln!(f, "\n## single calls, µs\n")?;
        writeln!(f, "| what | calls | p50 | p90 | p99 | p99.9 | max |")?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        for (what, micros) in &self.latencies {
            let at = |quantile| micros.value_at_quantile(quantile);
            let (p50, p90, p99, p999) = (at(0.5), at(0.9), at(0.99), at(0.999));
            let (calls, max) = (micros.len(), micros.max());
            writeln!(
                f,
                "| {what} | {calls} | {p50} | {p90} | {p99} | {p999} | {max} |"
            )?;
        }
        Ok(())
    }
}
