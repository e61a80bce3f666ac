//! A campaign from its beginning to its report.

mod crew;
mod judgement;
mod plan;
mod promotion;
mod run;
mod upkeep;

pub(crate) use self::crew::Crew;
pub(crate) use self::plan::{Bars, Plan, StoreKind};
pub(crate) use self::run::run;
