// SPDX-License-Identifier: MIT
//! The handshake.

use zerocopy::IntoBytes;
use zus_protocol::{InitIn, InitOut, MAJOR, MINOR, OLDEST_MINOR, Opcode, OpenIn, OpenOut, ROOT_ID, init};

use crate::peer::{Errno, Peer, WINDOW};

fn offer(flags: u64) -> InitIn {
    InitIn {
        major: MAJOR,
        minor: MINOR,
        max_readahead: 128 << 10,
        flags: flags as u32,
        flags2: (flags >> 32) as u32,
        ..Default::default()
    }
}

fn shake(peer: &Peer, offer: InitIn) -> Result<InitOut, Errno> {
    peer.get(Opcode::Init, 0, &[offer.as_bytes()])
}

#[test]
fn only_what_is_offered_is_taken() {
    let everything = shake(&Peer::kernel(), offer(u64::MAX)).unwrap();
    let taken = u64::from(everything.flags) | u64::from(everything.flags2) << 32;
    for wanted in [init::MAX_PAGES, init::NO_OPEN_SUPPORT, init::HANDLE_KILLPRIV_V2] {
        assert_ne!(taken & wanted, 0);
    }
    for unwanted in [init::WRITEBACK_CACHE, init::DONT_MASK, init::POSIX_LOCKS] {
        assert_eq!(taken & unwanted, 0);
    }
    let nothing = shake(&Peer::kernel(), offer(0)).unwrap();
    assert_eq!((nothing.flags, nothing.flags2), (0, 0));
}

#[test]
fn transfers_fit_the_window() {
    let out = shake(&Peer::kernel(), offer(u64::MAX)).unwrap();
    assert_eq!(out.max_write as usize, WINDOW);
    assert_eq!(usize::from(out.max_pages), WINDOW / 4096);
}

#[test]
fn versions_are_negotiated() {
    let peer = Peer::kernel();
    let newer = InitIn {
        minor: MINOR + 9,
        ..offer(0)
    };
    assert_eq!(shake(&peer, newer).unwrap().minor, MINOR);
    let older = InitIn {
        minor: OLDEST_MINOR,
        ..offer(0)
    };
    assert_eq!(shake(&peer, older).unwrap().minor, OLDEST_MINOR);
    let too_old = InitIn {
        minor: OLDEST_MINOR - 1,
        ..offer(0)
    };
    assert_eq!(shake(&peer, too_old), Err(Errno(libc::EPROTO)));
    let other = InitIn {
        major: MAJOR + 1,
        ..offer(u64::MAX)
    };
    let out = shake(&peer, other).unwrap();
    assert_eq!((out.major, out.flags), (MAJOR, 0), "and it will ask again");
}

#[test]
fn the_short_form_of_older_kernels_is_understood() {
    let short = &offer(u64::MAX).as_bytes()[..16].to_vec();
    let out: InitOut = Peer::kernel().get(Opcode::Init, 0, &[short]).unwrap();
    assert_eq!(out.flags2, 0);
    let result: Result<InitOut, _> = Peer::kernel().get(Opcode::Init, 0, &[&short[..15]]);
    assert_eq!(result, Err(Errno(libc::EINVAL)));
}

#[test]
fn opening_is_free_only_where_the_kernel_offers_it() {
    let open = |peer: &Peer, opcode| {
        peer.get::<OpenOut>(opcode, ROOT_ID, &[OpenIn::default().as_bytes()])
            .map(|out| out.fh)
    };
    for opcode in [Opcode::Open, Opcode::Opendir] {
        let peer = Peer::kernel();
        assert_eq!(open(&peer, opcode), Ok(0));
        shake(&peer, offer(u64::MAX)).unwrap();
        assert_eq!(open(&peer, opcode), Err(Errno(libc::ENOSYS)));
    }
}
