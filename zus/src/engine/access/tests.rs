// SPDX-License-Identifier: MIT
//! The rules as tables: who, what, verdict. The verdicts are what ext4 on Linux answers.

use super::*;
use crate::fs::Timestamp;

const ROOT: u32 = 0;
const OWNER: u32 = 1000;
const MEMBER: u32 = 1001;
const HELPER: u32 = 1002;
const OTHER: u32 = 1003;
const GROUP: u32 = 500;

/// A member's own group is the file's; a helper has it among the supplementary ones.
fn caller(uid: u32) -> Caller {
    let groups: &[u32] = if uid == HELPER { &[7, GROUP, 9] } else { &[7] };
    Caller {
        uid,
        gid: if uid == MEMBER { GROUP } else { uid },
        groups: groups.into(),
        read_only: false,
    }
}

fn attr(kind: Kind, perm: u32) -> Attr {
    let time = Timestamp::default();
    Attr {
        ino: 2,
        generation: 0,
        kind,
        perm,
        nlink: 1,
        uid: OWNER,
        gid: GROUP,
        rdev: 0,
        size: 0,
        blocks: 0,
        atime: time,
        mtime: time,
        ctime: time,
        btime: time,
    }
}

fn file(perm: u32) -> Attr {
    attr(Kind::File, perm)
}

fn dir(perm: u32) -> Attr {
    attr(Kind::Directory, perm)
}

#[test]
fn the_first_class_that_matches_decides() {
    use want::{READ, SEARCH, WRITE};
    let table = [
        (OWNER, 0o700, READ | WRITE | SEARCH, true),
        (OWNER, 0o077, READ, false),
        (OWNER, 0o400, READ | WRITE, false),
        (MEMBER, 0o070, READ | WRITE | SEARCH, true),
        (MEMBER, 0o707, READ, false),
        (HELPER, 0o040, READ, true),
        (HELPER, 0o704, READ, false),
        (OTHER, 0o007, READ | WRITE | SEARCH, true),
        (OTHER, 0o770, READ, false),
        (OTHER, 0o001, SEARCH, true),
        (OTHER, 0o001, SEARCH | WRITE, false),
        (ROOT, 0o000, READ | WRITE | SEARCH, true),
        (OTHER, 0o000, 0, true),
    ];
    for (uid, perm, wanted, granted) in table {
        let verdict = permit(&caller(uid), &file(perm), wanted);
        assert_eq!(verdict.is_ok(), granted, "{uid} {perm:o} {wanted}");
        if !granted {
            assert_eq!(verdict, Err(Error::Denied));
        }
    }
}

#[test]
fn in_a_sticky_directory_only_owners_remove() {
    let victim_of = |uid| Attr { uid, ..file(0o644) };
    // caller, directory's owner and mode, victim's owner
    let table = [
        (OTHER, OWNER, 0o777, MEMBER, Ok(())),
        (OTHER, OWNER, 0o1777, MEMBER, Err(Error::NotOwner)),
        (OTHER, OWNER, 0o1777, OTHER, Ok(())),
        (OTHER, OTHER, 0o1777, MEMBER, Ok(())),
        (ROOT, OWNER, 0o1777, MEMBER, Ok(())),
        (OTHER, OWNER, 0o1776, OTHER, Err(Error::Denied)),
        (OTHER, OWNER, 0o1775, OTHER, Err(Error::Denied)),
    ];
    for (uid, owner, perm, victim, verdict) in table {
        let dir = Attr {
            uid: owner,
            ..dir(perm)
        };
        assert_eq!(
            may_remove(&caller(uid), &dir, &victim_of(victim)),
            verdict,
            "{uid} in {owner}'s {perm:o} removes {victim}'s"
        );
    }
}

#[test]
fn adding_needs_write_and_search() {
    assert_eq!(may_add(&caller(OTHER), &dir(0o773)), Ok(()));
    assert_eq!(may_add(&caller(OTHER), &dir(0o772)), Err(Error::Denied));
    assert_eq!(may_add(&caller(OTHER), &dir(0o771)), Err(Error::Denied));
    assert_eq!(may_add(&caller(ROOT), &dir(0)), Ok(()));
}

#[test]
fn a_directory_moves_only_for_who_may_write_it() {
    assert_eq!(may_move(&caller(OTHER), &dir(0o755)), Err(Error::Denied));
    assert_eq!(may_move(&caller(OTHER), &file(0o600)), Ok(()));
    assert_eq!(may_move(&caller(OWNER), &dir(0o755)), Ok(()));
}

#[test]
fn only_what_one_could_use_can_be_linked() {
    let table = [
        (OTHER, file(0o666), Ok(())),
        (OTHER, file(0o664), Err(Error::NotOwner)),
        (OTHER, file(0o4666), Err(Error::NotOwner)),
        (OTHER, file(0o2676), Err(Error::NotOwner)),
        (OTHER, file(0o2666), Ok(())),
        (OTHER, attr(Kind::Fifo, 0o666), Err(Error::NotOwner)),
        (OWNER, file(0o4000), Ok(())),
        (ROOT, file(0o4000), Ok(())),
    ];
    for (uid, source, verdict) in table {
        assert_eq!(
            may_link(&caller(uid), &source),
            verdict,
            "{uid} {:o}",
            source.perm
        );
    }
}

#[test]
fn devices_are_roots_to_make() {
    for kind in [Kind::CharDevice, Kind::BlockDevice] {
        assert_eq!(may_make(&caller(OWNER), kind), Err(Error::NotOwner));
        assert_eq!(may_make(&caller(ROOT), kind), Ok(()));
    }
    for kind in [
        Kind::File,
        Kind::Directory,
        Kind::Symlink,
        Kind::Fifo,
        Kind::Socket,
    ] {
        assert_eq!(may_make(&caller(OTHER), kind), Ok(()));
    }
}

#[test]
fn a_new_inode_gets_no_group_that_its_maker_lacks() {
    let setgid = dir(0o2777);
    let table = [
        (OTHER, Kind::File, 0o2755, 0o755),
        (OTHER, Kind::File, 0o2745, 0o2745),
        (MEMBER, Kind::File, 0o2755, 0o2755),
        (HELPER, Kind::File, 0o2755, 0o2755),
        (ROOT, Kind::File, 0o2755, 0o2755),
        (OTHER, Kind::File, 0o4755, 0o4755),
        (OTHER, Kind::Directory, 0o7777, 0o1777),
    ];
    for (uid, kind, asked, got) in table {
        assert_eq!(
            new_perm(&caller(uid), &setgid, kind, asked),
            got,
            "{uid} {kind:?} {asked:o}"
        );
    }
    // Elsewhere it is left alone, and what is no permission is cut off.
    assert_eq!(
        new_perm(&caller(OTHER), &dir(0o777), Kind::File, 0o102_755),
        0o2755
    );
}

#[test]
fn writing_takes_the_privileges_of_a_program_away() {
    let table = [
        (OTHER, 0o644, None),
        (OTHER, 0o4755, Some(0o755)),
        (OWNER, 0o6755, Some(0o755)),
        (OWNER, 0o2755, Some(0o755)),
        (MEMBER, 0o2745, None),
        (OTHER, 0o2745, Some(0o745)),
        (OWNER, 0o1644, None),
        (ROOT, 0o6755, None),
    ];
    for (uid, perm, left) in table {
        assert_eq!(
            perm_after_write(&caller(uid), &file(perm)),
            left,
            "{uid} {perm:o}"
        );
    }
    assert_eq!(perm_after_write(&caller(OWNER), &dir(0o2755)), None);
}

/// What becomes of a change, as (mode, uid, gid) that are changed.
type Verdict = Result<(Option<u32>, Option<u32>, Option<u32>)>;

fn changed(uid: u32, attr: &Attr, asked: SetAttr) -> Verdict {
    changes(&caller(uid), attr, &asked, false).map(|c| (c.perm, c.uid, c.gid))
}

#[test]
fn modes_are_the_owners_to_change() {
    let chmod = |perm| SetAttr {
        perm: Some(perm),
        ..SetAttr::default()
    };
    let table = [
        (OTHER, file(0o666), 0o600, Err(Error::NotOwner)),
        (MEMBER, file(0o666), 0o600, Err(Error::NotOwner)),
        (OWNER, file(0o000), 0o4755, Ok(0o4755)),
        // Not the owner's group: the bit is dropped, the call succeeds.
        (OWNER, file(0o644), 0o2755, Ok(0o755)),
        (OWNER, dir(0o755), 0o2755, Ok(0o755)),
        (ROOT, file(0o644), 0o2755, Ok(0o2755)),
        (OWNER, file(0o644), 0o100_600, Ok(0o600)),
        (OWNER, attr(Kind::Symlink, 0o777), 0o600, Err(Error::Unsupported)),
    ];
    for (uid, attr, perm, verdict) in table {
        let verdict = verdict.map(|perm| (Some(perm), None, None));
        assert_eq!(changed(uid, &attr, chmod(perm)), verdict, "{uid} {perm:o}");
    }
}

#[test]
fn owners_are_roots_to_change_and_groups_their_members() {
    let chown = |uid, gid| SetAttr {
        uid,
        gid,
        ..SetAttr::default()
    };
    let mine = Attr {
        uid: HELPER,
        ..file(0o644)
    };
    assert_eq!(
        changed(OWNER, &file(0o644), chown(Some(OTHER), None)),
        Err(Error::NotOwner)
    );
    assert_eq!(
        changed(OTHER, &file(0o644), chown(Some(OTHER), None)),
        Err(Error::NotOwner)
    );
    assert_eq!(
        changed(OWNER, &file(0o644), chown(Some(OWNER), None)),
        Ok((None, Some(OWNER), None))
    );
    assert_eq!(
        changed(OWNER, &file(0o644), chown(None, Some(7))),
        Ok((None, None, Some(7)))
    );
    assert_eq!(
        changed(OWNER, &file(0o644), chown(None, Some(8))),
        Err(Error::NotOwner)
    );
    assert_eq!(
        changed(OTHER, &file(0o644), chown(None, Some(7))),
        Err(Error::NotOwner)
    );
    assert_eq!(
        changed(HELPER, &mine, chown(None, Some(GROUP))),
        Ok((None, None, Some(GROUP)))
    );
    assert_eq!(
        changed(ROOT, &file(0o644), chown(Some(1), Some(1))),
        Ok((None, Some(1), Some(1)))
    );
    // Privileges go, also when root does it; a directory's setgid bit is none.
    assert_eq!(
        changed(ROOT, &file(0o6755), chown(Some(1), None)),
        Ok((Some(0o755), Some(1), None))
    );
    assert_eq!(
        changed(ROOT, &file(0o2745), chown(Some(1), None)),
        Ok((None, Some(1), None))
    );
    assert_eq!(
        changed(OWNER, &file(0o6745), chown(None, Some(7))),
        Ok((Some(0o745), None, Some(7)))
    );
    assert_eq!(
        changed(ROOT, &dir(0o2755), chown(Some(1), None)),
        Ok((None, Some(1), None))
    );
}

#[test]
fn truncating_needs_write_permission_or_a_handle() {
    let cut = SetAttr {
        size: Some(0),
        ..SetAttr::default()
    };
    assert_eq!(changed(OTHER, &file(0o644), cut), Err(Error::Denied));
    assert_eq!(changes(&caller(OTHER), &file(0o644), &cut, true), Ok(cut));
    assert_eq!(changed(OTHER, &file(0o646), cut), Ok((None, None, None)));
    assert_eq!(changed(OWNER, &file(0o4755), cut), Ok((Some(0o755), None, None)));
    assert_eq!(changed(ROOT, &file(0o4755), cut), Ok((None, None, None)));
    assert_eq!(changed(ROOT, &dir(0o755), cut), Err(Error::IsDirectory));
    assert_eq!(changed(ROOT, &attr(Kind::Fifo, 0o644), cut), Err(Error::Invalid));
}

#[test]
fn times_are_the_owners_but_for_the_present() {
    let at = Some(SetTime::At(Timestamp { sec: 1, nsec: 0 }));
    let now = Some(SetTime::Now);
    let times = |atime, mtime| SetAttr {
        atime,
        mtime,
        ..SetAttr::default()
    };
    let table = [
        (OTHER, 0o666, times(now, now), Ok(())),
        (OTHER, 0o644, times(now, now), Err(Error::Denied)),
        (OTHER, 0o666, times(at, now), Err(Error::NotOwner)),
        (OTHER, 0o666, times(now, None), Err(Error::NotOwner)),
        (OTHER, 0o666, times(None, at), Err(Error::NotOwner)),
        (OWNER, 0o000, times(at, at), Ok(())),
        (OWNER, 0o000, times(now, now), Ok(())),
        (ROOT, 0o000, times(at, None), Ok(())),
        (OTHER, 0o000, times(None, None), Ok(())),
    ];
    for (uid, perm, asked, verdict) in table {
        let got = changes(&caller(uid), &file(perm), &asked, false);
        assert_eq!(got.map(|_| ()), verdict, "{uid} {perm:o} {asked:?}");
    }
}

#[test]
fn the_change_time_is_not_the_clients() {
    let asked = SetAttr {
        ctime: Some(Timestamp { sec: 1, nsec: 0 }),
        ..SetAttr::default()
    };
    assert_eq!(
        changes(&caller(ROOT), &file(0), &asked, false).unwrap().ctime,
        None
    );
}
