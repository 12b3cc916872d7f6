// SPDX-License-Identifier: GPL-2.0
/* References given back to the server: queued, sent by a worker. */
#include <linux/slab.h>

#include "vfs.h"

#define BATCH 64

struct forget {
	struct list_head list;
	struct fuse_forget_one one;
};

/* Nobody waits for it. A reference that cannot be queued stays until umount. */
void zuf_forget(struct zuf_mount *mount, u64 nodeid, u64 count)
{
	struct forget *forget;

	if (READ_ONCE(mount->ended))
		return;
	forget = kmalloc(sizeof(*forget), GFP_NOFS);
	if (!forget)
		return;
	forget->one.nodeid = nodeid;
	forget->one.nlookup = count;
	spin_lock(&mount->forget_lock);
	list_add_tail(&forget->list, &mount->forgets);
	spin_unlock(&mount->forget_lock);
	zuf_work(&mount->forget_work);
}

static unsigned int take(struct zuf_mount *mount, struct fuse_forget_one *ones)
{
	struct forget *forget, *next;
	unsigned int count = 0;
	LIST_HEAD(taken);

	spin_lock(&mount->forget_lock);
	list_for_each_entry_safe(forget, next, &mount->forgets, list) {
		if (count == BATCH)
			break;
		ones[count++] = forget->one;
		list_move(&forget->list, &taken);
	}
	spin_unlock(&mount->forget_lock);
	list_for_each_entry_safe(forget, next, &taken, list)
		kfree(forget);
	return count;
}

void zuf_forget_work(struct work_struct *work)
{
	struct zuf_mount *mount = container_of(work, struct zuf_mount,
					       forget_work);
	struct fuse_batch_forget_in in = {};
	struct fuse_forget_one *ones;

	ones = kmalloc_array(BATCH, sizeof(*ones), GFP_NOFS);
	if (!ones)
		return;
	while ((in.count = take(mount, ones))) {
		struct zuf_op op = {
			.opcode = FUSE_BATCH_FORGET,
			.in = { { &in, sizeof(in) },
				{ ones, in.count * sizeof(*ones) } },
			.unanswered = true,
		};

		if (zuf_call(mount, &op))
			break;
	}
	kfree(ones);
}

void zuf_forget_drop(struct zuf_mount *mount)
{
	struct forget *forget, *next;

	list_for_each_entry_safe(forget, next, &mount->forgets, list)
		kfree(forget);
}
