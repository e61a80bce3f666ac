//! The commands that print what is made from the command line itself.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap_complete::Shell;

use crate::failure::EXIT_CODES;

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  dvt completions bash > ~/.local/share/bash-completion/completions/dvt
  dvt completions zsh > ~/.zfunc/_dvt
  dvt completions fish > ~/.config/fish/completions/dvt.fish
";

/// `dvt completions`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{COMPLETIONS_EXAMPLES}\n{EXIT_CODES}"))]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

const MAN_EXAMPLES: &str = "\
Examples:
  dvt man | man -l -
  dvt man --to ~/.local/share/man/man1
";

/// `dvt man`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_help = format!("{MAN_EXAMPLES}\n{EXIT_CODES}"))]
pub(crate) struct ManArgs {
    /// Write the pages of all commands into this folder, which must be there, and print their names.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: Option<PathBuf>,
}
