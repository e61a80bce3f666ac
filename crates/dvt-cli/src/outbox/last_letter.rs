use dvt_contracts::{DeadLetter, DeadLetterQuery, MAX_PAGE, OutboxError, OutboxStorage, RunKey};

/// Runs rarely have more dead letters than this, and those of other runs need not be read.
const FIRST_LOOK: u32 = 16;

/// The run's last dead letter. If one is open, it is that one: nothing dies behind an event that parks its run.
pub(super) async fn last_letter(
    store: &dyn OutboxStorage,
    run: &RunKey,
) -> Result<Option<DeadLetter>, OutboxError> {
    let mut last: Option<DeadLetter> = None;
    let mut limit = FIRST_LOOK;
    loop {
        let query = DeadLetterQuery {
            tenant_id: Some(run.tenant_id.clone()),
            after: Some((
                run.clone(),
                last.as_ref().map_or(0, |last| last.dead_letter_no),
            )),
            limit,
            ..DeadLetterQuery::default()
        };
        let mut page = store.list_dead_letters(&query).await?;
        page.retain(|letter| letter.run == *run);
        let is_last = page.len() < limit as usize;
        last = page.pop().or(last);
        if is_last {
            return Ok(last);
        }
        limit = MAX_PAGE;
    }
}
