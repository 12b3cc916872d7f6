/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The file system side: Linux's VFS on the one hand, zuf_call() on the other.
 * What is sent when, and under which locks: docs/protocol/zuf-profile.md.
 */
#ifndef ZUF_VFS_H
#define ZUF_VFS_H

#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>

#include "../core/zuf.h"

#ifndef CONFIG_64BIT
#error "zuf keeps 64-bit inode numbers and times in longs"
#endif

struct zuf_inode {
	struct inode vfs;
	u64 nlookup;		/* references that the server counts for us */
	u64 attr_until;		/* jiffies; attributes are good until then */
	u64 attr_version;	/* of the newest attributes; under i_lock */
	atomic_t orphans;	/* the fence: see core/orphan.c */
};

static inline struct zuf_inode *ZUF_I(const struct inode *inode)
{
	return container_of(inode, struct zuf_inode, vfs);
}

static inline struct zuf_mount *zuf_mount_of(const struct super_block *sb)
{
	return sb->s_fs_info;
}

/* An operation on an inode: by default it names this one. */
#define ZUF_OP(inode_, opcode_, ...)			\
	{						\
		.opcode = (opcode_),			\
		.nodeid = (inode_)->i_ino,		\
		.sb = (inode_)->i_sb,			\
		.inodes = { (inode_) },			\
		__VA_ARGS__				\
	}

static inline int zuf_inode_call(struct inode *inode, struct zuf_op *op)
{
	return zuf_call(zuf_mount_of(inode->i_sb), op);
}

/* super.c */
extern const struct fs_parameter_spec zuf_parameters[];
int zuf_init_fs_context(struct fs_context *fc);
void zuf_kill_sb(struct super_block *sb);

/* inode.c */
int zuf_inode_init(void);
void zuf_inode_exit(void);
struct inode *zuf_alloc_inode(struct super_block *sb);
void zuf_free_inode(struct inode *inode);
void zuf_evict_inode(struct inode *inode);
/* The inode of an entry, whose reference it takes over. */
struct inode *zuf_iget(struct super_block *sb,
		       const struct fuse_entry_out *entry, u64 version);

/* attr.c */
u64 zuf_attr_version(struct zuf_mount *mount);
u64 zuf_until(u64 sec, u32 nsec);
static inline bool zuf_is_past(u64 until)
{
	return time_after_eq64(get_jiffies_64(), until);
}

bool zuf_attr_is_sound(const struct fuse_attr *attr);
void zuf_attr_take(struct inode *inode, const struct fuse_attr *attr, u64 until,
		   u64 version);
void zuf_attr_drop(struct inode *inode);
int zuf_attr_fetch(struct inode *inode);
int zuf_getattr(struct mnt_idmap *idmap, const struct path *path,
		struct kstat *stat, u32 mask, unsigned int flags);
int zuf_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
		struct iattr *attr);

/* forget.c */
void zuf_forget(struct zuf_mount *mount, u64 nodeid, u64 count);
void zuf_forget_work(struct work_struct *work);
void zuf_forget_drop(struct zuf_mount *mount);

/* dir.c, readdir.c, file.c */
extern const struct inode_operations zuf_dir_inode_operations;
extern const struct inode_operations zuf_file_inode_operations;
extern const struct dentry_operations zuf_dentry_operations;
extern const struct file_operations zuf_dir_operations;
extern const struct file_operations zuf_file_operations;
int zuf_readdir(struct file *file, struct dir_context *ctx);
int zuf_fsync(struct file *file, loff_t start, loff_t end, int datasync);

#endif
