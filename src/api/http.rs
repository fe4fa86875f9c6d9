//! One HTTP request as a value, and the query string that every REST call carries.

use form_urlencoded::Serializer;
use serde::{Deserialize, Serialize};

/// One request as it goes onto the wire; host and port belong to the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    pub method: String,
    pub path: String,
    /// Decoded pairs, in order. `usersig` is a secret: renderers must mask it.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What every call carries where its own headers do not say otherwise, whoever sends it. A body in a coding could be no reply
/// that anybody has documented, so none is asked for.
const COMMON_HEADERS: [(&str, &str); 3] =
    [("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", concat!("msgext/", env!("CARGO_PKG_VERSION")))];

impl HttpRequest {
    /// Every header but those that follow from the target's address and from the body.
    pub fn sent_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let is_own = |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        own.chain(COMMON_HEADERS.into_iter().filter(move |(name, _)| !is_own(name)))
    }

    /// The path and the encoded query string: what stands in the request line.
    pub fn target(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let query = Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{}?{query}", self.path)
    }
}

/// The five parameters of every REST call (section "request URL").
pub fn query(sdkappid: u64, identifier: &str, usersig: &str, random: u32) -> Vec<(String, String)> {
    [
        ("sdkappid", sdkappid.to_string()),
        ("identifier", identifier.to_owned()),
        ("usersig", usersig.to_owned()),
        ("random", random.to_string()),
        ("contenttype", "json".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usersigs_own_alphabet_is_not_escaped() {
        let request = HttpRequest {
            method: "POST".into(),
            path: "/p".into(),
            query: query(1_400_000_000, "ad min", "eJw*-_A_", 7),
            headers: vec![],
            body: vec![],
        };
        assert_eq!(request.target(), "/p?sdkappid=1400000000&identifier=ad+min&usersig=eJw*-_A_&random=7&contenttype=json");
    }

    #[test]
    fn a_header_of_a_calls_own_takes_the_place_of_the_common_one() {
        let headers = |own: &[(&str, &str)]| {
            let headers = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let request = HttpRequest { method: "POST".into(), path: "/p".into(), query: vec![], headers, body: vec![] };
            request.sent_headers().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        let agent = concat!("User-Agent: msgext/", env!("CARGO_PKG_VERSION"));
        assert_eq!(headers(&[]), ["Accept: */*", "Accept-Encoding: identity", agent]);
        assert_eq!(headers(&[("accept-encoding", "gzip")]), ["accept-encoding: gzip", "Accept: */*", agent]);
    }
}
