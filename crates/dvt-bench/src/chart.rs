//! A chart for each group: its ratios as bars on a logarithmic scale, and a mark where each should reach.

use std::path::Path;

use plotters::prelude::*;

use crate::BoxError;
use crate::report::{Ratio, Report};

const WIDTH: u32 = 900;
const ROW: u32 = 36;

/// Writes `GROUP.svg` for each group into the folder, which is made if it is not there.
pub(crate) fn write(report: &Report, folder: &Path) -> Result<(), BoxError> {
    std::fs::create_dir_all(folder)?;
    for (group, ratios) in report.groups() {
        let file = folder.join(format!("{}.svg", group.replace(' ', "-")));
        draw(group, &ratios, &file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

fn draw(group: &str, ratios: &[&Ratio], file: &Path) -> Result<(), BoxError> {
    let height = 110 + ROW * u32::try_from(ratios.len())?;
    let area = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let values = ratios.iter().flat_map(|ratio| {
        let bar = ratio.bar.value().unwrap_or(1.0);
        [ratio.duel.ratio, bar]
    });
    let (least, most) = values.fold((0.5_f64, 2.0_f64), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    let rows = ratios.len();
    let title = format!("{group}: ours to the baseline (│ where it should be)");
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(330)
        .build_cartesian_2d((least * 0.8..most * 1.25).log_scale(), 0.0..rows as f64)?;
    let name = |row: &f64| {
        // The middle of a row has its name.
        let found = ratios.get(row.floor() as usize);
        found.map_or(String::new(), |ratio| ratio.key.to_owned())
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .y_labels(0)
        .x_labels(8)
        .draw()?;
    for (row, ratio) in ratios.iter().enumerate() {
        let (low, high) = (row as f64 + 0.2, row as f64 + 0.8);
        let value = ratio.duel.ratio;
        let bar = Rectangle::new([(1.0, low), (value, high)], BLUE.mix(0.5).filled());
        chart.draw_series([bar])?;
        if let Some(bar) = ratio.bar.value() {
            let mark = [(bar, low - 0.1), (bar, high + 0.1)];
            chart.draw_series([PathElement::new(mark, BLACK.stroke_width(2))])?;
        }
        let middle = chart.backend_coord(&(least * 0.8, row as f64 + 0.5));
        let style = ("sans-serif", 13).into_font().color(&BLACK);
        area.draw_text(&name(&(row as f64)), &style, (12, middle.1 - 7))?;
        let end = chart.backend_coord(&(value.max(1.0), row as f64 + 0.5));
        area.draw_text(&format!("{value:.2}"), &style, (end.0 + 5, end.1 - 7))?;
    }
    area.present()?;
    Ok(())
}
