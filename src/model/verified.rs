//! Signatures that were found valid, remembered, so that a caller's next request need not inflate and sign it again.
//!
//! A memory only: [`Verified::verify`] says what [`usersig::verify`] says. Never a refusal is remembered.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::api::usersig::{self, SigRefusal};

/// An app has a handful of callers; whoever sends more signatures than this has them verified again.
const MOST: usize = 256;

/// The valid signatures of one endpoint. Threads share it.
#[derive(Debug, Default)]
pub struct Verified(Mutex<HashMap<String, Holder>>);

/// Whom a signature vouches for, and until when.
#[derive(Debug)]
struct Holder {
    sdkappid: u64,
    identifier: String,
    /// The last second in which it is valid, since 1970.
    until_s: u64,
}

impl Verified {
    /// Does what [`usersig::verify`] does. One app has one key for as long as this lives.
    pub fn verify(&self, secret_key: &str, usersig: &str, sdkappid: u64, identifier: &str, now_s: u64) -> Result<(), SigRefusal> {
        let holds = |holder: &Holder| holder.sdkappid == sdkappid && holder.identifier == identifier && now_s <= holder.until_s;
        if self.known().get(usersig).is_some_and(holds) {
            return Ok(());
        }
        usersig::verify(secret_key, usersig, sdkappid, identifier, now_s)?;
        let (claims, _) = usersig::decode(usersig)?;
        let until_s = claims.issued_s.saturating_add(claims.expire_s);
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(usersig.to_owned(), Holder { sdkappid, identifier: claims.identifier, until_s });
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::usersig::{Claims, sign};

    const KEY: &str = "a key";
    const APP: u64 = 1_400_000_000;

    fn signed(key: &str, identifier: &str, issued_s: u64) -> String {
        sign(key, &Claims { identifier: identifier.into(), sdkappid: APP, issued_s, expire_s: 60 })
    }

    #[test]
    fn a_valid_signature_is_taken_again_without_its_key() {
        let (verified, usersig) = (Verified::default(), signed(KEY, "a", 1000));
        assert_eq!(verified.verify(KEY, &usersig, APP, "a", 1000), Ok(()));
        assert_eq!(verified.verify("it is not looked at", &usersig, APP, "a", 1060), Ok(()));
    }

    #[test]
    fn a_signature_that_is_known_is_refused_as_one_that_is_not() {
        let usersig = signed(KEY, "a", 1000);
        for (sdkappid, identifier, now_s, refusal) in [
            (APP, "a", 1061, SigRefusal::Expired),
            (APP, "b", 1000, SigRefusal::OtherIdentifier),
            (APP + 1, "a", 1000, SigRefusal::OtherApp),
        ] {
            let verified = Verified::default();
            assert_eq!(verified.verify(KEY, &usersig, sdkappid, identifier, now_s), Err(refusal));
            assert_eq!(verified.verify(KEY, &usersig, APP, "a", 1000), Ok(()));
            assert_eq!(verified.verify(KEY, &usersig, sdkappid, identifier, now_s), Err(refusal));
            assert_eq!(verified.verify(KEY, &usersig, APP, "a", 1000), Ok(()));
        }
    }

    #[test]
    fn a_refused_signature_is_refused_each_time() {
        let verified = Verified::default();
        for (usersig, refusal) in
            [(signed("another key", "a", 1000), SigRefusal::Forged), ("eJw_".to_owned(), SigRefusal::Damaged)]
        {
            assert_eq!(verified.verify(KEY, &usersig, APP, "a", 1000), Err(refusal));
            assert_eq!(verified.verify(KEY, &usersig, APP, "a", 1000), Err(refusal));
        }
    }

    #[test]
    fn however_many_signatures_come_a_bounded_number_is_kept_and_each_holds() {
        let verified = Verified::default();
        for issued_s in 0..2 * MOST as u64 {
            let usersig = signed(KEY, "a", issued_s);
            assert_eq!(verified.verify(KEY, &usersig, APP, "a", issued_s), Ok(()));
            assert_eq!(verified.verify(KEY, &usersig, APP, "a", issued_s), Ok(()));
            assert!((1..=MOST).contains(&verified.known().len()));
        }
    }
}
