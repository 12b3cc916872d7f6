// SPDX-License-Identifier: MIT
//! What files hold: sparse, cut, reserved, punched.

use zus::fs::{Error, FallocateMode, FileSystem, Kind, Seek, SetAttr};

use crate::support::{create, make, mount, read, refused, unmount, write};

const MIB: u64 = 1 << 20;

#[test]
fn sparse_files_reach_16_tib() {
    const TIB: u64 = 1 << 40;
    let store = make(4 * MIB);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    let free = fs.statfs().unwrap().blocks_free;
    write(&fs, file, 16 * TIB - 4, b"last").unwrap();
    refused(write(&fs, file, 16 * TIB - 3, b"last"), Error::TooLarge);
    refused(write(&fs, file, u64::MAX, b"last"), Error::TooLarge);
    write(&fs, file, 5 * TIB, b"middle").unwrap();
    write(&fs, file, 0, b"first").unwrap();
    assert_eq!(read(&fs, file, 5 * TIB - 2, 9).unwrap(), b"\0\0middle\0");
    assert_eq!(read(&fs, file, 16 * TIB - 4, 9).unwrap(), b"last");
    let attr = fs.getattr(file).unwrap();
    assert_eq!(attr.size, 16 * TIB);
    // Three blocks and their paths through a tree of height 4.
    assert_eq!(
        (attr.blocks / 8, free - fs.statfs().unwrap().blocks_free),
        (13, 13)
    );
    let seek = |offset, what| fs.seek(file, offset, what);
    assert_eq!(seek(0, Seek::Data), Ok(0));
    assert_eq!(seek(0, Seek::Hole), Ok(4096));
    assert_eq!(seek(4096, Seek::Data), Ok(5 * TIB));
    assert_eq!(seek(5 * TIB + 1, Seek::Data), Ok(5 * TIB + 1));
    assert_eq!(seek(5 * TIB + 1, Seek::Hole), Ok(5 * TIB + 4096));
    assert_eq!(seek(5 * TIB + 4096, Seek::Data), Ok(16 * TIB - 4096));
    assert_eq!(seek(16 * TIB - 1, Seek::Hole), Ok(16 * TIB));
    refused(seek(16 * TIB, Seek::Hole), Error::NoData);
    let truncate = |size| {
        let changes = SetAttr {
            size: Some(size),
            ..SetAttr::default()
        };
        fs.setattr(file, &changes)
    };
    refused(truncate(16 * TIB + 1), Error::TooLarge);
    assert_eq!(truncate(6 * TIB).unwrap().size, 6 * TIB);
    refused(seek(5 * TIB + 4096, Seek::Data), Error::NoData);
    assert_eq!(truncate(0).unwrap().blocks, 0);
    assert_eq!(fs.statfs().unwrap().blocks_free, free);
    unmount(fs, &store);
}

#[test]
fn what_was_cut_off_never_comes_back() {
    let store = make(4 * MIB);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    let resize = |size| {
        let changes = SetAttr {
            size: Some(size),
            ..SetAttr::default()
        };
        fs.setattr(file, &changes).unwrap();
    };
    write(&fs, file, 0, &[b'x'; 10_000]).unwrap();
    resize(5000);
    resize(20_000);
    let mut wanted = vec![b'x'; 5000];
    wanted.resize(20_000, 0);
    assert_eq!(read(&fs, file, 0, 30_000).unwrap(), wanted);
    resize(100);
    write(&fs, file, 200, b"gap").unwrap();
    let mut wanted = vec![b'x'; 100];
    wanted.resize(200, 0);
    wanted.extend_from_slice(b"gap");
    assert_eq!(read(&fs, file, 0, 300).unwrap(), wanted);
    unmount(fs, &store);
}

#[test]
fn space_is_reserved_punched_and_zeroed() {
    let store = make(8 * MIB);
    let fs = mount(&store);
    let file = create(&fs, "file", Kind::File).unwrap();
    let free = || fs.statfs().unwrap().blocks_free;
    let start = free();
    let allocate = |offset, len, mode| fs.fallocate(file, offset, len, mode);
    allocate(0, MIB, FallocateMode::Reserve { keep_size: true }).unwrap();
    assert_eq!((fs.getattr(file).unwrap().size, start - free()), (0, 257));
    allocate(0, MIB, FallocateMode::Reserve { keep_size: false }).unwrap();
    assert_eq!((fs.getattr(file).unwrap().size, start - free()), (MIB, 257));
    assert_eq!(read(&fs, file, 0, MIB as usize).unwrap(), vec![0; MIB as usize]);
    assert_eq!(fs.seek(file, 0, Seek::Data), Err(Error::NoData));
    write(&fs, file, 5000, &[b'x'; 100_000]).unwrap();
    assert_eq!(start - free(), 257);
    assert_eq!(fs.seek(file, 0, Seek::Data), Ok(4096));
    allocate(10_000, 50_000, FallocateMode::PunchHole).unwrap();
    assert_eq!(start - free(), 257 - 11);
    allocate(70_000, 10_000, FallocateMode::Zero { keep_size: false }).unwrap();
    let mut wanted = vec![0; MIB as usize];
    wanted[5000..105_000].fill(b'x');
    wanted[10_000..60_000].fill(0);
    wanted[70_000..80_000].fill(0);
    assert_eq!(read(&fs, file, 0, MIB as usize).unwrap(), wanted);
    allocate(2 * MIB, 10, FallocateMode::Zero { keep_size: false }).unwrap();
    assert_eq!(fs.getattr(file).unwrap().size, 2 * MIB + 10);
    refused(
        allocate(0, 100 * MIB, FallocateMode::Reserve { keep_size: true }),
        Error::NoSpace,
    );
    refused(allocate(0, 0, FallocateMode::PunchHole), Error::Invalid);
    refused(allocate(u64::MAX, 5, FallocateMode::PunchHole), Error::Invalid);
    allocate(0, 3 * MIB, FallocateMode::PunchHole).unwrap();
    assert_eq!(free(), start);
    unmount(fs, &store);
}
