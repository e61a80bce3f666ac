//! Asking a program that may be absent, or may never answer.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the program prints on its standard output, without blanks around it.
///
/// # Errors
///
/// A sentence, or the last line that it printed on its standard error, if it is absent, fails, or takes more than 20 seconds.
pub(super) fn ask(program: &str, args: &[&str]) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start `{program}`: {error}"))?;
    let deadline = Instant::now() + PATIENCE;
    // The answers asked for here are a line or two: no pipe fills up meanwhile.
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            _ => {
                drop(child.kill());
                drop(child.wait());
                return Err(format!(
                    "`{program}` does not answer within {} s",
                    PATIENCE.as_secs()
                ));
            }
        }
    };
    let text = |stream: Option<&mut dyn Read>| {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            drop(stream.read_to_end(&mut bytes));
        }
        String::from_utf8_lossy(&bytes).trim().to_owned()
    };
    if status.success() {
        return Ok(text(child.stdout.as_mut().map(|stream| stream as _)));
    }
    let fault = text(child.stderr.as_mut().map(|stream| stream as _));
    let last = fault.lines().rev().find(|line| !line.trim().is_empty());
    Err(last.map_or_else(|| format!("`{program}` fails: {status}"), str::to_owned))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn answers_and_faults_are_told_apart() {
        assert_eq!(ask("sh", &["-c", "echo 17"]), Ok("17".to_owned()));
        assert_eq!(
            ask("sh", &["-c", "echo no >&2; exit 1"]),
            Err("no".to_owned())
        );
        assert_eq!(
            ask("sh", &["-c", "exit 1"]),
            Err("`sh` fails: exit status: 1".to_owned())
        );
        let absent = ask("dvt-no-such-program", &[]).unwrap_err();
        assert!(
            absent.starts_with("cannot start `dvt-no-such-program`: "),
            "{absent}"
        );
    }
}
