use std::io::{self, Write};

use super::super::groups::Group;
use super::super::load::Load;
use super::super::scale::Scale;
use super::escaped::Escaped;
use super::{EDGE, LINE, PLOT, PLOT_WIDTH, Svg, TIME_END, WIDTH};
use crate::text;

const GROUP: usize = 62;
const LOAD: usize = 50;
/// The columns in which the load of a group is told.
const COLUMNS: usize = 240;

impl Svg<'_> {
    /// All groups, with what was going on in each of them.
    pub(super) fn groups(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let title = "all steps, in groups: the higher, the more was going on";
        let count = self.selection.groups.len();
        self.axis(out, title, count * GROUP)?;
        let scale = Scale::new(self.course.span, COLUMNS);
        let groups = &self.selection.groups;
        let loads: Vec<Load> = groups
            .iter()
            .map(|group| Load::of(group, self.course, scale))
            .collect();
        let most = loads.iter().map(Load::most).max().unwrap_or(0);
        for (group, load) in groups.iter().zip(&loads) {
            self.group(out, group, load, most)?;
            self.y += GROUP;
        }
        self.y += LINE;
        Ok(())
    }

    fn group(&self, out: &mut Vec<u8>, group: &Group, load: &Load, most: u128) -> io::Result<()> {
        let y = self.y;
        let (total, longest) = (text::duration(group.total), text::duration(group.longest));
        let steps = text::counted(group.steps.len() as u64, "step");
        let counts = group.counts(self.course);
        let times = format!("total {total}, longest {longest}");
        writeln!(
            out,
            r#"<g class="row"><title>{}</title><rect class="hit" x="{EDGE}" y="{y}" width="{}" height="{GROUP}"/>"#,
            Escaped(format!("{}\n{steps}: {counts}\n{times}", group.name)),
            WIDTH - 2 * EDGE,
        )?;
        writeln!(
            out,
            r#"<text class="name" x="{EDGE}" y="{}">{}</text><text class="end" x="{TIME_END}" y="{0}">{}</text>"#,
            y + 17,
            Escaped(text::shortened(&group.name, 42)),
            text::shortened(&steps, 14),
        )?;
        for (line, words) in (1..).zip([counts, times]) {
            writeln!(
                out,
                r#"<text class="dim" x="{EDGE}" y="{}">{}</text>"#,
                y + 17 + line * LINE,
                text::shortened(&words, 57),
            )?;
        }
        let area = self.area(load, most);
        writeln!(out, r#"<path class="load" d="{area}"/></g>"#)
    }

    /// The outline of a load: what is there at all is seen.
    fn area(&self, load: &Load, most: u128) -> String {
        let base = self.y + GROUP - 4;
        let mut path = format!("M{PLOT} {base}");
        let mut last = 0;
        for (at, part) in load.parts(most).enumerate() {
            let height = match part > 0.0 {
                true => (part * LOAD as f64).round().max(1.0) as usize,
                false => 0,
            };
            if height != last {
                let x = PLOT as f64 + (PLOT_WIDTH * at) as f64 / COLUMNS as f64;
                path += &format!("H{x:.1}V{}", base - height);
                last = height;
            }
        }
        path + &format!("H{}V{base}Z", PLOT + PLOT_WIDTH)
    }
}
