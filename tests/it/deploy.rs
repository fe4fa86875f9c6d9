//! What deploy/ hands out does what it says: the script for Slurm in a cluster of one node, the jobs for Kubernetes as its schemas have
//! them and started as it would start them, and the image as far as its file tells.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{DEADLINE, KEY, Serve, command, end, msgext_in, report_of, until, without_variables};
use crate::support::debian::{program, python_program};

/// For measuring clocks and making messages, on a machine that does other things, too.
const READY_IN: Duration = Duration::from_secs(20);

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The text with something else in the one place that says this.
#[track_caller]
fn with(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old}");
    text.replace(old, new)
}

fn serve() -> Serve {
    Serve::start(&["--app-limit", "none", "--message-limit", "none"])
}

/// The report of the merge in this folder.
fn report(out: &Path) -> Value {
    serde_json::from_str(&read(&out.join("merge/report.json").display().to_string())).expect("JSON")
}

#[track_caller]
fn assert_holds(report: &Value, calls: u64) {
    assert_eq!(report["verdict"], "pass", "{}", report["reason"]);
    assert_eq!(report["load"]["total"]["sent"], calls);
}

// -------------------------------------------------------------------------------------------------------------- Slurm

/// A cluster of this machine alone, which it takes for one of four processors.
struct Cluster {
    folder: TempDir,
    daemons: Vec<(&'static str, Child)>,
}

impl Cluster {
    fn start() -> Cluster {
        let mut cluster = Cluster { folder: tempfile::tempdir().expect("a folder"), daemons: Vec::new() };
        let folder = cluster.folder.path().to_owned();
        for name in ["state", "spool", "work"] {
            fs::create_dir(folder.join(name)).expect("a folder");
        }
        fs::write(folder.join("slurm.conf"), slurm_conf(&folder)).expect("a file");
        // Jobs are not confined, and this version of control groups then asks nothing of the system.
        fs::write(folder.join("cgroup.conf"), "CgroupPlugin=cgroup/v1\n").expect("a file");

        let mut key = Command::new(program("mungekey", "munge"));
        let made = key.args(["--create", "--keyfile"]).arg(folder.join("munge.key")).status();
        assert!(made.expect("mungekey can be run").success());
        // It does not like the folders that tests have.
        let alone = ["--foreground", "--force"];
        let own = [
            "--socket=munge.socket",
            "--key-file=munge.key",
            "--log-file=munge.log",
            "--pid-file=munge.pid",
            "--seed-file=munge.seed",
        ];
        cluster.daemon("munged", "munge", &[&alone[..], &own].concat());
        cluster.until("munge listens", |_| folder.join("munge.socket").exists());
        for name in ["slurmctld", "slurmd"] {
            cluster.daemon(name, name, &["-D"]);
        }
        cluster.until("the node is idle", |cluster| cluster.ask("sinfo", &["--noheader", "--format=%t"]).stdout == b"idle\n");
        cluster
    }

    fn daemon(&mut self, name: &'static str, package: &str, args: &[&str]) {
        let log = File::create(self.log(name)).expect("a file");
        let mut daemon = self.command(name, package);
        daemon.args(args).current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemons.push((name, daemon.spawn().unwrap_or_else(|error| panic!("{name}: {error}"))));
    }

    fn log(&self, daemon: &str) -> PathBuf {
        self.folder.path().join(format!("{daemon}.log"))
    }

    fn command(&self, name: &str, package: &str) -> Command {
        let mut command = without_variables(Command::new(program(name, package)));
        command.env("SLURM_CONF", self.folder.path().join("slurm.conf"));
        command
    }

    fn ask(&self, name: &str, args: &[&str]) -> Output {
        self.command(name, "slurm-client").args(args).output().unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Waits for a condition as long as all daemons are there.
    fn until(&mut self, what: &str, holds: impl Fn(&Cluster) -> bool) {
        until(what, || {
            let gone = self.daemons.iter_mut().find_map(|(name, child)| child.try_wait().ok().flatten().map(|_| *name));
            assert_eq!(gone, None, "{}", gone.map(|name| fs::read_to_string(self.log(name)).expect("text")).unwrap_or_default());
            holds(self)
        });
    }

    /// The exit code of a job of four tasks, its number and what it said.
    fn job(&mut self, ready_in: Duration, args: &[&str]) -> (String, String, String) {
        let binary = Path::new(env!("CARGO_BIN_EXE_msgext")).parent().expect("a folder");
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([binary.to_owned()].into_iter().chain(std::env::split_paths(&inherited)));
        let mut sbatch = self.command("sbatch", "slurm-client");
        sbatch.arg("--parsable").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/slurm.sh")).args(args);
        sbatch.env("PATH", path.expect("a path")).env("MSGEXT_SECRET_KEY", KEY).env("START_IN", ready_in.as_secs().to_string());
        let submitted = sbatch.current_dir(self.work()).output().expect("sbatch can be run");
        assert!(submitted.status.success(), "{}", String::from_utf8_lossy(&submitted.stderr));
        let number = String::from_utf8(submitted.stdout).expect("UTF-8").trim().to_owned();

        let (ended, begins) = (self.folder.path().join("ended"), format!("JobId={number} "));
        let code = || {
            let jobs = fs::read_to_string(&ended).ok().filter(|jobs| jobs.ends_with('\n'))?;
            let job = jobs.lines().find(|job| job.starts_with(&begins))?;
            Some(job.split_once(" ExitCode=")?.1.trim().to_owned())
        };
        self.until("the job has ended", |_| code().is_some());
        let said = fs::read_to_string(self.work().join(format!("slurm-{number}.out"))).expect("text");
        (code().expect("it has ended"), number, said)
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // What jobs have started is nobody's child here; where a test has failed, some may go on.
        let _ = self.command("scancel", "slurm-client").args(["--full", "--signal=KILL", "--state=RUNNING"]).output();
        let goes_on = || {
            let jobs = self.command("squeue", "slurm-client").arg("--noheader").output();
            jobs.is_ok_and(|jobs| !jobs.stdout.is_empty())
        };
        // Without end it must not wait: it may be the cluster that has failed.
        (0..100).take_while(|_| goes_on()).for_each(|_| thread::sleep(Duration::from_millis(50)));
        self.daemons.iter_mut().rev().for_each(|(_, daemon)| end(daemon));
    }
}

/// For whoever runs the tests, and at ports that no connection takes by chance.
fn slurm_conf(folder: &Path) -> String {
    let told = |program: &str, arg: &str| {
        let output = Command::new(program).arg(arg).output().unwrap_or_else(|error| panic!("{program}: {error}"));
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    };
    let (user, host) = (told("id", "-un"), told("uname", "-n"));
    let host = host.split('.').next().expect("a name");
    let from = 20_000 + u16::try_from(std::process::id() % 10_000).expect("it is less");
    let mut free = (from..32_000).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let [controller, node] = [(); 2].map(|()| free.next().expect("a free port"));
    let folder = folder.display();
    format!(
        "ClusterName=msgext
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
SlurmdParameters=config_overrides
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/ended
NodeName={host} NodeAddr=127.0.0.1 CPUs=4
PartitionName=all Nodes={host} Default=YES
"
    )
}

#[test]
fn tasks_of_slurm_send_a_plan_together_and_the_job_ends_as_their_sum_does() {
    let (serve, mut cluster) = (serve(), Cluster::start());
    let target = ["--target", serve.url(), "--sdkappid", "1400000000", "--admin", "administrator"];
    let load = [&target[..], &["--rate", "200/s", "--for", "3s"]].concat();
    let (code, number, said) = cluster.job(READY_IN, &load);
    assert_eq!(code, "0:0", "{said}");
    let reports = cluster.work().join("reports").join(number);
    assert_holds(&report(&reports), 600);

    let part = |shard: u32| reports.join(format!("load/part-{shard}.json")).display().to_string();
    let [first, second, third] = [0, 1, 3].map(part);
    let merged = msgext_in(TempDir::new().expect("a folder"), None, &["merge", &first, &second, &third]).exits(4);
    let report = report_of(merged.folder.path(), "merge");
    assert_eq!(report["reason"], "shard 2 of 4: it has left no part");
    assert_eq!(report["load"]["total"]["sent"], 450);

    // Too late for all of them.
    let (code, _, said) = cluster.job(Duration::ZERO, &load);
    assert!(code == "3:0" && said.contains("no shard has sent anything"), "{code} {said}");
}

#[test]
fn the_script_is_one_that_shellcheck_has_nothing_against() {
    let script = read("deploy/slurm.sh");
    let checked = |script: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("slurm.sh"), script).expect("a file");
        let output = Command::new(program("shellcheck", "shellcheck")).arg("slurm.sh").current_dir(&folder).output();
        let output = output.expect("shellcheck can be run");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    assert_eq!(checked(&script), (Some(0), String::new()));
    let (code, told) = checked(&with(&script, "load \"$@\"", "load $@"));
    assert!(code == Some(1) && told.contains("SC2068"), "{told}");
}

// --------------------------------------------------------------------------------------------------------- Kubernetes

/// What Kubernetes of this version has against a manifest, in its exit code and words.
fn validated(manifest: &str, version: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("kubernetes.yaml"), manifest).expect("a file");
    let mut validate = Command::new(python_program("kubernetes-validate", "1.37.0"));
    validate.args(["--strict", "--quiet", "--kubernetes-version", version, "kubernetes.yaml"]).current_dir(&folder);
    let output = validate.output().expect("kubernetes-validate can be run");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("UTF-8"))
}

#[test]
fn the_manifest_is_one_that_kubernetes_takes_from_the_version_on_that_is_named() {
    let manifest = read("deploy/kubernetes.yaml");
    for version in ["1.29.0", "1.37.0"] {
        assert_eq!(validated(&manifest, version), (Some(0), String::new()), "{version}");
    }
    for (wrong, version, told) in [
        (with(&manifest, "parallelism: 4", "paralelism: 4"), "1.37.0", "'paralelism' was unexpected"),
        (with(&manifest, "parallelism: 4", "parallelism: four"), "1.37.0", "spec.parallelism: 'four' is not of type"),
        (manifest, "1.27.0", "'backoffLimitPerIndex' was unexpected"),
    ] {
        let (code, said) = validated(&wrong, version);
        assert!(code == Some(1) && said.contains(told), "{said}");
    }
}

fn documents(manifest: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(manifest).map(|document| Value::deserialize(document).expect("YAML")).collect()
}

/// The jobs of a manifest, on this machine.
struct Jobs {
    documents: Vec<Value>,
    /// With a folder for each volume.
    folder: TempDir,
}

impl Jobs {
    fn new(manifest: &str) -> Jobs {
        let jobs = Jobs { documents: documents(manifest), folder: tempfile::tempdir().expect("a folder") };
        for name in ["config", "parts"] {
            fs::create_dir(jobs.folder.path().join(name)).expect("a folder");
        }
        for (name, text) in jobs.named("ConfigMap", "msgext")["data"].as_object().expect("files") {
            fs::write(jobs.folder.path().join("config").join(name), text.as_str().expect("text")).expect("a file");
        }
        jobs
    }

    fn named(&self, kind: &str, name: &str) -> &Value {
        let found = self.documents.iter().find(|document| document["kind"] == kind && document["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }

    /// The environment of a container, before a Job adds to it.
    fn environment(&self, container: &Value) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let value = |variable: &Value| {
            let (from, secret) = (&variable["valueFrom"]["configMapKeyRef"], &variable["valueFrom"]["secretKeyRef"]);
            let of_config = || text(&self.named("ConfigMap", from["name"].as_str()?)["data"][from["key"].as_str()?]);
            text(&variable["value"]).or_else(of_config).or_else(|| secret.is_object().then(|| KEY.to_owned()))
        };
        let variables = container["env"].as_array().expect("variables").iter();
        variables.map(|variable| text(&variable["name"]).zip(value(variable)).expect("a name and a value")).collect()
    }

    /// The exit codes of all pods of a Job, with what they said.
    fn run(&self, name: &str) -> Vec<(Option<i32>, String)> {
        let spec = &self.named("Job", name)["spec"];
        let container = &spec["template"]["spec"]["containers"][0];
        let pods = spec["completions"].as_u64().unwrap_or(1);
        assert_eq!(spec["parallelism"].as_u64().unwrap_or(1), pods, "they start together");
        let pod = |index: u64| {
            let mut environment = self.environment(container);
            if spec["completionMode"] == "Indexed" {
                environment.insert("JOB_COMPLETION_INDEX".to_owned(), index.to_string());
            }
            let mut pod = assert_cmd::Command::from_std(command());
            pod.args(self.args(container, &environment)).envs(environment).current_dir(&self.folder).timeout(DEADLINE);
            let output = pod.output().expect("the binary can be run");
            (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
        };
        thread::scope(|scope| {
            let pods: Vec<_> = (0..pods).map(|index| scope.spawn(move || pod(index))).collect();
            pods.into_iter().map(|pod| pod.join().expect("a pod")).collect()
        })
    }

    /// A container's arguments with the values of variables, and with folders here in place of its own.
    fn args(&self, container: &Value, environment: &BTreeMap<String, String>) -> Vec<String> {
        let arg = |arg: &Value| {
            let mut arg = arg.as_str().expect("an argument").to_owned();
            for (name, value) in environment {
                arg = arg.replace(&format!("$({name})"), value);
            }
            for mount in container["volumeMounts"].as_array().expect("mounts") {
                let here = self.folder.path().join(mount["name"].as_str().expect("a name"));
                arg = arg.replace(mount["mountPath"].as_str().expect("a path"), here.to_str().expect("UTF-8"));
            }
            arg
        };
        container["args"].as_array().expect("arguments").iter().map(arg).collect()
    }
}

#[test]
fn the_jobs_send_a_plan_together_and_merge_finds_their_parts_where_they_left_them() {
    let serve = serve();
    let start_at = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") + READY_IN;
    let start_at = start_at.as_secs().to_string();
    let manifest = with(&read("deploy/kubernetes.yaml"), "https://chat.example.org", serve.url());
    let manifest = with(&with(&manifest, "SECONDS-SINCE-1970", &start_at), "for: 60s", "for: 3s");
    let jobs = Jobs::new(&manifest);
    for (job, pods) in [("msgext-load", 4), ("msgext-merge", 1)] {
        let ended = jobs.run(job);
        assert!(ended.len() == pods && ended.iter().all(|(code, _)| *code == Some(0)), "{job} {ended:?}");
    }
    let parts = jobs.folder.path().join("parts").join(start_at);
    assert_holds(&report(&parts), 450);

    fs::remove_file(parts.join("load/part-3.json")).expect("it has left a part");
    let (code, said) = jobs.run("msgext-merge").remove(0);
    assert!(code == Some(4) && said.contains("shard 3 of 4: it has left no part"), "{said}");
}

#[test]
fn nothing_in_the_jobs_is_of_root_or_can_be_written_but_the_parts() {
    let jobs = Jobs::new(&read("deploy/kubernetes.yaml"));
    for name in ["msgext-load", "msgext-merge"] {
        let pod = &jobs.named("Job", name)["spec"]["template"]["spec"];
        let (container, of_pod) = (&pod["containers"][0], &pod["securityContext"]);
        assert_eq!(of_pod["runAsNonRoot"], true, "{name}");
        assert_eq!(Some(format!("{0}:{0}", of_pod["runAsUser"])), user(&read("deploy/Containerfile")), "{name}");
        assert_eq!(container["image"], concat!("msgext:", env!("CARGO_PKG_VERSION")), "{name}");
        assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true, "{name}");
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{name}");
        let mounts = container["volumeMounts"].as_array().expect("mounts").iter();
        let written: Vec<&Value> = mounts.filter(|mount| mount["readOnly"] != true).map(|mount| &mount["name"]).collect();
        assert_eq!(written, ["parts"], "{name}");
    }
}

// -------------------------------------------------------------------------------------------------------------- image

/// As whom the image's last stage runs.
fn user(containerfile: &str) -> Option<String> {
    let last = containerfile.rsplit("\nFROM ").next()?;
    last.lines().find_map(|line| line.strip_prefix("USER ")).map(str::to_owned)
}

/// What is wrong with the image, as far as its file tells.
fn faults(containerfile: &str) -> Vec<String> {
    let toolchain = read("rust-toolchain.toml");
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).expect("a version").trim_matches('"');
    let copied = containerfile.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|args| !args.starts_with("--from"));
    let sources = copied.flat_map(|args| args.split(' ').rev().skip(1));
    let missing = sources.filter(|source| !Path::new(source).exists()).map(|source| format!("there is no {source}"));
    let user = user(containerfile);
    let number = user.as_deref().and_then(|user| user.split(':').next()?.parse::<u32>().ok());
    let rules = [
        (containerfile.contains(&format!("FROM docker.io/library/rust:{version}-")), "its Rust is another one"),
        (containerfile.contains("cargo build --locked --release --bin msgext "), "its versions are not those of Cargo.lock"),
        (containerfile.contains("\nFROM scratch\n"), "it holds a system"),
        (number.is_some_and(|number| number > 0), "it may run as root"),
    ];
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault.to_owned()).chain(missing).collect()
}

#[test]
fn the_image_is_built_of_what_this_repository_pins_and_runs_as_nobody_in_particular() {
    let file = read("deploy/Containerfile");
    assert_eq!(faults(&file), Vec::<String>::new());
    for (old, new, fault) in [
        ("rust:1.", "rust:2.", "its Rust is another one"),
        ("--locked", "--offline", "its versions are not those of Cargo.lock"),
        ("FROM scratch", "FROM debian", "it holds a system"),
        ("USER 65532:65532", "USER 0:0", "it may run as root"),
        ("USER 65532:65532", "", "it may run as root"),
        ("COPY src src", "COPY source src", "there is no source"),
    ] {
        assert_eq!(faults(&with(&file, old, new)), [fault]);
    }
}
