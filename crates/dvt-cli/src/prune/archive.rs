use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use dvt_contracts::{RunRecord, Store};

use crate::console::Page;
use crate::export::export;
use crate::failure::Failure;

/// The file that takes what is pruned.
#[derive(Debug)]
pub(super) struct Archive {
    path: PathBuf,
    file: File,
    page: Page,
}

impl Archive {
    /// A new file: one that is there may hold what an earlier prune took away.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let created = OpenOptions::new().write(true).create_new(true).open(path);
        let shared = created.and_then(|file| {
            // The name too has to survive a crash of the machine. Not every system can be asked for that.
            if let Some(folder) = path.canonicalize()?.parent() {
                let _ = File::open(folder).and_then(|folder| folder.sync_all());
            }
            Ok((file.try_clone()?, file))
        });
        let (writer, file) = shared.map_err(|error| failed(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            page: Page::to_file(BufWriter::with_capacity(64 * 1024, writer)),
        })
    }

    /// Takes a run in, as `dvt record` reads it.
    pub(super) async fn take(
        &mut self,
        store: &dyn Store,
        record: &RunRecord,
    ) -> Result<(), Failure> {
        let exported = export(store, record, &mut self.page).await;
        exported.map(|_| ()).map_err(|failure| match failure {
            Failure::Output(error) => failed(&self.path, error),
            failure => failure,
        })
    }

    /// Returns when all that was taken in is on the disk.
    pub(super) fn keep(&mut self) -> Result<(), Failure> {
        let kept = self.page.flush().and_then(|()| self.file.sync_all());
        kept.map_err(|error| failed(&self.path, error))
    }
}

fn failed(path: &Path, error: io::Error) -> Failure {
    let name = path.display();
    let told = match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{name} is there already: name a file that is not, and both are kept")
        }
        _ => format!("{name}: {error}"),
    };
    Failure::Output(io::Error::other(told))
}
