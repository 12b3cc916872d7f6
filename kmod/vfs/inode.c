// SPDX-License-Identifier: GPL-2.0
#include <linux/slab.h>

#include "vfs.h"

static struct kmem_cache *cache;

static void init_once(void *object)
{
	struct zuf_inode *zi = object;

	inode_init_once(&zi->vfs);
}

int zuf_inode_init(void)
{
	cache = kmem_cache_create("zuf_inode", sizeof(struct zuf_inode), 0,
				  SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT,
				  init_once);
	return cache ? 0 : -ENOMEM;
}

void zuf_inode_exit(void)
{
	/* Inodes are freed after a grace period. */
	rcu_barrier();
	kmem_cache_destroy(cache);
}

struct inode *zuf_alloc_inode(struct super_block *sb)
{
	struct zuf_inode *zi = alloc_inode_sb(sb, cache, GFP_KERNEL);

	if (!zi)
		return NULL;
	zi->nlookup = 0;
	zi->attr_until = 0;
	zi->attr_version = 0;
	atomic_set(&zi->orphans, 0);
	return &zi->vfs;
}

void zuf_free_inode(struct inode *inode)
{
	kmem_cache_free(cache, ZUF_I(inode));
}

void zuf_evict_inode(struct inode *inode)
{
	struct zuf_inode *zi = ZUF_I(inode);

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (zi->nlookup)
		zuf_forget(zuf_mount_of(inode->i_sb), inode->i_ino,
			   zi->nlookup);
}

static int make(struct inode *inode, const struct fuse_entry_out *entry)
{
	inode->i_generation = entry->generation;
	inode->i_mode = entry->attr.mode & S_IFMT;
	switch (inode->i_mode) {
	case S_IFREG:
		inode->i_op = &zuf_file_inode_operations;
		inode->i_fop = &zuf_file_operations;
		return 0;
	case S_IFDIR:
		inode->i_op = &zuf_dir_inode_operations;
		inode->i_fop = &zuf_dir_operations;
		return 0;
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFBLK:
	case S_IFCHR:
		inode->i_op = &zuf_file_inode_operations;
		init_special_inode(inode, inode->i_mode,
				   new_decode_dev(entry->attr.rdev));
		return 0;
	default:
		return -EIO;
	}
}

struct inode *zuf_iget(struct super_block *sb,
		       const struct fuse_entry_out *entry, u64 version)
{
	struct zuf_mount *mount = zuf_mount_of(sb);
	struct inode *inode;
	int err = 0;

	if (!zuf_attr_is_sound(&entry->attr) ||
	    (entry->attr.mode & S_IFMT) == S_IFLNK)
		err = -EIO;
	inode = err ? NULL : iget_locked(sb, entry->nodeid);
	if (!inode) {
		zuf_forget(mount, entry->nodeid, 1);
		return ERR_PTR(err ?: -ENOMEM);
	}
	if (zuf_inode_is_new(inode)) {
		err = make(inode, entry);
	} else if (inode->i_generation != (u32)entry->generation ||
		   inode_wrong_type(inode, entry->attr.mode)) {
		/* A number used twice, which cannot be. */
		err = -EIO;
	}
	if (err) {
		zuf_forget(mount, entry->nodeid, 1);
		if (zuf_inode_is_new(inode))
			iget_failed(inode);
		else
			iput(inode);
		return ERR_PTR(err);
	}
	spin_lock(&inode->i_lock);
	ZUF_I(inode)->nlookup++;
	spin_unlock(&inode->i_lock);
	zuf_attr_take(inode, &entry->attr,
		      zuf_until(entry->attr_valid, entry->attr_valid_nsec),
		      version);
	if (zuf_inode_is_new(inode))
		unlock_new_inode(inode);
	return inode;
}
