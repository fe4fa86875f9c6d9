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
    /// Every header but those that follow from the target's address and from the body: the request's own, then those that its
    /// target wants on every request, then the common ones, each name by the first that has it.
    pub fn sent_headers(&self, of_target: &[(String, String)]) -> Vec<(String, String)> {
        let common = COMMON_HEADERS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut sent: Vec<(String, String)> = Vec::new();
        for headers in [&self.headers, of_target, &common] {
            let is_new = |name: &str| !sent.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
            let new: Vec<_> = headers.iter().filter(|(name, _)| is_new(name)).cloned().collect();
            sent.extend(new);
        }
        sent
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
    fn a_header_of_a_calls_own_takes_the_place_of_its_targets_and_that_of_the_common_one() {
        let headers = |own: &[(&str, &str)], of_target: &[(&str, &str)]| {
            let [headers, of_target] = [own, of_target]
                .map(|headers| headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>());
            let request = HttpRequest { method: "POST".into(), path: "/p".into(), query: vec![], headers, body: vec![] };
            let sent = request.sent_headers(&of_target).into_iter();
            sent.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>()
        };
        let agent = concat!("User-Agent: msgext/", env!("CARGO_PKG_VERSION"));
        assert_eq!(headers(&[], &[]), ["Accept: */*", "Accept-Encoding: identity", agent]);
        assert_eq!(headers(&[("accept-encoding", "gzip")], &[]), ["accept-encoding: gzip", "Accept: */*", agent]);
        let of_target = [("user-agent", "mine"), ("X-Tenant", "7")];
        let rest = ["user-agent: mine", "Accept: */*", "Accept-Encoding: identity"];
        assert_eq!(headers(&[], &of_target), [&["user-agent: mine", "X-Tenant: 7"], &rest[1..]].concat());
        assert_eq!(headers(&[("x-tenant", "8")], &of_target), [&["x-tenant: 8"], &rest[..]].concat());
    }
}
