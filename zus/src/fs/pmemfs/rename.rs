// SPDX-License-Identifier: MIT
//! Rename.
//!
//! Locks are taken down the tree: a directory before what is in it. Of two directories neither of which is
//! above the other, and of two things that are no directories, the one with the lower number comes first.
//! Only a rename between directories locks directories beside each other and changes who is above whom, so
//! those exclude each other: see `docs/pmemfs.md`.

use std::sync::Arc;

use super::Pmemfs;
use super::directory::Found;
use super::edit::Edit;
use super::medium::lock;
use super::medium::tx::Tx;
use super::node::Node;
use crate::fs::{Error, Ino, Kind, Name, ROOT, RenameMode, Result};

/// How deep a directory can be before the tree must be a loop.
const MAX_DEPTH: usize = 1 << 20;

impl Pmemfs {
    pub(super) fn rename_name(
        &self,
        parents: [Ino; 2],
        names: [Name<'_>; 2],
        mode: RenameMode,
    ) -> Result<()> {
        let nodes = [self.node(parents[0])?, self.node(parents[1])?];
        if parents[0] == parents[1] {
            let dirs = Dirs::One(Edit::directory(self, &nodes[0])?);
            return self.rename_in(dirs, names, mode, &[Vec::new(), Vec::new()]);
        }
        let _moving = lock(&self.moving);
        let above = [self.above(parents[0])?, self.above(parents[1])?];
        let first_first =
            above[1].contains(&parents[0]) || !above[0].contains(&parents[1]) && parents[0] < parents[1];
        let dirs = if first_first {
            let first = Edit::directory(self, &nodes[0])?;
            Dirs::Two(first, Edit::directory(self, &nodes[1])?)
        } else {
            let second = Edit::directory(self, &nodes[1])?;
            Dirs::Two(Edit::directory(self, &nodes[0])?, second)
        };
        self.rename_in(dirs, names, mode, &above)
    }

    /// A directory and all above it.
    fn above(&self, dir: Ino) -> Result<Vec<Ino>> {
        let mut above = vec![dir];
        let mut at = dir;
        while at != ROOT {
            let node = self.node(at)?;
            let state = node.read();
            state.directory()?;
            at = state.inode.parent;
            above.push(at);
            if above.len() > MAX_DEPTH {
                return Err(Error::Io);
            }
        }
        Ok(above)
    }

    fn rename_in(
        &self,
        mut dirs: Dirs<'_>,
        names: [Name<'_>; 2],
        mode: RenameMode,
        above: &[Vec<Ino>; 2],
    ) -> Result<()> {
        let source = dirs.from().find(self, names[0])?.ok_or(Error::NotFound)?;
        let target = dirs.to().find(self, names[1])?;
        match (mode, target) {
            (RenameMode::NoReplace, Some(_)) => return Err(Error::Exists),
            (RenameMode::Exchange, None) => return Err(Error::NotFound),
            _ => {}
        }
        if target.is_some_and(|target| target.ino == source.ino) {
            return Ok(()); // two names of one inode stay as they are
        }
        if above[1].contains(&source.ino) {
            return Err(Error::Invalid);
        }
        if let Some(target) = target
            && above[0].contains(&target.ino)
        {
            return Err(if mode == RenameMode::Exchange {
                Error::Invalid
            } else {
                Error::NotEmpty
            });
        }
        let moved = self.child(dirs.to().node.ino, source)?;
        if source.ino == dirs.from().node.ino {
            return Err(Error::Io);
        }
        match target {
            None => self.move_to(dirs, names, source, &moved),
            Some(target) => {
                let other = self.child(dirs.from().node.ino, target)?;
                if mode == RenameMode::Exchange {
                    self.exchange(dirs, [source, target], [&moved, &other])
                } else {
                    self.move_over(dirs, [source, target], [&moved, &other])
                }
            }
        }
    }

    /// Moves to a name that is free.
    fn move_to(
        &self,
        mut dirs: Dirs<'_>,
        names: [Name<'_>; 2],
        source: Found,
        moved: &Arc<Node>,
    ) -> Result<()> {
        let mut moved = Edit::of(moved)?;
        let mut tx = Tx::new(&self.medium)?;
        dirs.to().insert(&mut tx, names[1], source.ino, source.kind)?;
        dirs.from().remove(&mut tx, source)?;
        dirs.carry(&mut moved, source.kind)?;
        moved.changed();
        moved.write(&mut tx)?;
        dirs.write(&mut tx)?;
        tx.commit()?;
        dirs.done();
        moved.done();
        Ok(())
    }

    /// Moves to a name that something else loses.
    fn move_over(&self, mut dirs: Dirs<'_>, found: [Found; 2], nodes: [&Arc<Node>; 2]) -> Result<()> {
        let [source, target] = found;
        match (source.kind == Kind::Directory, target.kind == Kind::Directory) {
            (true, false) => return Err(Error::NotDirectory),
            (false, true) => return Err(Error::IsDirectory),
            _ => {}
        }
        let (mut moved, mut victim) = if nodes[0].ino < nodes[1].ino {
            let moved = Edit::of(nodes[0])?;
            (moved, self.victim(nodes[1], target.kind)?)
        } else {
            let victim = self.victim(nodes[1], target.kind)?;
            (Edit::of(nodes[0])?, victim)
        };
        let mut tx = Tx::new(&self.medium)?;
        dirs.to().replace(&mut tx, target, source.ino, source.kind)?;
        dirs.from().remove(&mut tx, source)?;
        dirs.carry(&mut moved, source.kind)?;
        if target.kind == Kind::Directory {
            dirs.to().unlink()?;
        }
        moved.changed();
        moved.write(&mut tx)?;
        victim.write(&mut tx)?;
        dirs.write(&mut tx)?;
        tx.commit()?;
        dirs.done();
        moved.done();
        victim.done();
        drop((dirs, moved));
        self.finish_if_last(victim)
    }

    /// Swaps what two names mean.
    fn exchange(&self, mut dirs: Dirs<'_>, found: [Found; 2], nodes: [&Arc<Node>; 2]) -> Result<()> {
        let [source, target] = found;
        let kinds_first = (source.kind != Kind::Directory, nodes[0].ino);
        let (mut moved, mut other) = if kinds_first < (target.kind != Kind::Directory, nodes[1].ino) {
            let moved = Edit::of(nodes[0])?;
            (moved, Edit::of(nodes[1])?)
        } else {
            let other = Edit::of(nodes[1])?;
            (Edit::of(nodes[0])?, other)
        };
        let mut tx = Tx::new(&self.medium)?;
        dirs.to().replace(&mut tx, target, source.ino, source.kind)?;
        dirs.from().replace(&mut tx, source, target.ino, target.kind)?;
        dirs.carry(&mut moved, source.kind)?;
        dirs.carry_back(&mut other, target.kind)?;
        moved.changed();
        other.changed();
        moved.write(&mut tx)?;
        other.write(&mut tx)?;
        dirs.write(&mut tx)?;
        tx.commit()?;
        dirs.done();
        moved.done();
        other.done();
        Ok(())
    }
}

/// The directories of a rename.
enum Dirs<'n> {
    /// It is the same.
    One(Edit<'n>),
    /// From the first to the second.
    Two(Edit<'n>, Edit<'n>),
}

impl<'n> Dirs<'n> {
    fn from(&mut self) -> &mut Edit<'n> {
        match self {
            Self::One(dir) | Self::Two(dir, _) => dir,
        }
    }

    fn to(&mut self) -> &mut Edit<'n> {
        match self {
            Self::One(dir) | Self::Two(_, dir) => dir,
        }
    }

    /// `moved` goes from the first to the second: counts what its `..` is.
    fn carry(&mut self, moved: &mut Edit<'_>, kind: Kind) -> Result<()> {
        let Self::Two(from, to) = self else {
            return Ok(());
        };
        carry(from, to, moved, kind)
    }

    /// `moved` goes from the second to the first.
    fn carry_back(&mut self, moved: &mut Edit<'_>, kind: Kind) -> Result<()> {
        let Self::Two(from, to) = self else {
            return Ok(());
        };
        carry(to, from, moved, kind)
    }

    fn write(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        self.from().modified();
        self.from().write(tx)?;
        if let Self::Two(_, to) = self {
            to.modified();
            to.write(tx)?;
        }
        Ok(())
    }

    fn done(&mut self) {
        self.from().done();
        if let Self::Two(_, to) = self {
            to.done();
        }
    }
}

fn carry(from: &mut Edit<'_>, to: &mut Edit<'_>, moved: &mut Edit<'_>, kind: Kind) -> Result<()> {
    if kind == Kind::Directory {
        from.unlink()?;
        to.draft.nlink = to.draft.nlink.checked_add(1).ok_or(Error::TooManyLinks)?;
        moved.draft.parent = to.node.ino;
    }
    Ok(())
}
