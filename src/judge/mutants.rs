//! How strong the suite and the searches are: which mutants they kill, and whom they blame wrongly.

use super::text::counted;
use crate::verdict::Overall;

/// What kills a mutant. The later ones are for those that the earlier cannot see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Killer {
    Run,
    Fuzz,
    Race,
}

impl Killer {
    pub const ALL: [Killer; 3] = [Killer::Run, Killer::Fuzz, Killer::Race];

    pub fn words() -> [&'static str; 3] {
        Killer::ALL.map(Killer::word)
    }

    pub fn word(self) -> &'static str {
        match self {
            Killer::Run => "run",
            Killer::Fuzz => "fuzz",
            Killer::Race => "race",
        }
    }
}

/// One mutant, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutantTrial {
    pub name: String,
    /// The clauses that it breaks.
    pub breaks: Vec<String>,
    pub end: MutantEnd,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MutantEnd {
    /// By a finding on this clause.
    Killed { by: Killer, clause: String },
    /// Nothing that was tried saw it.
    Survives,
    /// It could not be tried; says why.
    Unknown(String),
}

/// Lawful answers to open questions, all given by one endpoint, that are no pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FalseAlarm {
    /// As `question=answer`.
    pub readings: Vec<String>,
    pub why: String,
}

/// All trials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MutantsRun {
    pub trials: Vec<MutantTrial>,
    /// Combinations of readings that were tried.
    pub combinations: usize,
    pub false_alarms: Vec<FalseAlarm>,
    /// Why it ended early, where it did.
    pub cut_short: Option<String>,
}

impl MutantsRun {
    pub fn killed(&self) -> usize {
        self.trials.iter().filter(|trial| matches!(trial.end, MutantEnd::Killed { .. })).count()
    }

    pub fn survivors(&self) -> impl Iterator<Item = &MutantTrial> {
        self.trials.iter().filter(|trial| trial.end == MutantEnd::Survives)
    }

    /// What it comes to, and one line that says why.
    pub fn overall(&self) -> (Overall, String) {
        let (survivors, alarms, tried) = (self.survivors().count(), self.false_alarms.len(), self.trials.len());
        let unknown = self.trials.iter().find_map(|trial| match &trial.end {
            MutantEnd::Unknown(why) => Some(format!("{}: {why}", trial.name)),
            MutantEnd::Killed { .. } | MutantEnd::Survives => None,
        });
        if survivors + alarms > 0 {
            let told = format!("{} of {} survive, {}", survivors, counted(tried, "mutant"), counted(alarms, "false alarm"));
            return (Overall::Fail, told);
        }
        let why = match (&self.cut_short, unknown) {
            (Some(why), _) => format!("cut short: {why}; {} of {} killed until then", self.killed(), counted(tried, "mutant")),
            (None, Some(why)) => why,
            (None, None) if tried + self.combinations == 0 => "nothing was tried".to_owned(),
            (None, None) => {
                let lawful = counted(self.combinations, "combination");
                return (
                    Overall::Pass,
                    format!("all of {} killed, no false alarm in {lawful} of readings", counted(tried, "mutant")),
                );
            }
        };
        (Overall::Inconclusive, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(end: MutantEnd) -> MutantTrial {
        MutantTrial { name: "m".to_owned(), breaks: vec!["SEQ-1".to_owned()], end }
    }

    fn killed() -> MutantTrial {
        trial(MutantEnd::Killed { by: Killer::Run, clause: "SEQ-1".to_owned() })
    }

    #[test]
    fn a_survivor_and_a_false_alarm_fail_and_what_is_unknown_or_cut_short_is_no_pass() {
        let of = |trials: Vec<MutantTrial>, alarms: usize, cut_short: Option<&str>| {
            let alarm = FalseAlarm { readings: Vec::new(), why: String::new() };
            let cut_short = cut_short.map(str::to_owned);
            MutantsRun { trials, combinations: 3, false_alarms: vec![alarm; alarms], cut_short }.overall().0
        };
        let unknown = || trial(MutantEnd::Unknown("no port".to_owned()));
        assert_eq!(of(vec![killed()], 0, None), Overall::Pass);
        assert_eq!(of(vec![killed(), trial(MutantEnd::Survives)], 0, None), Overall::Fail);
        assert_eq!(of(vec![killed()], 1, None), Overall::Fail);
        assert_eq!(of(vec![killed(), unknown()], 0, None), Overall::Inconclusive);
        assert_eq!(of(vec![killed()], 0, Some("interrupted")), Overall::Inconclusive);
        assert_eq!(MutantsRun::default().overall().0, Overall::Inconclusive);
    }
}
