// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/zuf: what is said through it stands in uapi/zuf.h. A descriptor's role
 * is fixed by its first ioctl, once.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "zuf.h"

/* A descriptor: a server's, a mount's, or nobody's yet. */
struct door {
	struct mutex lock; /* the choice of the role */
	struct zuf_server *server;
	struct zuf_mount *mount;
};

static const struct file_operations door_fops;

static int door_open(struct inode *inode, struct file *file)
{
	struct door *door;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	door = kzalloc(sizeof(*door), GFP_KERNEL);
	if (!door)
		return -ENOMEM;
	mutex_init(&door->lock);
	file->private_data = door;
	return 0;
}

static int door_release(struct inode *inode, struct file *file)
{
	struct door *door = file->private_data;

	if (door->server)
		zuf_server_die(door->server);
	if (door->mount) {
		zuf_mount_end(door->mount);
		zuf_mount_put(door->mount);
	}
	kfree(door);
	return 0;
}

static long do_register(struct door *door, void __user *arg)
{
	struct zuf_register what;
	struct zuf_server *server;
	long err = 0;

	if (copy_from_user(&what, arg, sizeof(what)))
		return -EFAULT;
	if (what.flags || what.reserved)
		return -EINVAL;
	if (what.major != ZUF_ABI_MAJOR) {
		pr_notice("a server speaks version %u.%u of the door, the module %u.%u\n",
			  what.major, what.minor, ZUF_ABI_MAJOR, ZUF_ABI_MINOR);
		return -EPROTO;
	}
	what.minor = ZUF_ABI_MINOR;
	server = zuf_server_new();
	if (!server)
		return -ENOMEM;
	mutex_lock(&door->lock);
	if (door->server || door->mount)
		err = -EBUSY;
	else
		smp_store_release(&door->server, server);
	mutex_unlock(&door->lock);
	if (err)
		zuf_server_put(server);
	else if (copy_to_user(arg, &what, sizeof(what)))
		err = -EFAULT;
	return err;
}

static long attach(struct door *door, struct zuf_server *server, u64 id)
{
	struct zuf_mount *mount = zuf_server_mount(server, id);
	long err = 0;

	if (!mount)
		return -ENOENT;
	mutex_lock(&door->lock);
	mutex_lock(&mount->setup);
	if (door->server || door->mount || mount->attached) {
		err = -EBUSY;
	} else {
		mount->attached = true;
		smp_store_release(&door->mount, mount);
	}
	mutex_unlock(&mount->setup);
	mutex_unlock(&door->lock);
	if (err)
		zuf_mount_put(mount);
	return err;
}

static long do_attach(struct door *door, void __user *arg)
{
	struct zuf_attach what;
	struct zuf_server *server;
	struct file *file;
	long err = -EINVAL;

	if (copy_from_user(&what, arg, sizeof(what)))
		return -EFAULT;
	if (what.reserved)
		return -EINVAL;
	file = fget(what.server);
	if (!file)
		return -EBADF;
	if (file->f_op == &door_fops) {
		struct door *other = file->private_data;

		server = smp_load_acquire(&other->server);
		if (server)
			err = attach(door, server, what.mount);
	}
	fput(file);
	return err;
}

static long server_ioctl(struct zuf_server *server, unsigned int cmd,
			 void __user *arg)
{
	struct zuf_event event = {};
	struct zuf_add_fs add;
	struct zuf_ready ready;
	long err;

	switch (cmd) {
	case ZUF_ADD_FS:
		if (copy_from_user(&add, arg, sizeof(add)))
			return -EFAULT;
		if (add.flags || add.reserved)
			return -EINVAL;
		return zuf_fstype_add(server, add.name);
	case ZUF_NEXT:
		err = zuf_server_next(server, &event);
		if (!err && copy_to_user(arg, &event, sizeof(event)))
			err = -EFAULT;
		return err;
	case ZUF_READY:
		if (copy_from_user(&ready, arg, sizeof(ready)))
			return -EFAULT;
		return zuf_server_ready(server, &ready);
	default:
		return -ENOTTY;
	}
}

static long mount_ioctl(struct zuf_mount *mount, unsigned int cmd,
			void __user *arg)
{
	struct zuf_channel channel;
	struct zuf_wait wait;
	long err;

	switch (cmd) {
	case ZUF_WAIT:
		if (copy_from_user(&wait, arg, sizeof(wait)))
			return -EFAULT;
		return zuf_chan_wait(mount, &wait);
	case ZUF_CHANNEL:
		if (copy_from_user(&channel, arg, sizeof(channel)))
			return -EFAULT;
		err = zuf_chan_new(mount, &channel);
		if (!err && copy_to_user(arg, &channel, sizeof(channel)))
			err = -EFAULT;
		return err;
	default:
		return -ENOTTY;
	}
}

static long door_ioctl(struct file *file, unsigned int cmd, unsigned long raw)
{
	struct door *door = file->private_data;
	void __user *arg = (void __user *)raw;
	struct zuf_mount *mount = smp_load_acquire(&door->mount);
	struct zuf_server *server;

	if (mount)
		return mount_ioctl(mount, cmd, arg);
	server = smp_load_acquire(&door->server);
	if (server)
		return server_ioctl(server, cmd, arg);
	switch (cmd) {
	case ZUF_REGISTER:
		return do_register(door, arg);
	case ZUF_ATTACH:
		return do_attach(door, arg);
	default:
		return -ENOTTY;
	}
}

static int door_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct door *door = file->private_data;
	struct zuf_mount *mount = smp_load_acquire(&door->mount);

	return mount ? zuf_chan_mmap(mount, vma) : -ENODEV;
}

static const struct file_operations door_fops = {
	.owner = THIS_MODULE,
	.open = door_open,
	.release = door_release,
	.unlocked_ioctl = door_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = door_mmap,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "zuf",
	.fops = &door_fops,
	.mode = 0600,
};

int zuf_door_init(void)
{
	BUILD_BUG_ON(sizeof(struct zuf_register) != 16);
	BUILD_BUG_ON(sizeof(struct zuf_add_fs) != 24);
	BUILD_BUG_ON(sizeof(struct zuf_event) != 304);
	BUILD_BUG_ON(sizeof(struct zuf_attach) != 16);
	BUILD_BUG_ON(sizeof(struct zuf_channel) != 32);
	BUILD_BUG_ON(sizeof(struct zuf_ready) != 16);
	BUILD_BUG_ON(sizeof(struct zuf_wait) != 16);
	return misc_register(&device);
}

void zuf_door_exit(void)
{
	misc_deregister(&device);
}
