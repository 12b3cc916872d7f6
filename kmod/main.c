// SPDX-License-Identifier: GPL-2.0
/* The module: a start list and its mirror image. */

#include <linux/init.h>
#include <linux/module.h>

#include "core/zuf.h"
#include "vfs/vfs.h"

static int __init zuf_init(void)
{
	int err;

	err = zuf_orphan_init();
	if (err)
		return err;
	err = zuf_inode_init();
	if (err)
		goto orphan;
	err = zuf_sysfs_init();
	if (err)
		goto inode;
	err = zuf_door_init();
	if (err)
		goto sysfs;
	return 0;

sysfs:
	zuf_sysfs_exit();
inode:
	zuf_inode_exit();
orphan:
	zuf_orphan_exit();
	return err;
}

static void __exit zuf_exit(void)
{
	zuf_door_exit();
	zuf_fstype_exit();
	zuf_orphan_exit();
	zuf_sysfs_exit();
	zuf_inode_exit();
}

module_init(zuf_init);
module_exit(zuf_exit);

MODULE_DESCRIPTION("zufs: file systems in user space over the relay");
MODULE_AUTHOR("The zufs authors");
MODULE_VERSION("0.1.0");
MODULE_LICENSE("GPL");
MODULE_ALIAS("devname:zuf");
