// SPDX-License-Identifier: MIT
//! A pointer to a block: one word that checks itself, so that a tree can be changed by single aligned
//! stores and a damaged node is noticed where it is followed.

use super::Geometry;
use crate::fs::{Error, Result};

/// Bits of the block number; the flags stand above them.
const BLOCK_BITS: u32 = 40;
/// Bits of the whole, above which the check stands.
const LOW_BITS: u32 = 48;
/// The flag of a block that is reserved and reads as zeroes.
const UNWRITTEN: u64 = 1 << BLOCK_BITS;

/// A block that a file's tree points to. No block at all is the word 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    /// Its number.
    pub block: u64,
    /// Whether it is reserved only: reads as zeroes whatever it holds.
    pub unwritten: bool,
}

impl Pointer {
    /// A pointer to a block with contents.
    pub fn to(block: u64) -> Self {
        Self {
            block,
            unwritten: false,
        }
    }

    /// As it stands on the medium.
    pub fn word(self) -> u64 {
        let low = self.block | if self.unwritten { UNWRITTEN } else { 0 };
        low | check(low) << LOW_BITS
    }

    /// From the medium, which may hold anything.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it is damaged or points to no block that a file can have.
    #[inline]
    pub fn read(word: u64, geometry: &Geometry) -> Result<Option<Self>> {
        if word == 0 {
            return Ok(None);
        }
        let low = word & ((1 << LOW_BITS) - 1);
        let block = low & (UNWRITTEN - 1);
        let flags = low & !(UNWRITTEN - 1);
        if word >> LOW_BITS != check(low) || flags & !UNWRITTEN != 0 || !geometry.is_data(block) {
            return Err(Error::Io);
        }
        Ok(Some(Self {
            block,
            unwritten: flags != 0,
        }))
    }
}

/// 16 bits that change with every byte of `low`.
#[inline]
fn check(low: u64) -> u64 {
    (low ^ 0x5a_75_66_73_50_54).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> LOW_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_round_trip() {
        let geometry = Geometry::new(1 << 32).unwrap();
        for block in [geometry.first_data, 123_456, (1 << 32) - 2] {
            for unwritten in [false, true] {
                let pointer = Pointer { block, unwritten };
                assert_eq!(Pointer::read(pointer.word(), &geometry), Ok(Some(pointer)));
            }
        }
        assert_eq!(Pointer::read(0, &geometry), Ok(None));
    }

    #[test]
    fn any_damaged_byte_is_noticed() {
        let geometry = Geometry::new(1 << 32).unwrap();
        for block in (geometry.first_data..geometry.blocks).step_by(987_654_321) {
            let word = Pointer::to(block).word();
            for byte in 0..8 {
                for flip in 1..=255u64 {
                    let damaged = word ^ flip << (8 * byte);
                    assert_eq!(Pointer::read(damaged, &geometry), Err(Error::Io), "{damaged:x}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_data_is_refused() {
        let geometry = Geometry::new(1 << 20).unwrap();
        for block in [
            0,
            1,
            geometry.first_data - 1,
            super::super::GROUP,
            (1 << 20) - 1,
            1 << 20,
        ] {
            let word = Pointer::to(block).word();
            assert_eq!(Pointer::read(word, &geometry), Err(Error::Io), "block {block}");
        }
    }
}
