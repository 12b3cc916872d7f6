// SPDX-License-Identifier: GPL-2.0
/*
 * Attributes: kept until they expire or an operation of ours changes them.
 *
 * A reply that was under way while something changed the inode tells of the
 * past. So each change takes a new version, and attributes are taken only if
 * they were asked for after the newest version known.
 */
#include "vfs.h"

u64 zuf_attr_version(struct zuf_mount *mount)
{
	return atomic64_read(&mount->attr_version);
}

u64 zuf_until(u64 sec, u32 nsec)
{
	u64 now = get_jiffies_64();

	if (!sec && !nsec)
		return now;
	/* A year is for ever, and does not overflow. */
	sec = min_t(u64, sec, 365 * 24 * 3600);
	return now + sec * HZ + min_t(u32, nsec, NSEC_PER_SEC) / (NSEC_PER_SEC / HZ);
}

bool zuf_attr_is_sound(const struct fuse_attr *attr)
{
	umode_t type = attr->mode & S_IFMT;

	return attr->mode <= U16_MAX && attr->size <= LLONG_MAX &&
	       attr->atimensec < NSEC_PER_SEC &&
	       attr->mtimensec < NSEC_PER_SEC &&
	       attr->ctimensec < NSEC_PER_SEC &&
	       (type == S_IFREG || type == S_IFDIR || type == S_IFLNK ||
		type == S_IFIFO || type == S_IFSOCK || type == S_IFBLK ||
		type == S_IFCHR);
}

/* What is asked for is sound, and of the inode's type. */
void zuf_attr_take(struct inode *inode, const struct fuse_attr *attr, u64 until,
		   u64 version)
{
	struct zuf_inode *zi = ZUF_I(inode);

	spin_lock(&inode->i_lock);
	if (version < zi->attr_version) {
		spin_unlock(&inode->i_lock);
		return;
	}
	zi->attr_until = until;
	inode->i_mode = attr->mode;
	inode->i_uid = make_kuid(&init_user_ns, attr->uid);
	inode->i_gid = make_kgid(&init_user_ns, attr->gid);
	set_nlink(inode, attr->nlink);
	i_size_write(inode, attr->size);
	inode->i_blocks = attr->blocks;
	inode_set_atime(inode, attr->atime, attr->atimensec);
	inode_set_mtime(inode, attr->mtime, attr->mtimensec);
	inode_set_ctime(inode, attr->ctime, attr->ctimensec);
	spin_unlock(&inode->i_lock);
}

/* An operation of ours has changed the inode. */
void zuf_attr_drop(struct inode *inode)
{
	struct zuf_mount *mount = zuf_mount_of(inode->i_sb);
	struct zuf_inode *zi = ZUF_I(inode);

	spin_lock(&inode->i_lock);
	zi->attr_version = atomic64_inc_return(&mount->attr_version);
	zi->attr_until = 0;
	spin_unlock(&inode->i_lock);
}

static int check(struct inode *inode, const struct fuse_attr_out *out)
{
	return zuf_attr_is_sound(&out->attr) &&
	       !inode_wrong_type(inode, out->attr.mode) ? 0 : -EIO;
}

int zuf_attr_fetch(struct inode *inode)
{
	u64 version = zuf_attr_version(zuf_mount_of(inode->i_sb));
	struct fuse_getattr_in in = {};
	struct fuse_attr_out out;
	struct zuf_op op = ZUF_OP(inode, FUSE_GETATTR,
				  .in = { { &in, sizeof(in) } },
				  .out = &out, .out_len = sizeof(out));
	int err = zuf_inode_call(inode, &op);

	err = err ?: check(inode, &out);
	if (!err)
		zuf_attr_take(inode, &out.attr,
			      zuf_until(out.attr_valid, out.attr_valid_nsec),
			      version);
	return err;
}

int zuf_getattr(struct mnt_idmap *idmap, const struct path *path,
		struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	unsigned int sync = flags & AT_STATX_SYNC_TYPE;
	int err = 0;

	if (sync == AT_STATX_FORCE_SYNC ||
	    (sync != AT_STATX_DONT_SYNC &&
	     zuf_is_past(READ_ONCE(ZUF_I(inode)->attr_until))))
		err = zuf_attr_fetch(inode);
	if (!err)
		generic_fillattr(idmap, mask, inode, stat);
	return err;
}

static void describe(struct inode *inode, const struct iattr *attr,
		     struct fuse_setattr_in *in)
{
	unsigned int valid = attr->ia_valid;

	if (valid & ATTR_MODE) {
		in->valid |= FATTR_MODE;
		in->mode = attr->ia_mode;
	}
	if (valid & ATTR_UID) {
		in->valid |= FATTR_UID;
		in->uid = from_kuid(&init_user_ns, attr->ia_uid);
	}
	if (valid & ATTR_GID) {
		in->valid |= FATTR_GID;
		in->gid = from_kgid(&init_user_ns, attr->ia_gid);
	}
	if (valid & ATTR_SIZE) {
		in->valid |= FATTR_SIZE;
		in->size = attr->ia_size;
	}
	if (valid & ATTR_ATIME) {
		in->valid |= FATTR_ATIME;
		in->atime = attr->ia_atime.tv_sec;
		in->atimensec = attr->ia_atime.tv_nsec;
		if (!(valid & ATTR_ATIME_SET))
			in->valid |= FATTR_ATIME_NOW;
	}
	if (valid & ATTR_MTIME) {
		in->valid |= FATTR_MTIME;
		in->mtime = attr->ia_mtime.tv_sec;
		in->mtimensec = attr->ia_mtime.tv_nsec;
		if (!(valid & ATTR_MTIME_SET))
			in->valid |= FATTR_MTIME_NOW;
	}
	if (valid & (ATTR_KILL_SUID | ATTR_KILL_SGID | ATTR_KILL_PRIV))
		in->valid |= FATTR_KILL_SUIDGID;
}

/* i_rwsem is held. */
int zuf_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
		struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct fuse_setattr_in in = {};
	struct fuse_attr_out out;
	struct zuf_op op = ZUF_OP(inode, FUSE_SETATTR,
				  .in = { { &in, sizeof(in) } },
				  .out = &out, .out_len = sizeof(out));
	int err = setattr_prepare(idmap, dentry, attr);

	if (err)
		return err;
	describe(inode, attr, &in);
	if (!in.valid)
		return 0;
	err = zuf_inode_call(inode, &op);
	err = err ?: check(inode, &out);
	/* Also when it failed: it may have been done. */
	zuf_attr_drop(inode);
	if (err)
		return err;
	zuf_attr_take(inode, &out.attr,
		      zuf_until(out.attr_valid, out.attr_valid_nsec),
		      READ_ONCE(ZUF_I(inode)->attr_version));
	if (attr->ia_valid & ATTR_SIZE)
		truncate_pagecache(inode, i_size_read(inode));
	return 0;
}
