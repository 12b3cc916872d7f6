// SPDX-License-Identifier: MIT
//! The server checks what no kernel has: clients of several users on one mount. Threads take other users'
//! ids on before they connect, which only root can; without it, the tests say loudly that they did nothing.

mod common;

use std::path::Path;

use common::{Server, errno};
use libzus::{Client, OpenOptions, Time};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

const ALICE: u32 = 61_001;
const BOB: u32 = 61_002;
const STAFF: u32 = 61_500;

/// A client of a user with these groups besides its own.
fn client_of(socket: &Path, uid: u32, groups: &[u32]) -> Client {
    let connect = || {
        let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
        let groups: Vec<Gid> = groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
        set_thread_groups(&groups).unwrap();
        set_thread_res_gid(group, group, group).unwrap();
        set_thread_res_uid(user, user, user).unwrap();
        Client::connect(socket).unwrap()
    };
    // Ids are a thread's own in Linux; this one ends with them.
    std::thread::scope(|scope| scope.spawn(connect).join().unwrap())
}

struct Users {
    root: Client,
    alice: Client,
    /// In `STAFF`.
    bob: Client,
    _server: Server,
}

/// A mount whose root directory is open to all.
fn users() -> Option<Users> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: taking on other users' ids needs root");
        return None;
    }
    let server = Server::start();
    let socket = server.socket();
    let root = client_of(&socket, 0, &[]);
    root.chmod("/", 0o777).unwrap();
    Some(Users {
        root,
        alice: client_of(&socket, ALICE, &[]),
        bob: client_of(&socket, BOB, &[STAFF]),
        _server: server,
    })
}

fn read() -> OpenOptions {
    OpenOptions::new().read(true)
}

fn write() -> OpenOptions {
    OpenOptions::new().write(true)
}

#[test]
fn a_new_file_is_its_makers() {
    let Some(u) = users() else { return };
    u.alice.create("a", 0o640).unwrap();
    let stat = u.root.stat("a").unwrap();
    assert_eq!((stat.uid, stat.gid), (ALICE, ALICE));
    u.root.mkdir("shared", 0o777).unwrap();
    u.root.chown("shared", None, Some(STAFF)).unwrap();
    u.root.chmod("shared", 0o2777).unwrap();
    u.alice.create("shared/a", 0o644).unwrap();
    u.alice.mkdir("shared/d", 0o755).unwrap();
    assert_eq!(u.root.stat("shared/a").unwrap().gid, STAFF);
    let dir = u.root.stat("shared/d").unwrap();
    assert_eq!((dir.gid, dir.perm() & 0o2000), (STAFF, 0o2000));
}

#[test]
fn files_open_by_their_mode() {
    let Some(u) = users() else { return };
    let file = u.alice.create("a", 0o600).unwrap();
    file.pwrite(b"alice's", 0).unwrap();
    assert_eq!(errno(u.bob.open("a", &read())), libc::EACCES);
    assert_eq!(errno(u.bob.open("a", &write())), libc::EACCES);
    u.alice.chmod("a", 0o644).unwrap();
    let seen = u.bob.open("a", &read()).unwrap();
    assert_eq!(errno(u.bob.open("a", &write())), libc::EACCES);
    assert_eq!(errno(u.bob.open("a", &write().truncate(true))), libc::EACCES);
    assert_eq!(errno(u.bob.truncate("a", 0)), libc::EACCES);
    // Through the group.
    u.root.chown("a", None, Some(STAFF)).unwrap();
    u.root.chmod("a", 0o660).unwrap();
    u.bob.open("a", &read().write(true)).unwrap();
    assert_eq!(errno(u.alice.chown("a", None, Some(STAFF + 1))), libc::EPERM);
    // A handle keeps what was granted when it was opened.
    u.alice.chmod("a", 0o000).unwrap();
    assert_eq!(seen.pread(&mut [0; 7], 0).unwrap(), 7);
    assert_eq!(errno(u.bob.open("a", &read())), libc::EACCES);
    assert_eq!(errno(u.alice.open("a", &read())), libc::EACCES);
    u.root.open("a", &read().write(true)).unwrap();
}

#[test]
fn directories_are_searched_listed_and_changed_by_their_mode() {
    let Some(u) = users() else { return };
    u.alice.mkdir("d", 0o711).unwrap();
    u.alice.create("d/known", 0o644).unwrap();
    u.bob.stat("d/known").unwrap();
    assert_eq!(errno(u.bob.readdir("d").map(drop)), libc::EACCES);
    assert_eq!(errno(u.bob.create("d/new", 0o644)), libc::EACCES);
    assert_eq!(errno(u.bob.unlink("d/known")), libc::EACCES);
    assert_eq!(errno(u.bob.mkdir("d/sub", 0o755)), libc::EACCES);
    assert_eq!(errno(u.bob.symlink("x", "d/link")), libc::EACCES);
    assert_eq!(errno(u.bob.rename("d/known", "mine")), libc::EACCES);
    u.alice.chmod("d", 0o744).unwrap();
    assert_eq!(u.bob.readdir("d").unwrap().count(), 1);
    assert_eq!(errno(u.bob.stat("d/known")), libc::EACCES);
    u.alice.chmod("d", 0o700).unwrap();
    assert_eq!(errno(u.bob.stat("d/known/..")), libc::EACCES);
    u.root.stat("d/known").unwrap();
    u.root.create("d/roots", 0o600).unwrap();
}

#[test]
fn in_a_sticky_directory_only_owners_remove() {
    let Some(u) = users() else { return };
    u.root.mkdir("tmp", 0o755).unwrap();
    u.root.chmod("tmp", 0o1777).unwrap();
    u.alice.create("tmp/a", 0o666).unwrap();
    u.alice.mkdir("tmp/d", 0o777).unwrap();
    u.bob.create("tmp/b", 0o666).unwrap();
    assert_eq!(errno(u.bob.unlink("tmp/a")), libc::EPERM);
    assert_eq!(errno(u.bob.rmdir("tmp/d")), libc::EPERM);
    assert_eq!(errno(u.bob.rename("tmp/a", "tmp/c")), libc::EPERM);
    assert_eq!(errno(u.bob.rename("tmp/b", "tmp/a")), libc::EPERM);
    u.bob.rename("tmp/b", "tmp/c").unwrap();
    u.bob.unlink("tmp/c").unwrap();
    u.alice.unlink("tmp/a").unwrap();
    u.root.rmdir("tmp/d").unwrap();
}

#[test]
fn attributes_are_their_owners_to_change() {
    let Some(u) = users() else { return };
    u.alice.create("a", 0o600).unwrap();
    u.alice.chmod("a", 0o666).unwrap();
    let time = Time { sec: 1, nsec: 0 };
    assert_eq!(errno(u.bob.chmod("a", 0o777)), libc::EPERM);
    assert_eq!(errno(u.bob.chown("a", Some(BOB), None)), libc::EPERM);
    assert_eq!(errno(u.bob.utimens("a", time, time)), libc::EPERM);
    assert_eq!(errno(u.alice.chown("a", Some(BOB), None)), libc::EPERM);
    // Writing is allowed by the mode, so cutting is, and so is what it does to the time.
    u.bob.truncate("a", 10).unwrap();
    u.bob.open("a", &write()).unwrap().truncate(20).unwrap();
    assert_eq!(u.root.stat("a").unwrap().size, 20);
    u.root.chown("a", Some(BOB), Some(STAFF)).unwrap();
    u.bob.chmod("a", 0o2770).unwrap();
    assert_eq!(u.root.stat("a").unwrap().perm(), 0o2770);
    u.root.chown("a", None, Some(ALICE)).unwrap();
    u.bob.chmod("a", 0o2770).unwrap();
    assert_eq!(
        u.root.stat("a").unwrap().perm(),
        0o770,
        "a group's bit from who is not in it"
    );
}

#[test]
fn changing_a_program_takes_its_privileges_away() {
    let Some(u) = users() else { return };
    let file = u.root.create("program", 0o755).unwrap();
    file.pwrite(b"old", 0).unwrap();
    let privileged = |mode| {
        u.root.chmod("program", mode).unwrap();
        u.root
            .open("program", &write())
            .unwrap()
            .pwrite(b"root may", 0)
            .unwrap();
        assert_eq!(u.root.stat("program").unwrap().perm(), mode);
    };
    let perm = || u.root.stat("program").unwrap().perm();
    privileged(0o6777);
    u.bob
        .open("program", &write())
        .unwrap()
        .pwrite(b"new", 0)
        .unwrap();
    assert_eq!(perm(), 0o777);
    privileged(0o6777);
    u.bob.truncate("program", 1).unwrap();
    assert_eq!(perm(), 0o777);
    privileged(0o4777);
    u.bob.open("program", &write().truncate(true)).unwrap();
    assert_eq!(perm(), 0o777);
    privileged(0o6777);
    u.root.chown("program", Some(ALICE), None).unwrap();
    assert_eq!(perm(), 0o777, "not even root's chown keeps them");
}

#[test]
fn what_one_could_not_use_cannot_be_linked() {
    let Some(u) = users() else { return };
    u.alice.create("a", 0o644).unwrap();
    assert_eq!(errno(u.bob.link("a", "b")), libc::EPERM);
    u.alice.link("a", "a2").unwrap();
    u.alice.chmod("a", 0o666).unwrap();
    u.bob.link("a", "b").unwrap();
}

#[test]
fn a_directory_moves_only_for_who_may_write_it() {
    let Some(u) = users() else { return };
    u.root.mkdir("one", 0o777).unwrap();
    u.root.mkdir("two", 0o777).unwrap();
    u.root.chmod("one", 0o777).unwrap();
    u.root.chmod("two", 0o777).unwrap();
    u.alice.mkdir("one/d", 0o755).unwrap();
    assert_eq!(errno(u.bob.rename("one/d", "two/d")), libc::EACCES);
    u.bob.rename("one/d", "one/e").unwrap();
    u.alice.rename("one/e", "two/d").unwrap();
    assert_eq!(errno(u.alice.rename("two", "two/d/in")), libc::EINVAL);
}

#[test]
fn the_umask_is_the_processes() {
    let server = Server::start();
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
    let client = server.client();
    rustix::process::umask(old);
    client.create("f", 0o666).unwrap();
    client.mkdir("d", 0o777).unwrap();
    assert_eq!(client.stat("f").unwrap().perm(), 0o640);
    assert_eq!(client.stat("d").unwrap().perm(), 0o750);
}
