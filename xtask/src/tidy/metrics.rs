//! What watches the relay asks for what the relay tells.

use std::path::Path;

use crate::finding::{Finding, Findings};
use crate::text::files::{self, TextFile};
use crate::text::json;

/// Where the metrics are registered.
const SOURCE: &str = "crates/dvt-cli/src/relay/metrics.rs";
/// What shows all of them.
const DASHBOARD: &str = "docker/grafana/dashboards/dvt-outbox.json";
/// What asks for some.
const ALERTS: &str = "docker/prometheus/alerts.yml";
/// How the metrics begin.
const PREFIXES: [&str; 2] = ["dvt_relay_", "dvt_outbox_"];
/// The calls that register one: the name, the help, and the field that it is.
const REGISTER: &str = "registry.register(";

/// A metric, as it is registered.
#[derive(Debug, PartialEq, Eq)]
struct Metric {
    name: String,
    kind: Kind,
}

/// What kind it is, which decides the names under which it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Checks the dashboard and the alerts against the source.
pub(super) fn check(root: &Path) -> Findings {
    let read = |path: &str| files::read(root, Path::new(path));
    let (source, dashboard, alerts) = match (read(SOURCE), read(DASHBOARD), read(ALERTS)) {
        (Ok(source), Ok(dashboard), Ok(alerts)) => (source, dashboard, alerts),
        (source, dashboard, alerts) => {
            let missing = [source.err(), dashboard.err(), alerts.err()];
            return missing.into_iter().flatten().collect();
        }
    };
    let metrics = match registered(&source) {
        Ok(metrics) => metrics,
        Err(finding) => return vec![finding],
    };
    let mut findings = Findings::new();
    if let Some((line, expected)) = json::fault(&dashboard.text) {
        let message = format!("is no JSON: expected {expected}");
        findings.push(Finding::line(&dashboard.path, line, message));
    }
    findings.extend(unknown(&dashboard, &metrics));
    findings.extend(unknown(&alerts, &metrics));
    findings.extend(unshown(&dashboard, &metrics));
    findings
}

/// The metrics of the source.
fn registered(source: &TextFile) -> Result<Vec<Metric>, Finding> {
    let fault = |message: String| Finding::file(&source.path, message);
    let calls = source.text.split(REGISTER).skip(1);
    let metrics = calls.map(|call| {
        let name = call.split('"').nth(1).unwrap_or_default();
        let field = call.split("self.").nth(1).map(word).unwrap_or_default();
        let kind = kind(&source.text, field).ok_or_else(|| {
            fault(format!(
                "expected a field `{field}` that is a counter, gauge or histogram for `{name}`"
            ))
        })?;
        let name = name.to_owned();
        Ok(Metric { name, kind })
    });
    let metrics = metrics.collect::<Result<Vec<_>, _>>()?;
    if metrics.is_empty() {
        return Err(fault(format!("expected calls of `{REGISTER}`, found none")));
    }
    Ok(metrics)
}

/// What the type of the field says.
fn kind(source: &str, field: &str) -> Option<Kind> {
    let declared = source
        .lines()
        .find_map(|line| line.trim().strip_prefix(field)?.strip_prefix(": "))?;
    let is = |name: &str| declared.contains(name);
    [
        ("Counter", Kind::Counter),
        ("Histogram", Kind::Histogram),
        ("Gauge", Kind::Gauge),
    ]
    .into_iter()
    .find_map(|(name, kind)| is(name).then_some(kind))
}

impl Metric {
    /// The names under which Prometheus has it.
    fn names(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            Kind::Counter => &["_total"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["_bucket", "_sum", "_count"],
        };
        let names = suffixes
            .iter()
            .map(|suffix| format!("{}{suffix}", self.name));
        names.collect()
    }
}

/// What the file asks for and the relay does not tell.
fn unknown(file: &TextFile, metrics: &[Metric]) -> Findings {
    let known: Vec<String> = metrics.iter().flat_map(Metric::names).collect();
    let asked = asked(&file.text).into_iter();
    asked
        .filter(|(_, name)| !known.iter().any(|known| known == name))
        .map(|(line, name)| {
            let message = format!("asks for `{name}`, which {SOURCE} does not tell");
            Finding::line(&file.path, line, message)
        })
        .collect()
}

/// What the relay tells and the file does not ask for.
fn unshown(file: &TextFile, metrics: &[Metric]) -> Findings {
    let asked = asked(&file.text);
    let is_asked = |name: &String| asked.iter().any(|(_, asked)| asked == name);
    metrics
        .iter()
        .filter(|metric| !metric.names().iter().any(is_asked))
        .map(|metric| Finding::file(&file.path, format!("shows no `{}`", metric.names()[0])))
        .collect()
}

/// The words that are names of our metrics, with their lines.
fn asked(text: &str) -> Vec<(usize, &str)> {
    let mut asked = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let ours = words.filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)));
        asked.extend(ours.map(|word| (number, word)));
    }
    asked
}

/// The word at the beginning.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;
    use crate::scratch::Scratch;

    const METRICS: &str = r#"
struct Metrics {
    delivered: Counter,
    claim: Histogram,
    runs: Family<StateLabel, Gauge>,
}
fn register(&self) {
    registry.register("dvt_relay_delivered_events", "Events", self.delivered.clone());
    registry.register(
        "dvt_relay_claim_seconds",
        "Time",
        self.claim.clone(),
    );
    registry.register("dvt_outbox_runs", "Runs", self.runs.clone());
}
"#;

    fn found(dashboard: &str, alerts: &str) -> Vec<String> {
        let scratch = Scratch::with(&[(SOURCE, METRICS), (DASHBOARD, dashboard), (ALERTS, alerts)]);
        texts(&check(scratch.root()))
    }

    #[test]
    fn what_is_told_and_asked_for_passes() {
        let dashboard = r#"["rate(dvt_relay_delivered_events_total[1m])",
            "histogram_quantile(0.5, rate(dvt_relay_claim_seconds_bucket[1m]))", "dvt_outbox_runs{state=\"due\"}"]"#;
        let alerts = "expr: dvt_outbox_runs{state=\"parked\"} > 0";
        assert_eq!(found(dashboard, alerts), [""; 0]);
    }

    #[test]
    fn each_breach_is_told() {
        // The counter lacks its suffix, a gauge is misspelt, the histogram is missing, and the last bracket is.
        let dashboard = "[\"dvt_relay_delivered_events\",\n\"dvt_outbox_run\"";
        let alerts = "expr: dvt_relay_gone > 0\n";
        let source = "which crates/dvt-cli/src/relay/metrics.rs does not tell";
        assert_eq!(
            found(dashboard, alerts),
            [
                format!("{DASHBOARD}:2: is no JSON: expected `,` or `]`"),
                format!("{DASHBOARD}:1: asks for `dvt_relay_delivered_events`, {source}"),
                format!("{DASHBOARD}:2: asks for `dvt_outbox_run`, {source}"),
                format!("{ALERTS}:1: asks for `dvt_relay_gone`, {source}"),
                format!("{DASHBOARD}: shows no `dvt_relay_delivered_events_total`"),
                format!("{DASHBOARD}: shows no `dvt_relay_claim_seconds_bucket`"),
                format!("{DASHBOARD}: shows no `dvt_outbox_runs`"),
            ]
        );
    }

    #[test]
    fn a_source_that_cannot_be_read_is_told() {
        let file = |text: &str| TextFile {
            path: SOURCE.into(),
            text: text.to_owned(),
        };
        let none = registered(&file("fn main() {}")).unwrap_err().to_string();
        assert!(none.ends_with("found none"), "{none}");
        let unclear = "registry.register(\"dvt_relay_x\", \"X\", self.x.clone())";
        let unclear = registered(&file(unclear)).unwrap_err().to_string();
        assert!(unclear.contains("a field `x`"), "{unclear}");
    }
}
