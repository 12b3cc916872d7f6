// SPDX-License-Identifier: MIT
//! What cannot be understood is refused, with what could be.

use crate::scene::Scene;

#[test]
fn help_shows_examples() {
    let scene = Scene::new();
    for command in ["mkfs", "mount", "remount", "umount", "status"] {
        let out = scene.zus(&[command, "--help"]).ok().out;
        assert!(
            out.contains("Examples:") && out.contains(&format!("zus {command} ")),
            "{out}"
        );
    }
    let out = scene.zus(&["mount", "--help"]).ok().out;
    for word in ["hybrid", "waitqueue", "spin_us", "feeder", "noatime", "ZUS_LOG"] {
        assert!(out.contains(word), "no {word} in: {out}");
    }
    let out = scene.zus(&["--help"]).ok().out;
    assert!(out.contains("zus mkfs") && out.contains("status"), "{out}");
}

#[test]
fn usage_errors_have_exit_status_2() {
    let scene = Scene::new();
    for args in [
        &[][..],
        &["fly"],
        &["mount"],
        &["mount", "img"],
        &["mkfs"],
        &["umount"],
        &["status", "--nonsense"],
    ] {
        let outcome = scene.zus(args);
        assert_eq!(outcome.code, Some(2), "{args:?}: {}", outcome.err);
        assert!(!outcome.err.is_empty(), "{args:?}");
    }
}

#[test]
fn an_unknown_option_or_strategy_names_those_that_exist() {
    let scene = Scene::new();
    let mount = |options: &str| scene.zus(&["mount", "img", "mnt", "-o", options]);
    mount("relay=teleport").fails(&["teleport", "waitqueue", "park", "yield", "spin", "hybrid"]);
    mount("frobnicate").fails(&["frobnicate", "relay=", "spin_us=", "noatime"]);
    mount("feeder=pigeon").fails(&["pigeon", "auto", "fuse", "shm"]);
    mount("spin_us=fast").fails(&["spin_us", "fast"]);
    mount("workers=0").fails(&["workers", "\"0\""]);
    scene
        .zus(&["mount", "img", "mnt", "--fs", "ext5"])
        .fails(&["ext5", "pmemfs", "nullfs"]);
    scene
        .zus(&["remount", "mnt", "-o", "relay=teleport"])
        .fails(&["teleport", "hybrid"]);
    scene
        .zus(&["remount", "mnt", "-o", "feeder=shm"])
        .fails(&["feeder", "cannot change"]);
}

#[test]
fn a_size_that_is_none_is_named_and_nothing_is_made() {
    let scene = Scene::new();
    for size in ["0", "-5", "1X", "lots", "99999999999T"] {
        scene
            .zus(&["mkfs", "img", &format!("--size={size}")])
            .fails(&["size"]);
        assert!(!scene.path("img").exists(), "{size}");
    }
    scene
        .zus(&["mkfs", "img", "--size", "1"])
        .fails(&["img", "too few"]);
    scene
        .zus(&["mkfs", "img", "--size", "64T"])
        .fails(&["img", "too many"]);
    scene.zus(&["mkfs", "img"]).fails(&["img", "--size"]);
    assert!(!scene.path("img").exists());
}
