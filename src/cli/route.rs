//! The way to a target as its file sets it: certificates and keys read, variables looked up. Nothing of it is shown that is secret.

use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Url;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::exit::Failure;
use super::files;
use crate::drive::route::{ClientCertificate, HostPort, Route};
use crate::report::secrets::MASK;
use crate::scenario::target::{self, HeaderText, SecretKeyFile, TargetFile};

/// A way that is set.
pub struct SetWay {
    pub route: Route,
    /// What a report says of it.
    pub settings: Vec<(String, String)>,
    /// Texts that no output may hold.
    pub secrets: Vec<String>,
    /// Variables of the environment that hold them.
    pub variables: Vec<String>,
}

/// Reads what the file names; paths are relative to its folder.
pub fn set_way(file: &TargetFile, url: &Url, folder: &Path) -> Result<SetWay, Failure> {
    let mut settings: Vec<(&str, String)> = Vec::new();
    let (mut headers, mut secrets, mut variables) = (Vec::new(), Vec::new(), Vec::new());
    let mut shown = Vec::new();
    for (name, value) in &file.headers {
        let text = match value {
            HeaderText::Text(text) => text.clone(),
            HeaderText::Variable(variable) => {
                let text = header_of(name, variable)?;
                secrets.push(text.clone());
                variables.push(variable.clone());
                text
            }
        };
        let told = if matches!(value, HeaderText::Text(_)) { text.as_str() } else { MASK };
        shown.push(format!("{name}: {told}"));
        headers.push((name.clone(), text.into()));
    }
    if !shown.is_empty() {
        settings.push(("headers", shown.join(", ")));
    }
    let roots = file.ca.as_deref().map(|path| certificates(&folder.join(path))).transpose()?.unwrap_or_default();
    settings.extend(file.ca.clone().map(|path| ("ca", path)));
    let client_certificate = match &file.client_certificate {
        None => None,
        Some(own) => {
            let (chain, key) = (certificates(&folder.join(&own.certificate))?, private_key(&folder.join(&own.key))?);
            settings.push(("client-certificate", own.certificate.clone()));
            Some(ClientCertificate { chain, key })
        }
    };
    for (what, set) in [("host", &file.host), ("connect-to", &file.connect_to), ("proxy", &file.proxy)] {
        settings.extend(set.clone().map(|set| (what, set)));
    }
    let connect_to = match &file.connect_to {
        Some(text) => {
            let (host, port) = target::connect_to(text).map_err(Failure::usage)?;
            Some(HostPort { host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), port })
        }
        // Under another name it is still at the URL's own place.
        None => file.host.as_ref().map(|_| HostPort::of(url)),
    };
    let proxy = file.proxy.as_deref().map(target::proxy).transpose().map_err(Failure::usage)?;
    let route = Route { roots, client_certificate, headers, host: file.host.clone(), connect_to, proxy };
    check(&route)?;
    let settings = settings.into_iter().map(|(what, set)| (what.to_owned(), set)).collect();
    Ok(SetWay { route, settings, secrets, variables })
}

/// A secret key, from where a target file says.
pub fn secret_of(file: &SecretKeyFile, folder: &Path) -> Result<String, Failure> {
    match file {
        SecretKeyFile::File(path) => Ok(files::read(&folder.join(path))?.1),
        SecretKeyFile::Variable(variable) => {
            std::env::var(variable).map_err(|_| Failure::usage(format!("secret-key: set {variable} to the app's secret key")))
        }
        SecretKeyFile::Command(line) => printed(line, folder),
    }
}

/// What a shell command prints. It may ask whoever sits there, for a passphrase.
fn printed(line: &str, folder: &Path) -> Result<String, Failure> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).current_dir(folder).stdin(Stdio::inherit()).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| Failure::usage(format!("secret-key: its command cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(Failure::usage(format!("secret-key: its command failed ({})", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| Failure::usage("secret-key: what its command prints is not UTF-8"))
}

fn header_of(name: &str, variable: &str) -> Result<String, Failure> {
    match std::env::var(variable) {
        Ok(text) if target::is_header_value(&text) => Ok(text),
        Ok(_) => Err(Failure::usage(format!("headers: what {variable} holds cannot stand in a header, such as {name}"))),
        Err(_) => Err(Failure::usage(format!("headers: set {variable} to the value of {name}"))),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let text = files::read(path)?.1;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Failure::usage(format!("{} holds no certificate in PEM", path.display()))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    let text = files::read(path)?.1;
    PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| Failure::usage(format!("{} holds no private key in PEM, or one that a passphrase protects", path.display())))
}

/// Whether TLS can be set up by it.
fn check(route: &Route) -> Result<(), Failure> {
    let own = route.client_certificate.is_some() || !route.roots.is_empty();
    let told = |error| format!("`ca` and `client-certificate` of the target file cannot be used: {error}");
    if own { route.tls().map(drop).map_err(|error| Failure::usage(told(error))) } else { Ok(()) }
}
