//! The one place that keeps secrets out of a report: every text that a target or a caller could have put one into goes
//! through here.

use std::collections::BTreeSet;

use form_urlencoded::byte_serialize;

use crate::api::HttpRequest;
use crate::history::Exchange;
use crate::verdict::ScenarioOutcome;

/// What stands in a secret's place.
pub const MASK: &str = "***";

/// A value shorter than this is no secret, and to mask it would maul every text that happens to contain it.
const MIN_BYTES: usize = 8;

/// Texts that no report may show.
#[derive(Default)]
pub struct Secrets {
    /// The longest first, so that a secret that contains another is masked whole.
    texts: Vec<String>,
}

impl Secrets {
    /// The caller's own secrets, and every `usersig` that the run sent.
    pub fn new(secrets: &[String], outcomes: &[ScenarioOutcome]) -> Secrets {
        Secrets::of(secrets, outcomes.iter().flat_map(|outcome| &outcome.exchanges))
    }

    /// The caller's own secrets, and every `usersig` in these exchanges.
    pub fn of<'e>(secrets: &[String], exchanges: impl IntoIterator<Item = &'e Exchange>) -> Secrets {
        let sent = exchanges.into_iter().flat_map(|exchange| &exchange.request.query);
        let usersigs = sent.filter(|(name, _)| is_usersig(name)).map(|(_, value)| value.as_str());
        let plain: BTreeSet<&str> =
            secrets.iter().map(String::as_str).chain(usersigs).filter(|secret| secret.len() >= MIN_BYTES).collect();

        let encoded = plain.iter().map(|secret| byte_serialize(secret.as_bytes()).collect::<String>());
        let percent_encoded = plain.iter().map(|secret| secret.replace('*', "%2A"));
        let texts: BTreeSet<String> =
            plain.iter().map(|secret| (*secret).to_owned()).chain(encoded).chain(percent_encoded).collect();
        let mut texts: Vec<String> = texts.into_iter().collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Secrets { texts }
    }

    pub fn scrub(&self, text: &str) -> String {
        let mut scrubbed = text.to_owned();
        for secret in self.texts.iter().filter(|secret| text.contains(secret.as_str())) {
            scrubbed = scrubbed.replace(secret, MASK);
        }
        scrubbed
    }

    /// The path and query of a request, with `usersig` standing for whatever signature it carried.
    ///
    /// An empty signature is shown as it is: that it was empty is what the scenario is about.
    pub fn url(&self, request: &HttpRequest, usersig: &str) -> String {
        const PLACEHOLDER: &str = "msgextUsersigStandsHere";
        let mut masked = request.clone();
        for (name, value) in &mut masked.query {
            if is_usersig(name) && !value.is_empty() {
                PLACEHOLDER.clone_into(value);
            }
        }
        self.scrub(&masked.target()).replace(PLACEHOLDER, usersig)
    }
}

/// Secrets are not for debug output either.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({} texts)", self.texts.len())
    }
}

fn is_usersig(name: &str) -> bool {
    name.eq_ignore_ascii_case("usersig")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(usersig: &str) -> HttpRequest {
        HttpRequest {
            method: "POST".to_owned(),
            path: "/p".to_owned(),
            query: crate::api::http::query(1_400_000_000, "admin", usersig, 7),
            headers: vec![],
            body: vec![],
        }
    }

    #[test]
    fn secrets_are_masked_plain_and_encoded_and_other_text_is_left() {
        let secrets = Secrets::new(&["eJw*a+b/c=".to_owned(), "eJw*a+b/c=longer".to_owned(), "admin".to_owned()], &[]);
        assert_eq!(secrets.scrub("<eJw*a+b/c=>"), "<***>");
        assert_eq!(secrets.scrub("eJw*a+b/c=longer"), "***");
        assert_eq!(secrets.scrub("u=eJw*a%2Bb%2Fc%3D&v"), "u=***&v");
        assert_eq!(secrets.scrub("admin eJw*a"), "admin eJw*a");
    }

    #[test]
    fn a_url_shows_what_stands_for_the_signature_and_an_empty_one_as_it_is() {
        let secrets = Secrets::default();
        assert_eq!(
            secrets.url(&request("eJwSecret"), MASK),
            "/p?sdkappid=1400000000&identifier=admin&usersig=***&random=7&contenttype=json"
        );
        assert!(secrets.url(&request("short"), MASK).contains("usersig=***&"));
        assert!(secrets.url(&request(""), MASK).contains("usersig=&"));
    }
}
