use dvt_contracts::OperatorNote;

use crate::args::{OperatorArgs, operator_text};
use crate::failure::Failure;

/// Names the operator of this machine, if `--by` does not.
const OPERATOR_VARIABLE: &str = "DVT_OPERATOR";

/// Who does it and why, as the store keeps it.
pub(super) fn note(args: &OperatorArgs, reason: &str) -> Result<OperatorNote, Failure> {
    let variable = |name: &str| {
        let value = std::env::var_os(name)?;
        Some(value.to_string_lossy().into_owned())
    };
    Ok(OperatorNote::new(operator(args, variable)?, reason))
}

/// The first name that is not empty. An empty variable counts as none, as everywhere.
fn operator(
    args: &OperatorArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, Failure> {
    if let Some(by) = &args.by {
        return Ok(by.clone());
    }
    let named = [OPERATOR_VARIABLE, "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)));
    let Some((name, value)) = named else {
        return Err(Failure::Usage(format!(
            "nothing says who does this, and it is recorded: say it with --by NAME, or in {OPERATOR_VARIABLE}"
        )));
    };
    operator_text(&value).map_err(|error| Failure::Usage(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(by: Option<&str>, variables: &[(&str, &str)]) -> Result<String, Failure> {
        let args = OperatorArgs {
            by: by.map(str::to_owned),
        };
        operator(&args, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_first_that_is_not_empty_names_the_operator() {
        let all = [("LOGNAME", "c"), ("USER", "b"), ("DVT_OPERATOR", "a")];
        assert_eq!(named(Some("ada"), &all).unwrap(), "ada");
        assert_eq!(named(None, &all).unwrap(), "a");
        assert_eq!(named(None, &all[..2]).unwrap(), "b");
        assert_eq!(named(None, &all[..1]).unwrap(), "c");
        assert_eq!(
            named(None, &[("DVT_OPERATOR", ""), ("USER", "b")]).unwrap(),
            "b"
        );
    }

    #[test]
    fn nobody_is_refused_with_the_remedy() {
        let refused = named(None, &[("USER", "")]).unwrap_err();
        assert_eq!(refused.exit().code(), 2);
        assert_eq!(
            refused.to_string(),
            "nothing says who does this, and it is recorded: say it with --by NAME, or in DVT_OPERATOR"
        );
        let refused = named(None, &[("DVT_OPERATOR", "  ")]).unwrap_err();
        assert_eq!(refused.to_string(), "DVT_OPERATOR: it must not be empty");
    }
}
