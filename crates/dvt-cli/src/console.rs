use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Serializer;

use crate::failure::Failure;
use crate::text;

mod visible;

use self::visible::Visible;

/// Where the command writes: its product to `out`, everything about it to `err`.
#[derive(Debug)]
pub(crate) struct Console {
    /// Standard output.
    pub(crate) out: Page,
    /// Standard error. Writing to it never fails: nobody could be told.
    pub(crate) err: Page,
}

/// One of the two outputs, and what it can show.
pub(crate) struct Page {
    writer: SharedWriter,
    /// Whether it understands colours.
    pub(crate) paint: Paint,
    /// Its width in columns.
    pub(crate) width: usize,
    /// Whether somebody is looking at it right now.
    pub(crate) is_terminal: bool,
}

/// The width where nothing tells one.
const DEFAULT_WIDTH: usize = 100;
/// Narrower or wider than this nothing is readable.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=240;

impl Console {
    /// The outputs of this process.
    pub(crate) fn standard() -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let out_is_terminal = out.is_terminal();
        let err_is_terminal = err.is_terminal();
        let width = width();
        Self {
            out: Page {
                // Not StdoutLock, which is bound to its thread; the buffer makes the lock per write cheap.
                writer: SharedWriter::new(BufWriter::with_capacity(64 * 1024, out)),
                paint: Paint::new(out_is_terminal),
                width,
                is_terminal: out_is_terminal,
            },
            err: Page {
                writer: SharedWriter::new(Forgiving(err)),
                paint: Paint::new(err_is_terminal),
                width,
                is_terminal: err_is_terminal,
            },
        }
    }

    /// Says why the command stopped.
    pub(crate) fn complain(&mut self, failure: &Failure) {
        if failure.is_quiet() {
            return;
        }
        // What was printed before the failure belongs before its message.
        let _ = self.out.flush();
        let label = self.err.paint.paint(Tint::Red, "error:");
        // It may quote a server.
        let words = failure.to_string();
        let _ = writeln!(self.err, "{label} {}", text::one_line(&words));
    }

    /// Makes sure that everything is written.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Page {
    /// What the page writes through, for a task that outlives the borrow of the page.
    pub(crate) fn writer(&self) -> SharedWriter {
        self.writer.clone()
    }

    /// Writes an object as one line of JSON, without any character that a terminal would obey.
    pub(crate) fn write_json(&mut self, object: &impl Serialize) -> io::Result<()> {
        object.serialize(&mut Serializer::with_formatter(&mut *self, Visible))?;
        writeln!(self)
    }

    /// A page for a file: nobody looks, and nothing is coloured.
    pub(crate) fn to_file(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: SharedWriter::new(writer),
            paint: Paint(false),
            width: DEFAULT_WIDTH,
            is_terminal: false,
        }
    }
}

/// What a test's page was given.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

#[cfg(test)]
impl Written {
    /// All of it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl Page {
    /// A page of that width that keeps what it is given, without colours even if it is a terminal.
    pub(crate) fn kept(is_terminal: bool, width: usize) -> (Self, Written) {
        let written = Written::default();
        let page = Self {
            is_terminal,
            width,
            ..Self::to_file(written.clone())
        };
        (page, written)
    }
}

#[cfg(test)]
impl Console {
    /// A console that keeps what it is given: first what is printed, then what is said about it.
    pub(crate) fn kept(is_terminal: bool) -> (Self, Written, Written) {
        let (out, printed) = Page::kept(is_terminal, DEFAULT_WIDTH);
        let (err, said) = Page::kept(false, DEFAULT_WIDTH);
        (Self { out, err }, printed, said)
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

/// Whether to write colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(bool);

/// The colours in use, by what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tint {
    /// Ended well.
    Green,
    /// Ended badly.
    Red,
    /// Wants attention.
    Yellow,
    /// Going on.
    Cyan,
    /// Less important.
    Dim,
    /// More important.
    Bold,
}

impl Paint {
    /// Colours on a terminal, unless the user asked for none (<https://no-color.org>).
    fn new(is_terminal: bool) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(is_terminal && !unwanted && !dumb)
    }

    /// The text in a colour.
    pub(crate) fn paint(self, tint: Tint, text: impl fmt::Display) -> String {
        if !self.0 {
            return text.to_string();
        }
        let code = match tint {
            Tint::Green => "32",
            Tint::Red => "31",
            Tint::Yellow => "33",
            Tint::Cyan => "36",
            Tint::Dim => "2",
            Tint::Bold => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// One writer in several hands: each call is whole, and nothing stands between two calls but the order of their callers.
#[derive(Clone)]
pub(crate) struct SharedWriter(Arc<Mutex<Box<dyn Write + Send>>>);

impl SharedWriter {
    /// Shares this writer.
    pub(crate) fn new(writer: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(writer))))
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Write + Send>> {
        // A writer that panicked in the middle of a line is no worse than one that failed there.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for SharedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.lock().write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
    }
}

impl fmt::Debug for SharedWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedWriter").finish_non_exhaustive()
    }
}

/// Drops what cannot be written.
struct Forgiving<W>(W);

impl<W: Write> Write for Forgiving<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

/// `COLUMNS` wins: shells and tests set it.
fn width() -> usize {
    let told = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    told.or_else(seen)
        .unwrap_or(DEFAULT_WIDTH)
        .clamp(*WIDTHS.start(), *WIDTHS.end())
}
