//! `msgext doctor`: what works at a target, what does not, and what to do.

use super::conduct::{Conduct, ConductArgs, now};
use super::embedded;
use super::exit::{Exit, Failure};
use super::rate::USUAL;
use crate::drive::doctor::examine;
use crate::drive::route::Way;
use crate::drive::target::TargetPlace;
use crate::judge::doctor::{ExaminedStep, overall};
use crate::model::Rules;
use crate::report::doctor::{build, entry, line, summary};
use crate::report::secrets::Secrets;

/// Looks at a target one call at a time, and says what works, what does not, and what to do
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    conduct: ConductArgs,
}

pub fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    if args.conduct.target.has_pins() {
        return Err(Failure::usage("--pin has no effect on doctor, which observes no readings: it goes with run"));
    }
    let conduct = Conduct::begin("doctor", &args.conduct.output, args.conduct.target.resolve()?, args.conduct.seed(now()))?;
    let (report, could_not_test) = match test(args, &conduct) {
        Ok(steps) => {
            let secrets = Secrets::of(&conduct.named.secrets(), []);
            let facts = conduct.facts(None, conduct.elapsed(), None);
            let (_, reason, is_ours) = overall(&steps);
            let why = is_ours.then(|| Failure::could_not_test(format!("{}: {reason}", conduct.named.name)));
            (build(&facts, &steps, &secrets), why)
        }
        Err(failure) => (conduct.untested(&failure.message), Some(failure)),
    };
    conduct.finish(&report, could_not_test, None, summary)
}

fn test(args: &DoctorArgs, conduct: &Conduct) -> Result<Vec<ExaminedStep>, Failure> {
    let Conduct { named, stop, runtime, .. } = conduct;
    let served = if args.conduct.target.is_embedded() { Some(embedded::serve(Rules::default(), None, 1)?) } else { None };
    let way: Way = match (&served, &named.place) {
        (Some(served), _) => served.url.clone().into(),
        (None, TargetPlace::Remote(way)) => way.clone(),
        (None, TargetPlace::Embedded(_)) => return Err(Failure::could_not_test("doctor needs a target that has an address")),
    };
    let tell = |step: &ExaminedStep| {
        if !args.conduct.quiet {
            let _ = line(&mut anstream::stderr().lock(), &entry(step, &Secrets::of(&named.secrets(), [])));
        }
    };
    let examined = runtime.block_on(examine(&named.target, &way, conduct.seed, USUAL, stop, &tell));
    examined.map_err(|error| Failure::of_ground(&error, format!("{}: {error}", named.name)))
}
