//! A PostgreSQL cluster that is stopped, killed and frozen.

mod folder;
mod programs;
mod server;
mod standby;

pub(crate) use self::folder::Folder;
pub(crate) use self::programs::Programs;
pub(crate) use self::server::Server;
