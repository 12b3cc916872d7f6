// SPDX-License-Identifier: MIT
//! Each relay strategy: a mount with it works, and a living mount can be given another.

use super::expected::Fate;
use super::step::Bench;
use super::{STRATEGIES, fsx, pjdfstest};
use crate::mount::Image;
use anyhow::{Result, ensure};

/// Mounts with each; then goes through all of them on one mount while fsx works on it.
pub fn run(bench: &Bench) -> Result<String> {
    let mut image = Image::make(bench.place, bench.scratch, "256M", &bench.log)?;
    for (seed, strategy) in (20..).zip(STRATEGIES) {
        image.mount(&format!("relay={strategy}"))?;
        let text = pjdfstest::cases(bench, image.point(), &["rename::", "link::"])?;
        let cases = pjdfstest::read(&text)?;
        let failed: Vec<_> = cases
            .iter()
            .filter(|(_, fate)| **fate == Fate::Fail)
            .map(|(name, _)| *name)
            .collect();
        ensure!(failed.is_empty(), "with {strategy}: {} failed", failed.join(", "));
        fsx::exercise(bench, image.point(), seed, 1000)?;
        image.unmount()?;
        image.check()?;
    }
    changed_live(bench, &mut image)?;
    Ok(format!(
        "{} strategies, and from each to the next under load",
        STRATEGIES.len()
    ))
}

fn changed_live(bench: &Bench, image: &mut Image) -> Result<()> {
    image.mount("relay=park")?;
    let load = fsx::start(bench, image.point(), 30, 20_000)?;
    let mut changes = 0;
    for strategy in STRATEGIES.iter().cycle() {
        if load.ended()?.is_some() {
            break;
        }
        image.remount(&format!("relay={strategy}"))?;
        changes += 1;
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    load.success(|| ())?;
    ensure!(
        changes >= STRATEGIES.len(),
        "the load ended after {changes} changes already"
    );
    image.unmount()?;
    image.check()
}
