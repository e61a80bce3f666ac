//! Rows for a person who looks, or for a program that reads.

use std::io::{self, Write as _};

use dvt_contracts::Timestamp;

use crate::console::{Page, Tint};
use crate::text;

/// A listing that is written in pieces: on a terminal a table, otherwise lines of values separated by tabs.
#[derive(Debug)]
pub(crate) struct Listing<const N: usize> {
    columns: [Column; N],
    /// The width of each column in the table; `None` for one that does not fit.
    widths: Option<[Option<usize>; N]>,
}

/// A column of a listing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// What the table calls it.
    pub(crate) title: &'static str,
    /// Whether it holds numbers.
    pub(crate) is_number: bool,
    /// The table does without it only after all columns to its right. Otherwise it is shortened.
    pub(crate) is_needed: bool,
}

/// A value in a listing.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    /// What a table shows instead.
    short: Option<String>,
    tint: Option<Tint>,
}

impl Cell {
    /// A value in a colour.
    pub(crate) fn tinted(tint: Tint, text: impl ToString) -> Self {
        Self {
            tint: Some(tint),
            ..Self::from(text)
        }
    }

    /// A moment, which a table shows to the second.
    pub(crate) fn moment(at: Timestamp) -> Self {
        let text = at.to_string();
        let second = text.split_once('.').map(|(second, _)| format!("{second}Z"));
        Self {
            short: second,
            ..Self::from(text)
        }
    }

    /// A value of which a table shows something shorter.
    pub(crate) fn shortly(short: impl ToString, text: impl ToString) -> Self {
        Self {
            short: Some(short.to_string()),
            ..Self::from(text)
        }
    }

    fn shown(&self) -> &str {
        self.short.as_deref().unwrap_or(&self.text)
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(value: T) -> Self {
        Self {
            text: value.to_string(),
            short: None,
            tint: None,
        }
    }
}

impl Column {
    /// A column of texts that a table can do without.
    pub(crate) const fn text(title: &'static str) -> Self {
        Self {
            title,
            is_number: false,
            is_needed: false,
        }
    }

    /// A column of numbers that a table can do without.
    pub(crate) const fn number(title: &'static str) -> Self {
        Self {
            is_number: true,
            ..Self::text(title)
        }
    }

    /// The same column in every table, however narrow.
    pub(crate) const fn needed(self) -> Self {
        Self {
            is_needed: true,
            ..self
        }
    }
}

const GAP: &str = "  ";
/// No value takes more columns of a table than this, unless some are left when all that fit beside it have theirs.
const WIDEST: usize = 40;
/// No needed column is shortened to less than this.
const NARROWEST: usize = 4;

impl<const N: usize> Listing<N> {
    /// A listing without rows yet. Columns come in the order of their importance.
    pub(crate) fn new(columns: [Column; N]) -> Self {
        Self {
            columns,
            widths: None,
        }
    }

    /// Writes some more rows. The first ones decide how wide the columns of the table are.
    pub(crate) fn write(&mut self, rows: &[[Cell; N]], page: &mut Page) -> io::Result<()> {
        if !page.is_terminal {
            return rows.iter().try_for_each(|row| separated(row, page));
        }
        let widths = match self.widths {
            Some(widths) => widths,
            None => {
                let widths = self.layout(rows, page.width);
                self.widths = Some(widths);
                let titles = self.columns.map(|column| Cell::from(column.title));
                let titles = self.line(&titles, &widths, |_, text| text);
                writeln!(page, "{}", page.paint.paint(Tint::Dim, titles.trim_end()))?;
                widths
            }
        };
        for row in rows {
            let paint = page.paint;
            let line = self.line(row, &widths, |cell, text| match cell.tint {
                Some(tint) => paint.paint(tint, text),
                None => text,
            });
            writeln!(page, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Names the columns that the table does without, if there are any.
    pub(crate) fn tell_left_out(&self, page: &mut Page) -> io::Result<()> {
        let titles = self.left_out();
        if titles.is_empty() {
            return Ok(());
        }
        writeln!(page, "too narrow for: {}", titles.join(", "))
    }

    fn left_out(&self) -> Vec<&'static str> {
        let Some(widths) = &self.widths else {
            return Vec::new();
        };
        let columns = self.columns.iter().zip(widths);
        columns
            .filter(|(_, width)| width.is_none())
            .map(|(column, _)| column.title)
            .collect()
    }

    fn layout(&self, rows: &[[Cell; N]], room: usize) -> [Option<usize>; N] {
        let mut whole = self.columns.map(|column| text::columns(column.title));
        for row in rows {
            for (width, cell) in whole.iter_mut().zip(row) {
                *width = text::columns(cell.shown()).max(*width);
            }
        }
        let natural = whole.map(|width| width.min(WIDEST));
        let mut widths = [None; N];
        let mut used = 0;
        for (at, column) in self.columns.iter().enumerate() {
            if column.is_needed {
                widths[at] = Some(natural[at]);
                used += natural[at] + GAP.len();
            }
        }
        // The widest of the needed columns gives way first.
        while used > room + GAP.len() {
            let Some(widest) = widths.iter_mut().flatten().max() else {
                break;
            };
            if *widest <= NARROWEST {
                break;
            }
            *widest -= 1;
            used -= 1;
        }
        for (at, column) in self.columns.iter().enumerate() {
            if column.is_needed {
                continue;
            }
            if used + natural[at] > room {
                break;
            }
            widths[at] = Some(natural[at]);
            used += natural[at] + GAP.len();
        }
        let mut spare = (room + GAP.len()).saturating_sub(used);
        for (width, whole) in widths.iter_mut().zip(whole) {
            if let Some(width) = width {
                let more = whole.saturating_sub(*width).min(spare);
                *width += more;
                spare -= more;
            }
        }
        widths
    }

    fn line(
        &self,
        row: &[Cell; N],
        widths: &[Option<usize>; N],
        paint: impl Fn(&Cell, String) -> String,
    ) -> String {
        let mut line = String::new();
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            let Some(width) = *width else { continue };
            let text = text::fitted(cell.shown(), width);
            let text = match column.is_number {
                true => format!("{:>width$}", text.trim_end()),
                false => text,
            };
            line.push_str(&paint(cell, text));
            line.push_str(GAP);
        }
        line
    }
}

/// One row as a line. Only JSON between its values can hold a tab or a line break, and there a blank means the same.
fn separated<const N: usize>(row: &[Cell; N], page: &mut Page) -> io::Result<()> {
    for (at, cell) in row.iter().enumerate() {
        if at > 0 {
            page.write_all(b"\t")?;
        }
        let clean = cell.text.replace(['\t', '\n', '\r'], " ");
        page.write_all(clean.as_bytes())?;
    }
    page.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::text("name").needed(),
        Column::number("size").needed(),
        Column::text("first"),
        Column::text("second"),
    ];

    fn rows(name: &str, second: &str) -> [[Cell; 4]; 2] {
        [
            [name.into(), 7.into(), "a".into(), second.into()],
            ["b".into(), 1_234.into(), "".into(), "c\td".into()],
        ]
    }

    fn written(is_terminal: bool, width: usize, rows: &[[Cell; 4]]) -> (String, Vec<&'static str>) {
        let (mut page, shown) = Page::kept(is_terminal, width);
        let mut listing = Listing::new(COLUMNS);
        listing.write(rows, &mut page).unwrap();
        (shown.text(), listing.left_out())
    }

    #[test]
    fn programs_get_all_values_and_no_titles() {
        let (lines, left_out) = written(false, 10, &rows("a name", "second"));
        assert_eq!(lines, "a name\t7\ta\tsecond\nb\t1234\t\tc d\n");
        assert!(left_out.is_empty());
    }

    #[test]
    fn a_table_has_the_columns_that_fit() {
        let (table, left_out) = written(true, 40, &rows("a name", "second"));
        assert_eq!(
            table,
            "name    size  first  second\na name     7  a      second\nb       1234         c\u{fffd}d\n"
        );
        assert!(left_out.is_empty());

        let (table, left_out) = written(true, 24, &rows("a name", "second"));
        assert_eq!(
            table,
            "name    size  first\na name     7  a\nb       1234\n"
        );
        assert_eq!(left_out, ["second"]);
    }

    #[test]
    fn a_long_value_gets_the_room_that_nothing_else_needs() {
        let long = "x".repeat(60);
        let (table, _) = written(true, 70, &rows("a name", &long));
        let cells = table.lines().nth(1).unwrap().split_whitespace();
        assert_eq!(table.lines().nth(1).unwrap().chars().count(), 70);
        assert_eq!(cells.last().unwrap().chars().count(), 70 - 21);
    }

    #[test]
    fn a_needed_column_is_shortened_before_it_goes() {
        let (table, left_out) = written(true, 15, &rows("a very long name", "second"));
        assert_eq!(table, "name       size\na ve…name     7\nb          1234\n");
        assert_eq!(left_out, ["first", "second"]);
    }
}
