use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Waits until the input ends, then kills every process that works in the folder, and removes it.
const GUARD: &str = r#"
echo ready
cat >/dev/null
cd /
for pass in 1 2 3; do
  for process in /proc/[0-9]*; do
    case "$(readlink "$process/cwd" 2>/dev/null)" in
      "$1" | "$1"/*) kill -KILL "${process#/proc/}" 2>/dev/null ;;
    esac
  done
  sleep 0.2
done
umount "$1/small" 2>/dev/null
if [ -e "$1/evidence/keep" ]; then
  for entry in "$1"/*; do
    [ "$entry" = "$1/evidence" ] || rm -rf "$entry"
  done
else
  rm -rf "$1"
fi
"#;

/// The folder of a campaign, with all that belongs to it.
///
/// A guard removes it, and ends every process that was started in it, as soon as this process ends, however it does.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    guard: Child,
}

impl Folder {
    /// Makes a new one among the temporary folders.
    pub(crate) async fn new(name: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!(
            "dvt-chaos-{name}-{}",
            uuid::Uuid::new_v4().simple()
        ));
        fs::create_dir(&path)?;
        // Links on the way would hide who works in it.
        let path = path.canonicalize()?;
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh"]).arg(&path).current_dir("/");
        // A ctrl-c at the terminal is for us; the guard sees that we are gone.
        guard
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut guard = guard.spawn()?;
        if let Some(output) = guard.stdout.take() {
            BufReader::new(output).lines().next_line().await?;
        }
        let folder = Self { path, guard };
        fs::create_dir(folder.evidence())?;
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What stays if something is found.
    pub(crate) fn evidence(&self) -> PathBuf {
        self.path.join("evidence")
    }

    /// Lets the evidence stay.
    pub(crate) fn keep(&self) -> io::Result<()> {
        fs::write(self.evidence().join("keep"), "")
    }

    /// Ends all that is left, and waits for it.
    pub(crate) async fn remove(mut self) -> io::Result<()> {
        drop(self.guard.stdin.take());
        self.guard.wait().await.map(drop)
    }
}
