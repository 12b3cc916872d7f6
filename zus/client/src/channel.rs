// SPDX-License-Identifier: MIT
//! One operation at a time: a slot and its window.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use relay::memory::{SharedMemory, Window};
use relay::{Message, WaitError};
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};
use zus_protocol::shm::{INLINE, MESSAGE_MAX};
use zus_protocol::{InHeader, Opcode, OutHeader};

use crate::path::os;

const IN: usize = size_of::<InHeader>();
const OUT: usize = size_of::<OutHeader>();

/// The client's side of a slot. Belongs to the operation that claimed it.
pub(crate) struct Channel {
    end: relay::Client,
    memory: Arc<SharedMemory>,
    window: Range<usize>,
    unique: u64,
}

impl Channel {
    /// A channel over the client's end of a slot, with the slot's `window` in `memory`.
    pub fn new(end: relay::Client, memory: Arc<SharedMemory>, window: Range<usize>) -> Self {
        assert!(window.end <= memory.len(), "a window inside the memory");
        Self {
            end,
            memory,
            window,
            unique: 0,
        }
    }

    /// Where payload goes, and tails of long messages.
    #[inline]
    pub fn window(&self) -> Window<'_> {
        self.memory
            .window(self.window.clone())
            .expect("checked when it was made")
    }

    /// Sends `opcode` about `node`, with a body made of `parts`, and waits for the answer. `data_len`
    /// bytes of payload are in the window already.
    #[inline]
    pub fn call(
        &mut self,
        opcode: Opcode,
        node: u64,
        parts: &[&[u8]],
        data_len: usize,
    ) -> io::Result<Answer<'_>> {
        let message = self.send(opcode, node, parts, data_len)?;
        Answer::parse(message, self.window(), self.unique)
    }

    /// As [`call`](Self::call), for what has no reply in the protocol: FORGET.
    pub fn tell(&mut self, opcode: Opcode, node: u64, parts: &[&[u8]]) -> io::Result<()> {
        self.send(opcode, node, parts, 0).map(drop)
    }

    #[inline]
    fn send(&mut self, opcode: Opcode, node: u64, parts: &[&[u8]], data_len: usize) -> io::Result<Message> {
        let head_len = IN + parts.iter().map(|part| part.len()).sum::<usize>();
        if head_len > MESSAGE_MAX {
            return Err(os(libc::E2BIG));
        }
        self.unique += 1;
        let header = InHeader {
            len: (head_len + data_len) as u32,
            opcode: opcode as u32,
            unique: self.unique,
            nodeid: node,
            ..InHeader::new_zeroed()
        };
        let mut inline = [0u8; INLINE];
        inline[..IN].copy_from_slice(header.as_bytes());
        let mut at = IN;
        for part in parts {
            let here = part.len().min(INLINE.saturating_sub(at));
            if here > 0 {
                inline[at..at + here].copy_from_slice(&part[..here]);
            }
            if here < part.len() {
                self.window().write(at + here - INLINE, &part[here..]);
            }
            at += part.len();
        }
        self.end.call(&inline[..head_len.min(INLINE)], None).map_err(lost)
    }
}

/// What became of a channel whose relay failed.
#[cold]
fn lost(why: WaitError) -> io::Error {
    match why {
        WaitError::Closed | WaitError::Dead => os(libc::ENOTCONN),
        _ => os(libc::EPROTO),
    }
}

/// An answer, which did not say that the operation failed.
pub(crate) struct Answer<'a> {
    message: Message,
    window: Window<'a>,
    /// Bytes behind the header, wherever they are: no more than there can be.
    len: usize,
}

impl<'a> Answer<'a> {
    #[inline]
    fn parse(message: Message, window: Window<'a>, unique: u64) -> io::Result<Self> {
        let (header, _) = OutHeader::read_from_prefix(&message).map_err(|_| os(libc::EPROTO))?;
        if header.error != 0 {
            return Err(failed(&header));
        }
        let len = (header.len as usize).wrapping_sub(OUT);
        if header.unique != unique || len > INLINE + window.len() {
            return Err(os(libc::EPROTO));
        }
        Ok(Self { message, window, len })
    }

    /// Bytes of payload at the start of the window.
    #[inline]
    pub fn data(&self) -> io::Result<Window<'a>> {
        self.window.slice(0..self.len).ok_or_else(|| os(libc::EPROTO))
    }

    /// The body, of this form.
    #[inline]
    pub fn body<T: FromBytes + IntoBytes + Immutable>(&self) -> io::Result<T> {
        let mut body = T::new_zeroed();
        if self.len < size_of::<T>() {
            return Err(os(libc::EPROTO));
        }
        self.copy(body.as_mut_bytes())?;
        Ok(body)
    }

    /// The body, as it is, at most `max` bytes.
    pub fn bytes(&self, max: usize) -> io::Result<Vec<u8>> {
        if self.len > max {
            return Err(os(libc::EPROTO));
        }
        let mut body = vec![0; self.len];
        self.copy(&mut body)?;
        Ok(body)
    }

    /// Copies the start of the body: what the slot has, then the rest from the window.
    #[inline]
    fn copy(&self, to: &mut [u8]) -> io::Result<()> {
        let here = self.message.get(OUT..).ok_or_else(|| os(libc::EPROTO))?;
        let split = here.len().min(to.len());
        let (first, rest) = to.split_at_mut(split);
        first.copy_from_slice(&here[..split]);
        if !rest.is_empty() {
            if self.message.len() != INLINE || rest.len() > self.window.len() {
                return Err(os(libc::EPROTO));
            }
            self.window.read(0, rest);
        }
        Ok(())
    }
}

/// The error in an answer.
#[cold]
fn failed(header: &OutHeader) -> io::Error {
    match header.error {
        errno @ -4095..0 => os(-errno),
        _ => os(libc::EPROTO),
    }
}
