use dvt_contracts::MAX_IDENTIFIER_BYTES;
use sha2::{Digest as _, Sha256};

/// What an input does not tell, such as the project of an invocation that runs no node.
pub(super) const UNKNOWN: &str = "unknown";

/// The identifier itself where it is one. Otherwise, a name of the same beginning that is: tools take names from
/// file names and code, which may hold a `|` or be very long, and no event of a run may get lost for that. A digest of the whole
/// name keeps two such names apart.
pub(super) fn fitting<T>(text: &str, make: impl Fn(&str) -> Option<T>) -> Option<T> {
    if text.is_empty() {
        return None;
    }
    make(text).or_else(|| {
        let digest = Sha256::digest(text);
        let mark: String = digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let room = MAX_IDENTIFIER_BYTES - mark.len() - 1;
        let end = (0..=room.min(text.len()))
            .rev()
            .find(|at| text.is_char_boundary(*at))?;
        let head = text[..end].replace(|c: char| c == '|' || c.is_control(), "_");
        make(&format!("{head}~{mark}"))
    })
}
