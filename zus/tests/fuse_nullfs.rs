// SPDX-License-Identifier: MIT
//! nullfs through /dev/fuse.
use relay::{Policy, Strategy};
use std::sync::Arc;
use zus::engine::Mount;
use zus::feeder::fuse::{Fuse, FuseOptions, How};
use zus::fs::nullfs::Nullfs;
#[test]
fn smoke() {
    let dir = std::env::temp_dir().join(format!("zus-nullfs-{}", std::process::id()));
    std::fs::create_dir(&dir).unwrap();
    let mount = Mount::new(
        Arc::new(Nullfs::new()),
        Arc::new(Policy::new(Strategy::Park, Default::default())),
    );
    let fuse = Fuse::mount(mount.clone(), &dir, &FuseOptions::default()).unwrap();
    std::fs::write(dir.join("a"), vec![1; 10000]).unwrap();
    assert_eq!(std::fs::read(dir.join("a")).unwrap().len(), 10000);
    let stop = fuse.stopper();
    stop.unmount(How::Clean).unwrap();
    println!("{:?}", fuse.wait());
    println!("{:?}", mount.counters().snapshot());
    std::fs::remove_dir(&dir).unwrap();
}
