//! An nginx that speaks TLS before a server, with an authority of its own, until its value goes.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::generate_simple_self_signed;
use tempfile::TempDir;

use super::machine::pin;

/// It listens by then.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Terminator {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

impl Terminator {
    /// On this core. Fails where there is no nginx.
    pub(crate) fn start(upstream: SocketAddr, core: usize) -> io::Result<Terminator> {
        let folder = TempDir::new()?;
        let own = generate_simple_self_signed(["localhost".to_owned()]).map_err(io::Error::other)?;
        fs::write(folder.path().join("cert.pem"), own.cert.pem())?;
        fs::write(folder.path().join("key.pem"), own.signing_key.serialize_pem())?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        fs::write(folder.path().join("nginx.conf"), conf(address, upstream))?;
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "log"]).stdout(Stdio::null()).stderr(Stdio::null());
        // What a thread starts stays on its core.
        let child = thread::spawn(move || pin(core).and_then(|()| nginx.spawn())).join();
        let child = child.map_err(|_| io::Error::other("nginx could not be started"))??;
        let terminator = Terminator { child, address, folder };
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if began.elapsed() > PATIENCE {
                let log = fs::read_to_string(terminator.folder.path().join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("nginx does not listen: {log}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(terminator)
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn conf(address: SocketAddr, upstream: SocketAddr) -> String {
    let temporary: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|of| format!("{of}_temp_path {of};\n")).concat();
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
access_log off;
keepalive_requests 100000000;
{temporary}upstream there {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}
server {{
  listen {address} ssl;
  ssl_certificate cert.pem;
  ssl_certificate_key key.pem;
  location / {{ proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}
}}
}}
"
    )
}
