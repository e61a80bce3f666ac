//! Who runs a server: not root, which PostgreSQL refuses.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::ask::ask;

/// Users that a machine with PostgreSQL, or any machine, has.
const USERS: [&str; 2] = ["postgres", "nobody"];

/// A user to run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// We are not root.
    Ourselves,
    /// We are, and run as this one.
    Other {
        /// The name.
        name: &'static str,
        /// The numbers of the user and of the user's group.
        ids: (u32, u32),
        /// Whether `setpriv` is there; else it is `runuser`.
        setpriv: bool,
    },
}

impl User {
    /// Finds out.
    ///
    /// # Errors
    ///
    /// A sentence if we are root and cannot be somebody else.
    pub(super) fn find() -> Result<Self, String> {
        if id("-u", None)? != 0 {
            return Ok(Self::Ourselves);
        }
        let known = USERS.into_iter().find_map(|name| {
            let ids = (id("-u", Some(name)).ok()?, id("-g", Some(name)).ok()?);
            Some((name, ids))
        });
        let (name, ids) = known
            .ok_or("PostgreSQL refuses to run as root, and there is no user postgres or nobody")?;
        let setpriv = ask("setpriv", &["--version"]).is_ok();
        if !setpriv && ask("runuser", &["--version"]).is_err() {
            return Err(format!(
                "PostgreSQL refuses to run as root; to run it as {name}, install setpriv or runuser (util-linux)"
            ));
        }
        Ok(Self::Other { name, ids, setpriv })
    }

    /// A call of `sh` as this user.
    pub(super) fn shell(&self) -> Command {
        let words = self.words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    fn words(&self) -> Vec<OsString> {
        let words = match self {
            Self::Ourselves => vec!["sh".to_owned()],
            Self::Other {
                ids: (user, group),
                setpriv: true,
                ..
            } => vec![
                "setpriv".to_owned(),
                format!("--reuid={user}"),
                format!("--regid={group}"),
                "--clear-groups".to_owned(),
                "sh".to_owned(),
            ],
            Self::Other {
                name,
                setpriv: false,
                ..
            } => ["runuser", "-u", name, "--", "sh"]
                .map(str::to_owned)
                .to_vec(),
        };
        words.into_iter().map(OsString::from).collect()
    }

    /// Gives the directory to this user, and to nobody else.
    ///
    /// # Errors
    ///
    /// A sentence if the system does not let us.
    #[cfg(unix)]
    pub(super) fn own(&self, dir: &Path) -> Result<(), String> {
        use std::os::unix::fs::{PermissionsExt, chown};

        let private = std::fs::Permissions::from_mode(0o700);
        let mut owned = std::fs::set_permissions(dir, private);
        if let Self::Other {
            ids: (user, group), ..
        } = self
        {
            owned = owned.and_then(|()| chown(dir, Some(*user), Some(*group)));
        }
        owned.map_err(|error| format!("cannot make {} a server's own: {error}", dir.display()))
    }

    /// Other systems keep temporary directories private by themselves.
    #[cfg(not(unix))]
    pub(super) fn own(&self, _: &Path) -> Result<(), String> {
        Ok(())
    }
}

/// A number that `id` tells.
fn id(option: &str, user: Option<&str>) -> Result<u32, String> {
    let mut args = vec![option];
    args.extend(user);
    let number = ask("id", &args)?;
    number
        .parse()
        .map_err(|_| format!("expected a number from `id`, found `{number}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(user: &User) -> String {
        let words = user.words();
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn root_becomes_somebody_else() {
        let other = |setpriv| User::Other {
            name: "postgres",
            ids: (101, 104),
            setpriv,
        };
        assert_eq!(typed(&User::Ourselves), "sh");
        assert_eq!(
            typed(&other(true)),
            "setpriv --reuid=101 --regid=104 --clear-groups sh"
        );
        assert_eq!(typed(&other(false)), "runuser -u postgres -- sh");
    }
}
