//! CASES L 108: proxies of the environment are not asked.

use std::process::Command;

use crate::receiver::Receiver;
use crate::trial::{Outcome, trials};

trials![proxies_of_the_environment_are_not_asked];

async fn proxies_of_the_environment_are_not_asked() -> Outcome {
    let proxy = Receiver::willing().await;
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["--exact", "requests::structured_mode_posts_the_whole_event"]);
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        child.env(name, proxy.url(""));
    }
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        child.env_remove(name);
    }

    let ended = tokio::task::spawn_blocking(move || child.output()).await??;

    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(
        ended.status.success() && told.contains("1 passed"),
        "{told}"
    );
    assert_eq!(proxy.connections(), 0);
    Ok(())
}
