//! `dvt completions`, `dvt man` and `dvt reference`: the command line, told to others.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::args::{Args, CompletionsArgs, ENVIRONMENT, ManArgs};
use crate::console::{Console, Page};
use crate::failure::{EXIT_CODES, Exit, Failure};
use crate::whole_file;

/// Runs `dvt completions`.
pub(crate) fn completions(args: &CompletionsArgs, console: &mut Console) -> Result<Exit, Failure> {
    clap_complete::generate(args.shell, &mut Args::command(), "dvt", &mut console.out);
    Ok(Exit::Done)
}

/// Runs `dvt man`.
pub(crate) fn man(args: &ManArgs, console: &mut Console) -> Result<Exit, Failure> {
    let mut command = Args::command().disable_help_subcommand(true);
    // Gives each command the whole of its name.
    command.build();
    match &args.to {
        None => page("dvt", &command).render(&mut console.out)?,
        Some(folder) => pages(folder, "dvt", &command, console)?,
    }
    Ok(Exit::Done)
}

fn page(name: &str, command: &Command) -> Man {
    Man::new(command.clone()).title(name.to_uppercase())
}

/// Writes the page of a command and those of the commands below it.
fn pages(
    folder: &Path,
    name: &str,
    command: &Command,
    console: &mut Console,
) -> Result<(), Failure> {
    let path: PathBuf = folder.join(format!("{name}.1"));
    whole_file::write(&path, |file| page(name, command).render(file))?;
    writeln!(console.out, "{}", path.display())?;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
    {
        pages(
            folder,
            &format!("{name}-{}", below.get_name()),
            below,
            console,
        )?;
    }
    Ok(())
}

/// The width of the help in the reference, in columns.
const WIDTH: usize = 100;

/// Runs `dvt reference`.
pub(crate) fn reference(console: &mut Console) -> Result<Exit, Failure> {
    let out = &mut console.out;
    writeln!(
        out,
        "<!-- `cargo xtask fix` writes this file, from what the command says of itself. -->\n\n\
         # The dvt command\n\n\
         What `--help` tells of each command. How they behave is in [the command's README](../crates/dvt-cli/README.md).\n"
    )?;
    let mut command = Args::command()
        .disable_help_subcommand(true)
        .term_width(WIDTH);
    command.build();
    help(&mut command, out)?;
    writeln!(
        out,
        "## Environment and exit codes\n\n```text\n{ENVIRONMENT}\n{EXIT_CODES}\n```"
    )?;
    Ok(Exit::Done)
}

/// Writes the help of a command and those of the commands below it, without what they all say.
fn help(command: &mut Command, out: &mut Page) -> io::Result<()> {
    let name = command.get_bin_name().unwrap_or("dvt").to_owned();
    let text = command.render_long_help().to_string();
    let text = text.replace(EXIT_CODES, "").replace(ENVIRONMENT, "");
    writeln!(out, "## {name}\n\n```text")?;
    for line in text.trim_end().lines() {
        // Clap fills blank lines.
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "```\n")?;
    for below in command.get_subcommands_mut() {
        if !below.is_hide_set() {
            help(below, out)?;
        }
    }
    Ok(())
}
