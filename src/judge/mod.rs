//! History or measurement in, findings and verdicts out: pure judges. Never a socket, a clock or a print.

pub mod compare;
pub mod conform;
pub(crate) mod doctor;
pub mod fuzz;
pub(crate) mod limiter;
pub mod limits;
pub mod load;
pub mod mutants;
pub mod race;
pub(crate) mod text;
