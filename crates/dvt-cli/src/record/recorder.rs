use std::io::Read;

use dvt_contracts::{
    AppendError, Appended, BootstrapRequest, Disposition, ProviderRef, RunKey, RunMetadata,
    RunRecord, RunStateStore, StoreError,
};

use super::batch::{Batch, Part, Source};
use super::patience::Patience;
use super::progress::Progress;
use super::runs::{KnownRun, KnownRuns, RunSet};
use super::tally::Tally;
use crate::console::Page;
use crate::failure::Failure;
use crate::reader::{Fed, FedLine, Feed, Item, Reader, Record};

/// What to read.
#[derive(Debug)]
pub(crate) struct Input<R> {
    /// What messages call it.
    pub(crate) name: String,
    /// Its size in bytes, if it has one.
    pub(crate) size: Option<u64>,
    /// Its bytes.
    pub(crate) stream: R,
}

/// Drawing progress costs a look at the clock; this often is enough.
const LINES_PER_LOOK: u64 = 256;

/// Records an input and counts in `tally`, which also tells how far it came if it fails.
///
/// What was read is sent when a call is full or the input pauses. A stop ends it as if the input had ended, but for what a
/// reader holds back for later lines.
pub(crate) async fn record<R: Read + Send + 'static>(
    input: Input<R>,
    reader: &mut dyn Reader,
    store: &dyn RunStateStore,
    page: &mut Page,
    tally: &mut Tally,
    patience: Patience,
) -> Result<(), Failure> {
    let progress = Progress::new(page, input.size);
    let (known, barred, batch) = Default::default();
    let mut recorder = Recorder {
        store,
        known,
        barred,
        batch,
        tally,
        progress,
        patience,
    };
    let outcome = recorder.run(input, reader).await;
    recorder.progress.clear();
    outcome
}

#[derive(Debug)]
struct Recorder<'a> {
    store: &'a dyn RunStateStore,
    known: KnownRuns,
    /// The runs that got an event that is illegal.
    barred: RunSet,
    batch: Batch,
    tally: &'a mut Tally,
    progress: Progress<'a>,
    patience: Patience,
}

impl Recorder<'_> {
    async fn run<R: Read + Send + 'static>(
        &mut self,
        input: Input<R>,
        reader: &mut dyn Reader,
    ) -> Result<(), Failure> {
        let unreadable = |source| Failure::Input {
            name: input.name.clone(),
            source,
        };
        let mut feed = Feed::start(input.stream, reader.line_limit()).map_err(unreadable)?;
        let mut items = Vec::new();
        let end = loop {
            let next = tokio::select! {
                biased;
                next = feed.next() => next,
                () = self.patience.stopped() => break Ok(false),
            };
            match next {
                Ok(Fed::Line(line)) => self.read(line, reader, &mut items),
                Ok(Fed::Pause) => self.flush().await?,
                Ok(Fed::End) => break Ok(true),
                Err(source) => break Err(unreadable(source)),
            }
            self.tally.bytes = feed.bytes();
            for item in items.drain(..) {
                self.take(item).await?;
            }
            if self.tally.lines.is_multiple_of(LINES_PER_LOOK) {
                self.progress.draw(self.tally.lines, self.tally.bytes);
            }
        };
        if let Ok(true) = end {
            // Not before the end: what is held back for later lines would be decided without them.
            reader.finish(&mut items);
        }
        for item in items {
            self.take(item).await?;
        }
        self.flush().await?;
        end.map(|_| ())
    }

    fn read(&mut self, line: FedLine, reader: &mut dyn Reader, items: &mut Vec<Item>) {
        self.tally.lines = line.number;
        match line.text {
            Ok(text) if text.trim_ascii().is_empty() => self.tally.blank += 1,
            Ok(text) => reader.line(line.number, &text, items),
            Err(bad) => items.push(Item::Rejected {
                line: line.number,
                reason: bad.to_string(),
            }),
        }
    }

    async fn take(&mut self, item: Item) -> Result<(), Failure> {
        match item {
            Item::Ignored(kind) => self.tally.ignored.count(kind),
            Item::Rejected { line, reason } => self.reject(line, &reason),
            Item::Run(only) => match self.prepare(&only.run, &only.metadata, None).await? {
                Err(reason) => self.reject(only.line, &reason),
                Ok(()) => {
                    self.tally.runs.note(&only.run);
                    self.keep_provider_ref(&only.run, only.provider_ref).await?;
                }
            },
            Item::Record(record) => {
                let Record {
                    run,
                    metadata,
                    run_seq,
                    ..
                } = &*record;
                if let Err(reason) = self.prepare(run, metadata, *run_seq).await? {
                    self.reject(record.line, &reason);
                    return Ok(());
                }
                if !self.batch.has_room_for(&record) {
                    self.flush().await?;
                    // One of those before it may have been illegal.
                    if let Err(reason) = self.barred(&record.run) {
                        self.reject(record.line, &reason);
                        return Ok(());
                    }
                }
                self.batch.push(*record);
            }
        }
        Ok(())
    }

    fn reject(&mut self, line: u64, reason: &str) {
        self.tally.rejected += 1;
        self.progress.rejected(line, reason);
    }

    /// Makes sure that the run is there and is the run that the line means. The inner error says why not.
    async fn prepare(
        &mut self,
        run: &RunKey,
        metadata: &RunMetadata,
        run_seq: Option<u64>,
    ) -> Result<Result<(), String>, Failure> {
        if let Err(reason) = self.barred(run) {
            return Ok(Err(reason));
        }
        if self.known.get(run).is_none() {
            let found = match run_seq {
                // A first event with another number is wrong, and a wrong line makes no run.
                Some(seq) if seq != 1 => self.look_up(run, seq).await?,
                _ => Ok(self.bootstrap(run, metadata).await?),
            };
            match found {
                Ok(known) => self.known.insert(run.clone(), known),
                Err(reason) => return Ok(Err(reason)),
            }
        }
        Ok(match self.known.get(run) {
            Some(KnownRun::Open {
                metadata: stored, ..
            }) => same_metadata(run, stored, metadata),
            Some(KnownRun::Closed { reason }) => Err(reason.clone()),
            None => Ok(()),
        })
    }

    async fn bootstrap(
        &mut self,
        run: &RunKey,
        metadata: &RunMetadata,
    ) -> Result<KnownRun, Failure> {
        let request = BootstrapRequest {
            run: run.clone(),
            metadata: metadata.clone(),
            events: Vec::new(),
        };
        let store = self.store;
        let made = async || store.bootstrap_run(&request).await;
        match self.patience.answer(&mut self.progress, made).await {
            Ok(outcome) => {
                self.tally.created += u64::from(outcome.created);
                Ok(KnownRun::Open {
                    metadata: request.metadata,
                    provider_ref: None,
                })
            }
            Err(StoreError::RunAlreadyExists { run }) => Ok(known(self.get_run(&run).await?)),
            Err(error @ StoreError::RunPruned { .. }) => Ok(KnownRun::Closed {
                reason: error.to_string(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    async fn get_run(&mut self, run: &RunKey) -> Result<RunRecord, StoreError> {
        let store = self.store;
        let got = async || store.get_run(run).await;
        self.patience.answer(&mut self.progress, got).await
    }

    /// What is known about a run that no line may make.
    async fn look_up(
        &mut self,
        run: &RunKey,
        seq: u64,
    ) -> Result<Result<KnownRun, String>, Failure> {
        match self.get_run(run).await {
            Ok(record) => Ok(Ok(known(record))),
            Err(StoreError::RunNotFound { .. }) => Ok(Err(format!(
                "run_seq {seq} found, expected 1: run {run} has no events yet"
            ))),
            Err(error) => Err(error.into()),
        }
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let parts = self.batch.take();
        for (part, error) in self.send(parts).await? {
            match error {
                // It is the same for all of them.
                AppendError::RunNotFound { .. } | AppendError::RunPruned { .. } => {
                    self.refuse(&part, &error);
                }
                _ => self.refuse_one(part, &error).await?,
            }
        }
        Ok(())
    }

    /// One event spoils its request: those before it are taken, and then it is judged alone.
    async fn refuse_one(&mut self, part: Part, error: &AppendError) -> Result<(), Failure> {
        let mut waiting = match part.halves() {
            Ok((first, rest)) => vec![rest, first],
            Err(part) => {
                self.refuse(&part, error);
                return Ok(());
            }
        };
        while let Some(part) = waiting.pop() {
            if let Err(reason) = self.barred(&part.request.run) {
                for source in &part.sources {
                    self.reject(source.line, &reason);
                }
                continue;
            }
            for (part, error) in self.send(vec![part]).await? {
                match part.halves() {
                    Ok((first, rest)) => waiting.extend([rest, first]),
                    Err(part) => self.refuse(&part, &error),
                }
            }
        }
        Ok(())
    }

    /// Sends the parts in one call, and settles those that were taken. The others, and why.
    async fn send(&mut self, parts: Vec<Part>) -> Result<Vec<(Part, AppendError)>, Failure> {
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        let (requests, sources): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .map(|part| (part.request, part.sources))
            .unzip();
        let store = self.store;
        let sent = async || store.append_batch(&requests).await;
        let replies = self.patience.answer(&mut self.progress, sent).await?;
        if replies.len() != requests.len() {
            let found = format!("{} requests, {} replies", requests.len(), replies.len());
            return Err(StoreError::bug("append_batch", found).into());
        }
        let mut refused = Vec::new();
        for ((request, sources), reply) in requests.into_iter().zip(sources).zip(replies) {
            match reply {
                Err(error) => refused.push((Part { request, sources }, error)),
                Ok(outcome) => {
                    for (source, appended) in sources.into_iter().zip(&outcome.events) {
                        self.settle(&request.run, source, appended).await?;
                    }
                }
            }
        }
        Ok(refused)
    }

    async fn settle(
        &mut self,
        run: &RunKey,
        source: Source,
        appended: &Appended,
    ) -> Result<(), Failure> {
        let stored = appended.stored.run_seq;
        if let Some(expected) = source.run_seq.filter(|seq| *seq != stored) {
            let reason =
                format!("run_seq {expected} found, but run {run} has the event as {stored}");
            self.reject(source.line, &reason);
            return Ok(());
        }
        match appended.disposition {
            Disposition::Appended => self.tally.appended += 1,
            Disposition::Duplicate { same_content } => {
                self.tally.duplicates += 1;
                self.tally.differing += u64::from(!same_content);
            }
        }
        self.tally.runs.note(run);
        self.keep_provider_ref(run, source.provider_ref).await
    }

    async fn keep_provider_ref(
        &mut self,
        run: &RunKey,
        given: Option<ProviderRef>,
    ) -> Result<(), Failure> {
        let Some(given) = given else {
            return Ok(());
        };
        if let Some(KnownRun::Open { provider_ref, .. }) = self.known.get(run) {
            if provider_ref.as_ref() == Some(&given) {
                return Ok(());
            }
            *provider_ref = Some(given.clone());
        }
        let store = self.store;
        let saved = async || store.save_provider_ref(run, &given).await;
        Ok(self.patience.answer(&mut self.progress, saved).await?)
    }

    /// Whether an event of the run was illegal. What comes after it was not meant for the run as it is now; taken all the same,
    /// it would make a repetition of the input judge that event by another state, and perhaps take it late.
    fn barred(&self, run: &RunKey) -> Result<(), String> {
        if self.barred.contains(run) {
            return Err(format!(
                "an event of run {run} before it was refused, so nothing after that is taken"
            ));
        }
        Ok(())
    }

    fn refuse(&mut self, part: &Part, error: &AppendError) {
        if let AppendError::IllegalTransition { run, .. } = error {
            self.barred.insert(run);
        }
        for source in &part.sources {
            let reason = match (error, source.run_seq) {
                (AppendError::VersionConflict { run, actual, .. }, Some(seq)) => {
                    let next = actual.saturating_add(1);
                    format!(
                        "run_seq {seq} found, expected {next}: the log of run {run} ends at {actual}"
                    )
                }
                _ => error.to_string(),
            };
            self.reject(source.line, &reason);
        }
    }
}

/// What is known about a run that is there.
fn known(record: RunRecord) -> KnownRun {
    match record.pruned_at {
        Some(pruned_at) => {
            let run = record.run;
            KnownRun::Closed {
                reason: StoreError::RunPruned { run, pruned_at }.to_string(),
            }
        }
        None => KnownRun::Open {
            metadata: record.metadata,
            provider_ref: record.provider_ref,
        },
    }
}

fn same_metadata(run: &RunKey, stored: &RunMetadata, found: &RunMetadata) -> Result<(), String> {
    if stored == found {
        return Ok(());
    }
    let fields = [
        (
            "project_id",
            stored.project_id.as_str(),
            found.project_id.as_str(),
        ),
        (
            "environment_id",
            stored.environment_id.as_str(),
            found.environment_id.as_str(),
        ),
        ("plan_id", stored.plan_id.as_str(), found.plan_id.as_str()),
        (
            "plan_version",
            stored.plan_version.as_str(),
            found.plan_version.as_str(),
        ),
    ];
    let differences: Vec<_> = fields
        .into_iter()
        .filter(|(_, stored, found)| stored != found)
        .map(|(name, stored, found)| format!("{name} {found:?} found, expected {stored:?}"))
        .collect();
    Err(format!(
        "{}: run {run} keeps the metadata it began with",
        differences.join(", ")
    ))
}
