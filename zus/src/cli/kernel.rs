// SPDX-License-Identifier: MIT
//! `zus serve`: serves what mount(8) mounts, through the kernel module.

use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Result, bail};
use relay::{Policy, Strategy, calibrate};
use zus::engine::Mount;
use zus::feeder::zuf::{MountRequest, Placement, Zuf, ZufOptions};
use zus::fs::nullfs::Nullfs;

/// Serve what `mount -t nullfs` mounts, through the kernel module, until this process ends.
#[derive(clap::Args)]
pub struct Serve {
    /// Where the threads run that serve the applications of a CPU: same, or cross (the next CPU).
    #[arg(long, default_value = "same", value_parser = Place::from_str)]
    placement: Place,
    /// Operations of a CPU that can be under way at a time.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    channels: u32,
}

#[derive(Clone, Copy)]
struct Place(Placement);

impl FromStr for Place {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "same" => Ok(Self(Placement::Same)),
            "cross" => Ok(Self(Placement::Cross)),
            _ => bail!("there are same and cross"),
        }
    }
}

impl Serve {
    pub fn run(&self) -> Result<()> {
        super::log::start();
        let options = ZufOptions {
            placement: self.placement.0,
            channels_per_cpu: self.channels,
        };
        let window = calibrate::window();
        let make = move |request: &MountRequest| {
            if request.source != "none" {
                tracing::error!(source = request.source, "nullfs has no image; say none");
                return Err(libc::EINVAL);
            }
            // The strategy is the mount's: it comes with the request.
            let policy = Policy::new(Strategy::Hybrid, window);
            Ok(Mount::new(Arc::new(Nullfs::new()), Arc::new(policy)))
        };
        let zuf = Zuf::register(&["nullfs"], options, Box::new(make))?;
        println!("serving nullfs");
        Ok(zuf.serve()?)
    }
}
