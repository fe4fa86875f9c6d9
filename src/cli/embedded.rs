//! The embedded endpoint as a target: where `host` and `drive` meet.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use secrecy::ExposeSecret as _;
use tokio::runtime::{self, Runtime};

use super::exit::Failure;
use crate::clock::VirtualClock;
use crate::drive::target::{Accounts, App, Launch, Launched, MessageSource, Signatures, Target, TargetPlace};
use crate::host::embedded::Embedded;
use crate::host::race::RaceFlaw;
use crate::host::server::{self, Behaviour, bind};
use crate::model::{self, Model, Rules, Setup};

/// The key of the embedded endpoint's apps, and of `msgext serve` where it is given none. It protects nothing.
pub const DEVELOPMENT_KEY: &str = "msgext-development-key";
pub const SDKAPPID: u64 = 1_400_000_000;
pub const ADMIN: &str = "administrator";

/// 2026-01-01 and some seconds: no window of a limiter begins here.
const CLOCK_START: Duration = Duration::from_millis(1_767_225_617_300);

/// An app with the plan, and one without it, both with this key.
pub fn apps(sdkappid: u64, admin: &str, secret_key: &str) -> Vec<model::ServedApp> {
    let app = |sdkappid, has_plan| model::ServedApp {
        sdkappid,
        secret_key: secret_key.to_owned(),
        admins: vec![admin.to_owned()],
        has_plan,
    };
    vec![app(sdkappid, true), app(sdkappid + 1, false)]
}

/// The app of the embedded endpoint.
pub fn target() -> Target {
    let signatures = Signatures::default();
    let app =
        |sdkappid| App { sdkappid, admin: ADMIN.to_owned(), secret_key: DEVELOPMENT_KEY.into(), signatures: signatures.clone() };
    Target {
        app: app(SDKAPPID),
        accounts: Accounts::default(),
        messages: MessageSource::SendMsg,
        without_plan: Some(app(SDKAPPID + 1)),
        member_calls: None,
        read_back: None,
        timeout: Duration::from_secs(10),
    }
}

/// An endpoint by these rules, fresh for every scenario, with a clock of its own.
pub fn place(rules: Rules) -> TargetPlace {
    TargetPlace::Embedded(launch(rules, apps(SDKAPPID, ADMIN, DEVELOPMENT_KEY)))
}

/// An endpoint over TCP and in real time, on threads of its own, until this is dropped.
pub struct ServedEndpoint {
    pub url: Url,
    // Dropping the runtime ends the server.
    _runtime: Runtime,
}

/// Starts an endpoint by these rules on so many threads.
pub fn serve(rules: Rules, race: Option<RaceFlaw>, threads: usize) -> Result<ServedEndpoint, Failure> {
    let served = served(rules, race, threads);
    served.map_err(|error| Failure::could_not_test(format!("the embedded endpoint cannot be started: {error}")))
}

fn served(rules: Rules, race: Option<RaceFlaw>, threads: usize) -> io::Result<ServedEndpoint> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let (listener, address) = runtime.block_on(bind(SocketAddr::from(([127, 0, 0, 1], 0))))?;
    let setup = Setup { rules, apps: apps(SDKAPPID, ADMIN, DEVELOPMENT_KEY) };
    let behaviour = Behaviour { race, ..Behaviour::default() };
    runtime.spawn(server::serve(listener, setup, Model::new(), behaviour, pending()));
    let url = format!("http://{address}").parse().expect("an address is a URL");
    Ok(ServedEndpoint { url, _runtime: runtime })
}

/// The documented endpoint in the name of another target: same apps, same keys.
pub fn place_for(target: &Target) -> TargetPlace {
    let app = |app: &App, has_plan| model::ServedApp {
        sdkappid: app.sdkappid,
        secret_key: app.secret_key.expose_secret().to_owned(),
        admins: vec![app.admin.clone()],
        has_plan,
    };
    let without_plan = target.without_plan.iter().map(|without_plan| app(without_plan, false));
    TargetPlace::Embedded(launch(Rules::default(), std::iter::once(app(&target.app, true)).chain(without_plan).collect()))
}

fn launch(rules: Rules, apps: Vec<model::ServedApp>) -> Launch {
    let setup = Arc::new(Setup { rules, apps });
    Arc::new(move |embedded| {
        let mut setup = Setup::clone(&setup);
        setup.rules.writes.internal_error_every = setup.rules.writes.internal_error_every.or(embedded.internal_error_every);
        setup.rules.limits.app = setup.rules.limits.app.filter(|_| !embedded.no_app_limit);
        Box::pin(async move {
            let clock = VirtualClock::starting_at(CLOCK_START);
            let server = Embedded::start(setup, clock.clone()).await;
            let url = server.url().parse().expect("the endpoint's own address is a URL");
            Launched { url, clock, keep: Box::new(server) }
        })
    })
}
