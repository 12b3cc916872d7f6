/* SPDX-License-Identifier: GPL-2.0 */
/* All that differs between the kernels that the module is built for. */
#ifndef ZUF_COMPAT_H
#define ZUF_COMPAT_H

#include <linux/fs.h>
#include <linux/version.h>

/* 6.17: default dentry operations are set by a function. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#define zuf_set_dentry_operations(sb, ops) ((sb)->s_d_op = (ops))
#else
#define zuf_set_dentry_operations(sb, ops) set_default_d_op(sb, ops)
#endif

/* 6.14: d_revalidate is told the directory and the name. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
#define zuf_compat_revalidate zuf_revalidate_6_13
#define ZUF_COMPAT_REVALIDATE(func)					\
static int zuf_revalidate_6_13(struct dentry *dentry, unsigned int flags) \
{									\
	struct dentry *parent;						\
	int valid;							\
									\
	if (flags & LOOKUP_RCU)						\
		return func(NULL, NULL, dentry, flags);			\
	parent = dget_parent(dentry);					\
	valid = func(d_inode(parent), &dentry->d_name, dentry, flags);	\
	dput(parent);							\
	return valid;							\
}
#else
#define zuf_compat_revalidate zuf_revalidate
#define ZUF_COMPAT_REVALIDATE(func)
#endif

/* 6.15: mkdir returns a dentry if it is another one. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#define ZUF_COMPAT_MKDIR(func)						\
static int zuf_compat_mkdir(struct mnt_idmap *idmap, struct inode *dir,	\
			    struct dentry *dentry, umode_t mode)	\
{									\
	return func(idmap, dir, dentry, mode);				\
}
#else
#define ZUF_COMPAT_MKDIR(func)						\
static struct dentry *zuf_compat_mkdir(struct mnt_idmap *idmap,		\
				       struct inode *dir,		\
				       struct dentry *dentry,		\
				       umode_t mode)			\
{									\
	return ERR_PTR(func(idmap, dir, dentry, mode));			\
}
#endif

/* 7.0: create is always exclusive, and no longer told so. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define ZUF_COMPAT_CREATE(func)						\
static int zuf_compat_create(struct mnt_idmap *idmap, struct inode *dir, \
			     struct dentry *dentry, umode_t mode,	\
			     bool excl)					\
{									\
	return func(idmap, dir, dentry, mode);				\
}
#else
#define zuf_compat_create zuf_create
#define ZUF_COMPAT_CREATE(func)
#endif

/* 6.19: the inode's state is hidden. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define zuf_inode_is_new(inode) ((inode)->i_state & I_NEW)
#else
#define zuf_inode_is_new(inode) (inode_state_read_once(inode) & I_NEW)
#endif

#endif
