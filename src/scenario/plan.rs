//! Scenarios expanded and ordered: what a run does.

use std::sync::Arc;

use super::Scenario;
use super::source::SourceFile;

/// One scenario, or one row of a scenario's table with its values filled in.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The scenario's id; a row's is `id/row`.
    pub id: String,
    pub scenario: Scenario,
    pub source: Arc<SourceFile>,
    /// Index path of the scenario in its file: `/scenarios/3`.
    pub place: String,
}
