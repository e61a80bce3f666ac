use std::fmt;

macro_rules! methods {
    ($($method:ident => $name:literal,)*) => {
        /// A method of a port.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Method {
            $(#[doc = concat!("`", $name, "`")] $method,)*
        }

        impl Method {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$method,)*];

            /// What the port calls it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$method => $name,)*
                }
            }
        }
    };
}

methods! {
    BootstrapRun => "bootstrap_run",
    AppendBatch => "append_batch",
    GetRun => "get_run",
    ListRuns => "list_runs",
    ListTenants => "list_tenants",
    ListEvents => "list_events",
    SaveProviderRef => "save_provider_ref",
    LoadCheckpoint => "load_checkpoint",
    SaveCheckpoint => "save_checkpoint",
    PruneRun => "prune_run",
    Claim => "claim",
    Extend => "extend",
    MarkDelivered => "mark_delivered",
    MarkFailed => "mark_failed",
    Release => "release",
    ListPending => "list_pending",
    ListDeadLetters => "list_dead_letters",
    RetryDeadLetter => "retry_dead_letter",
    SkipDeadLetter => "skip_dead_letter",
    ParkRun => "park_run",
    BindDestination => "bind_destination",
    Retarget => "retarget",
    Stats => "stats",
    Publish => "publish",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
