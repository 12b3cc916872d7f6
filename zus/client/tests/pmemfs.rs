// SPDX-License-Identifier: MIT
//! The real file system behind the slots: what clients wrote is there afterwards, also if the server is killed.

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::{Role, WATCHDOG, wait_for};
use libzus::{Client, OpenOptions};
use relay::{Policy, Strategy};
use zus::engine::Mount;
use zus::feeder::shm::{Shm, ShmOptions};
use zus::fs::pmemfs::{MkfsOptions, Pmemfs, mkfs};

/// One at a time: a process that is being started has this one's descriptors for a moment, and with them the
/// lock on an image.
static ALONE: Mutex<()> = Mutex::new(());

fn format(image: &Path) {
    mkfs(image, 64 << 20, &MkfsOptions::default()).unwrap();
}

/// Serves an image until it is dropped.
fn serve(image: &Path, socket: &Path) -> Shm {
    let fs = Pmemfs::open(image, false).unwrap();
    let policy = Policy::new(Strategy::Hybrid, Duration::from_micros(50));
    let mount = Mount::new(Arc::new(fs), Arc::new(policy));
    Shm::listen(mount, socket, &ShmOptions::default()).unwrap()
}

/// Not a test: the server that is to be killed.
#[test]
fn role() {
    let Some((role, argument)) = Role::mine() else {
        return;
    };
    assert_eq!(role, "server");
    let dir = Path::new(&argument);
    let _serving = serve(&dir.join("image"), &dir.join("data"));
    println!("ready");
    wait_for("the end", || false);
}

fn contents(thread: usize, file: usize) -> Vec<u8> {
    let len = [0, 1, 5000, 70_000, 1_300_000][file % 5];
    (0..len).map(|i| (i / 7 + thread * 31 + file) as u8).collect()
}

/// Four threads make a tree, each file synced before it is taken for written.
fn fill(client: &Client) {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                client.mkdir(format!("t{thread}"), 0o755).unwrap();
                for file in 0..20 {
                    let path = format!("t{thread}/f{file}");
                    let new = OpenOptions::new().write(true).create_new(true);
                    let file_ = client.open(format!("{path}.new"), &new).unwrap();
                    let data = contents(thread, file);
                    assert_eq!(file_.pwrite(&data, 0).unwrap(), data.len());
                    file_.fsync().unwrap();
                    file_.close().unwrap();
                    client.rename(format!("{path}.new"), &path).unwrap();
                }
                client.symlink("f3", format!("t{thread}/link")).unwrap();
            });
        }
    });
    client.sync().unwrap();
}

fn verify(client: &Client) {
    for thread in 0..4 {
        assert_eq!(client.readdir(format!("t{thread}")).unwrap().count(), 21);
        for file in 0..20 {
            let expected = contents(thread, file);
            let found = client
                .open(format!("t{thread}/f{file}"), &OpenOptions::new().read(true))
                .unwrap();
            let mut back = vec![0; expected.len() + 1];
            assert_eq!(found.pread(&mut back, 0).unwrap(), expected.len());
            assert!(back[..expected.len()] == expected, "t{thread}/f{file} changed");
        }
        assert_eq!(client.stat(format!("t{thread}/link")).unwrap().size, 70_000);
    }
}

#[test]
fn what_was_written_is_there_at_the_next_mount() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (image, socket) = (dir.path().join("image"), dir.path().join("data"));
    format(&image);
    let serving = serve(&image, &socket);
    fill(&Client::connect(&socket).unwrap());
    verify(&Client::connect(&socket).unwrap());
    drop(serving);
    let _serving = serve(&image, &socket);
    verify(&Client::connect(&socket).unwrap());
}

#[test]
fn what_had_returned_is_there_after_the_server_was_killed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let (image, socket) = (dir.path().join("image"), dir.path().join("data"));
    format(&image);
    let mut server = Role::start("server", dir.path().to_str().unwrap());
    server.hear("ready");
    let client = Client::connect(&socket).unwrap();
    fill(&client);
    let unsynced = client.create("unsynced", 0o644).unwrap();
    unsynced.pwrite(b"returned", 0).unwrap();
    // Killed in the middle of something else.
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for i in 0.. {
            if let Err(e) = client.create(format!("more{i}"), 0o644) {
                return done.send(e.raw_os_error());
            }
        }
        Ok(())
    });
    std::thread::sleep(Duration::from_millis(20));
    server.kill();
    assert_eq!(ended.recv_timeout(WATCHDOG).unwrap(), Some(libc::ENOTCONN));

    let _serving = serve(&image, &socket);
    let client = Client::connect(&socket).unwrap();
    verify(&client);
    let mut back = [0; 8];
    let unsynced = client.open("unsynced", &OpenOptions::new().read(true)).unwrap();
    assert_eq!(unsynced.pread(&mut back, 0).unwrap(), 8);
    assert_eq!(&back, b"returned");
}
