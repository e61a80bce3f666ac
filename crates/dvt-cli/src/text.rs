//! How numbers, times and names are written for people.

use std::borrow::Cow;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `2 runs`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number of bytes, in decimal units.
pub(crate) fn bytes(number: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.into_iter().find(|(unit, _)| number >= *unit) {
        Some((unit, name)) => {
            let tenths = number.saturating_mul(10) / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{number} B"),
    }
}

/// A duration with about three digits.
pub(crate) fn duration(time: Duration) -> String {
    let micros = time.as_micros();
    let seconds = time.as_secs();
    match seconds {
        0 if micros < 1_000 => format!("{micros} µs"),
        0 => format!("{} ms", micros / 1_000),
        1..60 => format!("{seconds}.{:02} s", time.subsec_millis() / 10),
        60..3_600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A word that a shell takes as it is.
pub(crate) fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")).into(),
    }
}

/// Whether a terminal obeys the character instead of showing it: control characters, and those that turn the direction of what
/// follows (UAX #9), so that a name reads as another.
pub(crate) fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line of a terminal: line breaks and tabs as blanks, what a terminal would obey replaced.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let visible = |c: char| match c {
        '\t' | '\n' | '\r' => ' ',
        c if is_obeyed(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(visible).collect::<String>().into()
}

/// The text in at most `width` columns: what is too long loses its middle, where names differ least.
///
/// Control characters would move the cursor; they are replaced.
pub(crate) fn shortened(text: &str, width: usize) -> Cow<'_, str> {
    let clean: Cow<'_, str> = if text.contains(is_obeyed) {
        text.replace(is_obeyed, "\u{fffd}").into()
    } else {
        text.into()
    };
    if clean.width() <= width {
        return clean;
    }
    let room = width.saturating_sub(1);
    let head = taken(clean.chars(), room / 2);
    let tail: String = taken(clean.chars().rev(), room - room / 2)
        .chars()
        .rev()
        .collect();
    format!("{head}…{tail}").into()
}

/// As many characters as fit in `width` columns.
fn taken(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    characters
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

/// The text, shortened or filled to exactly `width` columns.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    let text = shortened(text, width);
    let missing = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(missing))
}

/// The columns that the text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let written: Vec<_> = [0, 999, 1_000, 1_234_567]
            .into_iter()
            .map(grouped)
            .collect();
        assert_eq!(written, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "run"), "1 run");
        assert_eq!(counted(2_000, "run"), "2,000 runs");
    }

    #[test]
    fn sizes_and_durations_are_readable() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_250_000), "1.2 MB");
        assert_eq!(bytes(u64::MAX), "1844674407.3 GB");
        let written: Vec<_> = [7, 45_600, 1_239_000, 123_000_000, 7_260_000_000]
            .map(|micros| duration(Duration::from_micros(micros)))
            .into();
        assert_eq!(written, ["7 µs", "45 ms", "1.23 s", "2 m 03 s", "2 h 01 m"]);
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("run-1.a/b"), "run-1.a/b");
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn no_text_moves_the_cursor() {
        assert_eq!(one_line("as it is"), "as it is");
        assert_eq!(
            one_line("a\tb\nc\r\u{1b}[2Jd\u{9b}e\u{7f}"),
            "a b c \u{fffd}[2Jd\u{fffd}e\u{fffd}"
        );
        assert_eq!(
            one_line("paid\u{202e}dlos\u{2069}"),
            "paid\u{fffd}dlos\u{fffd}"
        );
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("model.shop.orders", 20), "model.shop.orders");
        assert_eq!(shortened("model.shop.orders", 9), "mode…ders");
        assert_eq!(shortened("a\nb", 9), "a\u{fffd}b");
        assert_eq!(shortened("日本語日本語", 7), "日…語");
        assert_eq!(fitted("ab", 4), "ab  ");
        for width in 0..12 {
            assert!(
                columns(&shortened("日本語 text", width)) <= width.max(1),
                "{width}"
            );
        }
    }
}
