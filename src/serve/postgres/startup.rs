//! How a connection begins: TLS, who is there, and what may be cancelled.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::messages::{Frontend, Opening, Report, Severity};
use super::session::{Block, Place, Session};
use super::settings::{Settings, spelled};
use super::socket::{Lost, Socket};
use super::{Door, Entered, catalog, for_postgres, no_delay, sqlstate};
use crate::catalog::Role;
use crate::engine::{Error, ErrorKind};
use crate::serve::principal::{Principal, is_local, random};
use crate::serve::{HEADER, TO_SAY_IT};

/// Why nobody is let in.
struct Refused(&'static str, Error);

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused(sqlstate::code(&error), error)
    }
}

/// Answers a connection from its begin to its end.
pub(super) async fn connection(door: Arc<Door>, stream: TcpStream, address: SocketAddr, permit: OwnedSemaphorePermit) {
    no_delay(&stream);
    let is_local = is_local(address.ip());
    let opened = tokio::time::timeout(HEADER, opened(&door, stream, is_local)).await;
    let Ok(Some((mut socket, parameters))) = opened else { return };
    let Ok(_place) = door.places.clone().try_acquire_owned() else {
        let error = Error::new(ErrorKind::Limit, "there are as many connections as there may be");
        return refuse(socket, Refused("53300", error)).await;
    };
    let who = tokio::time::timeout(HEADER, admitted(&door, &mut socket, is_local)).await;
    let (who, token) = match who {
        Ok(Ok(known)) => known,
        Ok(Err(Some(refused))) => {
            door.host.note(("-", "-"), ("postgres", "connect"), refused.0, (0, std::time::Duration::ZERO));
            return refuse(socket, refused).await;
        }
        Ok(Err(None)) | Err(_) => return,
    };
    drop(permit);
    door.host.note((&who.name, who.role.name()), ("postgres", "connect"), "ok", (0, std::time::Duration::ZERO));
    let secret = random::<4>().ok().and_then(|hex| u32::from_str_radix(&hex, 16).ok());
    let Some(secret) = secret else { return };
    let entered = door.enter(secret as i32);
    match begun(&door, &entered, socket, &parameters, (who, token, is_local)).await {
        Ok(session) => session.answer().await,
        Err((socket, refused)) => refuse(*socket, refused).await,
    }
}

async fn refuse(mut socket: Socket, Refused(code, error): Refused) {
    let report = Report { code, ..sqlstate::report(&error, Severity::Fatal, &Place::default()) };
    socket.said.report(&report);
    socket.end(TO_SAY_IT).await;
}

/// The socket of somebody who wants to begin, in TLS where that is wanted, and what they say of themselves.
async fn opened(door: &Door, stream: TcpStream, is_local: bool) -> Option<(Socket, Vec<(String, String)>)> {
    let mut socket = Socket::new(Box::new(stream));
    let mut secure = false;
    loop {
        match socket.opening().await {
            Ok(Opening::Tls) if !secure && door.tls.is_some() => {
                socket.said.bytes.push(b'S');
                socket.send().await.ok()?;
                let tls = door.tls.as_ref()?;
                socket = Socket::new(Box::new(for_postgres(tls).accept(socket.into_stream()?).await.ok()?));
                secure = true;
            }
            Ok(Opening::Tls | Opening::Gss) => {
                socket.said.bytes.push(b'N');
                socket.send().await.ok()?;
            }
            Ok(Opening::Cancel { process, secret }) => {
                door.cancel(process, secret);
                return None;
            }
            Ok(Opening::Startup { minor, parameters }) => {
                if !secure && !is_local {
                    let text = "tokens and people do not go over the network in clear text";
                    let error = Error::new(ErrorKind::Permission, text).hint("connect with sslmode=require");
                    refuse(socket, Refused("28000", error)).await;
                    return None;
                }
                let unknown: Vec<&str> =
                    parameters.iter().map(|(n, _)| n.as_str()).filter(|n| n.starts_with("_pq_.")).collect();
                if minor > 0 || !unknown.is_empty() {
                    socket.said.version(&unknown);
                }
                return Some((socket, parameters));
            }
            Err(Lost::Gone) => return None,
            Err(Lost::Broken(error)) => {
                refuse(socket, error.into()).await;
                return None;
            }
        }
    }
}

/// Who is there: whoever has a token as the password, or anybody of this machine where there are none.
async fn admitted(
    door: &Door,
    socket: &mut Socket,
    is_local: bool,
) -> Result<(Arc<Principal>, Option<String>), Option<Refused>> {
    let known = async |token: Option<String>| {
        let host = door.host.clone();
        // The catalogue is a file.
        let known = tokio::task::spawn_blocking(move || host.principal(token.as_deref(), is_local)).await;
        known.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "nobody could be known")))
    };
    if let Some(who) = known(None).await.map_err(|e| Some(e.into()))? {
        return Ok((Arc::new(who), None));
    }
    socket.said.authentication_password();
    socket.send().await.map_err(|_| None)?;
    let refused = || {
        let error = Error::new(ErrorKind::Permission, "the password is no token that is good");
        Some(Refused("28P01", error.hint("`populace tokens add` makes one; the user's name does not matter")))
    };
    match socket.receive(|_| 10_000).await {
        Ok(Ok(Frontend::Password(token))) => match known(Some(token.clone())).await.map_err(|e| Some(e.into()))? {
            Some(who) => Ok((Arc::new(who), Some(token))),
            None => Err(refused()),
        },
        Ok(Ok(_)) => Err(refused()),
        Ok(Err(error)) | Err(Lost::Broken(error)) => Err(Some(error.into())),
        Err(Lost::Gone) => Err(None),
    }
}

/// A session for whoever is known, told what it has to know.
async fn begun(
    door: &Door,
    entered: &Entered<'_>,
    mut socket: Socket,
    parameters: &[(String, String)],
    (who, token, is_local): (Arc<Principal>, Option<String>, bool),
) -> Result<Session, (Box<Socket>, Refused)> {
    let (host, of) = (door.host.clone(), who.clone());
    let user = parameters.iter().find(|(name, _)| name == "user").map_or(who.name.clone(), |(_, user)| user.clone());
    let process = entered.key.0;
    let settings = Settings::default();
    let visitor =
        catalog::Visitor { user: user.clone(), access: who.access.clone(), process, settings: settings.clone() };
    let engine = door
        .host
        .on_runtime(async move {
            let engine = host.session_of_connection(&of)?;
            catalog::register(&engine, visitor)?;
            datafusion::common::Result::Ok(engine)
        })
        .await;
    let engine = match engine.and_then(|engine| engine.map_err(|e| Error::from(&e))) {
        Ok(engine) => engine,
        Err(error) => return Err((Box::new(socket), error.into())),
    };
    for (name, value) in parameters {
        let name = name.to_lowercase();
        match name.as_str() {
            "user" | "database" | "replication" => {}
            "options" => {
                // -c name=value
                for part in value.split("-c").map(str::trim) {
                    if let Some((name, value)) = part.split_once('=') {
                        settings.set(&name.trim().to_lowercase(), Some(value.replace("\\ ", " ")));
                    }
                }
            }
            name => _ = settings.set(name, Some(value.clone())),
        }
    }
    settings.fix("session_authorization", user);
    settings.fix("is_superuser", if who.role == Role::Admin { "on" } else { "off" });
    settings.fix("default_transaction_read_only", if who.access.write { "off" } else { "on" });
    socket.said.authentication_ok();
    for (name, value) in settings.begin() {
        socket.said.parameter(spelled(name), &value);
    }
    socket.said.key(process, entered.key.1);
    socket.said.ready(b'I');
    Ok(Session {
        host: door.host.clone(),
        socket,
        who,
        token,
        is_local,
        engine,
        settings,
        running: entered.running.clone(),
        cancel: CancellationToken::new(),
        block: Block::None,
        said_so: false,
        prepared: Default::default(),
        portals: Default::default(),
        passing: false,
        place: Place::default(),
        zone: None,
    })
}
