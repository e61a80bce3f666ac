//! The file before SQLite sees it.

use std::io;
use std::path::{Path, PathBuf};

use crate::fault::Fault;

/// What tells a file from another one that is put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    #[cfg(unix)]
    device: u64,
    #[cfg(unix)]
    inode: u64,
}

/// Which file is there, if any; one without content is none yet.
pub(crate) fn identity(file: &Path) -> Result<Option<Identity>, Fault> {
    match std::fs::metadata(file) {
        Ok(metadata) if metadata.is_dir() => Err(Fault::Foreign {
            file: file.to_owned(),
            found: "it is a folder".to_owned(),
        }),
        Ok(metadata) if metadata.len() == 0 => Ok(None),
        Ok(metadata) => Ok(Some(Identity::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Fault::Unseen {
            file: file.to_owned(),
            source,
        }),
    }
}

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    #[cfg(not(unix))]
    fn of(_: &std::fs::Metadata) -> Self {
        Self {}
    }
}

/// Refuses a folder of the network: WAL needs memory that all users of the file share.
pub(crate) fn check_folder(file: &Path) -> Result<(), Fault> {
    match network_kind(&folder(file)) {
        Some(kind) => Err(Fault::NetworkFolder {
            file: file.to_owned(),
            kind,
        }),
        None => Ok(()),
    }
}

fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(target_os = "linux")]
fn network_kind(folder: &Path) -> Option<&'static str> {
    // A folder that cannot be asked is told when the file is opened.
    let status = rustix::fs::statfs(folder).ok()?;
    kind_of(status.f_type)
}

#[cfg(not(target_os = "linux"))]
fn network_kind(_: &Path) -> Option<&'static str> {
    None
}

/// File systems of the network by their magic numbers (statfs(2)).
#[cfg(target_os = "linux")]
fn kind_of(magic: i64) -> Option<&'static str> {
    // Some are negative where the field is an i32.
    match magic & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
        0x5346_414f => Some("AFS"),
        0x00c3_6400 => Some("Ceph"),
        0x7461_636f => Some("OCFS2"),
        0x0116_1970 => Some("GFS2"),
        0x0bd0_0bd0 => Some("Lustre"),
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_number_also_as_a_negative_one() {
        assert_eq!(kind_of(0x6969), Some("NFS"));
        assert_eq!(kind_of(i64::from(0xff53_4d42_u32 as i32)), Some("SMB"));
        // ext4, btrfs, tmpfs, overlay.
        for local in [0xef53, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(kind_of(local), None, "{local:x}");
        }
    }

    #[test]
    fn a_bare_name_is_in_the_current_folder() {
        assert_eq!(folder(Path::new("dvt.db")), Path::new("."));
        assert_eq!(folder(Path::new("a/dvt.db")), Path::new("a"));
    }
}
