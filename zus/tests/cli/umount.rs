// SPDX-License-Identifier: MIT
//! `zus umount` loses nothing and leaves nothing.

use std::fs::{self, File};
use std::io::{Read, Write};

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Signal, kill_process};

use crate::scene::{Scene, needs, runs, wait_until};

#[test]
fn what_is_not_mounted_is_named() {
    let scene = Scene::new();
    fs::write(scene.path("file"), "").unwrap();
    scene.zus(&["umount", "mnt"]).fails(&["mnt", "not mounted"]);
    scene.zus(&["umount", "file"]).fails(&["file", "not mounted"]);
    scene.zus(&["umount", "missing"]).fails(&["missing", "no such"]);
    scene.zus(&["umount", "/proc"]).fails(&["/proc", "not zufs"]);
    scene
        .zus(&["remount", "mnt", "-o", "relay=park"])
        .fails(&["mnt", "not mounted"]);
    scene.zus(&["status", "mnt"]).fails(&["mnt", "not mounted"]);
}

#[test]
fn umount_returns_when_the_server_has_ended() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let pid = scene.server();
    scene.zus(&["umount", "mnt"]).ok();
    assert!(!runs(pid));
    assert_eq!(scene.status().len(), 0);
    let left: Vec<_> = fs::read_dir(scene.path("run"))
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert!(
        left.iter().all(|name| name == "lock" || name == "zus.log"),
        "{left:?}"
    );
    scene.zus(&["umount", "mnt"]).fails(&["mnt", "not mounted"]);
}

#[test]
fn a_busy_mount_stays_and_loses_nothing() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let mut file = File::create(scene.path("mnt/a")).unwrap();
    file.write_all(b"before").unwrap();
    scene.zus(&["umount", "mnt"]).fails(&["mnt: busy"]);
    file.write_all(b" and after").unwrap();
    drop(file);
    scene.zus(&["umount", "mnt"]).ok();
    scene.zus(&["mount", "img", "mnt"]).ok();
    assert_eq!(
        fs::read_to_string(scene.path("mnt/a")).unwrap(),
        "before and after"
    );
}

#[test]
fn lazily_it_goes_at_once_and_the_server_ends_with_its_last_user() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let pid = scene.server();
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(scene.path("mnt/a"))
        .unwrap();
    scene.zus(&["umount", "--lazy", "mnt"]).ok();
    assert!(!scene.is_mounted(&scene.mnt()));
    assert_eq!(scene.status()[0]["state"], "detached");
    scene.zus(&["umount", "mnt"]).fails(&["mnt", "not mounted"]);
    // The image is still in use; the directory is not.
    scene
        .zus(&["mount", "img", "mnt"])
        .fails(&["img", "already mounted", &pid.to_string()]);
    scene.zus(&["mount", "none", "mnt", "--fs", "nullfs"]).ok();
    scene.zus(&["umount", "mnt"]).ok();
    file.write_all(b"still written").unwrap();
    drop(file);
    wait_until("the server has ended", || !runs(pid));
    scene.zus(&["mount", "img", "mnt"]).ok();
    assert_eq!(fs::read_to_string(scene.path("mnt/a")).unwrap(), "still written");
}

#[test]
fn the_servers_own_end_is_in_order_when_another_program_unmounts() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let pid = scene.server();
    fs::write(scene.path("mnt/a"), "kept").unwrap();
    unmount(scene.mnt(), UnmountFlags::empty()).unwrap();
    wait_until("the server has ended", || !runs(pid));
    assert_eq!(scene.status().len(), 0);
    scene.zus(&["mount", "img", "mnt"]).ok();
    assert_eq!(fs::read_to_string(scene.path("mnt/a")).unwrap(), "kept");
}

#[test]
fn a_mount_point_is_found_however_it_is_written() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "64M");
    std::os::unix::fs::symlink("mnt", scene.path("link")).unwrap();
    for (mount, umount) in [
        ("mnt", "./mnt/"),
        ("link", "mnt"),
        ("mnt/.", "link"),
        ("mnt/../mnt", "link/"),
    ] {
        scene.zus(&["mount", "img", mount]).ok();
        assert!(scene.is_mounted(&scene.mnt()), "{mount}");
        scene.zus(&["umount", umount]).ok();
        assert!(!scene.is_mounted(&scene.mnt()), "{umount}");
    }
}

#[test]
fn something_mounted_over_it_is_not_unmounted_by_mistake() {
    needs!(can_mount);
    let scene = Scene::mounted();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("none", scene.mnt(), "tmpfs", flags, None::<&std::ffi::CStr>).unwrap();
    scene.zus(&["umount", "mnt"]).fails(&["mnt", "tmpfs"]);
    unmount(scene.mnt(), UnmountFlags::empty()).unwrap();
    scene.zus(&["umount", "mnt"]).ok();
}

#[test]
fn a_server_that_ends_leaves_other_mounts_alone() {
    needs!(can_mount);
    let (first, second) = (Scene::mounted(), Scene::new());
    let pid = first.server();
    kill_process(pid, Signal::STOP).unwrap();
    unmount(first.mnt(), UnmountFlags::empty()).unwrap();
    // The kernel gives this one the numbers of the other, unless somebody else was faster.
    second.zus(&["mount", "none", "mnt", "--fs", "nullfs"]).ok();
    kill_process(pid, Signal::CONT).unwrap();
    wait_until("the first server has ended", || !runs(pid));
    assert!(second.is_mounted(&second.mnt()));
    fs::write(second.path("mnt/a"), "x").unwrap();
}

#[test]
fn a_file_that_was_read_whole_does_not_keep_it_busy() {
    needs!(can_mount);
    let scene = Scene::mounted();
    fs::write(scene.path("mnt/a"), vec![1; 100_000]).unwrap();
    let mut content = Vec::new();
    File::open(scene.path("mnt/a"))
        .unwrap()
        .read_to_end(&mut content)
        .unwrap();
    assert_eq!(content.len(), 100_000);
    scene.zus(&["umount", "mnt"]).ok();
}
