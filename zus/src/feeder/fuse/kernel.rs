// SPDX-License-Identifier: MIT
//! Making a mount, in steps: the kernel's half of the connection, the handshake (elsewhere), a mount that
//! is attached nowhere, the attachment.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags, StatxFlags, statx};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount,
};

use super::clone::open_device;
use super::{FuseOptions, MountError};
use crate::mountinfo::{self, Mounted};

/// The absolute path of a mount point, if it is one on which something can be mounted.
pub(super) fn check_point(point: &Path) -> Result<PathBuf, MountError> {
    let found = point.canonicalize().and_then(|path| {
        let metadata = path.metadata()?;
        Ok((path, metadata))
    });
    let (path, metadata) = found.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT) => MountError::NoPoint(point.into()),
        Some(libc::ENOTDIR) => MountError::NotDirectory(point.into()),
        Some(libc::ENOTCONN) => MountError::Dead(point.into()),
        _ => MountError::Point {
            point: point.into(),
            error,
        },
    })?;
    if !metadata.is_dir() {
        return Err(MountError::NotDirectory(path));
    }
    match mountinfo::at(&path) {
        Ok(Some(Mounted { kind, source, .. })) => {
            let what = format!("{kind} on {}", source.to_string_lossy());
            Err(MountError::Busy { point: path, what })
        }
        Ok(None) => Ok(path),
        Err(error) => Err(MountError::Point { point: path, error }),
    }
}

/// The kernel's half of a connection, waiting for our answer to its INIT.
pub(super) struct Kernel(OwnedFd);

/// Makes a file system of the type `fuse.KIND`, and our end of its connection. It vanishes when the result
/// is dropped.
pub(super) fn create(
    kind: &str,
    options: &FuseOptions,
    point: &Path,
) -> Result<(Kernel, OwnedFd), MountError> {
    let device = open_device(OFlags::empty()).map_err(|error| match error {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => MountError::NoDevice,
        error => MountError::Device(error.into()),
    })?;
    let context = fsopen("fuse", FsOpenFlags::FSOPEN_CLOEXEC).map_err(|error| match error {
        Errno::NODEV => MountError::NoDevice,
        error => refused(point, "fsopen", error, None),
    })?;
    let configure = || -> rustix::io::Result<()> {
        let set = |key: &str, value: &str| fsconfig_set_string(&context, key, value);
        set("source", &options.source)?;
        set("subtype", kind)?;
        set("fd", &device.as_raw_fd().to_string())?;
        set("rootmode", "40000")?;
        set("user_id", &rustix::process::geteuid().as_raw().to_string())?;
        set("group_id", &rustix::process::getegid().as_raw().to_string())?;
        fsconfig_set_flag(&context, "default_permissions")?;
        for (flag, is_set) in [
            ("allow_other", options.allow_other),
            ("ro", options.read_only),
            ("sync", options.synchronous),
        ] {
            if is_set {
                fsconfig_set_flag(&context, flag)?;
            }
        }
        fsconfig_create(&context)
    };
    configure().map_err(|error| refused(point, "fsconfig", error, Some(&context)))?;
    Ok((Kernel(context), device))
}

impl Kernel {
    /// A mount of the file system that is attached nowhere. It vanishes when the result is dropped.
    pub(super) fn detached(&self, options: &FuseOptions, point: &Path) -> Result<Detached, MountError> {
        let attributes = [
            (options.read_only, MountAttrFlags::MOUNT_ATTR_RDONLY),
            (options.no_suid, MountAttrFlags::MOUNT_ATTR_NOSUID),
            (options.no_dev, MountAttrFlags::MOUNT_ATTR_NODEV),
            (options.no_exec, MountAttrFlags::MOUNT_ATTR_NOEXEC),
            (options.no_atime, MountAttrFlags::MOUNT_ATTR_NOATIME),
        ];
        let attributes = attributes
            .into_iter()
            .filter_map(|(is_set, attribute)| is_set.then_some(attribute))
            .collect();
        let flags = FsMountFlags::FSMOUNT_CLOEXEC;
        match fsmount(&self.0, flags, attributes) {
            Ok(mount) => Ok(Detached(mount)),
            Err(error) => Err(refused(point, "fsmount", error, Some(&self.0))),
        }
    }
}

/// A mount that is attached nowhere.
pub(super) struct Detached(OwnedFd);

impl Detached {
    /// How it will be known again.
    pub(super) fn identity(&self, point: &Path) -> Result<Identity, MountError> {
        identity(&self.0).map_err(|error| MountError::Point {
            point: point.into(),
            error,
        })
    }

    /// Shows it to the world.
    pub(super) fn attach(self, point: &Path) -> Result<(), MountError> {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(self.0.as_fd(), "", CWD, point, flags).map_err(|error| match error {
            Errno::NOENT => MountError::NoPoint(point.into()),
            Errno::NOTDIR => MountError::NotDirectory(point.into()),
            error => refused(point, "move_mount", error, None),
        })
    }
}

fn refused(point: &Path, step: &'static str, error: Errno, context: Option<&OwnedFd>) -> MountError {
    if error == Errno::PERM {
        return MountError::NotPermitted(point.into());
    }
    let detail = context.map(complaint).unwrap_or_default();
    MountError::Refused {
        point: point.into(),
        step,
        error: error.into(),
        detail,
    }
}

/// What the kernel has to say about a mount that it refuses, behind a colon: nothing, mostly.
fn complaint(context: &OwnedFd) -> String {
    let mut line = [0; 256];
    let read = context
        .try_clone()
        .and_then(|context| File::from(context).read(&mut line))
        .unwrap_or(0);
    match String::from_utf8_lossy(&line[..read]).trim_end() {
        "" => String::new(),
        words => format!(": {words}"),
    }
}

/// What tells a mount from all others that there are at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Its number.
    pub(super) id: u64,
    /// The minor device number of its file system: the number of a FUSE connection.
    pub(super) minor: u32,
}

/// Without asking the file system, which does not answer yet.
fn identity(mount: &OwnedFd) -> io::Result<Identity> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", mount.as_raw_fd()))?;
    let id = info
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
        .ok_or_else(|| io::Error::other("/proc/self/fdinfo does not say mnt_id"))?;
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let minor = statx(mount, "", flags, StatxFlags::empty())?.stx_dev_minor;
    Ok(Identity { id, minor })
}

impl From<&Mounted> for Identity {
    fn from(mounted: &Mounted) -> Self {
        Self {
            id: mounted.id,
            minor: mounted.minor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_mount_point_is_named() {
        let dir = std::env::temp_dir().join(format!("zus-point-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        let file = dir.join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(check_point(&dir), Ok(path) if path.is_absolute()));
        assert!(matches!(check_point(&file), Err(MountError::NotDirectory(_))));
        assert!(matches!(
            check_point(&file.join("x")),
            Err(MountError::NotDirectory(_))
        ));
        assert!(matches!(
            check_point(&dir.join("no")),
            Err(MountError::NoPoint(_))
        ));
        assert!(matches!(
            check_point(Path::new("/proc")),
            Err(MountError::Busy { .. })
        ));
        fs::remove_dir_all(&dir).unwrap();
    }
}
