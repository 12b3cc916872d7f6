// SPDX-License-Identifier: GPL-2.0
/* Names. */
#include <linux/namei.h>

#include "vfs.h"

static struct zuf_arg name_arg(const struct qstr *name)
{
	/* Names of the dcache end in a NUL, which is sent. */
	return (struct zuf_arg){ name->name, name->len + 1 };
}

static void set_until(struct dentry *dentry, const struct fuse_entry_out *entry)
{
	dentry->d_time = zuf_until(entry->entry_valid, entry->entry_valid_nsec);
}

static int ask(struct inode *dir, const struct qstr *name,
	       struct fuse_entry_out *entry)
{
	struct zuf_op op = ZUF_OP(dir, FUSE_LOOKUP,
				  .in = { name_arg(name) },
				  .out = entry, .out_len = sizeof(*entry),
				  .entry = true);

	return zuf_inode_call(dir, &op);
}

static struct dentry *zuf_lookup(struct inode *dir, struct dentry *dentry,
				 unsigned int flags)
{
	u64 version = zuf_attr_version(zuf_mount_of(dir->i_sb));
	struct fuse_entry_out entry = {};
	struct inode *inode = NULL;
	struct dentry *other;
	int err;

	if (dentry->d_name.len > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	err = ask(dir, &dentry->d_name, &entry);
	if (err && err != -ENOENT)
		return ERR_PTR(err);
	if (err)
		entry = (struct fuse_entry_out){};
	else if (entry.nodeid)
		inode = zuf_iget(dir->i_sb, &entry, version);
	other = d_splice_alias(inode, dentry);
	if (IS_ERR(other))
		return other;
	set_until(other ?: dentry, &entry);
	return other;
}

static int zuf_revalidate(struct inode *dir, const struct qstr *name,
			  struct dentry *dentry, unsigned int flags)
{
	u64 version = zuf_attr_version(zuf_mount_of(dentry->d_sb));
	struct inode *inode = d_inode_rcu(dentry);
	struct fuse_entry_out entry;
	int err;

	if (!zuf_is_past(READ_ONCE(dentry->d_time)))
		return 1;
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	/* A name that was missing is asked for anew. */
	if (!inode)
		return 0;
	err = ask(dir, name, &entry);
	if (err == -ENOMEM || err == -EINTR)
		return err;
	if (err || !entry.nodeid)
		return 0;
	if (entry.nodeid != inode->i_ino ||
	    (u32)entry.generation != inode->i_generation ||
	    !zuf_attr_is_sound(&entry.attr) ||
	    inode_wrong_type(inode, entry.attr.mode)) {
		zuf_forget(zuf_mount_of(dentry->d_sb), entry.nodeid, 1);
		return 0;
	}
	spin_lock(&inode->i_lock);
	ZUF_I(inode)->nlookup++;
	spin_unlock(&inode->i_lock);
	zuf_attr_take(inode, &entry.attr,
		      zuf_until(entry.attr_valid, entry.attr_valid_nsec),
		      version);
	set_until(dentry, &entry);
	return 1;
}

ZUF_COMPAT_REVALIDATE(zuf_revalidate)

const struct dentry_operations zuf_dentry_operations = {
	.d_revalidate = zuf_compat_revalidate,
};

/* Makes something, as op says, which lacks only the reply. */
static int make(struct inode *dir, struct dentry *dentry, struct zuf_op *op,
		umode_t type)
{
	u64 version = zuf_attr_version(zuf_mount_of(dir->i_sb));
	struct fuse_entry_out entry;
	struct inode *inode;
	int err;

	if (dentry->d_name.len > NAME_MAX)
		return -ENAMETOOLONG;
	op->out = &entry;
	op->out_len = sizeof(entry);
	op->entry = true;
	err = zuf_inode_call(dir, op);
	zuf_attr_drop(dir);
	if (err)
		return err;
	if (entry.nodeid <= FUSE_ROOT_ID ||
	    (entry.attr.mode & S_IFMT) != type)
		return -EIO;
	inode = zuf_iget(dir->i_sb, &entry, version);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	d_instantiate(dentry, inode);
	set_until(dentry, &entry);
	return 0;
}

static int zuf_mknod(struct mnt_idmap *idmap, struct inode *dir,
		     struct dentry *dentry, umode_t mode, dev_t rdev)
{
	struct fuse_mknod_in in = {
		.mode = mode,
		.rdev = new_encode_dev(rdev),
		.umask = current_umask(),
	};
	struct zuf_op op = ZUF_OP(dir, FUSE_MKNOD,
				  .in = { { &in, sizeof(in) },
					  name_arg(&dentry->d_name) });

	return make(dir, dentry, &op, mode & S_IFMT);
}

static int zuf_create(struct mnt_idmap *idmap, struct inode *dir,
		      struct dentry *dentry, umode_t mode)
{
	return zuf_mknod(idmap, dir, dentry, (mode & S_IALLUGO) | S_IFREG, 0);
}

static int zuf_mkdir(struct mnt_idmap *idmap, struct inode *dir,
		     struct dentry *dentry, umode_t mode)
{
	struct fuse_mkdir_in in = { .mode = mode, .umask = current_umask() };
	struct zuf_op op = ZUF_OP(dir, FUSE_MKDIR,
				  .in = { { &in, sizeof(in) },
					  name_arg(&dentry->d_name) });

	return make(dir, dentry, &op, S_IFDIR);
}

ZUF_COMPAT_CREATE(zuf_create)
ZUF_COMPAT_MKDIR(zuf_mkdir)

static int drop(struct inode *dir, struct dentry *dentry, u32 opcode)
{
	struct inode *inode = d_inode(dentry);
	struct zuf_op op = ZUF_OP(dir, opcode,
				  .in = { name_arg(&dentry->d_name) });
	int err;

	op.inodes[1] = inode;
	err = zuf_inode_call(dir, &op);
	zuf_attr_drop(dir);
	zuf_attr_drop(inode);
	if (err) {
		/* It may have been done: the name is to be asked for anew. */
		if (err == -EINTR || err == -ENOTCONN)
			dentry->d_time = 0;
		return err;
	}
	if (opcode == FUSE_RMDIR)
		clear_nlink(inode);
	else if (inode->i_nlink)
		drop_nlink(inode);
	return 0;
}

static int zuf_unlink(struct inode *dir, struct dentry *dentry)
{
	return drop(dir, dentry, FUSE_UNLINK);
}

static int zuf_rmdir(struct inode *dir, struct dentry *dentry)
{
	return drop(dir, dentry, FUSE_RMDIR);
}

const struct inode_operations zuf_dir_inode_operations = {
	.lookup = zuf_lookup,
	.create = zuf_compat_create,
	.mknod = zuf_mknod,
	.mkdir = zuf_compat_mkdir,
	.unlink = zuf_unlink,
	.rmdir = zuf_rmdir,
	.getattr = zuf_getattr,
	.setattr = zuf_setattr,
};

const struct file_operations zuf_dir_operations = {
	.llseek = generic_file_llseek,
	.read = generic_read_dir,
	.iterate_shared = zuf_readdir,
	.fsync = zuf_fsync,
};
