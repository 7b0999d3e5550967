//! PostgreSQL's protocol: the same statements, by the same people and within the same bounds, for clients of PostgreSQL.
//!
//! `messages` reads and writes the bytes, `startup` finds out who is there, `session` answers their messages: texts of
//! statements (`simple`), statements that are prepared (`extended`), rows copied (`copying`, by `lines` or in `binary`).
//! Each statement goes through [`Host`] as one over HTTP does. What clients ask of the system's own tables, `catalog`
//! makes up; what columns are called, `names` says.

mod binary;
mod catalog;
mod copy;
mod copying;
mod extended;
mod flow;
mod lines;
mod messages;
mod names;
mod parameters;
mod session;
mod settings;
mod simple;
mod socket;
mod sqlstate;
mod startup;
mod text;
mod types;
mod values;
mod zones;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use self::session::Running;
use super::statements::Host;

/// Connections that say who they are, beside those that may be there: one that cancels is heard when all places are
/// taken.
const OPENING: usize = 64;

/// Connections that wait to be taken.
const WAITING: u32 = 1024;

/// A port that has its address.
pub(super) struct Postgres {
    listener: TcpListener,
    door: Arc<Door>,
}

/// What connections share.
struct Door {
    host: Arc<Host>,
    tls: Option<RustlsConfig>,
    /// Places for those who are known
    places: Arc<Semaphore>,
    /// Places for those who say who they are
    opening: Arc<Semaphore>,
    /// What is at work, by the keys that its clients were given
    running: Mutex<HashMap<(i32, i32), Arc<Running>>>,
    next: AtomicI32,
    connections: TaskTracker,
}

impl Postgres {
    /// Takes the address.
    ///
    /// # Errors
    /// If it is taken.
    pub fn bind(
        address: SocketAddr,
        host: Arc<Host>,
        tls: Option<RustlsConfig>,
        connections: usize,
    ) -> io::Result<Postgres> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // Those that are taken have it too: whoever vanishes without a word is noticed some time.
        socket.set_keepalive(true)?;
        socket.bind(address)?;
        let door = Door {
            host,
            tls,
            places: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
            opening: Arc::new(Semaphore::new(OPENING)),
            running: Mutex::default(),
            next: AtomicI32::new(1),
            connections: TaskTracker::new(),
        };
        Ok(Postgres { listener: socket.listen(WAITING)?, door: Arc::new(door) })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes connections until the server ends, and waits for those that are there.
    pub async fn run(self) {
        let Postgres { listener, door } = self;
        loop {
            let taken = tokio::select! {
                () = door.host.ending() => break,
                taken = listener.accept() => taken,
            };
            match taken {
                Ok((stream, address)) => {
                    // Those beyond are closed.
                    let Ok(permit) = door.opening.clone().try_acquire_owned() else { continue };
                    door.connections.spawn(startup::connection(door.clone(), stream, address, permit));
                }
                // Out of descriptors: those that end give some back.
                Err(error) => {
                    tracing::warn!(%error, "a connection was not taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        door.connections.close();
        door.connections.wait().await;
    }
}

impl Door {
    /// A key by which what a connection does may be cancelled.
    fn enter(&self, secret: i32) -> Entered<'_> {
        let process = self.next.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let running = Arc::<Running>::default();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert((process, secret), running.clone());
        Entered { door: self, key: (process, secret), running }
    }

    fn cancel(&self, process: i32, secret: i32) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&(process, secret)).cloned();
        if let Some(running) = running {
            running.cancel();
        }
    }
}

/// A connection that may be cancelled, until it is dropped.
struct Entered<'a> {
    door: &'a Door,
    key: (i32, i32),
    running: Arc<Running>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.door.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// The certificates of HTTP, for this protocol.
fn for_postgres(tls: &RustlsConfig) -> tokio_rustls::TlsAcceptor {
    let mut config = tls.get_inner().as_ref().clone();
    // Clients of version 17 say this name, and would go away at those of HTTP.
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

fn no_delay(stream: &TcpStream) {
    // Where it cannot be had, answers come a little later.
    _ = stream.set_nodelay(true);
}
