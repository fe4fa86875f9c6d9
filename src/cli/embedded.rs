//! The embedded endpoint as a target: where `host` and `drive` meet.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::VirtualClock;
use crate::drive::target::{Accounts, App, Launch, Launched, MessageSource, Target, TargetPlace};
use crate::host::embedded::Embedded;
use crate::model::{self, Rules, Setup};

/// The key of the embedded endpoint's apps, and of `msgext serve` where it is given none. It protects nothing.
pub const DEVELOPMENT_KEY: &str = "msgext-development-key";
pub const SDKAPPID: u64 = 1_400_000_000;
pub const ADMIN: &str = "administrator";

/// 2026-01-01 and some seconds: no window of a limiter begins here.
const CLOCK_START: Duration = Duration::from_millis(1_767_225_617_300);

/// An app with the plan, and one without it, both with this key.
pub fn apps(sdkappid: u64, admin: &str, secret_key: &str) -> Vec<model::App> {
    let app =
        |sdkappid, has_plan| model::App { sdkappid, secret_key: secret_key.to_owned(), admins: vec![admin.to_owned()], has_plan };
    vec![app(sdkappid, true), app(sdkappid + 1, false)]
}

/// An endpoint by these rules, fresh for every scenario, with a clock of its own.
pub fn target(rules: Rules) -> Target {
    let app = |sdkappid| App { sdkappid, admin: ADMIN.to_owned(), secret_key: DEVELOPMENT_KEY.into() };
    let rules = Arc::new(rules);
    let launch: Launch = Arc::new(move |embedded| {
        let mut rules = Rules::clone(&rules);
        rules.writes.internal_error_every = embedded.internal_error_every.or(rules.writes.internal_error_every);
        rules.limits.app = rules.limits.app.filter(|_| !embedded.no_app_limit);
        let setup = Setup { rules, apps: apps(SDKAPPID, ADMIN, DEVELOPMENT_KEY) };
        Box::pin(async move {
            let clock = VirtualClock::starting_at(CLOCK_START);
            let server = Embedded::start(setup, clock.clone()).await;
            let url = server.url().parse().expect("the endpoint's own address is a URL");
            Launched { url, clock, keep: Box::new(server) }
        })
    });
    Target {
        place: TargetPlace::Embedded(launch),
        app: app(SDKAPPID),
        accounts: Accounts::default(),
        messages: MessageSource::SendMsg,
        without_plan: Some(app(SDKAPPID + 1)),
        member_calls: None,
        read_back: None,
        timeout: Duration::from_secs(10),
    }
}
