// SPDX-License-Identifier: MIT
//! What is left when a client or the server is gone, in order or not.

mod common;

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use common::ramfs::HANGS;
use common::{Role, Server, WATCHDOG, errno, wait_for};
use libzus::{Client, OpenOptions};
use zus::fs::FileSystem;

/// Not a test: what this program does when a test starts it again, in a process of its own to be killed.
#[test]
fn role() {
    let Some((role, socket)) = Role::mine() else {
        return;
    };
    match role.as_str() {
        "client" => hold(&socket, false),
        "forking client" => hold(&socket, true),
        "server" => {
            let server = Server::start();
            println!("ready {}", server.socket().display());
            wait_for("the end", || false);
        }
        role => panic!("no such role: {role}"),
    }
}

/// A client that holds many things and never stops operating.
fn hold(socket: &str, fork: bool) {
    let client = Client::connect(socket).unwrap();
    client.mkdir("dir", 0o755).unwrap();
    let files: Vec<_> = (0..50)
        .map(|i| client.create(format!("dir/{i}"), 0o644).unwrap())
        .collect();
    client.unlink("dir/0").unwrap();
    if fork {
        // The child keeps the socket open and outlives us.
        let mut child = Command::new("sleep");
        // Not even close-on-exec helps against a child that never calls exec; a descriptor that is kept
        // open on purpose is the same.
        let mut child = keep_descriptors(&mut child)
            .arg("60")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        println!("child {}", child.id());
        std::thread::spawn(move || child.wait());
    }
    std::thread::scope(|scope| {
        for file in &files[..3] {
            let client = &client;
            scope.spawn(move || {
                let name = format!("tmp-{:?}", std::thread::current().id());
                for i in 0.. {
                    file.pwrite(&[7; 100_000], i % 1000).unwrap();
                    client.mkdir(&name, 0o755).unwrap();
                    client.rmdir(&name).unwrap();
                    if i == 50 {
                        println!("ready");
                    }
                }
            });
        }
    });
}

/// Has `command` inherit all descriptors.
fn keep_descriptors(command: &mut Command) -> &mut Command {
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let fd: i32 = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
        common::inherit(fd);
    }
    command.process_group(0)
}

#[test]
fn a_killed_client_frees_all_it_held() {
    let server = Server::start();
    let survivor = server.client();
    let file = survivor.create("mine", 0o644).unwrap();
    let before = server.fs.held();
    let files = server.fs.statfs().unwrap().files_free;
    for _ in 0..3 {
        let mut child = Role::start("client", server.socket().to_str().unwrap());
        child.hear("ready");
        assert_eq!(server.shm.clients(), 2);
        assert!(server.fs.held() > before + 40);
        child.kill();
        wait_for("its references to be given back", || server.fs.held() == before);
        assert_eq!(server.shm.clients(), 1);
        file.pwrite(b"still served", 0).unwrap();
        for entry in survivor.readdir("dir").unwrap() {
            survivor
                .unlink(format!("dir/{}", entry.unwrap().name.display()))
                .unwrap();
        }
        for entry in survivor.readdir("/").unwrap().map(Result::unwrap) {
            if entry.name != "mine" {
                survivor.rmdir(&entry.name).unwrap();
            }
        }
        // The one that was unlinked while it was open, too.
        wait_for("its files to be freed", || {
            server.fs.statfs().unwrap().files_free == files
        });
    }
}

#[test]
fn a_killed_client_is_gone_also_if_a_child_keeps_its_socket() {
    let server = Server::start();
    let mut parent = Role::start("forking client", server.socket().to_str().unwrap());
    let child = parent.hear("child").parse::<i32>().unwrap();
    parent.hear("ready");
    parent.kill();
    let alive = std::path::Path::new("/proc").join(child.to_string()).exists();
    // Linux 6.5 tells; before, the server learns it when the child ends.
    if common::kernel_tells_processes() {
        server.wait_until_idle();
        assert!(alive, "the child did not outlive its parent: nothing was tested");
    } else {
        eprintln!("SKIPPED: this kernel has no SO_PEERPIDFD");
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(child).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    server.wait_until_idle();
}

#[test]
fn a_killed_server_is_an_error_and_never_a_hang() {
    let mut server = Role::start("server", "");
    let socket = server.hear("ready");
    let client = Client::connect(&socket).unwrap();
    let file = client.create("f", 0o644).unwrap();
    let (done, ended) = mpsc::channel();
    std::thread::scope(|scope| {
        let (client, file) = (&client, &file);
        // Two that are always in the middle of something, one that the server keeps waiting, and more than
        // there are slots for on that CPU.
        for _ in 0..2 {
            let done = done.clone();
            scope.spawn(move || {
                let error = loop {
                    if let Err(e) = file.pwrite(&[1; 4096], 0).and_then(|_| client.stat("f")) {
                        break e;
                    }
                };
                done.send(error.raw_os_error()).unwrap();
            });
        }
        for _ in 0..20 {
            let done = done.clone();
            scope.spawn(move || {
                relay::cpu::pin(relay::cpu::allowed()[0]).unwrap();
                done.send(file.pread(&mut [0; 10], HANGS).unwrap_err().raw_os_error())
                    .unwrap();
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(
            ended.try_recv().is_err(),
            "an operation failed while the server lived"
        );
        server.kill();
        for _ in 0..22 {
            let errno = ended.recv_timeout(WATCHDOG).expect("an operation hangs");
            assert_eq!(errno, Some(libc::ENOTCONN));
        }
    });
    assert_eq!(errno(client.stat("f")), libc::ENOTCONN);
    assert_eq!(errno(client.mkdir("d", 0o755)), libc::ENOTCONN);
    assert_eq!(errno(file.close()), libc::ENOTCONN);
    let error = Client::connect(&socket).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
}

#[test]
fn a_server_that_ends_disconnects_its_clients() {
    let server = Server::start();
    let client = server.client();
    let file = client.create("f", 0o644).unwrap();
    let socket = server.socket();
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            loop {
                if let Err(e) = file.pwrite(&[1; 50_000], 0) {
                    return e.raw_os_error();
                }
            }
        });
        server.shm.stopper().stop();
        let fs = std::sync::Arc::clone(&server.fs);
        drop(server);
        assert_eq!(fs.held(), 0, "ended, and not all was given back");
        assert_eq!(busy.join().unwrap(), Some(libc::ENOTCONN));
    });
    assert_eq!(errno(client.stat("f")), libc::ENOTCONN);
    assert!(!socket.exists(), "the socket is left behind");
}

#[test]
fn workers_count_what_they_do() {
    let server = Server::start();
    let client = server.client();
    let sum = |count: fn(&relay::Snapshot) -> u64| -> u64 {
        server.shm.stats().iter().map(|worker| count(&worker.relay)).sum()
    };
    let before = (sum(|s| s.handoffs), sum(|s| s.wakes));
    for _ in 0..100 {
        client.stat("/").unwrap();
    }
    assert_eq!(sum(|s| s.handoffs) - before.0, 100);
    // With `park`, whoever waits sleeps; but a slow client may find its answer there already.
    assert!(sum(|s| s.wakes) - before.1 > 0);
    assert!(sum(|s| s.parks) > 0);
}

#[test]
fn there_are_limits_and_a_refusal_says_which() {
    let options = zus::feeder::shm::ShmOptions {
        clients: 3,
        clients_per_user: 2,
        ..Default::default()
    };
    let server = Server::with(relay::Strategy::Park, options);
    let _held = [server.client(), server.client()];
    let error = Client::connect(server.socket()).unwrap_err().to_string();
    assert!(error.contains("2 clients of this user"), "{error}");
    drop(_held);
    wait_for("room", || Client::connect(server.socket()).is_ok());
}

#[test]
fn a_read_only_mount_lets_nothing_be_changed() {
    let options = zus::feeder::shm::ShmOptions {
        read_only: true,
        ..Default::default()
    };
    let server = Server::with(relay::Strategy::Park, options);
    let client = server.client();
    assert_eq!(errno(client.mkdir("d", 0o755)), libc::EROFS);
    assert_eq!(errno(client.create("f", 0o644)), libc::EROFS);
    assert_eq!(errno(client.chmod("/", 0o777)), libc::EROFS);
    let write = OpenOptions::new().write(true);
    assert_eq!(errno(client.open("f", &write)), libc::ENOENT);
    assert_eq!(client.readdir("/").unwrap().count(), 0);
}
