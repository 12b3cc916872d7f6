// SPDX-License-Identifier: MIT
//! Where there is no more space, the writer is told so, and nothing else happens.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use rustix::mount::{MountFlags, mount};

use crate::scene::{Scene, needs, wait_until};

/// Writes to `path` until nothing fits any more; at most `limit` bytes.
fn fill(path: &Path, limit: usize) -> io::Result<()> {
    let mut file = File::create(path)?;
    for _ in 0..limit >> 20 {
        file.write_all(&[0x55; 1 << 20])?;
    }
    file.sync_all()
}

const ENOSPC: Option<i32> = Some(28);

#[test]
fn a_full_image_says_so_and_works_on_when_there_is_space_again() {
    needs!(can_mount);
    let scene = Scene::new();
    scene.image("img", "16M");
    scene.zus(&["mount", "img", "mnt"]).ok();
    fs::write(scene.path("mnt/first"), "kept").unwrap();
    assert_eq!(
        fill(&scene.path("mnt/large"), 64 << 20)
            .unwrap_err()
            .raw_os_error(),
        ENOSPC
    );
    assert_eq!(fs::read_to_string(scene.path("mnt/first")).unwrap(), "kept");
    fs::remove_file(scene.path("mnt/large")).unwrap();
    // The kernel lets go of a removed file a moment after it said that it was removed.
    wait_until("there is space", || {
        fill(&scene.path("mnt/large"), 4 << 20).is_ok()
    });
    scene.zus(&["umount", "mnt"]).ok();
    scene.zus(&["mount", "img", "mnt"]).ok();
    assert_eq!(fs::metadata(scene.path("mnt/large")).unwrap().len(), 4 << 20);
}

#[test]
fn a_full_host_disk_says_so_and_loses_nothing() {
    needs!(can_mount);
    let scene = Scene::new();
    let host = scene.path("host");
    fs::create_dir(&host).unwrap();
    mount("none", &host, "tmpfs", MountFlags::empty(), Some(c"size=24m")).unwrap();
    scene.image("host/img", "256M");
    scene.zus(&["mount", "host/img", "mnt"]).ok();
    fs::write(scene.path("mnt/first"), "kept").unwrap();
    assert_eq!(
        fill(&scene.path("mnt/large"), 64 << 20)
            .unwrap_err()
            .raw_os_error(),
        ENOSPC
    );
    assert_eq!(scene.status()[0]["state"], "live");
    assert_eq!(fs::read_to_string(scene.path("mnt/first")).unwrap(), "kept");
    scene.zus(&["umount", "mnt"]).ok();
    scene.zus(&["mount", "host/img", "mnt"]).ok();
    assert_eq!(fs::read_to_string(scene.path("mnt/first")).unwrap(), "kept");
    scene.zus(&["umount", "mnt"]).ok();
}

#[test]
fn mkfs_on_a_full_host_disk_says_so_and_leaves_nothing() {
    needs!(is_root);
    let scene = Scene::new();
    let host = scene.path("host");
    fs::create_dir(&host).unwrap();
    mount("none", &host, "tmpfs", MountFlags::empty(), Some(c"size=64k")).unwrap();
    fs::write(host.join("filler"), vec![1; 64 << 10]).unwrap();
    scene
        .zus(&["mkfs", "host/img", "--size", "64M"])
        .fails(&["host/img", "space"]);
    assert!(!host.join("img").exists());
}
