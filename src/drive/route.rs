//! The way to a target beside its URL: whom its certificate may be from, who we are in TLS, what stands between, and what it
//! wants to be told with every request. Every mode goes it alike.

use std::sync::Arc;

use reqwest::Url;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};

use super::trust::Trust;

/// Where a target is.
#[derive(Clone, Debug)]
pub struct Way {
    pub url: Url,
    pub route: Arc<Route>,
}

/// How connections to a target are made, and what every request carries beside its own. By default nothing stands between, and
/// whom the system trusts is trusted.
#[derive(Debug, Default)]
pub struct Route {
    /// Authorities that are trusted beside the system's, and the target's own certificate, where nobody else has signed it.
    pub roots: Vec<CertificateDer<'static>>,
    pub client_certificate: Option<ClientCertificate>,
    /// Name and value, of every request that has none of that name itself.
    pub headers: Vec<(String, SecretString)>,
    /// The target's name, in the `Host` header and in TLS, in place of the URL's.
    pub host: Option<String>,
    /// Where to connect in place of the URL's host and port.
    pub connect_to: Option<HostPort>,
    /// What every connection goes through. None of the environment's is ever used.
    pub proxy: Option<Url>,
}

/// Who we are in TLS.
#[derive(Debug)]
pub struct ClientCertificate {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// A host, without the brackets of an IPv6 address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

impl HostPort {
    /// Of a URL that has a host.
    pub fn of(url: &Url) -> HostPort {
        HostPort { host: bare(url.host_str().unwrap_or_default()), port: url.port_or_known_default().unwrap_or(80) }
    }
}

impl From<Url> for Way {
    fn from(url: Url) -> Way {
        Way { url, route: Arc::default() }
    }
}

impl Way {
    /// The `Host` header.
    pub fn host_header(&self) -> String {
        match (&self.route.host, self.url.host_str(), self.url.port()) {
            (Some(host), ..) => host.clone(),
            (None, Some(host), Some(port)) => format!("{host}:{port}"),
            (None, host, _) => host.unwrap_or_default().to_owned(),
        }
    }

    /// The name that TLS asks for, as it stands in a URL.
    pub fn tls_name(&self) -> String {
        let named = self.route.host.as_ref().and_then(|host| format!("https://{host}").parse::<Url>().ok());
        let url = named.as_ref().unwrap_or(&self.url);
        url.host_str().unwrap_or_default().to_owned()
    }

    /// Where the target's connections end, though a proxy may stand before it.
    pub fn end(&self) -> HostPort {
        self.route.connect_to.clone().unwrap_or_else(|| HostPort::of(&self.url))
    }

    /// What is connected to.
    pub fn next(&self) -> HostPort {
        self.route.proxy.as_ref().map_or_else(|| self.end(), HostPort::of)
    }

    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// What stands in a request line before the path of a command.
    pub fn base(&self) -> String {
        let path = self.url.path().trim_end_matches('/');
        // A proxy that is asked in plain words is told the whole URL.
        let is_told = self.route.proxy.is_some() && !self.is_tls();
        if is_told { format!("http://{}{path}", self.host_header()) } else { path.to_owned() }
    }

    /// The URL as the client that looks closely has to have it: under the name that TLS asks for, at the port that is connected to.
    pub(super) fn dialled(&self) -> Url {
        let mut url = self.url.clone();
        let Some(HostPort { host, port }) = &self.route.connect_to else { return url };
        let name = if self.is_tls() { self.tls_name() } else { bracketed(host) };
        // Neither fails: the URL has a host, and the name was read as one.
        let _ = url.set_host(Some(&name));
        let _ = url.set_port(Some(*port));
        url
    }
}

impl Route {
    /// What every request carries that has none of that name itself.
    pub fn sent_headers(&self) -> Vec<(String, String)> {
        self.headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
    }

    /// How connections are secured; HTTP/1.1 is asked for.
    pub fn tls(&self) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder();
        let trust = Trust::new(&self.roots, Arc::clone(builder.crypto_provider()))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(trust));
        let mut config = match &self.client_certificate {
            Some(own) => builder.with_client_auth_cert(own.chain.clone(), own.key.clone_key())?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The host without the brackets of an IPv6 address.
fn bare(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(url: &str, route: Route) -> Way {
        Way { url: url.parse().expect("a URL"), route: Arc::new(route) }
    }

    fn at(host: &str, port: u16) -> HostPort {
        HostPort { host: host.to_owned(), port }
    }

    /// What is dialled, the `Host` header, the name in TLS, what is connected to, and what a request line begins with.
    fn seen(way: &Way) -> [String; 5] {
        let HostPort { host, port } = way.next();
        [way.dialled().to_string(), way.host_header(), way.tls_name(), format!("{host} {port}"), way.base()]
    }

    #[test]
    fn a_target_is_reached_at_its_url_where_nothing_else_is_said() {
        let told = seen(&way("http://h:81/prefix/", Route::default()));
        assert_eq!(told, ["http://h:81/prefix/", "h:81", "h", "h 81", "/prefix"]);
        assert_eq!(seen(&way("https://[::1]", Route::default())), ["https://[::1]/", "[::1]", "[::1]", "::1 443", ""]);
    }

    #[test]
    fn a_target_that_is_connected_to_elsewhere_keeps_its_name() {
        let route = || Route { connect_to: Some(at("10.0.0.7", 8443)), ..Route::default() };
        let told = seen(&way("https://chat.example.org/p", route()));
        let expected = ["https://chat.example.org:8443/p", "chat.example.org", "chat.example.org", "10.0.0.7 8443", "/p"];
        assert_eq!(told, expected);
        let named = Route { host: Some("other.example.org:9".to_owned()), ..route() };
        let told = seen(&way("https://chat.example.org/p", named));
        assert_eq!(told[..3], ["https://other.example.org:8443/p", "other.example.org:9", "other.example.org"]);
        // Without TLS no name is needed to connect, and an address need not be resolved.
        let told = seen(&way("http://192.0.2.1:5", Route { connect_to: Some(at("::1", 7)), ..Route::default() }));
        assert_eq!(told, ["http://[::1]:7/", "192.0.2.1:5", "192.0.2.1", "::1 7", ""]);
    }

    #[test]
    fn a_proxy_is_connected_to_and_told_the_target() {
        let route = || Route { proxy: Some("http://proxy:3128".parse().expect("a URL")), ..Route::default() };
        let told = seen(&way("http://h:81/p", route()));
        assert_eq!(told[3..], ["proxy 3128", "http://h:81/p"]);
        assert_eq!(seen(&way("https://h/p", route()))[3..], ["proxy 3128", "/p"]);
    }
}
