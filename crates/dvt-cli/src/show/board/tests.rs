use super::super::sample::course;
use super::super::selection::Extent;
use super::*;

/// A step with a retry that begins where the first attempt ended, one that was skipped, and one that never ended.
const EVENTS: [(&str, &str, u32, i64); 10] = [
    ("StepStarted", "ingest.orders", 1, 0),
    ("StepStarted", "ingest.people", 1, 1_000),
    ("StepFailed", "ingest.orders", 1, 2_000),
    ("StepStarted", "ingest.orders", 2, 4_000),
    ("StepCompleted", "ingest.people", 1, 3_000),
    ("StepCompleted", "ingest.orders", 2, 7_000),
    ("StepStarted", "report", 1, 7_000),
    ("StepSkipped", "mail", 1, 8_000),
    ("StepStarted", "publish", 1, 8_000),
    ("StepCompleted", "report", 1, 10_000),
];

const SMALL_AT_100: &str = "
   step                 start      time  0          2 ms        4 ms        6 ms        8 ms
                                        ┌┬──────────┬───────────┬───────────┬───────────┬───────────
◆✓ ingest.orders ×2     +0 µs      5 ms │▓▓▓▓▓▓▓▓▓▓▓✗     ╌╌╌╌╌╌███████████████████
◆✓ ingest.people        +1 ms      2 ms │     █████████████
◆✓ report               +7 ms      3 ms │                                         ██████████████████
 - mail                 +8 ms      0 µs │                                               ·
 ▶ publish              +8 ms      2 ms │                                               ░░░░░░░░░░░▶
◆ decided the length, ╌ waited   ██ completed   ▓✗ failed   · skipped   ░▶ running
";

const SMALL_AT_40: &str = "
   step               time  0
                           ┌┬───────────
◆✓ inge…rders ×2      5 ms │▓▓✗╌█████
◆✓ inge…eople         2 ms │ ███
◆✓ report             3 ms │        ████
 - mail               0 µs │         ·
 ▶ publish            2 ms │         ░░▶
◆ decided the length, ╌ waited
██ completed   ▓✗ failed   · skipped
░▶ running
";

fn drawn(course: &Course, extent: Extent, width: usize) -> String {
    let selection = Selection::of(course, extent);
    let (mut page, written) = Page::kept(true, width);
    Board::new(course, &selection, width)
        .write(&mut page)
        .unwrap();
    written.text()
}

fn small() -> Course {
    course(&EVENTS.map(|(kind, step, attempt, at)| (kind, step.to_owned(), attempt, at)))
}

/// 5,000 steps of 10 ms, of which four run at a time; every hundredth fails once, every thousandth for good.
fn large() -> Course {
    let events: Vec<_> = (0..5_000)
        .flat_map(|at| {
            let name = match at % 3 {
                0 => format!("model.shop.table_{at:04}"),
                1 => format!("test.shop.unique_table_{at:04}_id.{at:010x}"),
                _ => format!("test.crm.not_null_person_{at:04}_id.{at:010x}"),
            };
            let start = i64::from(at / 4) * 10_000;
            let (middle, end) = (start + 5_000, start + 9_000);
            let last = if at % 1_000 == 7 {
                "StepFailed"
            } else {
                "StepCompleted"
            };
            match at % 100 == 7 {
                true => vec![
                    ("StepStarted", name.clone(), 1, start),
                    ("StepFailed", name.clone(), 1, middle),
                    ("StepStarted", name.clone(), 2, middle),
                    (last, name, 2, end),
                ],
                false => vec![
                    ("StepStarted", name.clone(), 1, start),
                    (last, name, 1, end),
                ],
            }
        })
        .collect();
    course(&events)
}

fn fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(
            text::columns(line) <= width,
            "{} of {width}: {line}",
            text::columns(line)
        );
    }
}

#[test]
fn a_small_run_at_100_columns() {
    assert_eq!(drawn(&small(), Extent::default(), 100), SMALL_AT_100);
}

#[test]
fn a_small_run_at_40_columns() {
    assert_eq!(drawn(&small(), Extent::default(), 40), SMALL_AT_40);
}

#[test]
fn a_large_run_fits_any_width_and_a_few_screens() {
    let course = large();
    for width in [40, 100, 240] {
        let text = drawn(&course, Extent::default(), width);
        fits(&text, width);
        let rows = text.lines().count();
        assert!((40..100).contains(&rows), "{rows} rows");
        let counts = match width {
            40 => "test.shop.  ✓1665 ✗2\n",
            _ => "test.shop.  1,667 steps: 1,665 completed, 2 failed\n",
        };
        assert!(text.contains(counts), "{text}");
        // Every step that failed for good is seen.
        let failed = text
            .lines()
            .filter(|line| line.starts_with(" ✗") || line.starts_with("◆✗"));
        assert_eq!(failed.count(), 5);
    }
}

#[test]
fn a_large_run_in_groups_only() {
    let text = drawn(&large(), Extent::Top(0), 240);
    fits(&text, 240);
    assert_eq!(text.lines().count(), 9);
}

#[test]
fn all_of_a_large_run_is_every_step() {
    let course = large();
    let text = drawn(&course, Extent::All, 240);
    fits(&text, 240);
    for at in [0, 1, 2, 4_999] {
        assert!(text.contains(course.steps[at].id.as_str()), "{at}");
    }
    let steps = text.lines().filter(|line| line.contains("+")).count();
    assert_eq!(steps, 5_000);
}
