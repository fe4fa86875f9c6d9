//! Conformance and load testing for Tencent Cloud Chat's single-chat message extension API.
//!
//! The floors, from the ground up; a file imports only from floors below its own:
//!
//! | floor | job |
//! |---|---|
//! | [`api`], `clock`, `history`, [`verdict`] | calls, replies, codes, bounds, wire form, `UserSig`; what is recorded of a run |
//! | [`spec`], `yaml` | the documentation as clauses, readings and profiles; YAML read with every problem located |
//! | [`model`] | the reference endpoint, pure: `Model` over `Rules`, limiters |
//! | [`scenario`] | YAML to `Scenario` to `Plan`, every problem located |
//! | [`judge`] | history in, findings out |
//! | [`drive`] and [`host`] | talk to the target; be the target |
//! | `report` | one versioned report and its renderers |
//! | [`cli`] | arguments, progress, exit codes; the only floor that prints |

pub mod api;
pub mod cli;
mod clock;
pub mod drive;
pub mod history;
pub mod host;
pub mod judge;
pub mod model;
pub mod random;
mod report;
pub mod scenario;
pub mod spec;
pub mod verdict;
mod yaml;
