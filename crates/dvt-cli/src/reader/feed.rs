use std::collections::VecDeque;
use std::io::{self, Read};
use std::time::Duration;

use tokio::sync::mpsc;

use super::lines::{BadLine, Lines};

/// The lines of an input that may take its time: they are read beside, and the reader is told when none is ready, so that it
/// can do meanwhile what it has put off.
#[derive(Debug)]
pub(crate) struct Feed {
    chunks: mpsc::Receiver<io::Result<Chunk>>,
    ready: VecDeque<FedLine>,
    /// The bytes of all lines up to those that are ready.
    bytes: u64,
    is_paused: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fed {
    /// A line.
    Line(FedLine),
    /// Nothing for now. This is said once; whoever asks again waits.
    Pause,
    /// Nothing for ever.
    End,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FedLine {
    /// Its number, counted from 1.
    pub(crate) number: u64,
    /// Its text without the line break, or why there is none.
    pub(crate) text: Result<String, BadLine>,
}

/// Lines that were ready together.
#[derive(Debug, Default)]
struct Chunk {
    lines: Vec<FedLine>,
    length: usize,
    bytes: u64,
}

/// More than this is not read ahead, but for one line that is longer.
const CHUNK_LINES: usize = 256;
const CHUNK_BYTES: usize = 256 * 1024;
const CHUNKS: usize = 2;

/// An input that is read from a disk pauses for less, one that is waited for pauses for more.
const PAUSE: Duration = Duration::from_millis(20);

impl Feed {
    /// Begins to read, each line of at most `limit` bytes.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(input: impl Read + Send + 'static, limit: usize) -> io::Result<Self> {
        let (give, chunks) = mpsc::channel(CHUNKS);
        // A thread of its own and not one of the runtime's: it may wait for ever, and the runtime would wait for it.
        std::thread::Builder::new()
            .name("input".into())
            .spawn(move || read(Lines::new(input, limit), &give))?;
        Ok(Self {
            chunks,
            ready: VecDeque::new(),
            bytes: 0,
            is_paused: false,
        })
    }

    /// The bytes read so far, line breaks included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What comes next. Dropped, this has taken nothing.
    pub(crate) async fn next(&mut self) -> io::Result<Fed> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Fed::Line(line));
            }
            let chunk = match self.is_paused {
                true => self.chunks.recv().await,
                false => match tokio::time::timeout(PAUSE, self.chunks.recv()).await {
                    Ok(chunk) => chunk,
                    Err(_) => {
                        self.is_paused = true;
                        return Ok(Fed::Pause);
                    }
                },
            };
            self.is_paused = false;
            match chunk {
                Some(chunk) => {
                    let chunk = chunk?;
                    self.ready = chunk.lines.into();
                    self.bytes = chunk.bytes;
                }
                None => return Ok(Fed::End),
            }
        }
    }
}

/// Gives all lines away, those that are there at once together.
fn read(mut lines: Lines<impl Read>, give: &mpsc::Sender<io::Result<Chunk>>) {
    let mut chunk = Chunk::default();
    loop {
        let is_full = chunk.lines.len() == CHUNK_LINES || chunk.length >= CHUNK_BYTES;
        // Reading on may wait, and what is here must not wait with it.
        if !chunk.lines.is_empty() && (is_full || !lines.has_line_at_hand()) {
            chunk.bytes = lines.bytes();
            if give.blocking_send(Ok(std::mem::take(&mut chunk))).is_err() {
                return;
            }
        }
        match lines.next_line() {
            Ok(Some(line)) => {
                chunk.length += line.text.map_or(0, str::len);
                chunk.lines.push(FedLine {
                    number: line.number,
                    text: line.text.map(str::to_owned),
                });
            }
            Ok(None) => return,
            Err(error) => {
                let _ = give.blocking_send(Err(error));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    async fn all(feed: &mut Feed) -> (Vec<(u64, String)>, u32) {
        let (mut lines, mut pauses) = (Vec::new(), 0);
        loop {
            match feed.next().await.unwrap() {
                Fed::Line(line) => lines.push((line.number, line.text.unwrap())),
                Fed::Pause => pauses += 1,
                Fed::End => return (lines, pauses),
            }
        }
    }

    #[tokio::test]
    async fn every_line_comes_once_and_in_order() {
        let text: String = (1..=10_000)
            .map(|number| format!("line {number}\n"))
            .collect();
        let bytes = text.len() as u64;

        let mut feed = Feed::start(io::Cursor::new(text), 100).unwrap();
        let (lines, _) = all(&mut feed).await;

        let expected: Vec<_> = (1..=10_000)
            .map(|number| (number, format!("line {number}")))
            .collect();
        assert!(lines == expected);
        assert_eq!(feed.bytes(), bytes);
    }

    #[tokio::test]
    async fn a_whole_line_does_not_wait_for_the_rest_of_the_next() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut feed = Feed::start(reader, 100).unwrap();
        writer.write_all(b"one\ntwo\nthr").unwrap();

        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.push(feed.next().await.unwrap());
            // However slowly the thread gets its turn.
            if seen == [Fed::Pause] {
                seen.clear();
            }
        }
        let line = |number, text: &str| {
            Fed::Line(FedLine {
                number,
                text: Ok(text.to_owned()),
            })
        };
        assert_eq!(seen, [line(1, "one"), line(2, "two"), Fed::Pause]);
        writer.write_all(b"ee\n").unwrap();
        drop(writer);
        assert_eq!(feed.next().await.unwrap(), line(3, "three"));
        let (rest, _) = all(&mut feed).await;
        assert_eq!(rest, []);
    }

    #[tokio::test]
    async fn what_was_read_before_a_failure_comes_first() {
        #[derive(Debug)]
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("the disk is gone"))
            }
        }
        let mut feed = Feed::start(b"one\n".chain(Broken), 100).unwrap();
        let mut next = feed.next().await.unwrap();
        if next == Fed::Pause {
            next = feed.next().await.unwrap();
        }
        assert!(matches!(next, Fed::Line(_)));
        let mut error = feed.next().await;
        if matches!(error, Ok(Fed::Pause)) {
            error = feed.next().await;
        }
        assert_eq!(error.unwrap_err().to_string(), "the disk is gone");
    }
}
