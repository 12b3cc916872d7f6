// SPDX-License-Identifier: MIT
//! How often each operation was asked for, and how often it failed.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use zus_protocol::Opcode;

/// Threads count in different stripes, so that workers on different CPUs share no cache line.
const STRIPES: usize = 16;
/// The last row is that of all unknown operations.
const ROWS: usize = Opcode::ALL.len() + 1;

/// One operation's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its name: "LOOKUP"; "UNKNOWN" gathers all that the protocol does not have.
    pub operation: &'static str,
    /// How often it was asked for.
    pub requests: u64,
    /// How often it was answered with an error.
    pub errors: u64,
}

#[derive(Default)]
struct Cells {
    requests: AtomicU64,
    errors: AtomicU64,
}

#[repr(align(128))]
struct Stripe([Cells; ROWS]);

/// The counters of a mount. Relaxed throughout: each number is exact once its writers are done, and two
/// of them need not agree before.
pub struct Counters(Box<[Stripe]>);

impl Counters {
    pub(super) fn new() -> Self {
        Self(
            (0..STRIPES)
                .map(|_| Stripe(std::array::from_fn(|_| Cells::default())))
                .collect(),
        )
    }

    pub(super) fn record(&self, operation: Option<Opcode>, failed: bool) {
        let cells = &self.0[stripe()].0[operation.map_or(ROWS - 1, row)];
        cells.requests.fetch_add(1, Ordering::Relaxed);
        if failed {
            cells.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All operations that were asked for at least once.
    pub fn snapshot(&self) -> Vec<Count> {
        let names = Opcode::ALL
            .iter()
            .map(|&op| (row(op), op.name()))
            .chain([(ROWS - 1, "UNKNOWN")]);
        let sum = |row: usize, of: fn(&Cells) -> &AtomicU64| {
            self.0.iter().map(|s| of(&s.0[row]).load(Ordering::Relaxed)).sum()
        };
        names
            .map(|(row, operation)| Count {
                operation,
                requests: sum(row, |c| &c.requests),
                errors: sum(row, |c| &c.errors),
            })
            .filter(|count| count.requests > 0)
            .collect()
    }
}

/// The place of an operation in the table: numbers have gaps.
fn row(operation: Opcode) -> usize {
    const ROW: [u8; 64] = {
        let mut rows = [0; 64];
        let mut i = 0;
        while i < Opcode::ALL.len() {
            rows[Opcode::ALL[i] as usize] = i as u8;
            i += 1;
        }
        rows
    };
    ROW[operation as usize] as usize
}

/// This thread's stripe.
fn stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES));
    MINE.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_threads_count_is_summed() {
        let counters = Counters::new();
        std::thread::scope(|scope| {
            for failed in [false, true, false] {
                let counters = &counters;
                scope.spawn(move || {
                    counters.record(Some(Opcode::Lookup), failed);
                    counters.record(None, true);
                });
            }
        });
        let count = |operation, requests, errors| Count {
            operation,
            requests,
            errors,
        };
        assert_eq!(
            counters.snapshot(),
            [count("LOOKUP", 3, 1), count("UNKNOWN", 3, 3)]
        );
    }

    #[test]
    fn each_operation_has_a_row_of_its_own() {
        let rows: std::collections::HashSet<_> = Opcode::ALL.iter().map(|&op| row(op)).collect();
        assert_eq!(rows.len(), Opcode::ALL.len());
    }
}
