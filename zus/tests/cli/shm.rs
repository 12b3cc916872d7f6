// SPDX-License-Identifier: MIT
//! A mount over shared memory, which needs neither root nor /dev/fuse.

use libzus::{Client, OpenOptions};
use rustix::process::Signal;

use crate::scene::{Scene, as_nobody, needs, runs, wait_until};

/// A scene with an image served over shared memory, and a client.
fn served(image: &str) -> (Scene, Client) {
    let scene = Scene::new();
    if image == "none" {
        scene
            .zus(&["mount", "none", "mnt", "--fs", "nullfs", "-o", "feeder=shm"])
            .ok();
    } else {
        scene.image(image, "64M");
        scene.zus(&["mount", image, "mnt", "-o", "feeder=shm"]).ok();
    }
    let client = connect(&scene);
    (scene, client)
}

fn connect(scene: &Scene) -> Client {
    Client::connect(scene.status()[0]["data"].as_str().unwrap()).unwrap()
}

#[test]
fn files_are_there_again_after_unmount_and_mount() {
    let (scene, client) = served("img");
    client.create("a", 0o644).unwrap().pwrite(b"kept", 0).unwrap();
    drop(client);
    wait_until("the client is gone", || {
        scene.zus(&["umount", "mnt"]).code == Some(0)
    });
    scene
        .zus(&["mount", "img", "mnt", "-o", "feeder=shm,relay=park"])
        .ok();
    let mut bytes = [0; 8];
    let read = connect(&scene)
        .open("a", &OpenOptions::new().read(true))
        .unwrap()
        .pread(&mut bytes, 0)
        .unwrap();
    assert_eq!(&bytes[..read], b"kept");
}

#[test]
fn status_and_remount_work() {
    let (scene, client) = served("none");
    client.mkdir("d", 0o755).unwrap();
    scene.zus(&["remount", "mnt", "-o", "relay=park,spin_us=3"]).ok();
    let status = &scene.status()[0];
    assert_eq!(
        (&status["feeder"], &status["strategy"]),
        (&"shm".into(), &"park".into())
    );
    assert_eq!(status["operations"]["MKDIR"]["requests"], 1);
    client.rmdir("d").unwrap();
    scene
        .zus(&["remount", "mnt", "-o", "ro"])
        .fails(&["mnt", "only relay and spin_us"]);
    scene
        .zus(&["mount", "none", "mnt", "--fs", "nullfs", "-o", "feeder=shm"])
        .fails(&["mnt", "busy"]);
}

#[test]
fn with_clients_it_is_busy_and_lazily_it_ends_with_the_last() {
    let (scene, client) = served("none");
    let pid = scene.server();
    scene.zus(&["umount", "mnt"]).fails(&["mnt", "busy", "clients"]);
    client.mkdir("d", 0o755).unwrap();
    scene.zus(&["umount", "mnt", "--lazy"]).ok();
    client.mkdir("e", 0o755).unwrap();
    assert_eq!(scene.status()[0]["state"], "detached");
    drop(client);
    wait_until("the server has ended", || !runs(pid));
    assert_eq!(scene.status().len(), 0);
}

#[test]
fn sigterm_disconnects_clients() {
    let (scene, client) = served("img");
    client.mkdir("d", 0o755).unwrap();
    scene.end_server(Signal::TERM);
    assert_eq!(
        client.mkdir("e", 0o755).unwrap_err().raw_os_error(),
        Some(107),
        "ENOTCONN"
    );
    scene.zus(&["check", "img"]).ok();
    assert_eq!(scene.status().len(), 0);
}

#[test]
fn a_killed_server_is_dead_and_its_directory_can_be_used_again() {
    let (scene, client) = served("img");
    client.create("a", 0o644).unwrap().fsync().unwrap();
    scene.end_server(Signal::KILL);
    assert_eq!(
        client.mkdir("e", 0o755).unwrap_err().raw_os_error(),
        Some(107),
        "ENOTCONN"
    );
    assert_eq!(scene.status()[0]["state"], "dead");
    let err = scene.zus(&["umount", "mnt"]).ok().err;
    assert!(err.contains("died"), "{err}");
    assert_eq!(scene.status().len(), 0);
    scene.zus(&["mount", "img", "mnt", "-o", "feeder=shm"]).ok();
    connect(&scene).open("a", &OpenOptions::new().read(true)).unwrap();
    scene.end_server(Signal::KILL);
    scene.zus(&["mount", "img", "mnt", "-o", "feeder=shm"]).ok();
    assert_eq!(scene.status().len(), 1);
}

#[test]
fn options_of_the_other_feeder_are_refused() {
    let scene = Scene::new();
    let mount = |options: &str| scene.zus(&["mount", "none", "mnt", "--fs", "nullfs", "-o", options]);
    mount("feeder=shm,workers=2").fails(&["workers", "shm"]);
    mount("feeder=shm,placement=pool:4095").fails(&["4095"]);
    mount("feeder=shm,placement=cross").ok();
}

#[test]
fn a_user_without_rights_can_serve() {
    needs!(is_root);
    let scene = Scene::new();
    as_nobody(
        &scene,
        &["mount", "none", "mnt", "--fs", "nullfs", "-o", "feeder=shm"],
    )
    .ok();
    assert!(as_nobody(&scene, &["status"]).ok().out.contains("shm"));
    as_nobody(&scene, &["umount", "mnt"]).ok();
}
