// SPDX-License-Identifier: MIT
//! Messages that no honest client sends: whatever they hold, an error in the reply is the worst.

use proptest::prelude::*;
use zus::fs::nullfs::Nullfs;
use zus_protocol::{InHeader, Opcode, ROOT_ID};

use crate::peer::{Peer, WINDOW, caller, message, mount};

/// A kernel and a client of one mount with something in it.
fn peers() -> [Peer; 2] {
    let mount = mount(Nullfs::new());
    let kernel = Peer::of(&mount, zus::engine::Access::Kernel);
    kernel.file("a");
    kernel.mknod(ROOT_ID, "pipe", libc::S_IFIFO | 0o644).unwrap();
    let client = Peer::of(&mount, caller(0));
    client.lookup(ROOT_ID, "a").unwrap();
    [kernel, client]
}

#[test]
fn a_message_that_stops_too_early_is_refused() {
    for peer in peers() {
        for &opcode in Opcode::ALL {
            let whole = message(opcode as u32, 1, ROOT_ID, &[&[0; 200]], 0);
            for len in 0..whole.len() {
                let answer = peer.send(&whole[..len], &mut [0; 64]);
                assert!(
                    answer.is_none_or(|(header, ..)| header.error == -libc::EINVAL),
                    "{} cut to {len} bytes",
                    opcode.name()
                );
            }
        }
    }
}

#[test]
fn data_outside_the_window_are_refused() {
    use zerocopy::IntoBytes;
    for peer in peers() {
        for size in [WINDOW as u32 + 1, u32::MAX] {
            let write = zus_protocol::WriteIn {
                size,
                ..Default::default()
            };
            let read = zus_protocol::ReadIn {
                size,
                ..Default::default()
            };
            let messages = [
                (Opcode::Write, write.as_bytes(), size as usize),
                (Opcode::Read, read.as_bytes(), 0),
                (Opcode::Readdir, read.as_bytes(), 0),
                (Opcode::Readdirplus, read.as_bytes(), 0),
            ];
            for (opcode, body, data_len) in messages {
                let message = message(opcode as u32, 1, ROOT_ID, &[body], data_len);
                let (header, ..) = peer.send(&message, &mut [0; WINDOW]).unwrap();
                assert!(header.error < 0, "{}", opcode.name());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_answered_or_ignored(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for peer in peers() {
            peer.send(&bytes, &mut [0; 256]);
        }
    }

    /// Messages that are nearly right reach further than noise does.
    #[test]
    fn right_headers_with_wrong_bodies_are_answered_or_ignored(
        requests in prop::collection::vec(
            (0u32..56, 0u64..5, prop::collection::vec(prop_oneof![Just(0u8), Just(b'a'), any::<u8>()], 0..120), 0usize..300),
            1..20,
        ),
    ) {
        for peer in peers() {
            for (opcode, ino, body, data_len) in &requests {
                let data_len = if *opcode == Opcode::Write as u32 { *data_len } else { 0 };
                let mut message = message(*opcode, 7, *ino, &[body], data_len);
                if data_len > 0 && message.len() >= 64 {
                    message[56..60].copy_from_slice(&(data_len as u32).to_ne_bytes());
                }
                if let Some((header, ..)) = peer.send(&message, &mut [0; 256]) {
                    prop_assert_eq!(header.unique, if message.len() < size_of::<InHeader>() { 0 } else { 7 });
                }
            }
        }
    }
}
