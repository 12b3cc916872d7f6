// SPDX-License-Identifier: MIT
//! What names do: made, linked, moved, removed.

use zus::fs::{Error, FileSystem, Kind, Name, NewInode, ROOT, RenameMode, SetAttr};

use crate::support::{create, find, list, make, mount, name, new_inode, read, refused, unmount, write};

const MIB: u64 = 1 << 20;

#[test]
fn long_targets_and_names_fit() {
    let store = make(MIB);
    let fs = mount(&store);
    let long = "n".repeat(255);
    for len in [1, 95, 96, 97, 4095] {
        let target = vec![b't'; len];
        let new = NewInode {
            target: &target,
            ..new_inode(Kind::Symlink)
        };
        let link = fs.create(ROOT, name(&long), &new).unwrap().attr;
        assert_eq!(
            (link.size, link.blocks),
            (len as u64, if len > 96 { 8 } else { 0 })
        );
        assert_eq!(fs.readlink(link.ino).unwrap(), target);
        fs.unlink(ROOT, name(&long)).unwrap();
        fs.forget(link.ino, 1);
    }
    for target in [&b""[..], &[b't'; 4096]] {
        let new = NewInode {
            target,
            ..new_inode(Kind::Symlink)
        };
        refused(fs.create(ROOT, name("link"), &new), Error::Invalid);
    }
    assert_eq!(Name::new(&[b'n'; 256]), Err(Error::NameTooLong));
    unmount(fs, &store);
}

#[test]
fn wrong_kinds_and_missing_names_are_refused() {
    let store = make(MIB);
    let fs = mount(&store);
    create(&fs, "dir", Kind::Directory).unwrap();
    create(&fs, "dir/in", Kind::Directory).unwrap();
    create(&fs, "file", Kind::File).unwrap();
    let (dir, file) = (find(&fs, "dir").unwrap(), find(&fs, "file").unwrap());
    refused(fs.lookup(ROOT, name("none")), Error::NotFound);
    refused(fs.lookup(file, name("none")), Error::NotDirectory);
    refused(
        fs.create(ROOT, name("dir"), &new_inode(Kind::File)),
        Error::Exists,
    );
    refused(fs.unlink(ROOT, name("dir")), Error::IsDirectory);
    refused(fs.rmdir(ROOT, name("file")), Error::NotDirectory);
    refused(fs.rmdir(ROOT, name("dir")), Error::NotEmpty);
    refused(fs.link(dir, ROOT, name("other")), Error::NotOwner);
    refused(fs.link(file, ROOT, name("dir")), Error::Exists);
    refused(fs.readlink(file), Error::Invalid);
    refused(read(&fs, dir, 0, 1), Error::IsDirectory);
    refused(write(&fs, dir, 0, b"x"), Error::IsDirectory);
    refused(fs.readdir(file, 0, &mut |_| true), Error::NotDirectory);
    for nobody in [0, 99, 40_000, u64::MAX] {
        refused(fs.getattr(nobody), Error::Stale);
    }
    let truncate = SetAttr {
        size: Some(0),
        ..SetAttr::default()
    };
    refused(fs.setattr(dir, &truncate), Error::IsDirectory);
    unmount(fs, &store);
}

#[test]
fn links_are_counted() {
    let store = make(16 * MIB);
    let fs = mount(&store);
    create(&fs, "dir", Kind::Directory).unwrap();
    let file = create(&fs, "file", Kind::File).unwrap();
    let dir = find(&fs, "dir").unwrap();
    assert_eq!(fs.link(file, dir, name("second")).unwrap().attr.nlink, 2);
    fs.forget(file, 1);
    fs.unlink(ROOT, name("file")).unwrap();
    assert_eq!(fs.getattr(file).unwrap().nlink, 1);
    create(&fs, "dir/sub", Kind::Directory).unwrap();
    assert_eq!(fs.getattr(dir).unwrap().nlink, 3);
    fs.rmdir(dir, name("sub")).unwrap();
    assert_eq!(fs.getattr(dir).unwrap().nlink, 2);
    for i in 1..65_000 {
        fs.link(file, dir, name(&format!("link{i}"))).unwrap();
    }
    refused(fs.link(file, dir, name("one too many")), Error::TooManyLinks);
    fs.forget(file, 64_999);
    unmount(fs, &store);
}

#[test]
fn the_setgid_bit_is_inherited() {
    let store = make(MIB);
    let fs = mount(&store);
    let dir = create(&fs, "dir", Kind::Directory).unwrap();
    let changes = SetAttr {
        perm: Some(0o2775),
        gid: Some(77),
        ..SetAttr::default()
    };
    fs.setattr(dir, &changes).unwrap();
    let file = fs.getattr(create(&fs, "dir/file", Kind::File).unwrap()).unwrap();
    let sub = fs
        .getattr(create(&fs, "dir/sub", Kind::Directory).unwrap())
        .unwrap();
    assert_eq!((file.gid, file.perm), (77, 0o644));
    assert_eq!((sub.gid, sub.perm), (77, 0o2644));
    unmount(fs, &store);
}

#[test]
fn renames_do_what_they_say() {
    let store = make(4 * MIB);
    let fs = mount(&store);
    let rename = |from: &str, to: &str, mode| {
        let (from, to) = (crate::support::split(from), crate::support::split(to));
        fs.rename(
            find(&fs, from.0).unwrap(),
            name(from.1),
            find(&fs, to.0).unwrap(),
            name(to.1),
            mode,
        )
    };
    for (path, kind) in [
        ("a", Kind::Directory),
        ("b", Kind::Directory),
        ("a/x", Kind::File),
        ("b/y", Kind::File),
        ("a/sub", Kind::Directory),
        ("a/sub/deep", Kind::Directory),
    ] {
        create(&fs, path, kind).unwrap();
    }
    let (x, y) = (find(&fs, "a/x").unwrap(), find(&fs, "b/y").unwrap());
    use RenameMode::{Exchange, NoReplace, Replace};
    refused(rename("a/none", "b/new", Replace), Error::NotFound);
    refused(rename("a/x", "b/y", NoReplace), Error::Exists);
    refused(rename("a/x", "b/new", Exchange), Error::NotFound);
    refused(rename("a", "a/sub/a", Replace), Error::Invalid);
    refused(rename("a", "a/a", Replace), Error::Invalid);
    refused(rename("a", "a/sub", Exchange), Error::Invalid);
    refused(rename("a/sub", "a", Exchange), Error::Invalid);
    refused(rename("a/sub/deep", "a", Replace), Error::NotEmpty);
    refused(
        rename("a", "b", Replace).and(rename("b", "a/x", Replace)),
        Error::NotEmpty,
    );
    refused(rename("b", "a/x", Replace), Error::NotDirectory);
    refused(rename("a/x", "b", Replace), Error::IsDirectory);

    rename("a/x", "b/y", Exchange).unwrap();
    assert_eq!((find(&fs, "a/x").unwrap(), find(&fs, "b/y").unwrap()), (y, x));
    rename("a/x", "b/y", Replace).unwrap();
    assert_eq!(find(&fs, "b/y").unwrap(), y);
    refused(fs.getattr(x), Error::Stale);
    rename("b/y", "b/y", Replace).unwrap();
    rename("b/y", "b/a longer name", NoReplace).unwrap();
    assert_eq!(list(&fs, find(&fs, "b").unwrap()), ["a longer name"]);

    // Directories, and with them "..".
    rename("a/sub", "b/moved", Replace).unwrap();
    let links = |path: &str| fs.getattr(find(&fs, path).unwrap()).unwrap().nlink;
    assert_eq!((links("a"), links("b"), links("b/moved")), (2, 3, 3));
    rename("b/a longer name", "a", Exchange).unwrap();
    assert_eq!((links(""), links("b"), links("b/a longer name")), (3, 4, 2));
    rename("b/moved/deep", "b/a longer name", Replace).unwrap();
    assert_eq!((links("b"), links("b/moved")), (4, 2));
    refused(rename("b/moved", "b/a longer name/in", Exchange), Error::NotFound);
    unmount(fs, &store);
}

#[test]
fn a_directory_without_a_name_takes_no_more() {
    let store = make(MIB);
    let fs = mount(&store);
    let dir = fs
        .create(ROOT, name("dir"), &new_inode(Kind::Directory))
        .unwrap()
        .attr
        .ino;
    let file = create(&fs, "file", Kind::File).unwrap();
    fs.rmdir(ROOT, name("dir")).unwrap();
    refused(
        fs.create(dir, name("in"), &new_inode(Kind::File)),
        Error::NotFound,
    );
    refused(fs.link(file, dir, name("in")), Error::NotFound);
    refused(
        fs.rename(ROOT, name("file"), dir, name("in"), RenameMode::Replace),
        Error::NotFound,
    );
    refused(fs.lookup(dir, name("in")), Error::NotFound);
    assert!(list(&fs, dir).is_empty());
    fs.forget(dir, 1);
    refused(fs.getattr(dir), Error::Stale);
    unmount(fs, &store);
}
