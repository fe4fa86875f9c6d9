//! Many lawful endpoints: answers to several open questions at once.

use std::collections::BTreeSet;

use super::Rules;
use super::readings::{READINGS, Reading};
use crate::random::Random;

/// Answers that no endpoint can give together: where `From_Account` says who calls, the admin names no sender, and the recipient
/// names the message the other way round.
const CONTRADICTORY: &[[(&str, &str); 2]] = &[
    [("caller", "from-account"), ("from-omitted", "admin-sender")],
    [("caller", "from-account"), ("swapped", "not-found")],
    [("caller", "from-account"), ("swapped", "refused")],
];

/// One answer to each question.
pub type Combination = Vec<&'static Reading>;

/// So many combinations that every answer to one question meets every answer to another in at least one of them, where both can be
/// given, and random ones up to `count`; a seed gives the same ones each time. `left_out` are questions to which each has the first answer.
pub fn combinations(count: usize, seed: u64, left_out: &[&str]) -> Vec<Combination> {
    let mut questions: Vec<Vec<&'static Reading>> = Vec::new();
    for reading in READINGS.iter().filter(|reading| !left_out.contains(&reading.question)) {
        match questions.last_mut().filter(|answers| answers[0].question == reading.question) {
            Some(answers) => answers.push(reading),
            None => questions.push(vec![reading]),
        }
    }
    let mut random = Random::seeded(seed);
    let mut unmet = pairs(&questions);
    let mut found = Vec::new();
    while found.len() < count || !unmet.is_empty() {
        let combination = next(&questions, &unmet, &mut random);
        unmet.retain(|(one, other)| !(combination[one.0] == one.1 && combination[other.0] == other.1));
        found.push(combination.iter().zip(&questions).map(|(answer, answers)| answers[*answer]).collect());
    }
    found
}

/// Rules that give all these answers.
pub fn rules_of(combination: &[&Reading]) -> Rules {
    let mut rules = Rules::default();
    for reading in combination {
        (reading.apply)(&mut rules);
    }
    rules
}

/// A question and an answer to it, by their places.
type Answered = (usize, usize);

fn pairs(questions: &[Vec<&Reading>]) -> BTreeSet<(Answered, Answered)> {
    let answered = |question: usize| (0..questions[question].len()).map(move |answer| (question, answer));
    let all = (0..questions.len()).flat_map(|one| (one + 1..questions.len()).map(move |other| (one, other)));
    let all = all.flat_map(|(one, other)| answered(one).flat_map(move |one| answered(other).map(move |other| (one, other))));
    all.filter(|(one, other)| !contradict(questions[one.0][one.1], questions[other.0][other.1])).collect()
}

fn contradict(one: &Reading, other: &Reading) -> bool {
    let [one, other] = [one, other].map(|reading| (reading.question, reading.answer));
    CONTRADICTORY.iter().any(|pair| *pair == [one, other] || *pair == [other, one])
}

/// Answers the questions one by one in a random order, each so that most pairs meet that have not yet.
fn next(questions: &[Vec<&Reading>], unmet: &BTreeSet<(Answered, Answered)>, random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..questions.len()).collect();
    random.shuffle(&mut order);
    let mut chosen: Vec<Option<usize>> = vec![None; questions.len()];
    for question in order {
        let meets = |answer: usize| {
            let others = chosen.iter().enumerate().filter_map(|(other, chosen)| chosen.map(|chosen| (other, chosen)));
            others.filter(|other| unmet.contains(&ordered((question, answer), *other))).count()
        };
        let goes_with_all = |answer: usize| {
            let others = chosen.iter().zip(questions).filter_map(|(chosen, answers)| chosen.map(|chosen| answers[chosen]));
            others.into_iter().all(|other| !contradict(questions[question][answer], other))
        };
        let first = random.below(questions[question].len());
        let answers = (0..questions[question].len()).map(|step| (first + step) % questions[question].len());
        chosen[question] = answers.filter(|answer| goes_with_all(*answer)).max_by_key(|answer| meets(*answer));
    }
    chosen.into_iter().map(Option::unwrap_or_default).collect()
}

fn ordered(one: Answered, other: Answered) -> (Answered, Answered) {
    if one < other { (one, other) } else { (other, one) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_answers_meets_and_a_seed_gives_the_same_combinations() {
        let names = |seed| {
            let all = combinations(40, seed, &["request"]);
            all.iter().map(|one| one.iter().map(|reading| (reading.question, reading.answer)).collect()).collect::<Vec<Vec<_>>>()
        };
        let found = names(1);
        assert_eq!((found.len(), &found), (40, &names(1)));
        assert_ne!(found, names(2));
        for one in READINGS.iter().filter(|reading| reading.question != "request") {
            for other in READINGS.iter().filter(|other| other.question != "request" && other.question != one.question) {
                let has = |row: &Vec<(&str, &str)>| {
                    [one, other].iter().all(|reading| row.contains(&(reading.question, reading.answer)))
                };
                assert_eq!(
                    found.iter().any(has),
                    !contradict(one, other),
                    "{}={} {}={}",
                    one.question,
                    one.answer,
                    other.question,
                    other.answer
                );
            }
        }
        assert!(found.iter().all(|row| row.iter().all(|(question, _)| *question != "request")));
    }
}
