use dvt_contracts::StepStatus;

use super::board::tint;
use super::scale::Bar;
use crate::console::{Paint, Tint};

/// The bars of one step, cell by cell.
#[derive(Debug)]
pub(super) struct Cells(Vec<Option<Cell>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    glyph: char,
    tint: Tint,
    /// Drawn over by anything.
    is_faint: bool,
    /// Not drawn over: in a single cell a failure is what one must see.
    is_failure: bool,
}

impl Cells {
    pub(super) fn new(columns: usize) -> Self {
        Self(vec![None; columns])
    }

    /// The time between the attempt before this one in the chain and this one.
    pub(super) fn wait(&mut self, bar: Bar) {
        let cell = Cell {
            glyph: '╌',
            tint: Tint::Dim,
            is_faint: true,
            is_failure: false,
        };
        let from = bar.column.min(self.0.len());
        let to = (bar.column + bar.length).min(self.0.len());
        self.0[from..to].fill(Some(cell));
    }

    /// An attempt. Where it begins in the column in which the one before it ended, that column stays, unless the attempt
    /// has no other.
    pub(super) fn draw(&mut self, status: StepStatus, bar: Bar) {
        let taken = |cell: &Option<Cell>| cell.is_some_and(|cell| !cell.is_faint);
        for (at, glyph) in (0..bar.length).zip(glyphs(status, bar.length)) {
            let Some(cell) = self.0.get_mut(bar.column + at) else {
                return;
            };
            let stays = cell.is_some_and(|cell| cell.is_failure) || bar.length > 1;
            if at == 0 && taken(cell) && stays {
                continue;
            }
            *cell = Some(Cell {
                glyph,
                tint: tint(status),
                is_faint: false,
                is_failure: status == StepStatus::Failed,
            });
        }
    }

    /// The cells as text, without blanks at the end.
    pub(super) fn painted(&self, paint: Paint) -> String {
        let tint_of = |cell: &Option<Cell>| cell.map(|cell| cell.tint);
        let end = self
            .0
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |at| at + 1);
        let mut text = String::new();
        for stretch in self.0[..end].chunk_by(|a, b| tint_of(a) == tint_of(b)) {
            let glyphs: String = stretch
                .iter()
                .map(|cell| cell.map_or(' ', |cell| cell.glyph))
                .collect();
            match stretch.first().and_then(tint_of) {
                Some(tint) => text += &paint.paint(tint, glyphs),
                None => text += &glyphs,
            }
        }
        text
    }
}

/// A bar that tells its status without colours: failed and running ones end in a sign.
fn glyphs(status: StepStatus, length: usize) -> impl Iterator<Item = char> {
    let (body, end) = match status {
        StepStatus::Completed => ('█', '█'),
        StepStatus::Failed => ('▓', '✗'),
        StepStatus::Skipped => ('·', '·'),
        StepStatus::Running => ('░', '▶'),
    };
    std::iter::repeat_n(body, length.saturating_sub(1)).chain([end])
}

#[cfg(test)]
mod tests {
    use StepStatus::{Completed, Failed, Running, Skipped};

    use super::*;
    use crate::console::Page;

    fn drawn(bars: &[(StepStatus, usize, usize)]) -> String {
        let mut cells = Cells::new(20);
        for (status, column, length) in bars {
            let (column, length) = (*column, *length);
            cells.draw(*status, Bar { column, length });
        }
        let (page, _) = Page::kept(false, 40);
        cells.painted(page.paint)
    }

    #[test]
    fn each_status_has_a_shape() {
        assert_eq!(
            drawn(&[
                (Failed, 0, 3),
                (Completed, 4, 3),
                (Skipped, 8, 1),
                (Running, 10, 4)
            ]),
            "▓▓✗ ███ · ░░░▶"
        );
    }

    #[test]
    fn attempts_that_touch_are_all_seen() {
        assert_eq!(
            drawn(&[(Failed, 0, 3), (Failed, 2, 3), (Completed, 4, 4)]),
            "▓▓✗▓✗███"
        );
        assert_eq!(drawn(&[(Failed, 1, 1), (Completed, 1, 1)]), " ✗");
        assert_eq!(drawn(&[(Skipped, 1, 1), (Completed, 1, 1)]), " █");
        assert_eq!(drawn(&[(Completed, 18, 9)]), "                  ██");
    }

    #[test]
    fn waiting_is_drawn_under_the_bars() {
        let mut cells = Cells::new(20);
        cells.wait(Bar {
            column: 1,
            length: 4,
        });
        cells.draw(
            Completed,
            Bar {
                column: 4,
                length: 2,
            },
        );
        cells.wait(Bar {
            column: 30,
            length: 4,
        });
        let (page, _) = Page::kept(false, 40);
        assert_eq!(cells.painted(page.paint), " ╌╌╌██");
    }
}
