// SPDX-License-Identifier: MIT
//! `waitqueue`: what two wait queues do. Every wait goes to sleep before it looks, every publication
//! rings the bell (see `End::publish`) whether somebody sleeps or not. It announces itself all the
//! same, so that a peer whose policy is another one wakes it too.

use crate::wait::Wait;
use std::time::Instant;

pub(crate) fn round<W: Wait>(source: &mut W, deadline: Option<Instant>) -> Option<W::Item> {
    source.sleep(deadline);
    source.poll()
}
