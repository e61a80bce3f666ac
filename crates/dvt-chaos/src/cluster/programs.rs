use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::BoxError;

/// PostgreSQL's programs, and who may run them: not root.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    folder: PathBuf,
    /// The numbers of a user and its group, if we are root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Those in the folder that `DVT_PG_BIN` names.
    pub(crate) fn find() -> Result<Self, BoxError> {
        let folder = std::env::var_os("DVT_PG_BIN").map(PathBuf::from);
        let folder = folder
            .ok_or("DVT_PG_BIN is not set: expected the folder of initdb, pg_ctl and postgres")?;
        let user = match rustix::process::geteuid().is_root() {
            true => Some(somebody()?),
            false => None,
        };
        Ok(Self { folder, user })
    }

    /// A call of one of them.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, program: &str, args: &[&str]) -> Result<(), BoxError> {
        // A server keeps its output open: nobody is to wait for the end of that.
        let mut command = self.command(program);
        command
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = command.status().await?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("{program} failed: {status}").into()),
        }
    }

    /// Makes a folder that belongs to the user who runs the programs.
    pub(crate) fn make_folder(&self, path: &Path) -> Result<(), BoxError> {
        fs::create_dir_all(path)?;
        self.own(path)
    }

    pub(crate) fn own(&self, path: &Path) -> Result<(), BoxError> {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group))?;
        }
        Ok(())
    }
}

/// A user who is not root, as the list of users has it.
fn somebody() -> Result<(u32, u32), BoxError> {
    let users = fs::read_to_string("/etc/passwd")?;
    for name in ["postgres", "nobody"] {
        let found = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let is_it = fields.next() == Some(name);
            let user = fields.nth(1)?.parse().ok()?;
            let group = fields.next()?.parse().ok()?;
            is_it.then_some((user, group))
        });
        if let Some(ids) = found {
            return Ok(ids);
        }
    }
    Err("PostgreSQL refuses to run as root, and there is no user postgres or nobody".into())
}
