// SPDX-License-Identifier: MIT
//! The relay: a per-CPU wait object. It hands one operation at a time to another thread or process
//! and waits for the answer, spinning, yielding or sleeping as it pays.
//!
//! ```
//! use relay::{Bell, Client, Policy, Server, SlotRef, Strategy, calibrate};
//! use std::sync::Arc;
//!
//! let policy = Arc::new(Policy::new(Strategy::Hybrid, calibrate::window()));
//! let slot = SlotRef::private();
//! let mut client = Client::new(slot.clone(), policy.clone(), Bell::futex(), Bell::futex());
//! let mut server = Server::new(slot, policy, Bell::futex(), Bell::futex());
//!
//! let serving = std::thread::spawn(move || {
//!     while let Ok(request) = server.next(None) {
//!         let reply: Vec<u8> = request.iter().rev().copied().collect();
//!         server.reply(&reply).unwrap();
//!     }
//! });
//! assert_eq!(client.call(b"relay", None).unwrap().as_ref(), b"yaler");
//! client.close();
//! serving.join().unwrap();
//! ```
//!
//! - A [`Slot`] carries one operation at a time, of up to [`INLINE`] bytes each way. Slots live in
//!   private memory ([`Slots::private`]) or in a [`SharedMemory`] ([`Slots::in_memory`]). Larger
//!   payloads lie elsewhere: whatever the client writes there before `post` the server sees after
//!   `next`, and whatever the server writes before `reply` the client sees after `wait`.
//! - [`Client`] and [`Server`] are its two ends. A [`Bell`] for each direction says how a sleeper is
//!   woken.
//! - A [`Policy`] says how ends wait; it is shared and can be changed while they do.
//! - A worker that serves many slots puts its ends into a [`Poller`].
//! - Anything else that can be polled and slept on takes part by implementing [`Wait`].
//! - [`bury`] tells the survivor of a slot that the other side is dead; [`SlotRef::reset`] makes a
//!   slot that both have left a fresh one.
//!
//! What each side may do when, and in which order memory becomes visible: [`state`], and `docs/relay`.
#![deny(unsafe_code)]

mod bell;
pub mod calibrate;
mod client;
mod clock;
#[allow(unsafe_code)] // one libc call that has no safe wrapper as cheap
pub mod cpu;
mod end;
mod error;
mod futex;
mod guardian;
#[allow(unsafe_code)] // one of the two files whose job it is
pub mod memory;
mod message;
#[cfg(any(loom, test))]
pub mod planted;
mod points;
mod policy;
mod poller;
pub mod presence;
mod server;
mod slot;
#[allow(unsafe_code)] // the other one: slots in somebody's memory
mod slots;
pub mod state;
mod stats;
mod strategy;
#[cfg(all(test, not(loom)))]
#[allow(unsafe_code)] // signals
mod stress;
mod sync;
mod wait;

pub use bell::{Bell, Chime};
pub use client::Client;
pub use error::WaitError;
pub use guardian::bury;
pub use memory::SharedMemory;
pub use message::Message;
pub use policy::Policy;
pub use poller::{Control, Event, Poller, Token};
pub use presence::Peer;
pub use server::Server;
pub use slot::{Block, Slot};
pub use slots::{SLOT_SIZE, SlotRef, Slots};
pub use state::{INLINE, Side};
pub use stats::{Snapshot, Stats};
pub use strategy::{Strategy, UnknownStrategy};
pub use wait::Wait;
