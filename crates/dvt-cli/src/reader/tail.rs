use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

/// A file that grows: where it ends now is not its end.
#[derive(Debug)]
pub(crate) struct Tail {
    file: File,
    /// How much was read.
    position: u64,
    /// Whether it is a file that has a length, and not a pipe.
    has_length: bool,
}

/// How often the end is looked at.
const LOOK: Duration = Duration::from_millis(100);

impl Tail {
    /// Reads the file from its beginning, and waits at its end.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let has_length = file.metadata()?.is_file();
        Ok(Self {
            file,
            position: 0,
            has_length,
        })
    }
}

/// Never ends. Fails if the file has become shorter: what comes then is another text.
impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(buffer)?;
            if read > 0 {
                self.position += read as u64;
                return Ok(read);
            }
            let length = self.file.metadata()?.len();
            if self.has_length && length < self.position {
                return Err(io::Error::other(format!(
                    "it became shorter, {length} bytes found after {}: it was emptied or written anew; follow it again",
                    self.position
                )));
            }
            std::thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_added_is_read_and_what_is_taken_away_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut writer = File::create(&path).unwrap();
        writer.write_all(b"one").unwrap();
        let mut tail = Tail::new(File::open(&path).unwrap()).unwrap();
        let mut buffer = [0; 10];

        let read = tail.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"one");
        let adding = std::thread::spawn(move || {
            std::thread::sleep(LOOK / 2);
            writer.write_all(b"two").unwrap();
            writer
        });
        let read = tail.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"two");
        let writer = adding.join().unwrap();
        writer.set_len(2).unwrap();
        let error = tail.read(&mut buffer).unwrap_err().to_string();
        assert!(
            error.starts_with("it became shorter, 2 bytes found after 6"),
            "{error}"
        );
    }
}
