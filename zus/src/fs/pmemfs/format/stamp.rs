// SPDX-License-Identifier: MIT
//! A point in time in one word that checks itself: seconds (34 bits, to the year 2514), microseconds (20),
//! a check (10). It is what can be stored in place, outside the journal, whole.

use crate::fs::Timestamp;

const CHECK_BITS: u32 = 10;
const MICRO_BITS: u32 = 20;

/// The word for `time`, which is cut to microseconds; 0, which is no time, if it does not fit.
pub fn pack(time: Timestamp) -> u64 {
    if time.sec <= 0 || time.sec >= 1 << (64 - CHECK_BITS - MICRO_BITS) {
        return 0;
    }
    let high = (time.sec as u64) << MICRO_BITS | u64::from(time.nsec / 1000);
    high << CHECK_BITS | check(high)
}

/// The time in `word`, if there is a sound one.
pub fn unpack(word: u64) -> Option<Timestamp> {
    let high = word >> CHECK_BITS;
    let micros = high & ((1 << MICRO_BITS) - 1);
    if word == 0 || word & ((1 << CHECK_BITS) - 1) != check(high) || micros >= 1_000_000 {
        return None;
    }
    Some(Timestamp {
        sec: (high >> MICRO_BITS) as i64,
        nsec: micros as u32 * 1000,
    })
}

fn check(high: u64) -> u64 {
    (high ^ 0x74_69_6d_65).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - CHECK_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_round_trip_in_microseconds() {
        let time = Timestamp {
            sec: 1_700_000_000,
            nsec: 123_456_789,
        };
        let cut = Timestamp {
            nsec: 123_456_000,
            ..time
        };
        assert_eq!(unpack(pack(time)), Some(cut));
        assert_eq!(unpack(0), None);
    }

    #[test]
    fn times_that_do_not_fit_are_none() {
        for sec in [-1, 0, 1 << 34, i64::MAX] {
            assert_eq!(pack(Timestamp { sec, nsec: 5 }), 0);
        }
    }

    #[test]
    fn any_damaged_bit_is_noticed() {
        let word = pack(Timestamp {
            sec: 1_800_000_123,
            nsec: 999_999_999,
        });
        for bit in 0..64 {
            assert_eq!(unpack(word ^ 1 << bit), None, "bit {bit}");
        }
    }
}
