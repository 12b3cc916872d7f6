// SPDX-License-Identifier: MIT
//! `park`: sleeps at once. [`Policy::wait`](crate::Policy::wait) has looked before.

use crate::wait::Wait;
use std::time::Instant;

pub(crate) fn round<W: Wait>(source: &mut W, deadline: Option<Instant>) -> Option<W::Item> {
    source.sleep(deadline);
    source.poll()
}
