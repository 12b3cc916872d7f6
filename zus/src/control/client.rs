// SPDX-License-Identifier: MIT
//! The asking side of the control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Reply, Request};

/// The longest answer that is read: it comes from another process, perhaps another user's.
const MAX_REPLY: u64 = 16 << 20;

/// Asks the server that listens on `socket`, and waits up to `limit` for its answer.
///
/// # Errors
/// As connecting, writing and reading; `TimedOut` behind the limit; `InvalidData` if the answer is none.
pub fn ask(socket: &Path, request: &Request, limit: Duration) -> io::Result<Reply> {
    let timed_out = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "no answer"),
        _ => error,
    };
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(timed_out)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(MAX_REPLY))
        .read_until(b'\n', &mut answer)
        .map_err(timed_out)?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_slice(&answer)?)
}
