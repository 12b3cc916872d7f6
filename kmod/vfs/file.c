// SPDX-License-Identifier: GPL-2.0
/*
 * Files whose data the server holds: each read and write is handed over, and
 * copied through the channel's window. Nothing is cached.
 */
#include <linux/uio.h>

#include "vfs.h"

static int zuf_open(struct inode *inode, struct file *file)
{
	/* Every transfer is direct, so asking for that is granted. */
	file->f_mode |= FMODE_CAN_ODIRECT;
	return generic_file_open(inode, file);
}

static int read_some(struct inode *inode, loff_t pos, u32 len,
		     struct iov_iter *to)
{
	struct fuse_read_in in = { .offset = pos, .size = len };
	struct zuf_op op = ZUF_OP(inode, FUSE_READ,
				  .in = { { &in, sizeof(in) } },
				  .to = to, .to_max = len);

	return zuf_inode_call(inode, &op);
}

static ssize_t zuf_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	u32 window = zuf_mount_of(inode->i_sb)->max_write;
	ssize_t done = 0;

	while (iov_iter_count(to)) {
		u32 len = min_t(size_t, iov_iter_count(to), window);
		int got = read_some(inode, iocb->ki_pos, len, to);

		if (got < 0)
			return done ?: got;
		iocb->ki_pos += got;
		done += got;
		if (got < len)
			break;
	}
	return done;
}

static int write_some(struct inode *inode, loff_t pos, u32 len, u32 flags,
		      struct iov_iter *from)
{
	struct fuse_write_in in = {
		.offset = pos,
		.size = len,
		.write_flags = flags,
	};
	struct fuse_write_out out;
	struct zuf_op op = ZUF_OP(inode, FUSE_WRITE,
				  .in = { { &in, sizeof(in) } },
				  .from = from, .from_len = len,
				  .out = &out, .out_len = sizeof(out));
	int err = zuf_inode_call(inode, &op);

	if (!err && out.size > len)
		err = -EIO;
	return err ?: out.size;
}

/* A set-ID bit goes with the first write, if its writer may not keep it. */
static u32 write_flags(struct kiocb *iocb, struct inode *inode)
{
	bool drops = !IS_NOSEC(inode) &&
		setattr_should_drop_suidgid(file_mnt_idmap(iocb->ki_filp),
					    inode) &&
		!capable(CAP_FSETID);

	return drops ? FUSE_WRITE_KILL_SUIDGID : 0;
}

static ssize_t write_locked(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	u32 window = zuf_mount_of(inode->i_sb)->max_write;
	ssize_t done = generic_write_checks(iocb, from);
	u32 flags;
	int got = 0;

	if (done <= 0)
		return done;
	flags = write_flags(iocb, inode);
	for (done = 0; iov_iter_count(from); done += got) {
		u32 len = min_t(size_t, iov_iter_count(from), window);

		got = write_some(inode, iocb->ki_pos, len, flags, from);
		zuf_attr_drop(inode);
		if (got <= 0)
			break;
		iocb->ki_pos += got;
		if (iocb->ki_pos > i_size_read(inode))
			i_size_write(inode, iocb->ki_pos);
		if (got < len) {
			iov_iter_revert(from, len - got);
			done += got;
			break;
		}
	}
	return done ?: got;
}

static ssize_t zuf_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t done;

	inode_lock(inode);
	/* Where the end is must be known to append there. */
	if (iocb->ki_flags & IOCB_APPEND &&
	    zuf_is_past(ZUF_I(inode)->attr_until)) {
		done = zuf_attr_fetch(inode);
		if (done)
			goto out;
	}
	done = write_locked(iocb, from);
out:
	inode_unlock(inode);
	return done > 0 ? generic_write_sync(iocb, done) : done;
}

int zuf_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	struct fuse_fsync_in in = {
		.fsync_flags = datasync ? FUSE_FSYNC_FDATASYNC : 0,
	};
	struct zuf_op op = ZUF_OP(inode, S_ISDIR(inode->i_mode) ?
					 FUSE_FSYNCDIR : FUSE_FSYNC,
				  .in = { { &in, sizeof(in) } });

	return zuf_inode_call(inode, &op);
}

const struct inode_operations zuf_file_inode_operations = {
	.getattr = zuf_getattr,
	.setattr = zuf_setattr,
};

const struct file_operations zuf_file_operations = {
	.open = zuf_open,
	.llseek = generic_file_llseek,
	.read_iter = zuf_read_iter,
	.write_iter = zuf_write_iter,
	.fsync = zuf_fsync,
	.splice_read = copy_splice_read,
	.splice_write = iter_file_splice_write,
};
