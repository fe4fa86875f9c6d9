//! That each check can fail: what it accepts beside what it rejects.

use super::*;

fn file(path: &str, text: &str) -> File {
    (path.to_owned(), text.to_owned())
}

fn found(check: fn(&[File]) -> Vec<String>, path: &str, text: &str) -> Vec<String> {
    check(&[file(path, text)])
}

#[test]
fn accepts_imports_from_below_and_from_the_same_floor() {
    assert_eq!(
        found(upward_imports, "src/drive/walk.rs", "use super::line::Line;\nuse crate::{judge, scenario::plan};"),
        [""; 0]
    );
    assert_eq!(found(upward_imports, "src/verdict.rs", "use crate::history::Exchange;\nuse crate::api::Call;"), [""; 0]);
    assert_eq!(found(upward_imports, "src/api/call.rs", "mod tests { use super::super::code; }"), [""; 0]);
    assert_eq!(
        found(upward_imports, "src/api/mod.rs", "//! See [`crate::model`].\nconst A: &str = \"crate::model::B\";"),
        [""; 0]
    );
    assert_eq!(found(upward_imports, "src/lib.rs", "pub mod cli;\nuse crate::cli::main;"), [""; 0]);
}

#[test]
fn rejects_imports_from_above_from_a_sibling_and_to_no_floor() {
    assert_eq!(
        found(upward_imports, "src/api/call.rs", "\nuse crate::{\n    history,\n};"),
        ["src/api/call.rs:3: api imports history"]
    );
    assert_eq!(
        found(upward_imports, "src/drive/walk.rs", "fn f() {\n    crate::host::embedded::start()\n}"),
        ["src/drive/walk.rs:2: drive imports host::embedded::start"]
    );
    assert_eq!(
        found(upward_imports, "src/model/mod.rs", "use super::judge::At;"),
        ["src/model/mod.rs:1: model imports judge::At"]
    );
    assert_eq!(
        found(upward_imports, "src/spec/mod.rs", "mod tests {\n use super::super::model::Rules; }"),
        ["src/spec/mod.rs:2: spec imports model::Rules"]
    );
    assert_eq!(found(upward_imports, "src/random.rs", "use crate::clock;"), ["src/random.rs:1: random imports clock"]);
    assert_eq!(
        found(upward_imports, "src/extra.rs", ""),
        ["src/extra.rs:1: extra is no floor; give it a place in tests/it/tidy"]
    );
}

#[test]
fn accepts_a_folder_and_its_file_that_name_each_other_and_circles_of_tests() {
    let folder = file("src/model/mod.rs", "pub mod gate;\npub mod rules;\nuse gate::check;\npub struct Setup;");
    let gate = file("src/model/gate.rs", "use super::Setup;\nuse super::rules::Rules;");
    let rules = file("src/model/rules.rs", "#[cfg(test)]\nmod tests {\n    use crate::model::gate::check;\n}");
    assert_eq!(circles(&[folder, gate, rules]), [""; 0]);
}

#[test]
fn rejects_circles_of_any_length_and_through_a_re_export() {
    let gate = file("src/model/gate.rs", "use super::rules::Rules;");
    let rules = file("src/model/rules.rs", "use super::{\n    store::Store,\n};");
    let store = file("src/model/store.rs", "fn f() { crate::model::gate::check() }");
    assert_eq!(
        circles(&[gate, rules, store]),
        [
            "src/model/gate.rs:1: imports src/model/rules.rs, which leads back here",
            "src/model/rules.rs:2: imports src/model/store.rs, which leads back here",
            "src/model/store.rs:1: imports src/model/gate.rs, which leads back here",
        ]
    );
    let folder = file("src/model/mod.rs", "pub use rules::Rules;");
    let rules = file("src/model/rules.rs", "use super::gate;");
    let gate = file("src/model/gate.rs", "use super::Rules;");
    assert_eq!(circles(&[folder, rules, gate]).len(), 2);
}

#[test]
fn accepts_what_is_pure_and_impure_tests_and_impure_floors() {
    assert_eq!(found(impurities, "src/judge/mod.rs", "use std::time::Duration;\nuse std::fmt;\nfn tokio() {}"), [""; 0]);
    assert_eq!(found(impurities, "src/scenario/plan.rs", "#[cfg(test)]\nmod tests { fn f() { std::fs::read(p); } }"), [""; 0]);
    assert_eq!(found(impurities, "src/drive/client.rs", "use std::net::IpAddr;\nuse tokio::time;"), [""; 0]);
}

#[test]
fn rejects_what_a_pure_floor_must_not_name() {
    for code in [
        "use std::{fmt, fs};",
        "use std::net::IpAddr;",
        "use ::tokio::sync::mpsc;",
        "use tokio_rustls::TlsConnector;",
        "use hyper::body::Bytes;",
        "use wiremock::MockServer;",
        "fn f(c: reqwest::Client) {}",
        "fn f() { std::env::var(n); }",
        "fn f() { thread::sleep(d); }",
        "fn f() { Instant::now(); }",
        "fn f() { let c = '\"'; std::time::SystemTime::now(); }",
        "fn f<'a>(s: &'a str) { println!(\"{s}\"); }",
        "#[cfg(test)]\nuse a::b;\nuse std::fs;",
    ] {
        assert_eq!(found(impurities, "src/judge/mod.rs", code).len(), 1, "{code}");
    }
}

#[test]
fn accepts_the_clock_in_drive_and_rejects_it_in_report() {
    let code = "fn f() {\n    Instant::now();\n}";
    assert_eq!(found(clock_readings, "src/drive/pace.rs", code), [""; 0]);
    assert_eq!(found(clock_readings, "src/report/build.rs", code), ["src/report/build.rs:2: Instant::now"]);
}

#[test]
fn accepts_streams_in_cli_and_rejects_them_elsewhere_and_rejects_macros_that_print() {
    let code = "fn f() {\n    anstream::eprintln!(\"a\");\n    std::io::stdout();\n}";
    assert_eq!(found(prints, "src/cli/mod.rs", "fn f() { writeln!(std::io::stdout(), \"a\"); }"), [""; 0]);
    assert_eq!(found(prints, "src/cli/mod.rs", code), ["src/cli/mod.rs:2: eprintln!"]);
    let places = ["src/report/text.rs:2: eprintln!", "src/report/text.rs:3: std::io::stdout"];
    assert_eq!(found(prints, "src/report/text.rs", code), places);
    assert_eq!(
        found(prints, "src/report/text.rs", "// println!(\nfn f() { child.stdout(p); write!(w, r#\"println!(\"#); }"),
        [""; 0]
    );
}

#[test]
fn accepts_finished_code_and_rejects_unfinished() {
    assert_eq!(found(unfinished, "src/api/call.rs", "/* todo!() /* */ dbg!() */ fn ignore() { if todo != 1 {} }"), [""; 0]);
    let code = "#[ignore = \"slow\"]\nfn f() { todo!() }\n#[cfg_attr(windows, ignore)]\nfn g() { dbg!(unimplemented!()) }";
    assert_eq!(
        found(unfinished, "tests/strength.rs", code),
        [
            "tests/strength.rs:1: #[ignore]",
            "tests/strength.rs:3: #[ignore]",
            "tests/strength.rs:2: todo!",
            "tests/strength.rs:4: dbg!",
            "tests/strength.rs:4: unimplemented!",
        ]
    );
}

#[test]
fn accepts_rules_in_the_model_and_rejects_a_mutant_in_a_condition() {
    assert_eq!(found(mutant_conditions, "src/model/store.rs", "if self.rules.open { mutants() }"), [""; 0]);
    assert_eq!(found(mutant_conditions, "src/cli/mutants.rs", "if mutant.killed { count() }"), [""; 0]);
    for code in ["if mutant { a }", "if !self.mutant.is_some() { a }", "match mutant { A => b }"] {
        assert_eq!(found(mutant_conditions, "src/model/store.rs", code).len(), 1, "{code}");
    }
}

#[test]
fn accepts_names_that_say_something_and_rejects_those_that_do_not() {
    assert_eq!(found(vague_names, "src/drive/pace.rs", "mod utility {}\nfn helpers() {}"), [""; 0]);
    assert_eq!(found(vague_names, "src/drive/utils.rs", ""), ["src/drive/utils.rs:1: a name that says nothing"]);
    assert_eq!(found(vague_names, "src/manager/mod.rs", ""), ["src/manager/mod.rs:1: a name that says nothing"]);
    assert_eq!(
        found(vague_names, "src/drive/pace.rs", "\npub mod helpers;"),
        ["src/drive/pace.rs:2: mod helpers is a name that says nothing"]
    );
}

#[test]
fn accepts_a_file_with_its_job_and_rejects_one_without() {
    assert_eq!(found(undocumented, "src/clock.rs", "//! A clock.\n"), [""; 0]);
    assert_eq!(found(undocumented, "src/clock.rs", "// A clock.\n"), ["src/clock.rs:1: does not begin with //!"]);
}

#[test]
fn accepts_a_main_of_40_lines_and_rejects_one_of_41() {
    assert_eq!(found(long_mains, "src/main.rs", &"\n".repeat(40)), [""; 0]);
    assert_eq!(found(long_mains, "src/main.rs", &"\n".repeat(41)), ["src/main.rs:41: longer than 40 lines"]);
    assert_eq!(found(long_mains, "src/cli/mod.rs", &"\n".repeat(41)), [""; 0]);
}

#[test]
fn accepts_a_scenario_without_a_mutant_and_rejects_one_with() {
    let files = [file("scenarios/a.yaml", "scenarios:\n  # kills 19 pairs a set\n")];
    assert_eq!(named_mutants(&files, &["21 pairs a set"]), [""; 0]);
    assert_eq!(
        named_mutants(&files, &["21 pairs a set", "19 pairs a set"]),
        ["scenarios/a.yaml:2: names the mutant \"19 pairs a set\""]
    );
}

#[test]
fn accepts_clauses_that_are_tested_and_known_and_rejects_the_others() {
    let yaml = "scenarios:\n  - {id: a, title: A, clauses: [A-1], steps: [{clear: {clause: A-2}}]}\n";
    let both = spec(&[("A-1", Level::Must), ("A-2", Level::Should)]);
    let (planned, problems) = plan::load(vec![file("a.yaml", yaml)], &both);
    assert_eq!(problems, []);
    assert_eq!(untested_clauses(&both, &planned), [""; 0]);
    assert_eq!(unknown_clauses(&both, &planned), [""; 0]);

    let other = spec(&[("A-1", Level::Must), ("A-3", Level::Must), ("A-4", Level::Should), ("A-5", Level::Open)]);
    assert_eq!(untested_clauses(&other, &planned), ["A-3 (must): no scenario tests it", "A-4 (should): no scenario tests it"]);
    assert_eq!(unknown_clauses(&other, &planned), ["a.yaml:2: a names no clause: A-2"]);
}

fn spec(clauses: &[(&str, Level)]) -> Spec {
    let clause = |(id, level): &(&str, Level)| Clause {
        id: (*id).to_owned(),
        level: *level,
        section: String::new(),
        statement: String::new(),
        reading: None,
        readings: Vec::new(),
    };
    Spec { clauses: clauses.iter().map(clause).collect() }
}

#[test]
fn accepts_verdicts_that_are_read_and_rejects_those_that_are_made() {
    let read = "fn f(v: &Verdict) -> Finding {\n match v { Verdict::Pass => a, Verdict::Fail | Verdict::Unknown(_) => b }; \
                if x == Overall::Pass {} let Difference { clause, .. } = d; Verdict::Unknown(why) }";
    assert_eq!(found(judgements, "src/report/text.rs", read), [""; 0]);
    assert_eq!(found(judgements, "src/judge/text.rs", "fn f() -> Verdict { Verdict::Fail }"), [""; 0]);
    assert_eq!(
        found(judgements, "src/drive/line.rs", "fn f() -> V { Verdict::Fail }"),
        ["src/drive/line.rs:1: says Verdict::Fail"]
    );
    assert_eq!(found(judgements, "src/cli/run.rs", "let a = b(Overall::Pass, c);"), ["src/cli/run.rs:1: says Overall::Pass"]);
    let made = "\nlet finding = Finding { clause, ..other };";
    assert_eq!(found(judgements, "src/report/build.rs", made), ["src/report/build.rs:2: makes a Finding"]);
}

#[test]
fn accepts_a_room_that_knows_what_modes_share_and_rejects_one_that_knows_another() {
    let shared = "use crate::judge::load::tally::Tally;\nuse crate::drive::ground::Ground;";
    assert_eq!(found(doors, "src/drive/load/run.rs", shared), [""; 0]);
    assert_eq!(found(doors, "src/drive/ground.rs", "use crate::scenario::load::Plan;"), [""; 0]);
    assert_eq!(
        found(doors, "src/drive/load/run.rs", "use crate::judge::conform::At;"),
        ["src/drive/load/run.rs:1: load imports judge::conform::At"]
    );
}

#[test]
fn accepts_one_name_and_its_impls_and_rejects_two() {
    let one = file(
        "src/api/call.rs",
        "pub struct Call;\nimpl FromStr for Call { type Err = (); }\n#[cfg(test)]\nmod tests { struct Peer; }",
    );
    let other = file("src/api/reply.rs", "enum Reply { Call }\nimpl FromStr for Reply { type Err = (); }\nstruct Peer;");
    assert_eq!(twins(&[one.clone(), other]), [""; 0]);
    let twin = file("src/host/mod.rs", "\ntype Call = u8;");
    assert_eq!(twins(&[one, twin]), ["src/api/call.rs:1: Call stands also at src/host/mod.rs:2"]);
}

#[test]
fn accepts_a_file_whose_tests_are_long_and_rejects_one_that_is_long_itself() {
    let lines = "\n".repeat(MOST_LINES);
    assert_eq!(found(long_files, "src/api/call.rs", &format!("{lines}#[cfg(test)]\nmod tests {{\n{lines}}}")), [""; 0]);
    assert_eq!(found(long_files, "src/api/call.rs", &format!("{lines}\n")), ["src/api/call.rs:501: longer than 500 lines"]);
}

#[test]
fn accepts_texts_that_live_for_ever_and_rejects_globals_and_threads() {
    assert_eq!(found(impurities, "src/api/call.rs", "const A: &'static str = \"static B\"; use std::sync::Arc;"), [""; 0]);
    assert_eq!(found(impurities, "src/api/call.rs", "\nstatic CALLS: u8 = 0;"), ["src/api/call.rs:2: the global CALLS"]);
    assert_eq!(found(impurities, "src/api/call.rs", "use std::sync::Arc;\nuse std::thread;"), ["src/api/call.rs:2: std::thread"]);
}
