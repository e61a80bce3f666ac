use dvt_contracts::{MAX_IDENTIFIER_BYTES, PlanVersion, ProjectId, StepId};
use sha2::{Digest as _, Sha256};

/// The project of an invocation that runs no node, and the version of one whose beginning is missing.
pub(super) const UNKNOWN: &str = "unknown";

/// The step that a node is.
pub(super) fn step_id(unique_id: &str) -> Option<StepId> {
    fitting(unique_id, |text| StepId::new(text).ok())
}

/// The project that a node belongs to: the second part of its id, as in `model.shop.orders`.
pub(super) fn project_id(unique_id: &str) -> Option<ProjectId> {
    let project = unique_id.split('.').nth(1)?;
    fitting(project, |text| ProjectId::new(text).ok())
}

/// The version of dbt, which writes it like `=1.9.11`.
pub(super) fn plan_version(version: &str) -> Option<PlanVersion> {
    fitting(version.trim_start_matches('='), |text| {
        PlanVersion::new(text).ok()
    })
}

/// The identifier itself where it is one. Otherwise, a name of the same beginning that is: dbt takes names from file
/// names, which may hold a `|` or be very long, and no event of a run may get lost for that. A digest of the whole
/// name keeps two such names apart.
fn fitting<T>(text: &str, make: impl Fn(&str) -> Option<T>) -> Option<T> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_stay_and_bad_ones_are_made_to_fit() {
        assert_eq!(
            step_id("model.shop.orders").unwrap().as_str(),
            "model.shop.orders"
        );
        assert_eq!(project_id("model.shop.orders").unwrap().as_str(), "shop");
        assert_eq!(project_id("orders"), None);
        assert_eq!(plan_version("=1.9.11").unwrap().as_str(), "1.9.11");
        assert_eq!(plan_version("="), None);

        let odd = step_id("model.shop.a|b").unwrap();
        assert!(odd.as_str().starts_with("model.shop.a_b~"), "{odd}");
        assert_ne!(odd, step_id("model.shop.a_b").unwrap());
        let long = step_id(&format!("model.shop.{}", "é".repeat(200))).unwrap();
        assert!(long.as_str().len() <= MAX_IDENTIFIER_BYTES);
        assert!(step_id("RUN").unwrap().as_str().starts_with("RUN~"));
    }
}
