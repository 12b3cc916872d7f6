// SPDX-License-Identifier: GPL-2.0
/*
 * What is left of an operation whose caller was killed while the server was at
 * work on it. It keeps the channel, the inodes and the superblock until the
 * late reply, or the mount's end; until then nobody starts anything on those
 * inodes (the fence), so the VFS never runs ahead of the server.
 *
 * The late reply rings, because the orphan stays announced; the rest is done by
 * a worker, as it may put inodes and superblocks, which can call the server.
 */
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "zuf.h"
#include "../vfs/vfs.h"

static struct workqueue_struct *workers;
static DECLARE_WAIT_QUEUE_HEAD(fence_wait);

static bool is_fenced(const struct zuf_op *op)
{
	int i;

	for (i = 0; i < ZUF_OP_INODES; i++)
		if (op->inodes[i] && atomic_read(&ZUF_I(op->inodes[i])->orphans))
			return true;
	return false;
}

int zuf_fence_wait(struct zuf_mount *mount, const struct zuf_op *op)
{
	if (likely(!is_fenced(op)))
		return 0;
	if (wait_event_killable(fence_wait, !is_fenced(op) ||
				READ_ONCE(mount->ended)))
		return -EINTR;
	return READ_ONCE(mount->ended) ? -ENOTCONN : 0;
}

void zuf_orphan_leave(struct zuf_chan *chan, const struct zuf_op *op)
{
	struct zuf_orphan *orphan = &chan->orphan;
	int i;

	zuf_count(chan->mount, orphans);
	orphan->entry = op->entry;
	orphan->sb = op->sb;
	if (op->sb)
		atomic_inc(&op->sb->s_active);
	for (i = 0; i < ZUF_OP_INODES; i++) {
		orphan->inodes[i] = op->inodes[i];
		if (!op->inodes[i])
			continue;
		ihold(op->inodes[i]);
		atomic_inc(&ZUF_I(op->inodes[i])->orphans);
	}
	zuf_mount_get(chan->mount);
	/* Before the announcement (C), so that whoever rings for it sees it. */
	WRITE_ONCE(orphan->here, true);
	smp_mb();
	if (!zuf_announce(&chan->end) || READ_ONCE(chan->mount->ended))
		queue_work(workers, &orphan->work);
}

void zuf_orphan_look(struct zuf_chan *chan)
{
	if (unlikely(READ_ONCE(chan->orphan.here)))
		queue_work(workers, &chan->orphan.work);
}

/* A reference that the server gave to somebody who is gone. */
static void give_back(struct zuf_chan *chan)
{
	u8 head[ZUF_RELAY_INLINE];
	struct fuse_out_header header;
	struct fuse_entry_out entry;
	u32 len = zuf_fetch(&chan->end, head);

	if (len < sizeof(header) + offsetofend(struct fuse_entry_out, nodeid))
		return;
	memcpy(&header, head, sizeof(header));
	memcpy(&entry, head + sizeof(header), sizeof(entry.nodeid));
	if (!header.error && header.unique == chan->unique && entry.nodeid)
		zuf_forget(chan->mount, entry.nodeid, 1);
}

/* Whether there is nothing more to wait for. */
static bool is_over(struct zuf_chan *chan)
{
	bool wake;

	for (;;) {
		switch (zuf_look_at(&chan->end, &wake)) {
		case ZUF_ARRIVED:
			if (chan->orphan.entry)
				give_back(chan);
			return true;
		case ZUF_FORGONE:
		case ZUF_ENDED:
			return true;
		case ZUF_NOTHING:
			if (READ_ONCE(chan->mount->ended))
				return true;
			/* Rung for nothing, which a server can do. */
			if (zuf_announce(&chan->end) ||
			    zuf_load(&chan->end.other->word) ==
				    (chan->end.theirs | ZUF_RELAY_ANNOUNCED))
				return false;
		}
	}
}

void zuf_orphan_work(struct work_struct *work)
{
	struct zuf_orphan *orphan = container_of(work, struct zuf_orphan, work);
	struct zuf_chan *chan = container_of(orphan, struct zuf_chan, orphan);
	struct zuf_mount *mount = chan->mount;
	struct inode *inodes[ZUF_OP_INODES];
	struct super_block *sb = orphan->sb;
	int i;

	if (!orphan->here || !is_over(chan))
		return;
	memcpy(inodes, orphan->inodes, sizeof(inodes));
	WRITE_ONCE(orphan->here, false);
	if (chan->end.ended || READ_ONCE(mount->ended))
		zuf_chan_break(chan);
	zuf_pool_release(chan);
	for (i = 0; i < ZUF_OP_INODES; i++)
		if (inodes[i])
			atomic_dec(&ZUF_I(inodes[i])->orphans);
	wake_up_all(&fence_wait);
	for (i = 0; i < ZUF_OP_INODES; i++)
		iput(inodes[i]);
	if (sb)
		deactivate_super(sb);
	zuf_mount_put(mount);
}

int zuf_orphan_init(void)
{
	workers = alloc_workqueue("zuf", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return workers ? 0 : -ENOMEM;
}

void zuf_orphan_exit(void)
{
	destroy_workqueue(workers);
}

/* The mount has ended: nobody replies any more. */
void zuf_orphan_end_all(struct zuf_mount *mount)
{
	unsigned int i;

	for (i = 0; i < mount->chan_count; i++)
		zuf_orphan_look(mount->chans[i]);
	wake_up_all(&fence_wait);
}

void zuf_work(struct work_struct *work)
{
	queue_work(workers, work);
}
