// SPDX-License-Identifier: MIT
//! `zus mkfs` makes images, and destroys nothing by mistake.

use std::fs;

use crate::scene::{Scene, needs};

#[test]
fn an_image_has_the_size_asked_for_and_takes_little_space() {
    use std::os::unix::fs::MetadataExt;
    let scene = Scene::new();
    let meta = fs::metadata(scene.image("img", "256M")).unwrap();
    assert_eq!(meta.len(), 256 << 20);
    assert!(meta.blocks() * 512 < 64 << 20, "{} blocks", meta.blocks());
}

#[test]
fn what_is_there_is_overwritten_only_by_force() {
    let scene = Scene::new();
    fs::write(scene.path("img"), "a letter").unwrap();
    scene
        .zus(&["mkfs", "img", "--size", "64M"])
        .fails(&["img", "force"]);
    assert_eq!(fs::read_to_string(scene.path("img")).unwrap(), "a letter");
    scene.zus(&["mkfs", "img", "--size", "64M", "--force"]).ok();
    assert_eq!(fs::metadata(scene.path("img")).unwrap().len(), 64 << 20);
}

#[test]
fn a_folder_that_is_missing_and_a_directory_are_named() {
    let scene = Scene::new();
    scene
        .zus(&["mkfs", "none/img", "--size", "64M"])
        .fails(&["none/img"]);
    scene
        .zus(&["mkfs", "mnt", "--size", "64M", "--force"])
        .fails(&["mnt"]);
}

#[test]
fn an_image_is_checked_and_damage_is_told() {
    let scene = Scene::new();
    let image = scene.image("img", "64M");
    assert!(scene.zus(&["check", "img"]).ok().out.contains("sound"));
    scene.zus(&["check", "missing"]).fails(&["missing"]);
    fs::write(scene.path("letter"), "Dear Sir").unwrap();
    scene
        .zus(&["check", "letter"])
        .fails(&["letter", "not a pmemfs image"]);
    // The superblock's copy, in the last block.
    let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0; 4096], (64 << 20) - 4096).unwrap();
    let outcome = scene.zus(&["check", "img"]).fails(&["img", "damaged"]);
    assert!(outcome.out.contains("copy of the superblock"), "{}", outcome.out);
}

#[test]
fn a_mounted_image_is_not_overwritten_even_by_force() {
    needs!(can_mount);
    let scene = Scene::mounted();
    fs::write(scene.path("mnt/a"), "kept").unwrap();
    scene
        .zus(&["mkfs", "img", "--size", "64M", "--force"])
        .fails(&["img", "mounted"]);
    scene.zus(&["check", "img"]).fails(&["img", "mounted"]);
    scene.zus(&["umount", "mnt"]).ok();
    scene.zus(&["mount", "img", "mnt"]).ok();
    assert_eq!(fs::read_to_string(scene.path("mnt/a")).unwrap(), "kept");
}
