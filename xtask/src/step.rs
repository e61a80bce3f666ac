//! One call of cargo.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::server::Url;
use crate::workspace::Workspace;

/// A call of cargo, told to the reader in the words that he would type himself.
#[derive(Debug)]
pub(crate) struct Step {
    args: Vec<OsString>,
    /// What comes after `--`, for the tool behind cargo.
    rest: Vec<OsString>,
    envs: Vec<Variable>,
    quiet: bool,
}

/// An environment variable of a step.
#[derive(Debug)]
enum Variable {
    /// Its value may be told.
    Plain(&'static str, String),
    /// Its value may hold a password.
    Url(&'static str, Url),
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

    /// Adds arguments for the tool behind cargo as they are.
    pub(crate) fn rest_args<T: Into<OsString>>(
        mut self,
        args: impl IntoIterator<Item = T>,
    ) -> Self {
        self.rest.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable; the last of several values counts.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.envs
            .retain(|variable| !matches!(variable, Variable::Plain(known, _) if *known == name));
        self.envs.push(Variable::Plain(name, value.into()));
        self
    }

    /// Sets an environment variable to a URL, of which the password is never told.
    pub(crate) fn env_url(mut self, name: &'static str, url: &Url) -> Self {
        self.envs.push(Variable::Url(name, url.clone()));
        self
    }

    /// Throws the standard output away; errors are still shown.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// The step as one would type it.
    pub(crate) fn name(&self) -> String {
        let mut name = String::new();
        for variable in &self.envs {
            let (key, value) = match variable {
                Variable::Plain(key, value) => (key, value.clone()),
                Variable::Url(key, url) => (key, url.to_string()),
            };
            name.push_str(&format!("{key}={} ", quoted(&value)));
        }
        name.push_str("cargo");
        for arg in self.all_args() {
            name.push(' ');
            name.push_str(&quoted(&arg.to_string_lossy()));
        }
        name
    }

    /// Says what it does, does it in the root, and tells whether it succeeded.
    pub(crate) fn run(&self, workspace: &Workspace) -> bool {
        println!("→ {}", self.name());
        self.silent_run(workspace) == 0
    }

    /// Does it in the root without a word about it, and returns the exit code; 1 if there is none.
    pub(crate) fn silent_run(&self, workspace: &Workspace) -> u8 {
        let mut command = self.command(workspace);
        if self.quiet {
            command.stdout(Stdio::null());
        }
        match command.status() {
            Ok(status) => status
                .code()
                .and_then(|code| u8::try_from(code).ok())
                .unwrap_or(1),
            Err(error) => {
                eprintln!("cannot start cargo: {error}");
                1
            }
        }
    }

    /// Does it in the root without a word about it, and returns what it printed if it succeeded.
    pub(crate) fn output(&self, workspace: &Workspace) -> Option<String> {
        let output = self.command(workspace).stderr(Stdio::inherit()).output();
        let output = output
            .map_err(|error| eprintln!("cannot start cargo: {error}"))
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The call, without input.
    pub(crate) fn command(&self, workspace: &Workspace) -> Command {
        // The cargo that runs us, so that `cargo +toolchain xtask …` means that toolchain throughout.
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(self.all_args())
            .current_dir(workspace.root())
            .stdin(Stdio::null());
        // What `cargo run` says of us. Build scripts ask for it (that of ring does), and would run again, with all that is built
        // upon them, whenever `cargo xtask test` follows `cargo test`.
        for (name, _) in env::vars_os() {
            let known = name.to_string_lossy();
            if known.starts_with("CARGO_PKG_") || known.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        for variable in &self.envs {
            match variable {
                Variable::Plain(name, value) => command.env(name, value),
                Variable::Url(name, url) => command.env(name, url.exposed()),
            };
        }
        command
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
            .env("RUSTDOCFLAGS", "-A warnings")
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            step.name(),
            "RUSTDOCFLAGS='-D warnings' cargo clippy --all-targets --manifest-path examples/a/Cargo.toml --locked \
             -- -D warnings"
        );
    }

    #[test]
    fn a_step_does_not_tell_a_password() {
        let url = Url::new("postgresql://dvt:secret@h/d");
        let step = Step::cargo("test").env_url("DATABASE_URL", &url);
        assert_eq!(step.name(), "DATABASE_URL=postgresql://dvt@h/d cargo test");
        assert!(!format!("{step:?}").contains("secret"));
    }
}
