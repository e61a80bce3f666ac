use super::course::Course;
use super::groups::Group;
use super::scale::Scale;

/// How much a group had to do in each column of the axis: the microseconds that its attempts took there.
#[derive(Debug)]
pub(super) struct Load(Vec<u128>);

const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Load {
    pub(super) fn of(group: &Group, course: &Course, scale: Scale) -> Self {
        let mut load = vec![0; scale.columns()];
        for step in &group.steps {
            for row in course.rows_of(&course.steps[*step]) {
                let bar = scale.bar(row.started_at, row.ended_at);
                for column in bar.column..bar.column + bar.length {
                    let span = scale.span_of(column);
                    let start = span.start.max(row.started_at);
                    let end = span.end.min(row.ended_at);
                    if let Some(load) = load.get_mut(column) {
                        // What took no time was there, too.
                        *load += end.saturating_since(start).as_micros().max(1);
                    }
                }
            }
        }
        Self(load)
    }

    /// The load of its busiest column.
    pub(super) fn most(&self) -> u128 {
        self.0.iter().copied().max().unwrap_or(0)
    }

    /// The loads of the columns as parts of `most`.
    pub(super) fn parts(&self, most: u128) -> impl Iterator<Item = f64> {
        let most = most.max(1) as f64;
        self.0.iter().map(move |load| *load as f64 / most)
    }

    /// One glyph per column; only a column without any load is blank.
    pub(super) fn drawn(&self, most: u128) -> String {
        let most = most.max(1);
        let steps = HEIGHTS.len() as u128;
        let glyph = |load: &u128| {
            let height = (load * steps).div_ceil(most);
            let height = usize::try_from(height).unwrap_or(HEIGHTS.len());
            match height.min(HEIGHTS.len()).checked_sub(1) {
                Some(at) => HEIGHTS[at],
                None => ' ',
            }
        };
        self.0.iter().map(glyph).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::groups::groups;
    use super::super::sample::course;
    use super::*;

    #[test]
    fn columns_are_as_high_as_their_work() {
        let events = [
            ("StepStarted", "a".to_owned(), 1, 0),
            ("StepStarted", "b".to_owned(), 1, 500),
            ("StepCompleted", "a".to_owned(), 1, 1_000),
            ("StepCompleted", "b".to_owned(), 1, 2_000),
            ("StepCompleted", "c".to_owned(), 1, 4_000),
        ];
        let course = course(&events);
        let load = Load::of(&groups(&course)[0], &course, Scale::new(course.span, 4));
        assert_eq!(load.most(), 1_500);
        assert_eq!(load.drawn(1_500), "█▆ ▁");
        assert_eq!(load.drawn(12_000), "▁▁ ▁");
    }
}
