//! Plans that a command is given by name: one that is built in, or a file.

use std::path::Path;
use std::sync::Arc;

use super::exit::Failure;
use super::files;
use crate::judge::text::counted;
use crate::report::snippet::{self, Texts};
use crate::yaml::source::{Problem, SourceFile};

/// What reads a plan from a path and a text.
type PlanReader<P> = fn(&str, &str) -> (Arc<SourceFile>, Result<P, Vec<Problem>>);

/// The plan of that name among those that are built in (name, path and text), or in that file; every problem is told.
pub fn named<P>(name: &str, bundled: &[(&str, &str, &str)], load: PlanReader<P>) -> Result<(P, Arc<SourceFile>), Failure> {
    let (path, text) = match bundled.iter().find(|(known, ..)| *known == name) {
        Some((_, path, text)) => ((*path).to_owned(), (*text).to_owned()),
        None if files::is_there(Path::new(name)) => files::read(Path::new(name))?,
        None => {
            let known = bundled.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
            return Err(Failure::usage(format!("{name}: no such file, and no plan that is built in; those are {known}")));
        }
    };
    let (source, plan) = load(&path, &text);
    match plan {
        Ok(plan) => Ok((plan, source)),
        Err(problems) => {
            let texts = Texts::from([(source.path.as_str(), source.text.as_str())]);
            let _ = snippet::problems(&mut anstream::stderr().lock(), &problems, &texts);
            Err(Failure::usage(format!("{}; nothing was sent", counted(problems.len(), "problem"))))
        }
    }
}
