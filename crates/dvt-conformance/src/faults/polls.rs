/// Polls a future at most so many times, then drops it where it stands. Nothing: it was dropped.
pub async fn after_polls<F: Future + Send>(polls: usize, future: F) -> Option<F::Output> {
    crate::race::after_polls(polls, future).await
}
