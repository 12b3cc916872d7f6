// SPDX-License-Identifier: GPL-2.0
/* Listings: the server fills the window with entries, which are copied first. */
#include <linux/slab.h>

#include "vfs.h"

#define LISTING 32768

/* One entry, if there is a whole and sound one; its length in *len. */
static const struct fuse_dirent *entry_at(const void *from, size_t room,
					  size_t *len)
{
	const struct fuse_dirent *entry = from;

	if (room < FUSE_NAME_OFFSET)
		return NULL;
	*len = FUSE_DIRENT_SIZE(entry);
	if (!entry->namelen || entry->namelen > NAME_MAX || *len > room ||
	    memchr(entry->name, '/', entry->namelen) ||
	    memchr(entry->name, 0, entry->namelen))
		return NULL;
	return entry;
}

static int emit(struct dir_context *ctx, const void *from, size_t len)
{
	while (len) {
		const struct fuse_dirent *entry;
		size_t entry_len;

		entry = entry_at(from, len, &entry_len);
		if (!entry)
			return -EIO;
		if (!dir_emit(ctx, entry->name, entry->namelen, entry->ino,
			      entry->type))
			return 1;
		ctx->pos = entry->off;
		from += entry_len;
		len -= entry_len;
	}
	return 0;
}

int zuf_readdir(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	void *buffer = kvmalloc(LISTING, GFP_KERNEL);
	int got;

	if (!buffer)
		return -ENOMEM;
	do {
		struct fuse_read_in in = { .offset = ctx->pos, .size = LISTING };
		struct zuf_op op = ZUF_OP(dir, FUSE_READDIR,
					  .in = { { &in, sizeof(in) } },
					  .to_buffer = buffer,
					  .to_max = LISTING);

		got = zuf_inode_call(dir, &op);
		if (got <= 0)
			break;
		got = emit(ctx, buffer, got);
	} while (!got && !fatal_signal_pending(current));
	kvfree(buffer);
	return min(got, 0);
}
