// SPDX-License-Identifier: MIT
//! How much memory this server takes.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Memory resident, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// All but the image: code, heap, stacks, shared memory.
    pub own: u64,
    /// The mapped image: page cache, which the kernel takes back when it must.
    pub image: u64,
}

/// How much of this process's memory is resident, mappings of `image` apart.
///
/// # Errors
/// As reading `/proc/self/smaps`, or the image's attributes.
pub fn resident(image: Option<&Path>) -> io::Result<Resident> {
    // By number, not by name: it may have been renamed since.
    let image = image.map(fs::metadata).transpose()?.map(|meta| meta.ino());
    sum(BufReader::new(File::open("/proc/self/smaps")?), image)
}

/// Sums the Rss lines below the header of each mapping, `START-END PERM OFFSET DEV INODE [PATH]`.
fn sum(smaps: impl BufRead, image: Option<u64>) -> io::Result<Resident> {
    let mut resident = Resident::default();
    let mut of_image = false;
    for line in smaps.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let mut fields = line.split_ascii_whitespace();
        match fields.next() {
            Some("Rss:") => {
                let kib = fields
                    .next()
                    .and_then(|kib| kib.parse::<u64>().ok())
                    .unwrap_or_default();
                *(if of_image {
                    &mut resident.image
                } else {
                    &mut resident.own
                }) += kib << 10;
            }
            Some(range) if !range.ends_with(':') => {
                let inode = fields.nth(3).and_then(|inode| inode.parse().ok());
                of_image = image.is_some() && inode == image;
            }
            _ => {}
        }
    }
    Ok(resident)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_counted_apart() {
        let smaps = "00400000-0048a000 r-xp 00000000 fd:03 960637 /bin/bash\nSize: 552 kB\nRss: 460 kB\nPss: 100 kB\n\
                     7f00-7f10 rw-s 00000000 fd:03 77 /images/a b: c\nRss: 8 kB\nVmFlags: rd wr\n\
                     7f10-7f20 rw-p 00000000 00:00 0\nRss: 4 kB\n";
        let apart = sum(smaps.as_bytes(), Some(77)).unwrap();
        assert_eq!(
            apart,
            Resident {
                own: 464 << 10,
                image: 8 << 10
            }
        );
        let all = sum(smaps.as_bytes(), None).unwrap();
        assert_eq!(
            all,
            Resident {
                own: 472 << 10,
                image: 0
            }
        );
    }

    #[test]
    fn this_process_takes_some() {
        let own = resident(None).unwrap().own;
        assert!((1 << 16..1 << 40).contains(&own), "{own}");
    }
}
