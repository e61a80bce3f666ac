//! What the suite cannot know: how this store behaves as a file.

use std::fs;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use dvt_adapter_template::FileStore;
use dvt_contracts::{
    BootstrapRequest, BoxError, ErrorClass, RunKey, RunMetadata, RunStateStore, StoreError,
};

type Tested = Result<(), BoxError>;

/// No method of this store awaits anything: the first poll does the call.
fn polled<T>(call: impl Future<Output = T>) -> Result<T, BoxError> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(reply) => Ok(reply),
        Poll::Pending => Err("the call is not done after its first poll".into()),
    }
}

fn class(error: Option<StoreError>) -> Option<ErrorClass> {
    error.map(|error| error.class())
}

fn bootstrap() -> Result<BootstrapRequest, BoxError> {
    Ok(BootstrapRequest {
        run: RunKey::new("acme".parse()?, "run 1".parse()?),
        metadata: RunMetadata {
            project_id: "shop".parse()?,
            environment_id: "test".parse()?,
            plan_id: "nightly".parse()?,
            plan_version: "1".parse()?,
        },
        events: Vec::new(),
    })
}

#[test]
fn what_one_handle_wrote_is_there_after_reopening() -> Tested {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.json");
    let made = polled(FileStore::open(&path)?.bootstrap_run(&bootstrap()?))??;
    let again = polled(FileStore::open(&path)?.bootstrap_run(&bootstrap()?))??;
    assert!(made.created && !again.created);
    assert_eq!(made.created_at, again.created_at);
    Ok(())
}

#[test]
fn missing_folder_is_transient() -> Tested {
    let folder = tempfile::tempdir()?;
    let missing = folder.path().join("missing").join("store.json");
    assert_eq!(
        class(FileStore::open(missing).err()),
        Some(ErrorClass::Transient)
    );
    Ok(())
}

#[test]
fn file_that_vanished_is_not_taken_for_an_empty_store() -> Tested {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.json");
    let store = FileStore::open(&path)?;
    fs::remove_file(&path)?;
    let reply = polled(store.bootstrap_run(&bootstrap()?))?;
    assert_eq!(class(reply.err()), Some(ErrorClass::Transient));
    Ok(())
}

#[test]
fn foreign_or_damaged_file_is_refused_and_stays_as_it_is() -> Tested {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.json");
    let store = FileStore::open(&path)?;
    polled(store.bootstrap_run(&bootstrap()?))??;
    let good = fs::read_to_string(&path)?;
    let damaged = [
        String::new(),
        "[1, 2, 3]".to_owned(),
        good.replace("template, 2", "template, 1"),
        good.replace(
            "\"delivered_seq\":0",
            "\"delivered_seq\":18446744073709551615",
        ),
        good.replace("\"run 1\"", "\"a|b\""),
        good.split_at(good.len() / 2).0.to_owned(),
    ];
    for content in damaged {
        assert_ne!(content, good);
        fs::write(&path, &content)?;
        let reply = polled(store.bootstrap_run(&bootstrap()?))?;
        assert!(
            matches!(reply, Err(StoreError::Refused { .. })),
            "{content}"
        );
        let opened = FileStore::open(&path);
        assert!(
            matches!(opened, Err(StoreError::Refused { .. })),
            "{content}"
        );
        assert_eq!(fs::read_to_string(&path)?, content);
    }
    Ok(())
}

#[test]
fn half_written_next_file_does_no_harm() -> Tested {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store.json");
    fs::write(folder.path().join("store.json.next"), "{\"format")?;
    let made = polled(FileStore::open(&path)?.bootstrap_run(&bootstrap()?))??;
    assert!(made.created);
    Ok(())
}
