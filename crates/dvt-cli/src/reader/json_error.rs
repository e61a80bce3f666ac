/// What serde_json says, without the line number: it counts in one line of the input only, and would
/// be mistaken for the line's number.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&position) {
        Some(reason) if error.is_eof() => format!("{reason}: the line is cut off"),
        Some(reason) if error.column() > 0 => format!("{reason} (column {})", error.column()),
        _ => text,
    }
}
