// SPDX-License-Identifier: MIT
//! What is mounted where, as `/proc/self/mountinfo` tells: the one source that answers without asking
//! the file system itself, which may be dead.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::mount::MountFlags;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Its number, which another mount may get when it is gone.
    pub id: u64,
    /// The minor device number of its file system: of one through /dev/fuse, the number of the connection.
    pub minor: u32,
    /// Where.
    pub dir: PathBuf,
    /// The file system's type, with its subtype: "ext4", "fuse.pmemfs".
    pub kind: String,
    /// What is mounted: a device, an image, a word.
    pub source: OsString,
    /// The options of the mount and of its file system, with commas between.
    options: String,
}

impl Mounted {
    /// Its options, as far as a mount of ours has them.
    pub fn flags(&self) -> MountFlags {
        let flag = |option| match option {
            "ro" => MountFlags::RDONLY,
            "nosuid" => MountFlags::NOSUID,
            "nodev" => MountFlags::NODEV,
            "noexec" => MountFlags::NOEXEC,
            "noatime" => MountFlags::NOATIME,
            "sync" => MountFlags::SYNCHRONOUS,
            _ => MountFlags::empty(),
        };
        self.options.split(',').map(flag).collect()
    }

    /// Whether it is one of ours that came through /dev/fuse.
    pub fn is_zufs(&self) -> bool {
        matches!(&*self.kind, "fuse.pmemfs" | "fuse.nullfs")
    }
}

/// All mounts that this process sees, in the order in which they were made.
///
/// # Errors
/// As reading the file; without /proc there is no telling.
pub fn all() -> io::Result<Vec<Mounted>> {
    Ok(parse(&std::fs::read("/proc/self/mountinfo")?))
}

/// What is mounted at `dir`, which is absolute and without symbolic links: the uppermost, if several are.
///
/// # Errors
/// As [`all`].
pub fn at(dir: &Path) -> io::Result<Option<Mounted>> {
    Ok(all()?.into_iter().rfind(|mounted| mounted.dir == dir))
}

fn parse(text: &[u8]) -> Vec<Mounted> {
    text.split(|&byte| byte == b'\n').filter_map(parse_line).collect()
}

/// `ID PARENT MAJOR:MINOR ROOT DIR OPTIONS [TAG...] - KIND SOURCE SUPER_OPTIONS`, see proc(5).
fn parse_line(line: &[u8]) -> Option<Mounted> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = number(fields.next()?)?;
    let minor = number(fields.nth(1)?.rsplit(|&byte| byte == b':').next()?)?;
    let dir = unescape(fields.nth(1)?);
    let mut options = String::from_utf8_lossy(fields.next()?).into_owned();
    let mut fields = fields.skip_while(|field| field != b"-").skip(1);
    let kind = String::from_utf8_lossy(&unescape(fields.next()?).into_vec()).into_owned();
    let source = unescape(fields.next()?);
    options += ",";
    options += &String::from_utf8_lossy(fields.next().unwrap_or_default());
    Some(Mounted {
        id,
        minor,
        dir: dir.into(),
        kind,
        source,
        options,
    })
}

fn number<T: FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// Space, tab, newline and backslash stand there as a backslash and three octal digits.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, behind @ ..] = rest {
        let octal = |digit: u8| digit.wrapping_sub(b'0');
        match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                behind @ ..,
            ] => {
                plain.push(octal(*a) << 6 | octal(*b) << 3 | octal(*c));
                rest = behind;
            }
            _ => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_and_without_tags_and_with_escapes_are_read() {
        let text =
            b"36 35 0:98 / /mnt/a\\040b\\134 rw,noatime master:1 shared:2 - fuse.pmemfs /i\\011x rw,sync\n\
                     22 27 0:21 / /proc ro - proc proc rw\n\
                     nonsense\n\n1 2 3 4\n";
        let mounted = parse(text);
        assert_eq!(mounted.len(), 2);
        assert_eq!((mounted[0].id, mounted[0].minor), (36, 98));
        assert_eq!(mounted[0].dir, Path::new("/mnt/a b\\"));
        assert_eq!(mounted[0].source, "/i\tx");
        assert_eq!(mounted[0].flags(), MountFlags::NOATIME | MountFlags::SYNCHRONOUS);
        assert!(mounted[0].is_zufs());
        assert_eq!(mounted[1].kind, "proc");
        assert!(!mounted[1].is_zufs());
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescape(b"\\9\\04"), "\\9\\04");
        assert_eq!(unescape(b"\\400"), "\\400");
        assert_eq!(unescape(b"\\134040"), "\\040");
    }

    #[test]
    fn this_machine_has_a_root() {
        assert!(at(Path::new("/")).unwrap().is_some());
        assert_eq!(at(Path::new("/no such directory")).unwrap(), None);
    }
}
