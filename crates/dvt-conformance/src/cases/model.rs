//! Random histories.

use crate::cx::Cx;
use crate::failure::Failure;
use crate::model::play_histories;

/// behave like the reference model under any history of operations
///
/// CASES: C 27, C 28, F 59.
pub async fn random_histories_match_the_model(cx: &Cx) -> Result<(), Failure> {
    play_histories(cx).await
}
