//! Error codes by name, with the meaning that the vendor gives them.

macro_rules! codes {
    ($($name:ident = $number:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $name: i64 = $number;)*
        /// Every code known here, with its meaning.
        pub const TABLE: &[(i64, &str)] = &[$(($number, $meaning)),*];
    };
}

codes! {
    OK = 0, "success";
    INTERNAL = 10002, "internal error, try again";
    INVALID = 10004, "invalid parameter";
    NO_PLAN = 10008, "the app's plan does not include this call";
    SEQ_CONFLICT = 23001, "Seq conflict: someone else changed this pair";
    UNSUPPORTED = 23002, "the message does not support extensions";
    TOO_OFTEN = 23003, "this message is set too often (over 200 a minute)";
    NOT_FOUND = 23004, "the message, or the pair, does not exist";
    BAD_URL = 60002, "the HTTP request or its URL cannot be parsed";
    BAD_JSON = 60003, "the body is not JSON";
    BAD_APP = 60006, "invalid SDKAppID";
    APP_TOO_OFTEN = 60007, "the app calls too often";
    UNKNOWN_PATH = 60009, "no such resource";
    NOT_ADMIN = 60010, "only an App admin may call this";
    APP_FREQUENCY = 60011, "the app calls too often (older lists)";
    NO_SDKAPPID = 60012, "sdkappid is missing";
    NOT_A_STRING = 60015, "an account is not a string";
    TOO_FREQUENT = 60018, "calls come too often";
    OVERLOAD = 60022, "overload";
    BAD_QUERY = 60025, "sdkappid, identifier, usersig or contenttype is wrong in the URL";
    WRONG_SITE = 60026, "the domain is not the app's";
    SIG_EXPIRED = 70001, "the UserSig has expired";
    SIG_ILLEGAL = 70003, "the UserSig is damaged";
    SIG_FORGED = 70009, "the UserSig was not made with this app's key";
    SIG_IDENTIFIER = 70013, "the UserSig is another identifier's";
    SIG_APP = 70014, "the UserSig is another app's";
    UNKNOWN_APP = 70020, "no such SDKAppID here";
    BAD_MSG_KEY = 90054, "the MsgKey is malformed";
}

/// The ranges that the vendor's lists of codes are in; the last holds those that an app's own callbacks give.
const FAMILIES: &[(i64, i64)] = &[
    (OK, OK),
    (10_000, 10_999),
    (20_000, 20_999),
    (22_000, 23_999),
    (30_000, 30_999),
    (40_000, 40_999),
    (50_000, 50_999),
    (60_000, 60_999),
    (70_000, 72_999),
    (80_000, 80_999),
    (90_000, 91_999),
    (93_000, 93_999),
    (120_001, 130_000),
];

/// Whether the service could answer with this code, whether it is listed here or not.
pub fn is_possible(code: i64) -> bool {
    FAMILIES.iter().any(|(first, last)| (*first..=*last).contains(&code))
}

/// The vendor's words for a code, in short; `None` for one that is not listed here.
pub fn meaning(code: i64) -> Option<&'static str> {
    TABLE.iter().find(|(number, _)| *number == code).map(|(_, meaning)| *meaning)
}

/// Whether the code says "slow down" for the whole app: 60007 and its kin (clause LIM-2).
pub fn is_app_limit(code: i64) -> bool {
    [APP_TOO_OFTEN, APP_FREQUENCY, TOO_FREQUENT, OVERLOAD].contains(&code)
}

/// Whether a limit turned the call away, the app's or the message's.
pub fn is_limit(code: i64) -> bool {
    code == TOO_OFTEN || is_app_limit(code)
}

/// Whether the code refuses the credentials, not the call: the public account and signature families.
pub fn is_credentials(code: i64) -> bool {
    [60004, 60005, BAD_APP, NOT_ADMIN, NO_SDKAPPID, 60014, 60016, 60020, BAD_QUERY, WRONG_SITE].contains(&code)
        || (70001..=70500).contains(&code)
        || [10007, 90009].contains(&code)
}

/// Whether the code says that the caller is no App admin: the family of 60010.
pub fn is_not_admin(code: i64) -> bool {
    [NOT_ADMIN, 70403, 10007, 90009].contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_stands_once() {
        let mut numbers: Vec<i64> = TABLE.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), TABLE.len());
    }

    #[test]
    fn each_code_that_is_listed_is_possible_and_a_slip_is_not() {
        assert!(TABLE.iter().all(|(number, _)| is_possible(*number)));
        for slip in [-1, 1, 200, 2301, 99_999, 230_001] {
            assert!(!is_possible(slip), "{slip}");
        }
    }

    #[test]
    fn limit_and_credential_codes_are_told_from_errors_of_the_call() {
        assert!(is_app_limit(60007) && !is_app_limit(TOO_OFTEN));
        assert!(is_credentials(70009) && is_credentials(60010) && !is_credentials(INVALID) && !is_credentials(60007));
    }
}
