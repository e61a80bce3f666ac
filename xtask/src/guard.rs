//! Something that must be undone, however we end.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A process that undoes what it did as soon as its standard input ends.
///
/// The input is a pipe that only we hold, so it ends when this is dropped and also when we are killed. The process has a
/// group of its own: a ctrl-c at the terminal ends us, and by that its input, instead of the process itself.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    input: Option<ChildStdin>,
}

impl Guard {
    /// Starts the process and waits until it says in one line that it is ready.
    ///
    /// # Errors
    ///
    /// A sentence if it cannot be started or ends without a word; why it ended stands on standard error by then.
    pub(crate) fn start(command: &mut Command) -> Result<(Self, String), String> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start `{program}`: {error}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take();
        let guard = Self { child, input };

        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output)
                .read_line(&mut line)
                .map_err(|error| format!("cannot read from `{program}`: {error}"))?;
        }
        if line.ends_with('\n') {
            return Ok((guard, line.trim_end().to_owned()));
        }
        Err(format!("`{program}` ended before it was ready"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.input.take());
        // Nothing can be done about a process that cannot be waited for.
        drop(self.child.wait());
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn dropping_it_waits_until_all_is_undone() {
        let scratch = Scratch::with(&[("done", "")]);
        let file = scratch.root().join("done");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "echo ready; cat; rm \"$1\"", "sh"])
            .arg(&file);

        let (guard, line) = Guard::start(&mut shell).unwrap();
        assert_eq!(line, "ready");
        assert!(file.exists());

        drop(guard);
        assert!(!file.exists());
    }

    #[test]
    fn a_process_that_never_gets_ready_is_an_error() {
        let ended = Guard::start(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(ended, "`sh` ended before it was ready");
        let absent = Guard::start(&mut Command::new("dvt-no-such-program")).unwrap_err();
        assert!(
            absent.starts_with("cannot start `dvt-no-such-program`: "),
            "{absent}"
        );
    }
}
