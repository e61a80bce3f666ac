use std::time::Duration;

use dvt_contracts::StoreError;

use super::progress::Progress;
use crate::failure::may_pass;
use crate::stop::Stop;
use crate::trouble::Trouble;

/// What a recording does about a store that is away.
#[derive(Debug)]
pub(crate) enum Patience {
    /// It ends: repeating it is safe, and its input is still there.
    None,
    /// It asks again until there is an answer, or somebody stops it: every call may be repeated.
    Until(Stop),
}

/// How long to wait before the store is asked again.
const WAIT: Duration = Duration::from_millis(500);

impl Patience {
    /// Completes when a stop is asked for.
    pub(super) async fn stopped(&mut self) {
        match self {
            Self::None => std::future::pending().await,
            Self::Until(stop) => stop.asked().await,
        }
    }

    /// The answer of a call, which is made again while the store is away.
    pub(super) async fn answer<T>(
        &mut self,
        progress: &mut Progress<'_>,
        call: impl AsyncFn() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut trouble = Trouble::default();
        loop {
            let error = match call().await {
                Err(error) if may_pass(error.class()) => error,
                answer => {
                    trouble.is_over(progress.page());
                    return answer;
                }
            };
            let Self::Until(stop) = self else {
                return Err(error);
            };
            trouble.tell(&error, progress.page());
            tokio::select! {
                biased;
                () = stop.asked() => return Err(error),
                () = tokio::time::sleep(WAIT) => {}
            }
        }
    }
}
