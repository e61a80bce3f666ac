//! Runs the command the way a user does.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) use crate::ran::Ran;

/// The command with an environment of its own, and with a store that leaves nothing behind.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dvt"));
    command
        .args(args)
        .env_clear()
        .env("COLUMNS", "100")
        .env("DVT_STORE", "memory:")
        .stdin(Stdio::null());
    command
}

/// Runs the command.
pub(crate) fn dvt(args: &[&str]) -> Ran {
    command(args).output().unwrap().into()
}

/// The command in a folder of its own, where nothing names a store.
pub(crate) fn command_in(folder: &Path, args: &[&str]) -> Command {
    let mut command = command(args);
    command.current_dir(folder).env_remove("DVT_STORE");
    command
}

/// Runs the command there.
pub(crate) fn dvt_in(folder: &Path, args: &[&str]) -> Ran {
    command_in(folder, args).output().unwrap().into()
}

/// Runs the command with an input.
pub(crate) fn dvt_with(args: &[&str], input: &[u8]) -> Ran {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Beside, so that neither pipe can fill up and wait for the other. The command may not read everything.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let ran = child.wait_with_output().unwrap().into();
    writer.join().unwrap();
    ran
}

/// A line of the NDJSON format with a step and a key derived from it.
pub(crate) fn line(run: &str, event_type: &str, second: u32, more: &str) -> String {
    format!(
        r#"{{"tenant_id":"t","project_id":"shop","environment_id":"dev","run_id":"{run}","plan_id":"plan","plan_version":"1","event_type":"{event_type}","emitted_at":"2026-01-02T03:04:{second:02}Z"{more}}}"#
    ) + "\n"
}
