// SPDX-License-Identifier: GPL-2.0
/* A channel: its memory, its server thread, and the two sides' bells. */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "zuf.h"
#include "trace.h"

static int alloc_memory(struct zuf_chan *chan, int node)
{
	unsigned int i;

	chan->pages = kcalloc(ZUF_PAGES_PER_CHANNEL, sizeof(*chan->pages),
			      GFP_KERNEL);
	if (!chan->pages)
		return -ENOMEM;
	for (i = 0; i < ZUF_PAGES_PER_CHANNEL; i++) {
		chan->pages[i] = alloc_pages_node(node, GFP_KERNEL_ACCOUNT |
						  __GFP_ZERO, 0);
		if (!chan->pages[i])
			return -ENOMEM;
	}
	chan->memory = vmap(chan->pages, ZUF_PAGES_PER_CHANNEL, VM_MAP,
			    PAGE_KERNEL);
	return chan->memory ? 0 : -ENOMEM;
}

void zuf_chan_free(struct zuf_chan *chan)
{
	unsigned int i;

	if (!chan)
		return;
	if (chan->memory)
		vunmap(chan->memory);
	/* A server that still has them mapped keeps pages, and nothing else. */
	for (i = 0; chan->pages && i < ZUF_PAGES_PER_CHANNEL; i++)
		if (chan->pages[i])
			__free_page(chan->pages[i]);
	kfree(chan->pages);
	if (chan->server)
		put_task_struct(chan->server);
	kfree(chan);
}

static struct zuf_pool *pool_of(struct zuf_mount *mount, u32 cpu)
{
	if (!mount->pools[cpu])
		mount->pools[cpu] = zuf_pool_new();
	return mount->pools[cpu];
}

/* Called with mount->setup held. */
static int add(struct zuf_mount *mount, struct zuf_channel *what)
{
	struct zuf_chan **chans = mount->chans;
	struct zuf_pool *pool;
	struct zuf_chan *chan;
	int err;

	if (completion_done(&mount->ready) || mount->ended)
		return -EBUSY;
	if (mount->chan_count >= ZUF_CHANNELS_MAX)
		return -ENOSPC;
	chans = krealloc_array(chans, mount->chan_count + 1, sizeof(*chans),
			       GFP_KERNEL);
	if (!chans)
		return -ENOMEM;
	mount->chans = chans;
	pool = pool_of(mount, what->cpu);
	chan = kzalloc_node(sizeof(*chan), GFP_KERNEL, cpu_to_node(what->cpu));
	if (!pool || !chan) {
		kfree(chan);
		return -ENOMEM;
	}
	chan->mount = mount;
	chan->pool = pool;
	chan->index = mount->chan_count;
	chan->reserve = what->flags & ZUF_CHANNEL_RESERVE;
	INIT_LIST_HEAD(&chan->free);
	init_waitqueue_head(&chan->request_wait);
	init_waitqueue_head(&chan->reply_wait);
	INIT_WORK(&chan->orphan.work, zuf_orphan_work);
	err = alloc_memory(chan, cpu_to_node(what->cpu));
	if (err) {
		zuf_chan_free(chan);
		return err;
	}
	chan->slot = chan->memory;
	chan->window = chan->memory + ZUF_WINDOW_OFFSET;
	zuf_end_init(&chan->end, chan->slot, ZUF_CLIENT);
	mount->chans[mount->chan_count++] = chan;
	/* The reserve is one per CPU; a second is an ordinary channel. */
	if (chan->reserve && pool->reserve)
		chan->reserve = false;
	pool->live++;
	zuf_pool_release(chan);
	what->index = chan->index;
	what->size = ZUF_PAGES_PER_CHANNEL * PAGE_SIZE;
	what->offset = chan->index * what->size;
	return 0;
}

int zuf_chan_new(struct zuf_mount *mount, struct zuf_channel *what)
{
	int err;

	if (what->reserved || what->flags & ~ZUF_CHANNEL_RESERVE)
		return -EINVAL;
	if (what->cpu >= nr_cpu_ids || !cpu_possible(what->cpu))
		return -ENXIO;
	mutex_lock(&mount->setup);
	err = add(mount, what);
	mutex_unlock(&mount->setup);
	return err;
}

/*
 * Ends a channel whose server broke the protocol. Its holder, who calls this,
 * does not bring it back to the pool; the mount ends with its last one of a
 * CPU, so that nobody waits for a channel that never comes.
 */
void zuf_chan_break(struct zuf_chan *chan)
{
	bool last;

	if (chan->broken)
		return;
	spin_lock(&chan->pool->lock);
	chan->broken = true;
	last = !--chan->pool->live;
	spin_unlock(&chan->pool->lock);
	zuf_chan_wake(chan, zuf_close(&chan->end));
	if (last && !READ_ONCE(chan->mount->ended)) {
		pr_warn_ratelimited("%s: mount %llu: the server broke the protocol: cut off\n",
				    chan->mount->fs, chan->mount->id);
		zuf_mount_end(chan->mount);
	}
}

static void vma_close(struct vm_area_struct *vma)
{
	struct zuf_mount *mount = vma->vm_private_data;

	/* The server's last mapping: it is gone, whoever else has the file. */
	if (atomic_dec_and_test(&mount->mappings))
		zuf_mount_end(mount);
}

static int vma_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static const struct vm_operations_struct vm_ops = {
	.close = vma_close,
	.may_split = vma_split,
};

int zuf_chan_mmap(struct zuf_mount *mount, struct vm_area_struct *vma)
{
	unsigned long index = vma->vm_pgoff / ZUF_PAGES_PER_CHANNEL;
	struct zuf_chan *chan = NULL;
	int err;

	if (vma->vm_pgoff % ZUF_PAGES_PER_CHANNEL ||
	    vma_pages(vma) != ZUF_PAGES_PER_CHANNEL ||
	    !(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	mutex_lock(&mount->setup);
	if (index < mount->chan_count)
		chan = mount->chans[index];
	mutex_unlock(&mount->setup);
	if (!chan || READ_ONCE(mount->ended))
		return -ENXIO;
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	err = vm_map_pages_zero(vma, chan->pages, ZUF_PAGES_PER_CHANNEL);
	if (err)
		return err;
	/* The mapping holds its file, and the file the mount. */
	vma->vm_private_data = mount;
	vma->vm_ops = &vm_ops;
	atomic_inc(&mount->mappings);
	return 0;
}

void zuf_chan_wake(struct zuf_chan *chan, bool announced)
{
	bool always = READ_ONCE(chan->mount->strategy) == ZUF_WAITQUEUE;

	if (!announced && !always)
		return;
	zuf_count(chan->mount, wakes);
	trace_zuf_wake(chan->mount->id, chan->index, true);
	/* Who wakes the server then waits for it: it need not be preempted. */
	if (always)
		wake_up(&chan->request_wait);
	else
		__wake_up_sync_key(&chan->request_wait, TASK_NORMAL, NULL);
}

static void ring(struct zuf_chan *chan)
{
	zuf_count(chan->mount, rings);
	trace_zuf_wake(chan->mount->id, chan->index, false);
	zuf_orphan_look(chan);
	if (READ_ONCE(chan->mount->strategy) == ZUF_WAITQUEUE)
		wake_up(&chan->reply_wait);
	else
		__wake_up_sync_key(&chan->reply_wait, TASK_NORMAL, NULL);
}

static void sleep(struct zuf_chan *chan, u32 expected)
{
	DEFINE_WAIT(wait);

	prepare_to_wait(&chan->request_wait, &wait, TASK_INTERRUPTIBLE);
	if (READ_ONCE(chan->slot->request.word) == expected &&
	    !READ_ONCE(chan->mount->ended) && !signal_pending(current)) {
		zuf_count(chan->mount, sleeps);
		trace_zuf_park(chan->mount->id, chan->index, true);
		schedule();
		trace_zuf_serve(chan->mount->id, chan->index, true);
	}
	finish_wait(&chan->request_wait, &wait);
}

int zuf_chan_wait(struct zuf_mount *mount, const struct zuf_wait *what)
{
	struct task_struct *server, *none = NULL;
	struct zuf_chan *chan;

	if (what->reserved || what->flags & ~(ZUF_WAIT_RING | ZUF_WAIT_SLEEP))
		return -EINVAL;
	/* Channels are made before the mount is ready, and stay. */
	if (!smp_load_acquire(&mount->home[0]))
		return READ_ONCE(mount->ended) ? -ENOTCONN : -EAGAIN;
	if (what->channel >= mount->chan_count)
		return -ENXIO;
	chan = mount->chans[what->channel];
	server = READ_ONCE(chan->server);
	if (unlikely(!server)) {
		get_task_struct(current);
		server = current;
		if (!try_cmpxchg(&chan->server, &none, current)) {
			put_task_struct(current);
			server = none;
		}
	}
	if (server != current)
		return -EBUSY;
	if (what->flags & ZUF_WAIT_RING)
		ring(chan);
	if (what->flags & ZUF_WAIT_SLEEP)
		sleep(chan, what->expected);
	if (READ_ONCE(mount->ended))
		return -ENOTCONN;
	return signal_pending(current) ? -EINTR : 0;
}
