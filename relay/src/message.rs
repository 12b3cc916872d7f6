// SPDX-License-Identifier: MIT
//! A private copy of a block's inline bytes.

use crate::state::INLINE;
use std::fmt;
use std::ops::Deref;

/// A message of up to [`INLINE`] bytes, copied out of its block once: nobody can change it any more.
/// Aligned to 8 bytes, so that protocol headers can be read in place.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Message {
    bytes: [u8; INLINE],
    len: u8,
}

impl Message {
    /// A message of `len` bytes taken from 8-byte words; `len` beyond [`INLINE`] is cut to it.
    #[inline]
    pub(crate) fn gather(len: usize, word: impl Fn(usize) -> u64) -> Self {
        let len = len.min(INLINE);
        let mut bytes = [0; INLINE];
        for (i, chunk) in bytes.chunks_exact_mut(8).enumerate().take(len.div_ceil(8)) {
            chunk.copy_from_slice(&word(i).to_ne_bytes());
        }
        Self {
            bytes,
            len: len as u8,
        }
    }
}

/// `message` in 8-byte words, the last one filled up with zeros.
#[inline]
pub(crate) fn scatter(message: &[u8], mut word: impl FnMut(usize, u64)) {
    let chunks = message.chunks_exact(8);
    let (whole, rest) = (message.len() / 8, chunks.remainder());
    for (i, chunk) in chunks.enumerate() {
        word(i, u64::from_ne_bytes(chunk.try_into().expect("a chunk of 8")));
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        word(whole, u64::from_ne_bytes(last));
    }
}

impl AsRef<[u8]> for Message {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Deref for Message {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({:02x?})", self.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_survives_the_way_through_words() {
        let source: Vec<u8> = (1..=INLINE as u8).collect();
        for len in 0..=INLINE {
            let mut words = [u64::MAX; INLINE / 8];
            scatter(&source[..len], |i, word| words[i] = word);
            assert_eq!(Message::gather(len, |i| words[i]).as_ref(), &source[..len]);
        }
    }
}
