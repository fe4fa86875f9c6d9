//! What a target that was looked at call by call comes to: which of its parts work, which do not, and what to do.
//!
//! Pure: `drive` says what came back. A step that could not be reached is not tested, and never works.

use crate::api::{MemberCalls, code};
use crate::verdict::Overall;

/// The steps, in the order in which they are taken.
pub const STEPS: [&str; 16] = [
    "name resolution",
    "connection",
    "TLS and HTTP",
    "clock",
    "sdkappid",
    "region",
    "admin",
    "key and UserSig",
    "plan",
    "openim/sendmsg",
    "extension support",
    "member calls",
    "get_key_values",
    // Whether what was set is what is read.
    "read back by get_key_values",
    "read back by a refusal",
    "calls at once",
];
/// Those that one call shows, which is refused for none of them.
pub const CREDENTIALS: [&str; 5] = ["sdkappid", "region", "admin", "key and UserSig", "plan"];

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    Works,
    /// The target has no such thing, which it need not have.
    Absent,
    /// The target does what it must not.
    Broken,
    /// Nothing can be tested until this is done.
    Blocked,
    NotTested,
}

/// One step, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExaminedStep {
    pub name: &'static str,
    pub state: StepState,
    pub told: String,
    /// What to do about it; empty where there is nothing to do.
    pub advice: String,
    /// The call that showed it.
    pub call: Option<String>,
}

/// Which step a refusal is about, and what to do.
const BLAMED: &[(&[i64], &str, &str)] = &[
    (
        &[code::NO_SDKAPPID, code::BAD_APP, 60016, code::UNKNOWN_APP, 70016],
        "sdkappid",
        "give the SDKAppID that the console shows beside the app's name, at the target that knows it",
    ),
    (&[code::WRONG_SITE], "region", "an app lives in one region: name that one as the target (msgext run --help lists them)"),
    (&[code::NOT_ADMIN, 70403, 10007, 90009, 70107], "admin", "give an account that the console lists as an App administrator"),
    (&[code::SIG_EXPIRED], "key and UserSig", "set this machine's clock: a UserSig is good for a day from when it was made"),
    (
        &[code::SIG_FORGED, 60004, 60005, 70005],
        "key and UserSig",
        "give this app's own secret key, all of it, as the console shows it",
    ),
    (
        &[code::SIG_IDENTIFIER, code::SIG_APP, code::SIG_ILLEGAL, 70002, code::BAD_QUERY],
        "key and UserSig",
        "does something on the way change the URL's query?",
    ),
    (&[70050], "key and UserSig", "wait for a minute: too many wrong signatures were sent"),
    (&[70051, 70052, 70114], "admin", "the account is blocked or its signatures were made invalid: see the console"),
    (&[60021], "admin", "the app takes calls from listed addresses only: add this machine's in the console"),
    (&[code::NO_PLAN, 60020], "plan", "message extensions need the app's plan to have them: see the console"),
];

/// The step that a refusal of the credentials is about, and what to do; any other key and UserSig.
pub fn blamed(code: i64) -> (&'static str, &'static str) {
    let known = BLAMED.iter().find(|(codes, ..)| codes.contains(&code));
    known.map_or(("key and UserSig", "see the vendor's list of codes for what it means"), |(_, step, advice)| (step, advice))
}

/// How a target that answers so lets members call.
pub fn members(calls: MemberCalls) -> (StepState, String, &'static str) {
    match calls {
        MemberCalls::Identifier => (StepState::Works, "by an identifier and a UserSig of their own".to_owned(), ""),
        MemberCalls::FromAccount => (StepState::Works, "by the admin, in the name of From_Account".to_owned(), ""),
        MemberCalls::Nobody => (
            StepState::Absent,
            "nobody but the admin may call".to_owned(),
            "the rules for a member's Seq cannot be tested here, and are skipped",
        ),
    }
}

/// A clock that differs by no more is right enough.
const MOST_SKEW_S: i64 = 60;
/// One that differs by more makes signatures that are not valid yet, or no longer.
const LEAST_WRONG_S: i64 = 12 * 3600;

/// What a target's clock says, ahead of ours by so many seconds.
pub fn clock(ahead_s: i64) -> (StepState, String, &'static str) {
    let way = if ahead_s < 0 { "behind" } else { "ahead of" };
    let told = format!("the target's is {} s {way} ours", ahead_s.abs());
    match ahead_s.abs() {
        0..=MOST_SKEW_S => (StepState::Works, told, ""),
        skew if skew < LEAST_WRONG_S => {
            (StepState::Works, told, "set this machine's clock, or the target's: a UserSig is made by ours and judged by its own")
        }
        _ => (StepState::Blocked, told, "set this machine's clock, or the target's: a UserSig is good for a day"),
    }
}

/// What all steps come to, why, and whether it is for us and not for the target to do something.
pub fn overall(steps: &[ExaminedStep]) -> (Overall, String, bool) {
    let first = |state: StepState| steps.iter().find(|step| step.state == state);
    let line = |step: &ExaminedStep| {
        let advice = if step.advice.is_empty() { String::new() } else { format!(": {}", step.advice) };
        format!("{}: {}{advice}", step.name, step.told)
    };
    match (first(StepState::Broken), first(StepState::Blocked), first(StepState::NotTested)) {
        (Some(broken), ..) => (Overall::Fail, line(broken), false),
        (None, Some(blocked), _) => (Overall::Inconclusive, line(blocked), true),
        (None, None, Some(untested)) => (Overall::Inconclusive, line(untested), true),
        (None, None, None) => (Overall::Pass, "a conformance run has all that it needs".to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(state: StepState) -> ExaminedStep {
        ExaminedStep { name: "plan", state, told: "t".into(), advice: "a".into(), call: None }
    }

    #[test]
    fn what_is_broken_outweighs_what_is_blocked_and_neither_works() {
        use StepState::{Absent, Blocked, Broken, NotTested, Works};
        for (states, expected) in [
            (vec![Works, Absent], (Overall::Pass, false)),
            (vec![Works, Blocked, NotTested], (Overall::Inconclusive, true)),
            (vec![Works, NotTested], (Overall::Inconclusive, true)),
            (vec![Blocked, Broken], (Overall::Fail, false)),
        ] {
            let steps: Vec<ExaminedStep> = states.iter().map(|state| step(*state)).collect();
            let (overall, _, ours) = overall(&steps);
            assert_eq!((overall, ours), expected, "{states:?}");
        }
    }

    #[test]
    fn every_refusal_is_about_a_step_that_there_is_and_each_code_stands_once() {
        let mut codes: Vec<i64> = BLAMED.iter().flat_map(|(codes, ..)| codes.iter().copied()).collect();
        assert!(BLAMED.iter().all(|(_, step, advice)| STEPS.contains(step) && !advice.is_empty()));
        assert!(codes.iter().all(|code| code::is_credentials(*code) || *code == code::NO_PLAN || *code == 60021), "{codes:?}");
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert_eq!(
            (blamed(code::WRONG_SITE).0, blamed(code::NOT_ADMIN).0, blamed(70_499).0),
            ("region", "admin", "key and UserSig")
        );
    }

    #[test]
    fn a_clock_is_right_within_a_minute_told_within_half_a_day_and_in_the_way_beyond_it() {
        for (ahead_s, state, is_told) in [
            (0, StepState::Works, false),
            (-60, StepState::Works, false),
            (61, StepState::Works, true),
            (-43_199, StepState::Works, true),
            (43_200, StepState::Blocked, true),
        ] {
            let (told, _, advice) = clock(ahead_s);
            assert_eq!((told, !advice.is_empty()), (state, is_told), "{ahead_s}");
        }
    }
}
