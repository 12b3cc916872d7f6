// SPDX-License-Identifier: MIT
//! Every operation does what the system call of its name does.

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use common::{Server, errno};
use libzus::{Client, FileKind, OpenOptions, Time};

fn names(client: &Client, path: &str) -> BTreeSet<String> {
    let entries = client.readdir(path).unwrap();
    entries
        .map(|entry| entry.unwrap().name.into_string().unwrap())
        .collect()
}

fn bytes(len: usize, seed: u8) -> Vec<u8> {
    (0..len)
        .map(|i| (i / 251) as u8 ^ (i as u8).wrapping_mul(31) ^ seed)
        .collect()
}

#[test]
fn what_is_written_is_read() {
    let server = Server::start();
    let client = server.client();
    let file = client.create("f", 0o644).unwrap();
    // Around the sizes where messages and windows end.
    for len in [
        0,
        1,
        119,
        120,
        121,
        4095,
        4096,
        4097,
        65536,
        (1 << 20) - 1,
        1 << 20,
        (1 << 20) + 1,
        3_500_000,
    ] {
        let data = bytes(len, len as u8);
        assert_eq!(file.pwrite(&data, 17).unwrap(), len);
        let mut back = vec![0xee; len];
        assert_eq!(file.pread(&mut back, 17).unwrap(), len);
        assert!(back == data, "{len} bytes came back changed");
    }
    assert_eq!(file.stat().unwrap().size, 3_500_017);
    let mut tail = [1; 100];
    assert_eq!(file.pread(&mut tail, 3_500_000).unwrap(), 17);
    assert_eq!(file.pread(&mut tail, 3_500_017).unwrap(), 0);
    assert_eq!(file.pread(&mut tail, u64::MAX / 4).unwrap(), 0);
}

#[test]
fn the_position_moves_with_reads_and_writes() {
    let server = Server::start();
    let client = server.client();
    let mut file = client.create("f", 0o644).unwrap();
    file.write_all(b"hello, ").unwrap();
    file.write_all(b"world").unwrap();
    assert_eq!(file.seek(SeekFrom::Start(7)).unwrap(), 7);
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "world");
    assert_eq!(file.seek(SeekFrom::End(-5)).unwrap(), 7);
    assert_eq!(file.seek(SeekFrom::Current(2)).unwrap(), 9);
    file.write_all(b"lf").unwrap();
    assert_eq!(errno(file.seek(SeekFrom::Current(-100))), libc::EINVAL);
    file.seek(SeekFrom::Start(0)).unwrap();
    text.clear();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello, wolfd");
}

#[test]
fn opening_honours_its_options() {
    let server = Server::start();
    let client = server.client();
    let open = |options: OpenOptions| client.open("f", &options);
    let new = OpenOptions::new;
    assert_eq!(errno(open(new().read(true))), libc::ENOENT);
    let file = open(new().write(true).create(true).mode(0o600)).unwrap();
    file.pwrite(b"0123456789", 0).unwrap();
    assert_eq!(errno(file.pread(&mut [0; 4], 0)), libc::EBADF);
    assert_eq!(errno(open(new().write(true).create_new(true))), libc::EEXIST);

    let file = open(new().read(true)).unwrap();
    assert_eq!(errno(file.pwrite(b"x", 0)), libc::EBADF);
    assert_eq!(file.stat().unwrap().size, 10);

    let mut file = open(new().append(true).read(true)).unwrap();
    file.write_all(b"ab").unwrap();
    file.write_all(b"cd").unwrap();
    assert_eq!(file.stat().unwrap().size, 14);
    assert_eq!(file.stream_position().unwrap(), 14);
    let mut back = [0; 4];
    file.pread(&mut back, 10).unwrap();
    assert_eq!(&back, b"abcd");

    let file = open(new().write(true).truncate(true)).unwrap();
    assert_eq!(file.stat().unwrap().size, 0);
    file.close().unwrap();

    client.mkdir("d", 0o755).unwrap();
    assert_eq!(errno(client.open("d", &new().read(true))), libc::EISDIR);
    assert_eq!(errno(client.open("f/x", &new().read(true))), libc::ENOTDIR);
    assert_eq!(
        errno(client.open("new/", &new().write(true).create(true))),
        libc::EISDIR
    );
}

#[test]
fn a_file_is_made_where_a_dangling_link_points() {
    let server = Server::start();
    let client = server.client();
    client.mkdir("d", 0o755).unwrap();
    client.symlink("d/target", "link").unwrap();
    let create = OpenOptions::new().write(true).create(true);
    let exclusive = OpenOptions::new().write(true).create_new(true);
    assert_eq!(errno(client.open("link", &exclusive)), libc::EEXIST);
    client.open("link", &create).unwrap().pwrite(b"abc", 0).unwrap();
    assert_eq!(client.stat("d/target").unwrap().size, 3);
    assert_eq!(client.lstat("link").unwrap().kind(), FileKind::Symlink);
    assert_eq!(client.stat("link").unwrap().kind(), FileKind::File);
    assert_eq!(client.readlink("link").unwrap(), Path::new("d/target"));
    assert_eq!(errno(client.readlink("d")), libc::EINVAL);
}

#[test]
fn directories_are_made_listed_and_removed() {
    let server = Server::start();
    let client = server.client();
    client.mkdir("d", 0o750).unwrap();
    client.mkdir("d/sub/", 0o755).unwrap();
    assert_eq!(errno(client.mkdir("d", 0o755)), libc::EEXIST);
    assert_eq!(errno(client.mkdir("/", 0o755)), libc::EEXIST);
    assert_eq!(errno(client.mkdir("no/such", 0o755)), libc::ENOENT);
    assert_eq!(client.stat("d").unwrap().perm(), 0o750);
    // More than one batch of records, and names that do not fit into a slot.
    let mut expected: BTreeSet<String> = (0..500).map(|i| format!("{i:0>200}")).collect();
    for name in &expected {
        client.create(Path::new("d").join(name), 0o644).unwrap();
    }
    expected.insert("sub".into());
    assert_eq!(names(&client, "d"), expected);
    assert_eq!(names(&client, "/"), BTreeSet::from(["d".to_string()]));
    assert_eq!(errno(client.rmdir("d")), libc::ENOTEMPTY);
    assert_eq!(errno(client.rmdir("d/.")), libc::EINVAL);
    assert_eq!(errno(client.rmdir("d/..")), libc::ENOTEMPTY);
    assert_eq!(errno(client.rmdir("/")), libc::EBUSY);
    assert_eq!(errno(client.unlink("d/sub")), libc::EISDIR);
    for name in &expected {
        let path = Path::new("d").join(name);
        match name.as_str() {
            "sub" => client.rmdir(path).unwrap(),
            _ => client.unlink(path).unwrap(),
        }
    }
    client.rmdir("d/").unwrap();
    assert_eq!(errno(client.stat("d")), libc::ENOENT);
    let file = client.create("f", 0o644).unwrap();
    assert_eq!(errno(client.readdir("f").map(drop)), libc::ENOTDIR);
    assert_eq!(errno(client.rmdir("f")), libc::ENOTDIR);
    assert_eq!(errno(client.unlink("f/")), libc::ENOTDIR);
    drop(file);
}

#[test]
fn names_are_moved_swapped_and_linked() {
    let server = Server::start();
    let client = server.client();
    client.mkdir("d", 0o755).unwrap();
    client.create("a", 0o644).unwrap().pwrite(b"a", 0).unwrap();
    client.create("b", 0o644).unwrap().pwrite(b"bb", 0).unwrap();
    client.rename("a", "d/c").unwrap();
    assert_eq!(errno(client.stat("a")), libc::ENOENT);
    assert_eq!(client.stat("d/c").unwrap().size, 1);
    assert_eq!(
        errno(client.rename_with("b", "d/c", libc::RENAME_NOREPLACE)),
        libc::EEXIST
    );
    client.rename_with("b", "d/c", libc::RENAME_EXCHANGE).unwrap();
    assert_eq!(
        (client.stat("b").unwrap().size, client.stat("d/c").unwrap().size),
        (1, 2)
    );
    client.rename("b", "d/c").unwrap();
    assert_eq!(client.stat("d/c").unwrap().size, 1);
    assert_eq!(errno(client.rename("d/c/", "x")), libc::ENOTDIR);
    assert_eq!(errno(client.rename("gone", "x")), libc::ENOENT);
    assert_eq!(errno(client.rename("/", "x")), libc::EBUSY);

    client.link("d/c", "hard").unwrap();
    assert_eq!(client.stat("hard").unwrap().nlink, 2);
    assert_eq!(client.stat("hard").unwrap().ino, client.stat("d/c").unwrap().ino);
    client.unlink("d/c").unwrap();
    assert_eq!(client.stat("hard").unwrap().nlink, 1);
    assert_eq!(errno(client.link("d", "d2")), libc::EPERM);
}

#[test]
fn an_unlinked_file_lives_as_long_as_it_is_open() {
    let server = Server::start();
    let client = server.client();
    let file = client.create("f", 0o644).unwrap();
    client.unlink("f").unwrap();
    file.pwrite(b"still here", 0).unwrap();
    let mut back = [0; 10];
    file.pread(&mut back, 0).unwrap();
    assert_eq!(&back, b"still here");
    assert_eq!(file.stat().unwrap().nlink, 0);
    drop(file);
    assert_eq!(server.fs.held(), 0, "a file's references are given back at once");
}

#[test]
fn attributes_are_changed() {
    let server = Server::start();
    let client = server.client();
    let file = client.create("f", 0o644).unwrap();
    client.chmod("f", 0o4711).unwrap();
    assert_eq!(client.stat("f").unwrap().perm(), 0o4711);
    let (atime, mtime) = (
        Time { sec: -5, nsec: 7 },
        Time {
            sec: 1 << 34,
            nsec: 999_999_999,
        },
    );
    client.utimens("f", atime, mtime).unwrap();
    let stat = client.stat("f").unwrap();
    assert_eq!((stat.atime, stat.mtime), (atime, mtime));
    client.truncate("f", 12345).unwrap();
    assert_eq!(file.stat().unwrap().size, 12345);
    file.truncate(5).unwrap();
    assert_eq!(client.stat("f").unwrap().size, 5);
    assert_eq!(errno(client.truncate("/", 5)), libc::EISDIR);
    file.fsync().unwrap();
    file.fdatasync().unwrap();
    client.sync().unwrap();
    assert!(client.statfs().unwrap().block_size > 0);
}

#[test]
fn names_at_the_limit_work_and_beyond_it_fail() {
    let server = Server::start();
    let client = server.client();
    let longest = "n".repeat(255);
    client.mkdir(&longest, 0o755).unwrap();
    client.rename(&longest, format!("{}x", "m".repeat(254))).unwrap();
    assert_eq!(errno(client.mkdir("n".repeat(256), 0o755)), libc::ENAMETOOLONG);
    let target = "t/".repeat(2047);
    client.symlink(&target, "long").unwrap();
    assert_eq!(client.readlink("long").unwrap(), Path::new(&target));
    assert_eq!(
        errno(client.symlink("t".repeat(4096), "longer")),
        libc::ENAMETOOLONG
    );
    assert_eq!(errno(client.mkdir("a\0b", 0o755)), libc::EINVAL);
    assert_eq!(errno(client.stat("")), libc::ENOENT);
}

#[test]
fn a_panic_in_the_file_system_is_an_error_and_no_more() {
    let server = Server::start();
    let client = server.client();
    let file = client.create("f", 0o644).unwrap();
    file.pwrite(b"abc", 0).unwrap();
    assert_eq!(errno(file.pread(&mut [0; 3], common::ramfs::PANICS)), libc::EIO);
    let mut back = [0; 3];
    assert_eq!(file.pread(&mut back, 0).unwrap(), 3);
}

#[test]
fn two_clients_see_each_others_files() {
    let server = Server::start();
    let (one, two) = (server.client(), server.client());
    assert_eq!(server.shm.clients(), 2);
    let file = one.create("f", 0o644).unwrap();
    file.pwrite(b"from one", 0).unwrap();
    let other = two.open("f", &OpenOptions::new().read(true).write(true)).unwrap();
    let mut back = [0; 8];
    other.pread(&mut back, 0).unwrap();
    assert_eq!(&back, b"from one");
    two.rename("f", "g").unwrap();
    assert_eq!(errno(one.stat("f")), libc::ENOENT);
    assert_eq!(one.stat("g").unwrap().size, 8);
    drop((file, one));
    other.pwrite(b"two", 0).unwrap();
    drop((other, two));
    server.wait_until_idle();
}
