//! `UserSig` (TLSSigAPIv2): made, taken apart and verified.
//!
//! A signature is `base64(zlib(JSON))` with `*-_` for `+/=`, around an HMAC of the claims. Two makers of the same claims
//! order and compress the JSON differently, so only decoded fields are ever compared, never the string.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A real signature inflates to some 200 bytes; whatever goes beyond this is a zlib bomb.
const MAX_INFLATED_BYTES: u64 = 16 * 1024;

const VERSION: &str = "2.0";

/// What a signature vouches for: this account of this app, from a time on, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    pub identifier: String,
    pub sdkappid: u64,
    /// Seconds since 1970.
    pub issued_s: u64,
    pub expire_s: u64,
}

/// The string is not base64 of zlib of the JSON that the format asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the UserSig is damaged")]
pub struct Damaged;

/// Why a signature does not open the door; the first that applies, in the vendor's own order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigRefusal {
    #[error("the UserSig is damaged")]
    Damaged,
    #[error("the UserSig is another app's")]
    OtherApp,
    #[error("the UserSig is another identifier's")]
    OtherIdentifier,
    #[error("the UserSig has expired")]
    Expired,
    #[error("the UserSig was not made with this app's key")]
    Forged,
}

impl From<Damaged> for SigRefusal {
    fn from(_: Damaged) -> SigRefusal {
        SigRefusal::Damaged
    }
}

/// The JSON inside.
#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(rename = "TLS.ver")]
    version: String,
    #[serde(rename = "TLS.identifier")]
    identifier: String,
    #[serde(rename = "TLS.sdkappid")]
    sdkappid: u64,
    #[serde(rename = "TLS.expire")]
    expire_s: u64,
    #[serde(rename = "TLS.time")]
    issued_s: u64,
    /// Base64 of a payload that other products sign along; never made here, but it is part of what is signed.
    #[serde(rename = "TLS.userbuf", default, skip_serializing_if = "Option::is_none")]
    userbuf: Option<String>,
    #[serde(rename = "TLS.sig")]
    sig: String,
}

pub fn sign(secret_key: &str, claims: &Claims) -> String {
    let mut envelope = Envelope {
        version: VERSION.into(),
        identifier: claims.identifier.clone(),
        sdkappid: claims.sdkappid,
        expire_s: claims.expire_s,
        issued_s: claims.issued_s,
        userbuf: None,
        sig: String::new(),
    };
    envelope.sig = STANDARD.encode(envelope.mac(secret_key).finalize().into_bytes());
    envelope.pack()
}

/// The claims and the base64 of their HMAC, unverified.
pub fn decode(usersig: &str) -> Result<(Claims, String), Damaged> {
    let envelope = Envelope::unpack(usersig)?;
    let claims = Claims {
        identifier: envelope.identifier,
        sdkappid: envelope.sdkappid,
        issued_s: envelope.issued_s,
        expire_s: envelope.expire_s,
    };
    Ok((claims, envelope.sig))
}

/// `now_s` is in seconds since 1970; the last second of a signature's life is still valid.
pub fn verify(secret_key: &str, usersig: &str, sdkappid: u64, identifier: &str, now_s: u64) -> Result<(), SigRefusal> {
    let envelope = Envelope::unpack(usersig)?;
    if envelope.sdkappid != sdkappid {
        return Err(SigRefusal::OtherApp);
    }
    if envelope.identifier != identifier {
        return Err(SigRefusal::OtherIdentifier);
    }
    if now_s > envelope.issued_s.saturating_add(envelope.expire_s) {
        return Err(SigRefusal::Expired);
    }
    let Ok(sig) = STANDARD.decode(&envelope.sig) else { return Err(SigRefusal::Forged) };
    envelope.mac(secret_key).verify_slice(&sig).map_err(|_unequal| SigRefusal::Forged)
}

impl Envelope {
    /// The key is the text itself: it looks like hexadecimal, but is not decoded.
    fn mac(&self, secret_key: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret_key.as_bytes()).expect("HMAC takes a key of any length");
        let Envelope { identifier, sdkappid, issued_s, expire_s, userbuf, .. } = self;
        let content =
            format!("TLS.identifier:{identifier}\nTLS.sdkappid:{sdkappid}\nTLS.time:{issued_s}\nTLS.expire:{expire_s}\n");
        mac.update(content.as_bytes());
        if let Some(userbuf) = userbuf {
            mac.update(format!("TLS.userbuf:{userbuf}\n").as_bytes());
        }
        mac
    }

    fn pack(&self) -> String {
        let json = serde_json::to_vec(self).expect("strings and numbers are always JSON");
        pack(&json)
    }

    fn unpack(usersig: &str) -> Result<Envelope, Damaged> {
        let base64: String = usersig.chars().map(from_url_letter).collect();
        let packed = STANDARD.decode(base64).map_err(|_| Damaged)?;
        let mut json = Vec::new();
        ZlibDecoder::new(packed.as_slice()).take(MAX_INFLATED_BYTES + 1).read_to_end(&mut json).map_err(|_| Damaged)?;
        if json.len() as u64 > MAX_INFLATED_BYTES {
            return Err(Damaged);
        }
        let envelope: Envelope = serde_json::from_slice(&json).map_err(|_| Damaged)?;
        if envelope.version == VERSION { Ok(envelope) } else { Err(Damaged) }
    }
}

fn pack(json: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(json).expect("a Vec takes every byte");
    let packed = encoder.finish().expect("a Vec takes every byte");
    STANDARD.encode(packed).chars().map(to_url_letter).collect()
}

fn to_url_letter(letter: char) -> char {
    match letter {
        '+' => '*',
        '/' => '-',
        '=' => '_',
        other => other,
    }
}

fn from_url_letter(letter: char) -> char {
    match letter {
        '*' => '+',
        '-' => '/',
        '_' => '=',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The vendor's published mock key.
    const KEY: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";
    const APP: u64 = 1_400_000_000;

    fn claims(identifier: &str, issued_s: u64, expire_s: u64) -> Claims {
        Claims { identifier: identifier.into(), sdkappid: APP, issued_s, expire_s }
    }

    #[test]
    fn the_hmac_is_the_one_that_the_vendors_own_code_makes() {
        for (claims, expected) in [
            (claims("xiaojun", 1_665_388_280, 15_552_000), "y2M+MNsVWcNPrMppgQaEyzOo1KXGKqEJYV8NvGQ5CiA="),
            (claims("administrator", 1_700_000_000, 86_400), "yLAe+w7WUeUuqbV9h/TX78u21oTGi+i9Zp1u3PpnY60="),
        ] {
            assert_eq!(decode(&sign(KEY, &claims)), Ok((claims, expected.to_owned())));
        }
    }

    #[test]
    fn a_signature_of_another_maker_is_accepted_though_its_string_differs() {
        let foreign = pack(
            concat!(
                r#"{"TLS.sig":"y2M+MNsVWcNPrMppgQaEyzOo1KXGKqEJYV8NvGQ5CiA=","TLS.time":1665388280,"#,
                r#""TLS.expire":15552000, "TLS.sdkappid":1400000000,"TLS.identifier":"xiaojun","TLS.ver":"2.0"}"#,
                "\n"
            )
            .as_bytes(),
        );
        assert_ne!(foreign, sign(KEY, &claims("xiaojun", 1_665_388_280, 15_552_000)));
        assert_eq!(verify(KEY, &foreign, APP, "xiaojun", 1_665_388_281), Ok(()));
    }

    #[test]
    fn only_letters_that_need_no_escape_in_a_url_are_used() {
        for number in 0..200 {
            let usersig = sign(KEY, &claims("administrator", number, 1));
            assert!(usersig.chars().all(|letter| letter.is_ascii_alphanumeric() || "*-_".contains(letter)), "{usersig}");
        }
    }

    #[test]
    fn a_signature_lives_through_its_last_second_and_not_one_more() {
        let usersig = sign(KEY, &claims("administrator", 1000, 60));
        assert_eq!(verify(KEY, &usersig, APP, "administrator", 1060), Ok(()));
        assert_eq!(verify(KEY, &usersig, APP, "administrator", 1061), Err(SigRefusal::Expired));
    }

    #[test]
    fn a_life_beyond_the_end_of_time_never_expires() {
        let usersig = sign(KEY, &claims("administrator", u64::MAX, u64::MAX));
        assert_eq!(verify(KEY, &usersig, APP, "administrator", u64::MAX), Ok(()));
    }

    #[test]
    fn app_then_identifier_then_expiry_then_key_is_what_is_looked_at() {
        let usersig = sign("another key", &claims("administrator", 1000, 60));
        assert_eq!(verify(KEY, &usersig, 1, "bob", 2000), Err(SigRefusal::OtherApp));
        assert_eq!(verify(KEY, &usersig, APP, "bob", 2000), Err(SigRefusal::OtherIdentifier));
        assert_eq!(verify(KEY, &usersig, APP, "administrator", 2000), Err(SigRefusal::Expired));
        assert_eq!(verify(KEY, &usersig, APP, "administrator", 1000), Err(SigRefusal::Forged));
        assert_eq!(verify("another key", &usersig, APP, "administrator", 1000), Ok(()));
    }

    fn envelope(sig: &str, userbuf: Option<&str>) -> serde_json::Value {
        let mut value = json!({
            "TLS.ver": "2.0", "TLS.identifier": "a", "TLS.sdkappid": APP, "TLS.expire": 60, "TLS.time": 1000, "TLS.sig": sig,
        });
        if let Some(userbuf) = userbuf {
            value["TLS.userbuf"] = json!(userbuf);
        }
        value
    }

    #[test]
    fn a_signed_userbuf_is_accepted_and_a_changed_one_is_forged() {
        let parsed: Envelope = serde_json::from_value(envelope("", Some("cm9vbQ=="))).unwrap();
        let sig = STANDARD.encode(parsed.mac(KEY).finalize().into_bytes());
        let with = |userbuf| pack(envelope(&sig, userbuf).to_string().as_bytes());
        assert_eq!(verify(KEY, &with(Some("cm9vbQ==")), APP, "a", 1000), Ok(()));
        assert_eq!(verify(KEY, &with(Some("cm9vbR==")), APP, "a", 1000), Err(SigRefusal::Forged));
        assert_eq!(verify(KEY, &with(None), APP, "a", 1000), Err(SigRefusal::Forged));
    }

    #[test]
    fn a_signature_that_is_short_or_no_base64_is_forged() {
        for sig in ["", "!", "y2M+", "y2M+MNsVWcNPrMppgQaEyzOo1KXGKqEJYV8NvGQ5CiA"] {
            let usersig = pack(envelope(sig, None).to_string().as_bytes());
            assert_eq!(verify(KEY, &usersig, APP, "a", 1000), Err(SigRefusal::Forged), "{sig}");
        }
    }

    #[test]
    fn what_is_not_the_format_is_damaged() {
        let whole = sign(KEY, &claims("administrator", 1000, 60));
        let cut = &whole[..whole.len() / 2];
        let mut text_number = envelope("", None);
        text_number["TLS.expire"] = json!("60");
        let mut old = envelope("", None);
        old["TLS.ver"] = json!("1.0");
        let packed = [text_number, old, json!({}), json!([1])].map(|value| pack(value.to_string().as_bytes()));
        for usersig in ["", "_", "no such thing", "eJw_", "AAAA", cut].into_iter().chain(packed.iter().map(String::as_str)) {
            assert_eq!(decode(usersig), Err(Damaged), "{usersig}");
            assert_eq!(verify(KEY, usersig, APP, "a", 1000), Err(SigRefusal::Damaged), "{usersig}");
        }
    }

    #[test]
    fn padding_inside_the_bound_is_read_and_a_bomb_beyond_it_is_damaged() {
        let padded = |spaces: usize| pack(format!("{}{}", envelope("", None), " ".repeat(spaces)).as_bytes());
        let own_bytes = envelope("", None).to_string().len();
        let bound = usize::try_from(MAX_INFLATED_BYTES).unwrap();
        assert!(decode(&padded(bound - own_bytes)).is_ok());
        assert_eq!(decode(&padded(bound - own_bytes + 1)), Err(Damaged));
        assert_eq!(decode(&padded(64 << 20)), Err(Damaged));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_signed_is_decoded_and_verified(
            key in ".{0,80}", identifier in ".{0,40}", sdkappid: u64, issued_s: u64, expire_s: u64,
        ) {
            let claims = Claims { identifier, sdkappid, issued_s, expire_s };
            let usersig = sign(&key, &claims);
            prop_assert_eq!(&decode(&usersig).unwrap().0, &claims);
            prop_assert_eq!(verify(&key, &usersig, sdkappid, &claims.identifier, issued_s), Ok(()));
            let other_key = format!("{key}x");
            prop_assert_eq!(verify(&other_key, &usersig, sdkappid, &claims.identifier, issued_s), Err(SigRefusal::Forged));
        }

        #[test]
        fn any_text_is_read_or_damaged_and_never_a_panic(text in any::<String>(), bytes: Vec<u8>, json in any::<String>()) {
            for usersig in [text, STANDARD.encode(&bytes), pack(&bytes), pack(json.as_bytes())] {
                prop_assert_eq!(decode(&usersig).is_err(), verify(KEY, &usersig, APP, "a", 0) == Err(SigRefusal::Damaged));
            }
        }
    }
}
