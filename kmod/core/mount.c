// SPDX-License-Identifier: GPL-2.0
/*
 * A mount, from the event that asks the server for it to its end.
 *
 * Ending is one way and happens once, whoever begins it: umount, abort, the
 * death of the server's mapping, descriptor or thread. All who wait for
 * anything of the mount look at `ended` after they are woken.
 */
#include <linux/cpu.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "zuf.h"
#include "../vfs/vfs.h"

#define GUARD_INTERVAL HZ

static atomic64_t last_id = ATOMIC64_INIT(0);

/* A thread can exit without its process: nothing else tells of that. */
static void watch(struct work_struct *work)
{
	struct zuf_mount *mount = container_of(to_delayed_work(work),
					       struct zuf_mount, guardian);
	unsigned int i;

	for (i = 0; i < mount->chan_count; i++) {
		struct task_struct *server = READ_ONCE(mount->chans[i]->server);

		if (server && READ_ONCE(server->exit_state)) {
			zuf_bury(&mount->chans[i]->slot->reply);
			zuf_mount_end(mount);
		}
	}
	if (!READ_ONCE(mount->ended))
		schedule_delayed_work(&mount->guardian, GUARD_INTERVAL);
}

struct zuf_mount *zuf_mount_new(struct zuf_server *server, const char *fs,
				const char *source, u32 flags)
{
	struct zuf_mount *mount = kzalloc(sizeof(*mount), GFP_KERNEL);
	int err = -ENOMEM;

	if (!mount)
		return ERR_PTR(err);
	mount->id = atomic64_inc_return(&last_id);
	mount->flags = flags;
	mount->strategy = ZUF_HYBRID;
	strscpy(mount->fs, fs, sizeof(mount->fs));
	strscpy(mount->source, source ?: "none", sizeof(mount->source));
	init_completion(&mount->ready);
	mutex_init(&mount->setup);
	spin_lock_init(&mount->forget_lock);
	INIT_LIST_HEAD(&mount->forgets);
	INIT_LIST_HEAD(&mount->in_server);
	INIT_LIST_HEAD(&mount->in_events);
	INIT_WORK(&mount->forget_work, zuf_forget_work);
	INIT_DELAYED_WORK(&mount->guardian, watch);
	kref_get(&server->ref);
	mount->server = server;
	mount->pools = kcalloc(nr_cpu_ids, sizeof(*mount->pools), GFP_KERNEL);
	mount->home = kcalloc(nr_cpu_ids, sizeof(*mount->home), GFP_KERNEL);
	mount->stats = alloc_percpu(struct zuf_stats);
	err = zuf_sysfs_add(mount);
	if (!mount->pools || !mount->home || !mount->stats)
		err = -ENOMEM;
	if (err) {
		zuf_mount_put(mount);
		return ERR_PTR(err);
	}
	spin_lock(&server->lock);
	list_add(&mount->in_server, &server->mounts);
	spin_unlock(&server->lock);
	return mount;
}

/* The last user is gone. */
void zuf_mount_release(struct kobject *kobj)
{
	struct zuf_mount *mount = kobj_to_mount(kobj);
	unsigned int i;

	for (i = 0; i < mount->chan_count; i++)
		zuf_chan_free(mount->chans[i]);
	for (i = 0; mount->pools && i < nr_cpu_ids; i++)
		kfree(mount->pools[i]);
	zuf_forget_drop(mount);
	kfree(mount->chans);
	kfree(mount->pools);
	kfree(mount->home);
	free_percpu(mount->stats);
	zuf_server_put(mount->server);
	kfree(mount);
}

void zuf_mount_event(struct zuf_mount *mount, enum zuf_event_kind kind)
{
	struct zuf_server *server = mount->server;

	spin_lock(&server->lock);
	/* The request to mount says all that a change of policy would. */
	if (list_empty(&mount->in_events)) {
		mount->event = kind;
		zuf_mount_get(mount);
		list_add_tail(&mount->in_events, &server->events);
	}
	spin_unlock(&server->lock);
	wake_up(&server->wait);
}

int zuf_mount_await_ready(struct zuf_mount *mount)
{
	/* The server's process can die while a child keeps its descriptor. */
	while (!READ_ONCE(mount->ended)) {
		long left = wait_for_completion_killable_timeout(&mount->ready,
								 HZ);

		if (left < 0)
			return -EINTR;
		if (left > 0)
			return READ_ONCE(mount->ended) ? -ENOTCONN :
							 mount->error;
		if (!zuf_server_is_alive(mount->server))
			break;
	}
	return -ENOTCONN;
}

/* The server's answer. Positive errors only, within bounds. */
int zuf_mount_set_ready(struct zuf_mount *mount, int error)
{
	int err = 0;

	if (error < 0 || error > MAX_ERRNO)
		return -EINVAL;
	mutex_lock(&mount->setup);
	if (completion_done(&mount->ready)) {
		err = -EALREADY;
	} else if (!error && (!mount->attached || !mount->chan_count)) {
		err = -EINVAL;
	} else {
		mount->error = -error;
		if (!error) {
			zuf_pool_settle(mount);
			schedule_delayed_work(&mount->guardian, GUARD_INTERVAL);
		}
		complete_all(&mount->ready);
	}
	mutex_unlock(&mount->setup);
	return err;
}

void zuf_mount_end(struct zuf_mount *mount)
{
	unsigned int i;

	if (xchg(&mount->ended, true))
		return;
	complete_all(&mount->ready);
	/* No channel is made any more. */
	mutex_lock(&mount->setup);
	zuf_pool_wake_all(mount);
	for (i = 0; i < mount->chan_count; i++) {
		/* The server sees the end in the slot, however it waits. */
		zuf_bury(&mount->chans[i]->slot->request);
		wake_up_all(&mount->chans[i]->reply_wait);
		wake_up_all(&mount->chans[i]->request_wait);
	}
	zuf_orphan_end_all(mount);
	mutex_unlock(&mount->setup);
}

/* umount, or a mount that failed: the superblock's last word. */
void zuf_mount_close(struct zuf_mount *mount)
{
	struct zuf_server *server = mount->server;
	bool queued;

	zuf_mount_end(mount);
	cancel_work_sync(&mount->forget_work);
	cancel_delayed_work_sync(&mount->guardian);
	spin_lock(&server->lock);
	queued = !list_empty(&mount->in_events);
	list_del_init(&mount->in_events);
	list_del_init(&mount->in_server);
	spin_unlock(&server->lock);
	kobject_del(&mount->kobj);
	if (queued)
		zuf_mount_put(mount);
	zuf_mount_put(mount);
}
