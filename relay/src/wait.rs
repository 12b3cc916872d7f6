// SPDX-License-Identifier: MIT
//! What a strategy can wait for.

use crate::presence::Peer;
use crate::stats::Stats;
use std::time::Instant;

/// A source of items that can be polled and slept on: a slot's word, many slots at once, a device.
/// [`Policy::wait`](crate::Policy::wait) runs a strategy over it.
pub trait Wait {
    /// What comes, an end of the source included: an error that ends it is an item.
    type Item;

    /// Takes the next item if it is there. Never sleeps.
    fn poll(&mut self) -> Option<Self::Item>;

    /// Where the other side is, and the moment to tell it where this one is. Called once for each
    /// round of waiting and now and then while spinning.
    fn peer(&mut self) -> Peer;

    /// Announces, checks again, sleeps until something came or `deadline` passed, withdraws. May
    /// return early for any reason: the caller polls again.
    fn sleep(&mut self, deadline: Option<Instant>);

    /// Where to count.
    fn stats(&self) -> &Stats;
}
