//! Real gateways before an endpoint, until their values go.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::binary::{end, until};
use super::debian::program;

/// Somebody else may take a port between its choice and its use.
const TRIES: usize = 5;

pub(crate) struct Gateway {
    child: Child,
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
}

impl Gateway {
    /// An nginx whose one server has these lines for its port; `prepare` puts what they name into its folder.
    pub(crate) fn nginx(prepare: impl Fn(&Path), server: impl Fn(u16) -> String) -> Gateway {
        let command = |folder: &Path| {
            let mut nginx = Command::new(program("nginx", "nginx-light"));
            nginx.arg("-p").arg(folder).args(["-c", "gateway.conf", "-e", "log"]);
            nginx
        };
        Gateway::start(command, prepare, |port| nginx_conf(&server(port)))
    }

    /// An `HAProxy` that hands on to this address, with these lines besides.
    pub(crate) fn haproxy(upstream: &str, more: &str) -> Gateway {
        let command = |folder: &Path| {
            let mut haproxy = Command::new(program("haproxy", "haproxy"));
            haproxy.args(["-db", "-f"]).arg(folder.join("gateway.conf"));
            haproxy
        };
        let address = upstream.trim_start_matches("http://");
        let conf = |port| {
            format!(
                "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n{more}\
                 frontend here\n bind 127.0.0.1:{port}\n default_backend there\nbackend there\n server one {address} maxconn 1\n"
            )
        };
        Gateway::start(command, |_| {}, conf)
    }

    fn start(command: impl Fn(&Path) -> Command, prepare: impl Fn(&Path), conf: impl Fn(u16) -> String) -> Gateway {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path());
        for _ in 0..TRIES {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
            fs::write(folder.path().join("gateway.conf"), conf(port)).expect("a file");
            let log = fs::File::create(folder.path().join("log")).expect("a file");
            let mut child = command(folder.path()).stdout(Stdio::null()).stderr(log).spawn().expect("the gateway can be run");
            let mut ended = false;
            until("the gateway listens", || {
                ended = child.try_wait().expect("a child can be waited for").is_some();
                ended || TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
            if !ended {
                return Gateway { child, port, folder };
            }
        }
        panic!("no gateway: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// In one process, so that nothing is left when it is ended.
fn nginx_conf(server: &str) -> String {
    let temporary: String =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|of| format!("  {of}_temp_path {of};\n")).concat();
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
{temporary}  server {{
{server}  }}
}}
"
    )
}
