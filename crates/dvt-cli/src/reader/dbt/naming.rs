use dvt_contracts::{PlanVersion, ProjectId, StepId};

use crate::reader::fitting::fitting;

pub(super) use crate::reader::fitting::UNKNOWN;

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

#[cfg(test)]
mod tests {
    use dvt_contracts::MAX_IDENTIFIER_BYTES;

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
