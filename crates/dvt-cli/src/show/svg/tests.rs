use roxmltree::{Document, Node};

use super::super::read;
use super::*;
use crate::sample;

/// A run with these lines of NDJSON, drawn.
async fn drawn(lines: &[String], extent: Extent) -> String {
    let store = dvt_adapter_memory::MemoryStore::new();
    sample::fill(&store, lines).await;
    let reading = read(&store, &sample::key("acme", "run")).await.unwrap();
    let mut svg = Vec::new();
    Svg::new(&reading, extent).write(&mut svg).unwrap();
    String::from_utf8(svg).unwrap()
}

fn line(event_type: &str, second: u32, more: &str) -> String {
    sample::line("acme", "run", event_type, second, more)
}

fn step(name: &str) -> String {
    format!(r#","step_id":"{name}""#)
}

fn classes<'a>(svg: &'a Document<'_>, tag: &str, class: &str) -> Vec<Node<'a, 'a>> {
    svg.descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", tag)))
        .filter(|node| node.attribute("class") == Some(class))
        .collect()
}

fn texts(svg: &Document<'_>) -> Vec<String> {
    svg.descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")))
        .map(|node| {
            node.descendants()
                .filter_map(|node| node.text().filter(|_| node.is_text()))
                .collect()
        })
        .collect()
}

/// Start and length in the plot, from 0 to 1.
fn extent(bar: &Node<'_, '_>) -> (f64, f64) {
    let number = |name: &str| bar.attribute(name).unwrap().parse::<f64>().unwrap();
    let start = (number("x") - PLOT as f64) / PLOT_WIDTH as f64;
    let length = number("width") / PLOT_WIDTH as f64;
    let rounded = |part: f64| (part * 1_000.0).round() / 1_000.0;
    (rounded(start), rounded(length))
}

#[tokio::test]
async fn bars_are_to_scale_and_tell_their_status() {
    let retry = r#","step_id":"load","logical_attempt":2"#;
    let svg = drawn(
        &[
            line("RunStarted", 0, ""),
            line("StepStarted", 1, &step("load")),
            line("StepFailed", 2, &step("load")),
            line("StepStarted", 4, retry),
            line("StepCompleted", 8, retry),
            line("StepSkipped", 8, &step("mail")),
            line("StepStarted", 8, &step("report")),
            line("RunFailed", 10, ""),
            line("RunPaused", 10, ""),
        ],
        Extent::default(),
    )
    .await;
    let svg = Document::parse(&svg).unwrap();
    for (class, bar) in [
        ("failed", (0.1, 0.1)),
        ("completed", (0.4, 0.4)),
        ("skipped", (0.8, 0.006)),
        ("running", (0.8, 0.2)),
    ] {
        let found: Vec<_> = classes(&svg, "rect", class).iter().map(extent).collect();
        assert_eq!(found, [bar], "{class}");
    }
    // Both attempts of the first step, and the last one.
    assert_eq!(classes(&svg, "rect", "mark").len(), 3);
    let texts = texts(&svg);
    assert!(texts.contains(&"load\u{a0}×2".to_owned()), "{texts:?}");
    assert!(
        texts.contains(
            &"event 9: RunPaused is illegal in a run that is Failed: it is legal from Running"
                .to_owned()
        ),
        "{texts:?}"
    );
    let tooltips: Vec<_> = svg
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "title")))
        .filter_map(|node| node.text())
        .collect();
    assert_eq!(tooltips[0], "run run: Failed");
    assert_eq!(
        tooltips[1],
        "load\nattempt 1 failed: +1.00 s to +2.00 s, 1.00 s\nattempt 2 completed: +4.00 s to +8.00 s, 4.00 s"
    );
}

#[tokio::test]
async fn names_are_text_whatever_they_hold() {
    let hostile = "</text><script>alert('1')</script>&amp;\u{202e}";
    let svg = drawn(
        &[
            line("RunStarted", 0, ""),
            line("StepCompleted", 1, &step(hostile)),
        ],
        Extent::default(),
    )
    .await;
    assert!(!svg.contains("<script"), "{svg}");
    let svg = Document::parse(&svg).unwrap();
    let title = "</text><script>alert('1')</script>&amp;\u{fffd}\nattempt 1 completed: +1.00 s to +1.00 s, 0 µs";
    assert!(svg.descendants().any(|node| node.text() == Some(title)));
}

#[tokio::test]
async fn a_run_of_5_000_steps_is_a_few_screens_or_all_of_it() {
    let mut lines = vec![line("RunStarted", 0, "")];
    for at in 0..5_000 {
        let kind = ["model.shop", "test.shop"][at % 2];
        let second = u32::try_from(at / 100).unwrap();
        let name = step(&format!("{kind}.table_{at:04}"));
        lines.push(line("StepStarted", second, &name));
        lines.push(line("StepCompleted", second + 1, &name));
    }
    let few = drawn(&lines, Extent::default()).await;
    let document = Document::parse(&few).unwrap();
    let height: usize = document
        .root_element()
        .attribute("height")
        .unwrap()
        .parse()
        .unwrap();
    assert!((800..2_500).contains(&height), "{height}");
    assert_eq!(classes(&document, "path", "load").len(), 2);
    let all = drawn(&lines, Extent::All).await;
    let document = Document::parse(&all).unwrap();
    assert_eq!(classes(&document, "rect", "completed").len(), 5_000);
}

#[tokio::test]
async fn it_needs_nothing_else_and_follows_the_theme() {
    let svg = drawn(&[line("RunStarted", 0, "")], Extent::default()).await;
    for foreign in ["<script", "href", "@import", "url(http", "@font-face"] {
        assert!(!svg.contains(foreign), "{foreign}");
    }
    assert!(svg.contains("@media (prefers-color-scheme: dark)"));
    let svg = Document::parse(&svg).unwrap();
    assert!(
        texts(&svg).iter().any(|text| text == "run Running"),
        "{:?}",
        texts(&svg)
    );
}
