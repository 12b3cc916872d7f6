// SPDX-License-Identifier: MIT
//! From a path to an inode: what a kernel's path walk does, over the two operations that the protocol has
//! for it.
//!
//! The root of the mount is the root of every path, also of a relative one and of the target of an absolute
//! symbolic link; ".." ends there. The walk keeps the directories that it came through, so ".." needs no
//! help from the server.

use std::io;

/// The longest path in bytes, as Linux has it; also of a path and what its links expand to.
pub const PATH_MAX: usize = 4095;
/// Most symbolic links in one walk, as Linux has it.
pub const LINKS_MAX: u32 = 40;
const NAME_MAX: usize = 255;

/// What can be walked: the server's inodes, or a tree in a test.
pub trait Tree {
    /// An inode, kept alive as long as this is.
    type Node;

    /// The root directory.
    fn root(&self) -> Self::Node;
    /// The inode called `name` in `dir`.
    fn lookup(&self, dir: &Self::Node, name: &[u8]) -> io::Result<Self::Node>;
    /// What a symbolic link holds.
    fn readlink(&self, link: &Self::Node) -> io::Result<Vec<u8>>;
    /// What an inode is.
    fn kind(&self, node: &Self::Node) -> Kind;
}

/// What matters to a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Has names in it.
    Directory,
    /// Leads elsewhere.
    Symlink,
    /// Neither.
    Other,
}

/// How to treat the last component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// Look it up, and go where it leads if it is a symbolic link.
    Follow,
    /// Look it up.
    NoFollow,
    /// It is to be made or removed: do not even look.
    Name,
}

/// Where a path leads.
#[derive(Debug)]
pub enum Place<N> {
    /// To a directory by way of no name: the path is the root, or ends in "." or "..".
    Directory(N),
    /// To a name.
    Name {
        /// The directory that it is in.
        dir: N,
        /// The name.
        name: Vec<u8>,
        /// What it names, if that was to be looked up and is there.
        found: Option<N>,
        /// Whether a slash follows, so that nothing but a directory will do.
        slash: bool,
    },
}

impl<N> Place<N> {
    /// What is there.
    pub fn found(self) -> io::Result<N> {
        match self {
            Place::Directory(node) => Ok(node),
            Place::Name { found, .. } => found.ok_or_else(|| os(libc::ENOENT)),
        }
    }
}

/// Walks `path`.
pub fn walk<T: Tree>(tree: &T, path: &[u8], last: Last) -> io::Result<Place<T::Node>> {
    if path.is_empty() {
        return Err(os(libc::ENOENT));
    }
    if path.len() > PATH_MAX {
        return Err(os(libc::ENAMETOOLONG));
    }
    if path.contains(&0) {
        return Err(os(libc::EINVAL));
    }
    let mut slash = path.ends_with(b"/");
    // What is still to be walked, the next component at the end.
    let mut ahead: Vec<Vec<u8>> = components(path);
    // The directories from the root to where we are, that one included.
    let mut dirs = vec![tree.root()];
    let mut links = 0;

    while let Some(name) = ahead.pop() {
        if name == b"." {
            continue;
        }
        if name == b".." {
            if dirs.len() > 1 {
                dirs.pop();
            }
            continue;
        }
        if name.len() > NAME_MAX {
            return Err(os(libc::ENAMETOOLONG));
        }
        let dir = dirs.last().expect("the root stays");
        let is_last = ahead.is_empty();
        if is_last && last == Last::Name {
            return Ok(named(dirs, name, None, slash));
        }
        let node = match tree.lookup(dir, &name) {
            Ok(node) => node,
            Err(e) if is_last && e.raw_os_error() == Some(libc::ENOENT) => {
                return Ok(named(dirs, name, None, slash));
            }
            Err(e) => return Err(e),
        };
        match tree.kind(&node) {
            Kind::Symlink if !is_last || slash || last == Last::Follow => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(os(libc::ELOOP));
                }
                let target = tree.readlink(&node)?;
                if target.is_empty() {
                    return Err(os(libc::ENOENT));
                }
                if target.starts_with(b"/") {
                    dirs.truncate(1);
                }
                slash |= is_last && target.ends_with(b"/");
                ahead.extend(components(&target));
                if ahead.iter().map(|c| c.len() + 1).sum::<usize>() > PATH_MAX {
                    return Err(os(libc::ENAMETOOLONG));
                }
            }
            kind if is_last => {
                if slash && kind != Kind::Directory {
                    return Err(os(libc::ENOTDIR));
                }
                return Ok(named(dirs, name, Some(node), slash));
            }
            Kind::Directory => dirs.push(node),
            _ => return Err(os(libc::ENOTDIR)),
        }
    }
    Ok(Place::Directory(dirs.pop().expect("the root stays")))
}

/// The components of a path in reverse.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> = path
        .split(|&b| b == b'/')
        .filter(|part| !part.is_empty())
        .map(<[u8]>::to_vec)
        .collect();
    parts.reverse();
    parts
}

fn named<N>(mut dirs: Vec<N>, name: Vec<u8>, found: Option<N>, slash: bool) -> Place<N> {
    Place::Name {
        dir: dirs.pop().expect("the root stays"),
        name,
        found,
        slash,
    }
}

/// The error for an errno.
pub fn os(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// What a path leads to in a tree in memory: directories by name, links by target.
    enum Item {
        Dir,
        File,
        Link(&'static str),
    }

    struct Memory(HashMap<String, Item>);

    /// Nodes are full paths, the root's is empty.
    impl Tree for Memory {
        type Node = String;

        fn root(&self) -> String {
            String::new()
        }

        fn lookup(&self, dir: &String, name: &[u8]) -> io::Result<String> {
            let path = format!("{dir}/{}", std::str::from_utf8(name).unwrap());
            match self.0.contains_key(&path) {
                true => Ok(path),
                false => Err(os(libc::ENOENT)),
            }
        }

        fn readlink(&self, link: &String) -> io::Result<Vec<u8>> {
            match self.0[link] {
                Item::Link(target) => Ok(target.into()),
                _ => Err(os(libc::EINVAL)),
            }
        }

        fn kind(&self, node: &String) -> Kind {
            match self.0.get(node) {
                None | Some(Item::Dir) => Kind::Directory,
                Some(Item::Link(_)) => Kind::Symlink,
                Some(Item::File) => Kind::Other,
            }
        }
    }

    fn tree() -> Memory {
        let items = [
            ("/a", Item::Dir),
            ("/a/b", Item::Dir),
            ("/a/b/f", Item::File),
            ("/f", Item::File),
            ("/down", Item::Link("a/b")),
            ("/a/up", Item::Link("../f")),
            ("/a/abs", Item::Link("/a/b")),
            ("/a/b/out", Item::Link("../../../../a/b/f")),
            ("/loop", Item::Link("loop")),
            ("/dangling", Item::Link("a/new")),
            ("/slashed", Item::Link("f/")),
            ("/empty", Item::Link("")),
            ("/chain", Item::Link("down/../up")),
        ];
        Memory(items.into_iter().map(|(k, v)| (k.to_string(), v)).collect())
    }

    /// Where a path leads, in one line: "=node", "dir + name" if it is not there, or the errno.
    fn lead(path: &str, last: Last) -> String {
        match walk(&tree(), path.as_bytes(), last) {
            Ok(Place::Directory(node)) => format!("={node}"),
            Ok(Place::Name {
                found: Some(node), ..
            }) => format!("={node}"),
            Ok(Place::Name { dir, name, .. }) => format!("{dir} + {}", String::from_utf8(name).unwrap()),
            Err(e) => format!("{}", -e.raw_os_error().unwrap()),
        }
    }

    #[test]
    fn paths_lead_where_the_kernel_says() {
        let table = [
            ("/", "="),
            (".", "="),
            ("..", "="),
            ("a", "=/a"),
            ("/a/", "=/a"),
            ("//a//b/./f", "=/a/b/f"),
            ("a/b/..", "=/a"),
            ("a/b/../../f", "=/f"),
            ("a/../../..", "="),
            ("f/", "-20"),
            ("f/x", "-20"),
            ("f/.", "-20"),
            ("f/..", "-20"),
            ("missing/x", "-2"),
            ("missing", " + missing"),
            ("a/missing", "/a + missing"),
            ("", "-2"),
            ("down", "=/a/b"),
            ("down/f", "=/a/b/f"),
            ("down/..", "=/a"),
            ("a/up", "=/f"),
            ("a/up/", "-20"),
            ("a/abs/f", "=/a/b/f"),
            ("a/b/out", "=/a/b/f"),
            ("loop", "-40"),
            ("loop/x", "-40"),
            ("dangling", "/a + new"),
            ("slashed", "-20"),
            ("empty", "-2"),
            ("chain", "=/f"),
        ];
        for (path, place) in table {
            assert_eq!(lead(path, Last::Follow), place, "{path}");
        }
    }

    #[test]
    fn the_last_link_is_followed_only_if_asked_or_slashed() {
        assert_eq!(lead("down", Last::NoFollow), "=/down");
        assert_eq!(lead("down/", Last::NoFollow), "=/a/b");
        assert_eq!(lead("loop", Last::NoFollow), "=/loop");
        assert_eq!(lead("a/abs/../up", Last::NoFollow), "=/a/up");
    }

    #[test]
    fn a_name_to_be_made_is_not_looked_up() {
        assert_eq!(lead("a/b", Last::Name), "/a + b");
        assert_eq!(lead("down/f", Last::Name), "/a/b + f");
        assert_eq!(lead("a/new/", Last::Name), "/a + new");
        assert_eq!(lead("f/new", Last::Name), "-20");
        assert_eq!(lead("a/.", Last::Name), "=/a");
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert_eq!(lead(&"x".repeat(256), Last::Follow), "-36");
        assert_eq!(lead(&"./".repeat(3000), Last::Follow), "-36");
        assert_eq!(lead("a\0b", Last::Follow), "-22");
    }
}
