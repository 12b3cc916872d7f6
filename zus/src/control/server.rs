// SPDX-License-Identifier: MIT
//! The answering side of the control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;

use super::{Reply, Request};

/// The longest request that is read, in bytes.
const MAX_REQUEST: u64 = 64 << 10;

/// How long a peer may take over its request, and over reading the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the answer to a request goes. Dropped without one, it closes the connection.
pub struct Responder(UnixStream);

impl Responder {
    /// Answers. A peer that is gone or does not read is its own loss.
    pub fn send(self, reply: &Reply) {
        if let Err(error) = write(&self.0, reply) {
            tracing::debug!("control socket: {error}");
        }
    }
}

/// Listens on `socket`, which replaces what a dead server left there, and hands each request to `handler`, in
/// a thread for each connection, until the process ends. Only the user of this process and root are heard.
///
/// # Errors
/// As binding and starting a thread.
pub fn listen(socket: &Path, handler: impl Fn(Request, Responder) + Send + Sync + 'static) -> io::Result<()> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    let handler = Arc::new(handler);
    thread::Builder::new().name("control".into()).spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // Out of descriptors, most likely: others must give theirs back first.
                thread::sleep(Duration::from_millis(100));
                continue;
            };
            let handler = handler.clone();
            let answer = move || {
                if let Err(error) = serve(stream, &*handler) {
                    tracing::debug!("control socket: {error}");
                }
            };
            if let Err(error) = thread::Builder::new().name("control".into()).spawn(answer) {
                tracing::warn!("control socket: {error}");
            }
        }
    })?;
    Ok(())
}

fn serve(stream: UnixStream, handler: &dyn Fn(Request, Responder)) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let peer = socket_peercred(&stream)?;
    if !peer.uid.is_root() && peer.uid != rustix::process::geteuid() {
        return write(
            &stream,
            &Reply::Error("only this server's user and root are heard".into()),
        );
    }
    let mut line = Vec::new();
    BufReader::new((&stream).take(MAX_REQUEST)).read_until(b'\n', &mut line)?;
    match serde_json::from_slice(&line) {
        Ok(request) => handler(request, Responder(stream)),
        Err(error) => write(&stream, &Reply::Error(format!("not a request: {error}")))?,
    }
    Ok(())
}

fn write(mut stream: &UnixStream, reply: &Reply) -> io::Result<()> {
    let mut answer = serde_json::to_vec(reply)?;
    answer.push(b'\n');
    stream.write_all(&answer)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::control::ask;

    const LIMIT: Duration = Duration::from_secs(20);

    fn server() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("control");
        listen(&socket, |request, responder| match request {
            Request::Status => responder.send(&Reply::Done),
            Request::Remount { options } => responder.send(&Reply::Error(options)),
            Request::Stop { .. } => panic!("a handler that panics"),
        })
        .unwrap();
        (dir, socket)
    }

    #[test]
    fn a_request_is_answered() {
        let (_dir, socket) = server();
        assert_eq!(ask(&socket, &Request::Status, LIMIT).unwrap(), Reply::Done);
        let options = "relay=park\n\"".to_owned();
        let reply = ask(
            &socket,
            &Request::Remount {
                options: options.clone(),
            },
            LIMIT,
        )
        .unwrap();
        assert_eq!(reply, Reply::Error(options));
    }

    #[test]
    fn nonsense_is_refused_and_the_server_lives_on() {
        let (_dir, socket) = server();
        for nonsense in [
            &b"\n"[..],
            b"{}\n",
            b"{\"request\":\"fly\"}\n",
            b"\xff\xfe\n",
            &[b'x'; 70_000],
        ] {
            let mut stream = UnixStream::connect(&socket).unwrap();
            // The server stops reading at its limit: the rest may find the connection closed.
            let _ = stream.write_all(nonsense);
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            assert!(answer.is_empty() || answer.contains("not a request"), "{answer}");
        }
        // One that says nothing holds up nobody, and a handler that panics only its own connection.
        let _silent = UnixStream::connect(&socket).unwrap();
        assert!(ask(&socket, &Request::Stop { lazy: false }, LIMIT).is_err());
        assert_eq!(ask(&socket, &Request::Status, LIMIT).unwrap(), Reply::Done);
    }

    #[test]
    fn a_socket_that_a_dead_server_left_is_replaced() {
        let (_dir, socket) = server();
        listen(&socket, |_, responder| {
            responder.send(&Reply::Error("the second".into()))
        })
        .unwrap();
        let reply = ask(&socket, &Request::Status, LIMIT).unwrap();
        assert_eq!(reply, Reply::Error("the second".into()));
    }
}
