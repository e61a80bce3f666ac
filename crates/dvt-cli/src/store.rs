use std::sync::Arc;

use dvt_adapter_memory::MemoryStore;
use dvt_contracts::Store;

use crate::failure::Failure;

/// Opens the store that a URL names; nothing, or an empty text, means `memory:`.
pub(crate) fn open(url: Option<&str>) -> Result<Arc<dyn Store>, Failure> {
    match url.unwrap_or_default() {
        "" | "memory:" => Ok(Arc::new(MemoryStore::new())),
        other => Err(Failure::Usage(format!(
            "store {:?} is not supported: expected memory: (check --store and DVT_STORE)",
            without_secret(other)
        ))),
    }
}

/// The scheme alone: the rest of a URL may hold a password.
fn without_secret(url: &str) -> String {
    match url.split_once(':') {
        Some((scheme, _)) => format!("{scheme}:…"),
        None => url.chars().take(40).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_supported_and_keeps_passwords_out_of_messages() {
        assert!(open(None).is_ok());
        assert!(open(Some("memory:")).is_ok());
        let refused = open(Some("postgresql://dvt:secret@host/dvt")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "store \"postgresql:…\" is not supported: expected memory: (check --store and DVT_STORE)"
        );
        assert_eq!(refused.exit().code(), 2);
    }
}
