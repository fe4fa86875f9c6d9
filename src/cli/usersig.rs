//! `msgext usersig`: the signature that a curl line of a report asks for.

use std::time::SystemTime;

use super::exit::{Exit, Failure};
use super::files::print;
use super::number::whole;
use super::target::KEY_VARIABLE;
use crate::api::usersig::{Claims, sign};

/// No signature is good for longer.
const TEN_YEARS_S: u64 = 10 * 365 * 86_400;

/// Prints a UserSig, made with the key in MSGEXT_SECRET_KEY
#[derive(Debug, clap::Args)]
pub struct UsersigArgs {
    /// The app's SDKAppID
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1, u64::MAX))]
    sdkappid: u64,
    /// Whose signature
    #[arg(long, value_name = "ID")]
    identifier: String,
    /// How long it is good for, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = whole::<u64>(1, TEN_YEARS_S))]
    expire: u64,
}

pub fn run(args: &UsersigArgs) -> Result<Exit, Failure> {
    let key = std::env::var(KEY_VARIABLE).map_err(|_| Failure::usage(format!("set {KEY_VARIABLE} to the app's secret key")))?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let claims =
        Claims { identifier: args.identifier.clone(), sdkappid: args.sdkappid, issued_s: now.as_secs(), expire_s: args.expire };
    print(|out| writeln!(out, "{}", sign(key.trim(), &claims)))?;
    Ok(Exit::Holds)
}
