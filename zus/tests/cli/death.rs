// SPDX-License-Identifier: MIT
//! A server that ends, in order or not, loses nothing that it promised to keep.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::scene::{Scene, needs, runs, wait_until};

/// Files that were synced, the load's own proof. Relaxed: the thread's end orders all.
fn load(dir: PathBuf, stop: &AtomicBool) -> Vec<PathBuf> {
    let mut synced = Vec::new();
    for n in 0.. {
        let path = dir.join(format!("file{n}"));
        let write = || -> io::Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(content(n).as_bytes())?;
            file.sync_all()
        };
        if stop.load(Ordering::Relaxed) || write().is_err() {
            break;
        }
        synced.push(path);
    }
    synced
}

fn content(n: usize) -> String {
    format!("this is file {n}\n").repeat(n % 700)
}

/// Ends a server under load of two threads with `signal`, and returns what was synced by then.
fn end_under_load(scene: &Scene, signal: Signal) -> Vec<PathBuf> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let threads = ["x", "y"].map(|dir| {
            let dir = scene.mnt().join(dir);
            fs::create_dir(&dir).unwrap();
            let stop = &stop;
            scope.spawn(move || load(dir, stop))
        });
        wait_until("some files are written", || {
            scene.path("mnt/x/file10").exists() && scene.path("mnt/y/file10").exists()
        });
        thread::sleep(Duration::from_millis(50));
        scene.end_server(signal);
        stop.store(true, Ordering::Relaxed);
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn check(scene: &Scene, synced: &[PathBuf]) {
    scene.zus(&["mount", "img", "mnt"]).ok();
    assert!(synced.len() >= 20);
    for path in synced {
        let n = path.file_name().unwrap().to_str().unwrap()[4..].parse().unwrap();
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            content(n),
            "{}",
            path.display()
        );
    }
    fs::write(scene.path("mnt/new"), "works").unwrap();
    scene.zus(&["umount", "mnt"]).ok();
}

#[test]
fn after_sigkill_under_load_the_mount_point_is_cleaned_up_and_synced_data_are_there() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let synced = end_under_load(&scene, Signal::KILL);

    // What was in flight when the server died is aborted; whatever comes later is not connected.
    let look = || fs::read_dir(scene.mnt()).unwrap_err().raw_os_error();
    let first = look();
    assert!(
        matches!(first, Some(libc::ENOTCONN | libc::ECONNABORTED)),
        "{first:?}"
    );
    assert_eq!(look(), Some(libc::ENOTCONN));
    assert_eq!(scene.status()[0]["state"], "dead");
    let outcome = scene.zus(&["status", "mnt"]);
    assert!(
        outcome.code == Some(1) && outcome.out.contains("DEAD"),
        "{}",
        outcome.out
    );
    scene
        .zus(&["mount", "img", "mnt"])
        .fails(&["mnt", "died", "zus umount"]);
    scene
        .zus(&["remount", "mnt", "-o", "relay=park"])
        .fails(&["mnt", "died", "zus umount"]);
    let err = scene.zus(&["umount", "mnt"]).ok().err;
    assert!(err.contains("died") && err.contains("mnt"), "{err}");
    assert!(!scene.is_mounted(&scene.mnt()));
    assert_eq!(scene.status().len(), 0);
    assert!(scene.zus(&["check", "img"]).ok().out.contains("not end in order"));
    check(&scene, &synced);
    assert!(!scene.zus(&["check", "img"]).ok().out.contains("not end in order"));
}

#[test]
fn a_dead_mount_point_in_use_is_cleaned_up_too() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let mut file = File::create(scene.path("mnt/a")).unwrap();
    scene.end_server(Signal::KILL);
    assert!(file.write_all(b"x").and_then(|()| file.sync_all()).is_err());
    scene.zus(&["umount", "mnt"]).ok();
    assert!(!scene.is_mounted(&scene.mnt()));
    scene.zus(&["mount", "img", "mnt"]).ok();
}

#[test]
fn a_dead_mount_point_that_the_registry_forgot_is_cleaned_up_too() {
    needs!(can_mount);
    let scene = Scene::mounted();
    scene.end_server(Signal::KILL);
    fs::remove_dir_all(scene.path("run")).unwrap();
    scene.zus(&["umount", "mnt"]).ok();
    assert!(!scene.is_mounted(&scene.mnt()));
}

#[test]
fn sigterm_under_load_ends_in_order() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let synced = end_under_load(&scene, Signal::TERM);
    assert!(!scene.is_mounted(&scene.mnt()));
    assert_eq!(scene.status().len(), 0);
    check(&scene, &synced);
}

#[test]
fn a_second_sigterm_hurries() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let pid = scene.server();
    let file = File::create(scene.path("mnt/a")).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    wait_until("the server has ended", || !runs(pid));
    drop(file);
    assert!(!scene.is_mounted(&scene.mnt()));
    scene.zus(&["mount", "img", "mnt"]).ok();
}

#[test]
fn sigterm_ends_a_server_that_was_unmounted_lazily() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let mut file = File::create(scene.path("mnt/a")).unwrap();
    file.write_all(b"kept").unwrap();
    scene.zus(&["umount", "mnt", "--lazy"]).ok();
    scene.end_server(Signal::TERM);
    assert_eq!(scene.status().len(), 0);
    assert!(file.write_all(b"x").is_err());
    assert!(!scene.zus(&["check", "img"]).ok().out.contains("not end in order"));
    scene.zus(&["mount", "img", "mnt"]).ok();
    assert_eq!(fs::read_to_string(scene.path("mnt/a")).unwrap(), "kept");
}

#[test]
fn without_load_sigterm_and_sigint_unmount() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    for signal in [Signal::TERM, Signal::INT] {
        scene.zus(&["mount", "img", "mnt"]).ok();
        fs::write(scene.path("mnt/a"), format!("{signal:?}")).unwrap();
        scene.end_server(signal);
        assert!(!scene.is_mounted(&scene.mnt()));
        scene.zus(&["mount", "img", "mnt"]).ok();
        assert_eq!(
            fs::read_to_string(scene.path("mnt/a")).unwrap(),
            format!("{signal:?}")
        );
        scene.zus(&["umount", "mnt"]).ok();
    }
}
