//! What the pages leave open, and what stands in for it when a test runs their commands. An entry that no page needs fails.

/// What stands in for a text of the pages. In braces: what `msgext serve` says of itself, `{other}` the URL of a second one.
pub(super) const PLACEHOLDERS: &[(&str, &str)] = &[
    ("cargo run --", "msgext"),
    ("http://127.0.0.1:8080", "{url}"),
    ("https://chat.example.org", "{url}"),
    ("URL_A URL_B", "{url} {other}"),
    ("\"$URL\"", "{url}"),
    ("--target …", "--target target.yaml"),
    ("--target singapore", "--target target.yaml"),
    ("--sdkappid N", "--sdkappid 1400000000"),
    ("\"$SDKAPPID\"", "1400000000"),
    ("--admin ID", "--admin administrator"),
    ("\"$ADMIN\"", "administrator"),
    ("MSGEXT_SECRET_KEY=…", "MSGEXT_SECRET_KEY=msgext-development-key"),
    ("usersig=eJw9jN…", "usersig={usersig}"),
    ("1_12_1795415833", "{msg_key}"),
    ("BASE NEW…", "base/run new/run"),
    ("\"$COMMIT\"", "0123abc"),
    ("127.0.0.1:9090", "127.0.0.1:0"),
    ("2026-12-24T12:00:00Z", "$(date +%s)"),
    ("load soak", "load soak.yaml"),
    ("--for 5m", "--cases 20"),
    ("--for 20s", "--for 1s"),
    ("--for 30s", "--for 1s"),
    ("--connections 64", "--connections 1"),
];

/// The target file where a page has none of its own.
pub(super) const TARGET: &str = "url: {url}\nsdkappid: 1400000000\nadmin: administrator\n";

/// What a command needs besides.
pub(super) struct Setting {
    pub(super) page: &'static str,
    /// How the command begins.
    pub(super) command: &'static str,
    /// The options of `msgext serve`, of one, or of one and another.
    pub(super) serve: &'static [&'static str],
    /// The app's key in the environment.
    pub(super) key: Option<&'static str>,
    /// What a shell does first.
    pub(super) before: &'static str,
    /// Options that make it shorter.
    pub(super) more: &'static str,
    /// Ctrl-C ends it, once it has said this.
    pub(super) until: Option<&'static str>,
    /// Exit codes, each with a line that has to come with it. What is shown is looked for where it ends with the first.
    pub(super) ends: &'static [(i32, &'static str)],
    /// How lines begin whose figures are others in each run, or in a shorter one.
    pub(super) varying: &'static [&'static str],
    /// How lines begin that only the command in full has.
    pub(super) unlike: &'static [&'static str],
}

pub(super) const PLAIN: Setting = Setting {
    page: "",
    command: "",
    serve: &[""],
    key: Some("msgext-development-key"),
    before: "",
    more: "",
    until: None,
    ends: &[],
    varying: &[],
    unlike: &[],
};

/// The scenario of README.md that expects the wrong thing.
const WRONG: &str = "cp '{root}/tests/it/docs/wrong.yaml' .";
const FAILING_REPORT: &str =
    "cp '{root}/tests/it/docs/wrong.yaml' . && msgext run wrong.yaml --quiet --json report.json || [ $? = 1 ]";
/// By `openim/sendmsg`, as the admin.
const SEND_A_MESSAGE: &str = r#"cat > send-a-message <<'END'
#!/bin/sh
from=${MSGEXT_FROM:+\"From_Account\":\"$MSGEXT_FROM\",}
body="{$from\"To_Account\":\"$MSGEXT_TO\",\"MsgRandom\":$$,\"SupportMessageExtension\":$MSGEXT_SUPPORT,
  \"SyncOtherMachine\":2,\"MsgBody\":[{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{\"Text\":\"a test\"}}]}"
curl -s '{url}/v4/openim/sendmsg?sdkappid=1400000000&identifier=administrator&usersig={usersig}&random=1&contenttype=json' -d "$body" |
  sed -n 's/.*"MsgKey":"\([^"]*\)".*/\1/p'
END
chmod +x send-a-message
"#;
/// Two members who set one key with a Seq that both were told: with few calls each they can only both win.
const RIVALS: &str = "cat > rivals.yaml <<'END'
title: Two members on one key
clients: 2
messages: 200
keys: 1
operations: 600
seq: {latest: 1, stale: 0, zero: 0}
as: [sender, recipient]
END
";
/// The plan but for its 4,000 messages, which would take half a minute to make.
const SOAK: &str = "sed 's/^messages: 4000$/messages: 40/' '{root}/scenarios/load/soak.yaml' > soak.yaml";
const FAST_REPORT: &str = "msgext run --target target.yaml --fast --quiet --json report.json";

/// A generator that shares its machine may be late, and then says so.
const LATE: (i32, &str) = (4, "INCONCLUSIVE …generator…");
const UNEVEN: (i32, &str) = (4, "INCONCLUSIVE …: arrivals were not as planned: …");

pub(super) const SETTINGS: &[Setting] = &[
    Setting { page: "README.md", command: "cargo run -- run", ends: &[(0, "PASS … scenarios passed")], ..PLAIN },
    Setting { page: "README.md", command: "msgext run wrong.yaml", before: WRONG, ..PLAIN },
    Setting {
        page: "README.md",
        command: "msgext serve",
        key: None,
        more: "--listen 127.0.0.1:0",
        until: Some("Ctrl-C stops it"),
        ..PLAIN
    },
    Setting { page: "README.md", command: "msgext doctor --target target.yaml", before: SEND_A_MESSAGE, ..PLAIN },
    Setting { page: "README.md", command: "msgext run --target target.yaml", before: SEND_A_MESSAGE, ..PLAIN },
    Setting { page: "docs/ci.md", command: "jq -r .verdict", before: FAILING_REPORT, ..PLAIN },
    Setting { page: "docs/ci.md", command: "jq -r '.clauses | group_by", before: FAST_REPORT, ..PLAIN },
    Setting { page: "docs/ci.md", command: "jq -e", before: FAST_REPORT, ends: &[(1, "false")], ..PLAIN },
    Setting {
        page: "docs/compare.md",
        command: "msgext compare BASE NEW",
        before: "for run in base new; do msgext run --quiet --out $run; done",
        ..PLAIN
    },
    Setting {
        page: "docs/compare.md",
        command: "msgext load --interleave",
        // Far enough apart for the medians of rounds of a second beside other work; higher percentiles are the machine's.
        serve: &["--latency 10ms", "--latency 20ms"],
        more: "--max-regression throughput=50%,p50=5%",
        ends: &[(1, "FAIL …p50 … at most +5.0 %…"), LATE, UNEVEN, (4, "INCONCLUSIVE …would probably settle it…")],
        varying: &["              base", "  throughput", "  p50"],
        unlike: &["  p90", "  p99"],
        ..PLAIN
    },
    Setting {
        page: "docs/compare.md",
        command: "msgext compare reports/load",
        before: "msgext load --rate 50/s --for 1s --quiet || [ $? = 4 ]",
        ends: &[(4, "INCONCLUSIVE 1 runs are too few to show a change: it takes 6")],
        ..PLAIN
    },
    Setting {
        page: "docs/fuzz.md",
        command: "msgext fuzz --target target.yaml --seed",
        serve: &["--app-limit none --message-limit none --mutant 'keys ignore case'"],
        ends: &[(1, "FAIL … clauses broken in 200 cases: …SET-4…")],
        varying: &["FAIL[SET-4]", "  --> ", "20 | ", "  SET-4"],
        ..PLAIN
    },
    Setting {
        page: "docs/limits.md",
        command: "msgext limits",
        varying: &["  calls ", "  admitted ", "  refused ", "           0 to "],
        ..PLAIN
    },
    Setting {
        page: "docs/limits.md",
        command: "msgext limits --target",
        more: "--time 5s",
        ends: &[(4, "INCONCLUSIVE the app's limit: …")],
        ..PLAIN
    },
    Setting {
        page: "docs/load.md",
        command: "msgext load --target",
        more: "--metrics 127.0.0.1:0",
        until: Some("live page: "),
        ends: &[(4, "INCONCLUSIVE cut short after …")],
        ..PLAIN
    },
    Setting {
        page: "docs/load.md",
        command: "msgext load --rate 190/s",
        ends: &[(0, "PASS 190 calls judged, 3 checks hold"), LATE, UNEVEN, (1, "FAIL p99 response < 50ms…")],
        ..PLAIN
    },
    Setting {
        page: "docs/load.md",
        command: "msgext load --find-capacity --slo 'p99 response < 20ms' --target",
        more: "--start-rate 50/s --max-rate 50/s --trial 200ms --confirm 500ms",
        ends: &[(0, "PASS p99 response < 20ms: holds at 50.0/s…"), LATE, (1, "FAIL p99 response < 20ms: confirmed at no rate…")],
        ..PLAIN
    },
    Setting {
        page: "docs/load.md",
        command: "msgext load soak",
        before: SOAK,
        more: "--metrics 127.0.0.1:0",
        until: Some("live page: "),
        ends: &[(4, "INCONCLUSIVE cut short after …")],
        ..PLAIN
    },
    Setting {
        page: "docs/load.md",
        command: "msgext load limits",
        ends: &[(3, "error: …it was ready …after it was to start (--start-at)…")],
        ..PLAIN
    },
    Setting { page: "docs/load.md", command: "msgext merge", ends: &[(3, "error: no shard has sent anything…")], ..PLAIN },
    Setting {
        page: "docs/load.md",
        command: "msgext load --find-capacity --slo 'p99 response < 20ms' --connections 64",
        serve: &["--threads 1 --app-limit none --message-limit none --latency 8ms"],
        more: "--start-rate 50/s --trial 200ms --confirm 500ms",
        ends: &[(0, "PASS …, and no longer at …"), LATE, (1, "FAIL p99 response < 20ms: confirmed at no rate…")],
        varying: &["     offered", "  ✓ ", "  ✗ ", "PASS p99 response < 20ms: "],
        ..PLAIN
    },
    Setting {
        page: "docs/races.md",
        command: "msgext race clears",
        more: "--rate none --operations 3000 --messages 30",
        ..PLAIN
    },
    Setting {
        page: "docs/races.md",
        command: "msgext race --rate none",
        serve: &["--race check-then-set:5ms --app-limit none --message-limit none"],
        before: RIVALS,
        more: "rivals.yaml",
        ends: &[(1, "FAIL SEQ-7: … without an explanation: two winners of one Seq")],
        varying: &["two winners of one Seq: ", "  0  ", "  ├", "               ├"],
        ..PLAIN
    },
    Setting { page: "docs/reports.md", command: "msgext report", before: "msgext run --quiet", ..PLAIN },
    Setting {
        page: "docs/reports.md",
        command: "msgext load soak --metrics",
        before: SOAK,
        until: Some("live page: "),
        ends: &[(4, "INCONCLUSIVE cut short after …")],
        ..PLAIN
    },
    Setting {
        page: "docs/serve.md",
        command: "msgext serve",
        more: "--listen 127.0.0.1:0",
        until: Some("Ctrl-C stops it"),
        ..PLAIN
    },
    Setting {
        page: "docs/strength.md",
        command: "msgext mutants",
        more: "--filter 'r '",
        varying: &[
            "  CLR",
            "  ERR",
            "  HTTP",
            "  LIM",
            "  MSG",
            "  REQ",
            "  SET",
            "  URL",
            "  killed",
            "  lawful",
            "PASS all of ",
        ],
        unlike: &["  DEL", "  SEQ", "  WHO"],
        ..PLAIN
    },
    Setting {
        page: "docs/targets.md",
        command: "msgext doctor",
        key: Some("the key of another app"),
        ends: &[(3, "error: …key and UserSig: refused: 70009…")],
        ..PLAIN
    },
];

/// The same of every command.
pub(super) const VARYING: &[&str] = &["  requests ", "  seed ", "  curl -sS ", "listening on "];

/// Blocks that show what a command prints that does not stand above it: the page, how the block begins, and the command.
pub(super) const OUTPUTS: &[(&str, &str, &str)] = &[
    (
        "docs/compare.md",
        "              base      new",
        "msgext load --interleave URL_A URL_B --rounds 5 --rate 100/s --for 20s --sdkappid N --admin ID",
    ),
    ("docs/fuzz.md", "FAIL[SET-4]", "msgext fuzz --target target.yaml --seed 964638221 --cases 200 --rate none"),
];

/// Commands that are not run, by how they begin, and blocks that are not looked for; and why.
pub(super) const UNRUN: &[(&str, &str)] = &[
    ("cargo test", "runs this"),
    ("cargo install", "builds for minutes"),
    ("podman", "needs a registry"),
    ("SOURCE_DATE_EPOCH=0 docker", "needs a registry"),
    ("kubectl", "needs a cluster"),
    ("sed \"s/SECONDS", "needs a cluster; deploy.rs runs its jobs"),
    ("sbatch", "deploy.rs runs it"),
    ("Clauses", "the default plan takes two and a half minutes"),
];
