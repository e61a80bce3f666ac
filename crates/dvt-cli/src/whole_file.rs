//! Files that are there whole, or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Writes a file beside the one that is meant, and puts it in its place when it is complete. Whatever fails, what was
/// there before stays.
pub(crate) fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    replace(path, content).map_err(|error| {
        let name = path.display();
        Failure::Output(io::Error::other(format!("{name}: {error}")))
    })
}

fn replace(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    // A link stays a link: what it names is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other(
            "found something that is not a file: name a file, or one that is not there yet",
        ));
    }
    let Some(name) = target.file_name() else {
        return Err(io::Error::other("found no name of a file: name one"));
    };
    let mut draft_name = OsString::from(".");
    draft_name.push(name);
    draft_name.push(format!(".{}.part", std::process::id()));
    let draft = Draft(target.with_file_name(draft_name));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&draft.0)?;
    let mut writer = BufWriter::new(file);
    content(&mut writer)?;
    // Else a crash of the machine could leave the new name on nothing.
    writer.into_inner()?.sync_all()?;
    fs::rename(&draft.0, &target)
}

/// A file that is taken away, if it is still there in the end.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let path = folder.join("run.svg");
        fs::write(&path, "old").unwrap();

        let failed = write(&path, |file| {
            file.write_all(b"half")?;
            file.flush()?;
            Err(io::Error::other("disk full"))
        });

        let words = failed.unwrap_err().to_string();
        assert!(words.starts_with("cannot write the output: "), "{words}");
        assert!(words.ends_with("run.svg: disk full"), "{words}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder), ["run.svg"]);
        write(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder), ["run.svg"]);
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let refused = write(folder, |file| file.write_all(b"new")).unwrap_err();
        assert!(refused.to_string().contains("is not a file"), "{refused}");
        assert_eq!(refused.exit().code(), 5);
        let nowhere = write(&folder.join("no/such/run.svg"), |file| {
            file.write_all(b"new")
        });
        assert!(nowhere.is_err());
        assert_eq!(names(folder), Vec::<OsString>::new());
    }
}
