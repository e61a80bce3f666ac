//! One call of cargo.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::workspace::Workspace;

/// A call of cargo, told to the reader in the words that he would type himself.
#[derive(Debug)]
pub(crate) struct Step {
    args: Vec<OsString>,
    /// What comes after `--`, for the tool behind cargo.
    rest: Vec<OsString>,
    envs: Vec<(&'static str, &'static str)>,
    quiet: bool,
}

impl Step {
    /// `cargo` with these arguments, parted by blanks.
    pub(crate) fn cargo(args: &str) -> Self {
        Self {
            args: args.split_whitespace().map(OsString::from).collect(),
            rest: Vec::new(),
            envs: Vec::new(),
            quiet: false,
        }
    }

    /// The same in another workspace, given by its directory relative to our root.
    pub(crate) fn within(mut self, dir: &Path) -> Self {
        self.args.push("--manifest-path".into());
        self.args.push(dir.join("Cargo.toml").into());
        self
    }

    /// Builds in this target directory.
    pub(crate) fn target_dir(mut self, workspace: &Workspace) -> Self {
        let dir = workspace.examples_target();
        // Relative where it can be: the line is for reading.
        let dir = dir.strip_prefix(workspace.root()).unwrap_or(&dir);
        self.args.push("--target-dir".into());
        self.args.push(dir.into());
        self
    }

    /// Refuses to change the lock file if the workspace says so.
    pub(crate) fn lock(self, workspace: &Workspace) -> Self {
        if workspace.locked() {
            self.locked()
        } else {
            self
        }
    }

    /// Refuses to change the lock file.
    pub(crate) fn locked(mut self) -> Self {
        self.args.push("--locked".into());
        self
    }

    /// Adds arguments for the tool behind cargo.
    pub(crate) fn rest(mut self, args: &str) -> Self {
        self.rest
            .extend(args.split_whitespace().map(OsString::from));
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.envs.push((name, value));
        self
    }

    /// Throws the standard output away; errors are still shown.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The step as one would type it.
    pub(crate) fn name(&self) -> String {
        let envs = self
            .envs
            .iter()
            .map(|(name, value)| format!("{name}={} ", quoted(value)));
        let mut name = envs.collect::<String>() + "cargo";
        for arg in self.all_args() {
            name.push(' ');
            name.push_str(&quoted(&arg.to_string_lossy()));
        }
        name
    }

    /// Says what it does, does it in the root, and tells whether it succeeded.
    pub(crate) fn run(&self, workspace: &Workspace) -> bool {
        println!("→ {}", self.name());
        // The cargo that runs us, so that `cargo +toolchain xtask …` means that toolchain throughout.
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(self.all_args())
            .envs(self.envs.iter().copied())
            .current_dir(workspace.root())
            .stdin(Stdio::null());
        if self.quiet {
            command.stdout(Stdio::null());
        }
        match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                eprintln!("cannot start cargo: {error}");
                false
            }
        }
    }

    fn all_args(&self) -> Vec<OsString> {
        let mut all = self.args.clone();
        if !self.rest.is_empty() {
            all.push("--".into());
            all.extend(self.rest.iter().cloned());
        }
        all
    }
}

/// An argument as a shell wants it.
fn quoted(arg: &str) -> String {
    if arg.contains(' ') {
        format!("'{arg}'")
    } else {
        arg.to_owned()
    }
}

/// A span of time for a summary line.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_as_one_would_type_it() {
        let step = Step::cargo("clippy --all-targets")
            .within(Path::new("examples/a"))
            .locked()
            .rest("-D warnings")
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            step.name(),
            "RUSTDOCFLAGS='-D warnings' cargo clippy --all-targets --manifest-path examples/a/Cargo.toml --locked \
             -- -D warnings"
        );
    }
}
