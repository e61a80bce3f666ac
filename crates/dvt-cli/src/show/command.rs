use std::io::Write as _;

use dvt_contracts::{RunKey, Store};

use super::object::ShownRun;
use super::svg::Svg;
use super::{Detail, Extent, read, write};
use crate::args::ShowArgs;
use crate::console::Console;
use crate::failure::{Exit, Failure};
use crate::{store, text, whole_file};

/// Runs `dvt show`.
pub(crate) async fn command(args: &ShowArgs, console: &mut Console) -> Result<Exit, Failure> {
    let store = store::open_kept(&args.store).await?;
    show(&*store, args, console).await
}

async fn show(store: &dyn Store, args: &ShowArgs, console: &mut Console) -> Result<Exit, Failure> {
    let run = RunKey::new(args.tenant.clone(), args.run.clone());
    let reading = read(store, &run).await.map_err(Failure::of_named_run)?;
    let extent = match args.all {
        true => Extent::All,
        false => args.top.map_or_else(Extent::default, Extent::Top),
    };
    if let Some(path) = &args.svg {
        whole_file::write(path, |file| Svg::new(&reading, extent).write(file))?;
    }
    if args.json {
        console.out.write_json(&ShownRun::from(reading))?;
        return Ok(Exit::Done);
    }
    write(&reading, Detail::Full, extent, &mut console.out)?;
    if reading.record.pruned_at.is_some() {
        console.out.flush()?;
        let gone = text::counted(reading.record.head, "event");
        writeln!(
            console.err,
            "the run was pruned: its {gone} are gone, this is what is left"
        )?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
