// SPDX-License-Identifier: MIT
//! Messages of slots: the first bytes are in the slot, what is longer goes on in the slot's window.

use relay::memory::Window;
use zerocopy::FromBytes;
use zus_protocol::shm::{INLINE, MESSAGE_MAX};
use zus_protocol::{InHeader, private_len};

use crate::engine::{Answer, Reply, Session};

/// A worker's private memory.
pub(super) struct Desk {
    /// A message that is longer than a slot holds.
    long: Vec<u8>,
    reply: Reply,
}

impl Desk {
    pub fn new() -> Self {
        Self {
            long: Vec::new(),
            reply: Reply::new(),
        }
    }

    /// Has `session` answer the message that begins with `inline`. The part of the answer that goes into the
    /// slot is returned, the rest is in the window.
    #[inline]
    pub fn serve(&mut self, session: &Session, inline: &[u8], window: Window<'_>) -> &[u8] {
        let Self { long, reply } = self;
        let message = whole(inline, window, long);
        match session.handle(message, window, reply) {
            Answer::None => &[],
            Answer::Reply { data_len } => {
                let bytes = reply.bytes();
                let (head, tail) = bytes.split_at(bytes.len().min(INLINE));
                if !tail.is_empty() {
                    debug_assert_eq!(data_len, 0, "a long answer and data in one window");
                    window.write(0, tail);
                }
                head
            }
        }
    }
}

/// The whole message that begins with `inline`: its own length says whether more of it is in the window. A
/// length that cannot be is left for the session to refuse, which finds the message shorter than it says.
#[inline]
fn whole<'a>(inline: &'a [u8], window: Window<'_>, long: &'a mut Vec<u8>) -> &'a [u8] {
    let len = InHeader::read_from_prefix(inline).map_or(0, |(header, _)| private_len(&header));
    if len <= INLINE {
        return inline;
    }
    fetch(inline, len, window, long)
}

#[cold]
fn fetch<'a>(inline: &'a [u8], len: usize, window: Window<'_>, long: &'a mut Vec<u8>) -> &'a [u8] {
    if len > MESSAGE_MAX || inline.len() != INLINE || len - INLINE > window.len() {
        return inline;
    }
    long.clear();
    long.extend_from_slice(inline);
    long.resize(len, 0);
    window.read(0, &mut long[INLINE..]);
    long
}

#[cfg(test)]
mod tests {
    use zerocopy::{FromZeros, IntoBytes};
    use zus_protocol::Opcode;

    use super::*;

    fn inline(len: u32, opcode: Opcode) -> [u8; INLINE] {
        let header = InHeader {
            len,
            opcode: opcode as u32,
            ..InHeader::new_zeroed()
        };
        let mut inline = [1; INLINE];
        inline[..size_of::<InHeader>()].copy_from_slice(header.as_bytes());
        inline
    }

    #[test]
    fn a_message_is_put_together_from_slot_and_window() {
        let mut memory = [2u8; 8192];
        let window = Window::private(&mut memory);
        let mut long = Vec::new();
        let start = inline(200, Opcode::Rename2);
        let message = whole(&start, window, &mut long);
        assert_eq!(message.len(), 200);
        assert_eq!(message[..INLINE], start);
        assert!(message[INLINE..].iter().all(|&byte| byte == 2));
        // Of a WRITE, data are no part of it.
        let start = inline(80 + 4096, Opcode::Write);
        assert_eq!(whole(&start[..80], window, &mut long).len(), 80);
    }

    #[test]
    fn lengths_that_cannot_be_fetch_nothing() {
        let mut memory = [2u8; 8192];
        let window = Window::private(&mut memory);
        let mut long = Vec::new();
        for len in [0, 8192 + INLINE as u32 + 1, MESSAGE_MAX as u32 + 1, u32::MAX] {
            let start = inline(len, Opcode::Rename2);
            assert_eq!(whole(&start, window, &mut long).len(), INLINE, "{len}");
        }
        assert_eq!(
            whole(&inline(200, Opcode::Rename2)[..60], window, &mut long).len(),
            60
        );
        assert_eq!(whole(&[], window, &mut long).len(), 0);
    }
}
