//! A connection's bytes: messages read one by one, answers gathered and sent.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::messages::{Frontend, Opening, Said, broken};
use crate::engine::{Error, ErrorKind};

/// What a client may say before it has said who it is.
const OPENING: usize = 10_000;

/// What is read ahead while a statement is at work.
const AHEAD: usize = 1 << 20;

/// Bytes that are gathered before they are sent.
pub(super) const GATHERED: usize = 32 << 10;

pub(super) trait Bytes: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Bytes for S {}

/// Why there is nothing more to say to a client.
#[derive(Debug)]
pub(super) enum Lost {
    /// It has left, or cannot be reached
    Gone,
    /// It says what nobody can go on from
    Broken(Error),
}

impl From<io::Error> for Lost {
    fn from(_: io::Error) -> Lost {
        Lost::Gone
    }
}

pub(super) struct Socket {
    stream: Box<dyn Bytes>,
    inbox: Vec<u8>,
    /// What of the inbox was read
    read: usize,
    ended: bool,
    pub said: Said,
    /// What of what was said is sent
    sent: usize,
}

impl Socket {
    pub fn new(stream: Box<dyn Bytes>) -> Socket {
        Socket { stream, inbox: vec![], read: 0, ended: false, said: Said::default(), sent: 0 }
    }

    /// Reads some bytes more. What is read stays where this is dropped.
    async fn fill(&mut self) -> Result<(), Lost> {
        if self.ended {
            return Err(Lost::Gone);
        }
        if self.read > 0 {
            self.inbox.drain(..self.read);
            self.read = 0;
        }
        self.inbox.reserve(8 << 10);
        if self.stream.read_buf(&mut self.inbox).await? == 0 {
            self.ended = true;
            return Err(Lost::Gone);
        }
        Ok(())
    }

    /// The body of a message whose head is so long, once all of it is there.
    fn body(&mut self, head: usize, most: impl Fn(u8) -> usize) -> Result<Option<(u8, Vec<u8>)>, Lost> {
        let there = &self.inbox[self.read..];
        let Some(length) = there.get(head..head + 4).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes) else {
            return Ok(None);
        };
        let kind = if head == 0 { 0 } else { there[0] };
        let length = usize::try_from(length).ok().filter(|length| *length >= 4);
        let Some(length) = length else { return Err(Lost::Broken(broken("its length"))) };
        if length > most(kind) {
            let text = format!("a message has more than {} bytes", most(kind));
            return Err(Lost::Broken(Error::new(ErrorKind::Limit, text)));
        }
        let Some(body) = there.get(head + 4..head + length) else { return Ok(None) };
        let body = body.to_vec();
        self.read += head + length;
        Ok(Some((kind, body)))
    }

    /// The first message of a client.
    pub async fn opening(&mut self) -> Result<Opening, Lost> {
        loop {
            if let Some((_, body)) = self.body(0, |_| OPENING)? {
                return Opening::read(&body).map_err(Lost::Broken);
            }
            self.fill().await?;
        }
    }

    /// The next message, if all of it is there; `most` says how many bytes one of a kind may have.
    ///
    /// # Errors
    /// If it is longer than it may be.
    pub fn next(&mut self, most: impl Fn(u8) -> usize) -> Result<Option<Result<Frontend, Error>>, Lost> {
        Ok(self.body(1, most)?.map(|(kind, body)| Frontend::read(kind, &body)))
    }

    /// Waits for the next message. Nothing is lost where this is dropped.
    pub async fn receive(&mut self, most: impl Fn(u8) -> usize) -> Result<Result<Frontend, Error>, Lost> {
        loop {
            if let Some(message) = self.next(&most)? {
                return Ok(message);
            }
            self.fill().await?;
        }
    }

    /// Waits for the client to leave; what it says meanwhile is kept.
    pub async fn left(&mut self) {
        loop {
            if self.inbox.len() - self.read > AHEAD {
                // It says more than is listened to: whether it leaves is seen when that was answered.
                std::future::pending::<()>().await;
            }
            if self.fill().await.is_err() {
                return;
            }
        }
    }

    /// Whether enough is gathered to be sent.
    pub fn is_full(&self) -> bool {
        self.said.bytes.len() - self.sent > GATHERED
    }

    /// Sends what was gathered. What is left of it stays where this is dropped.
    pub async fn send(&mut self) -> io::Result<()> {
        while self.sent < self.said.bytes.len() {
            match self.stream.write(&self.said.bytes[self.sent..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.sent += written,
            }
        }
        self.said.bytes.clear();
        self.sent = 0;
        self.stream.flush().await
    }

    /// Sends what is left to say, to a client that may not listen any more, and ends the connection.
    pub async fn end(mut self, within: Duration) {
        let end = async {
            self.send().await?;
            self.stream.shutdown().await?;
            // What it still says is read: closed before that, the last words might not reach it.
            let mut some = [0; 1024];
            while self.stream.read(&mut some).await? > 0 {}
            io::Result::Ok(())
        };
        _ = tokio::time::timeout(within, end).await;
    }

    /// The stream, to go on in TLS, if nothing was said in clear text after the request for it.
    pub fn into_stream(self) -> Option<Box<dyn Bytes>> {
        (self.inbox.len() == self.read).then_some(self.stream)
    }
}
