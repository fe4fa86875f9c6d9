//! Which address of a name is connected to: of several, the first that takes a connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::select_ok;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use super::route::HostPort;

/// An address is tried so long before the next one.
const HEAD_START: Duration = Duration::from_millis(250);
/// One that took a connection is connected to for so long before all are tried again.
const KEPT: Duration = Duration::from_mins(1);

/// Why a host cannot be connected to.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    #[error("{host} has no address: {cause}")]
    NoAddress { host: String, cause: io::Error },
    #[error("no address of {host} takes a connection: {cause}")]
    Unreachable { host: String, cause: io::Error },
}

/// The address of a host that is connected to.
pub async fn address(HostPort { host, port }: HostPort, patience: Duration) -> Result<SocketAddr, ReachError> {
    match resolved(&host, port).await {
        Ok(addresses) => first(addresses, patience).await.map_err(|cause| ReachError::Unreachable { host, cause }),
        Err(cause) => Err(ReachError::NoAddress { host, cause }),
    }
}

/// At least one.
async fn resolved(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name resolves to nothing"));
    }
    Ok(addresses)
}

/// The first of at least one address to take a connection, with a head start for those before it.
async fn first(addresses: Vec<SocketAddr>, patience: Duration) -> io::Result<SocketAddr> {
    let attempt = |(head_start, address)| {
        Box::pin(async move {
            sleep(head_start).await;
            TcpStream::connect(address).await.map(|_| address)
        })
    };
    let head_starts = (0..).map(|place| HEAD_START * place);
    let first = select_ok(head_starts.zip(addresses).map(attempt));
    let (address, _) = timeout(patience, first).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(address)
}

/// Finds the addresses of what is connected to, whatever name it is asked for, the one first that takes a connection: a client would
/// try the others for seconds, at each of its connections.
#[derive(Clone, Debug)]
pub struct Reach(Arc<Reached>);

#[derive(Debug)]
struct Reached {
    next: HostPort,
    patience: Duration,
    /// Which took a connection, and when.
    last: Mutex<Option<(IpAddr, Instant)>>,
}

impl Reach {
    pub fn new(next: HostPort, patience: Duration) -> Reach {
        Reach(Arc::new(Reached { next, patience, last: Mutex::new(None) }))
    }
}

impl Reached {
    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let mut addresses = resolved(&self.next.host, self.next.port).await?;
        if addresses.len() > 1 {
            let last = self.last().filter(|last| addresses.iter().any(|address| address.ip() == *last));
            let chosen = match last {
                Some(last) => Some(last),
                None => self.choose(addresses.clone()).await,
            };
            addresses.sort_by_key(|address| Some(address.ip()) != chosen);
        }
        Ok(addresses)
    }

    /// Where none takes a connection, the client tells of it.
    async fn choose(&self, addresses: Vec<SocketAddr>) -> Option<IpAddr> {
        let chosen = first(addresses, self.patience).await.ok().map(|address| address.ip());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = chosen.map(|chosen| (chosen, Instant::now()));
        chosen
    }

    fn last(&self) -> Option<IpAddr> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|(_, since)| since.elapsed() < KEPT).map(|(address, _)| address)
    }
}

impl Resolve for Reach {
    fn resolve(&self, _: Name) -> Resolving {
        let reached = Arc::clone(&self.0);
        Box::pin(async move { Ok(Box::new(reached.addresses().await?.into_iter()) as Addrs) })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn every_address_of_a_name_is_tried() {
        const PATIENCE: Duration = Duration::from_mins(1);
        let listening = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listening.local_addr().expect("an address");
        let gone = TcpListener::bind("127.0.0.1:0").await.and_then(|gone| gone.local_addr()).expect("an address");
        assert_eq!(first(vec![gone, address], PATIENCE).await.expect("one listens"), address);
        let refused = first(vec![gone, gone], PATIENCE).await.expect_err("nobody listens");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
}
