//! scratch
use relay::{Policy, Strategy};
use std::sync::Arc;
use zus::engine::Mount;
use zus::feeder::fuse::{Fuse, FuseOptions};
use zus::fs::nullfs::Nullfs;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let s: Strategy = a[2].parse().unwrap();
    let mut o = FuseOptions::default();
    if a.len() > 3 {
        o.cpus = Some(a[3].split(',').map(|x| x.parse().unwrap()).collect());
    }
    if a.len() > 4 {
        o.workers_per_cpu = a[4].parse().unwrap();
    }
    let mount = Mount::new(
        Arc::new(Nullfs::new()),
        Arc::new(Policy::new(s, relay::calibrate::window())),
    );
    eprintln!("window {:?}", mount.policy().window());
    let fuse = Fuse::mount(mount.clone(), std::path::Path::new(&a[1]), &o).unwrap();
    let st = std::fs::read_to_string("/proc/self/status").unwrap();
    eprintln!("{}", st.lines().find(|l| l.starts_with("VmRSS")).unwrap());
    let f = Arc::new(std::sync::Mutex::new(()));
    let _ = f;
    println!("{:?}", fuse.stats().len());
    println!("{:?}", fuse.wait());
    for c in mount.counters().snapshot() {
        println!("{c:?}");
    }
}
