// SPDX-License-Identifier: GPL-2.0
/* A server: who it is, and what it is asked to do outside of operations. */
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "zuf.h"

struct zuf_server *zuf_server_new(void)
{
	struct zuf_server *server = kzalloc(sizeof(*server), GFP_KERNEL);

	if (!server)
		return NULL;
	kref_init(&server->ref);
	server->process = get_pid(task_tgid(current));
	spin_lock_init(&server->lock);
	INIT_LIST_HEAD(&server->events);
	INIT_LIST_HEAD(&server->mounts);
	init_waitqueue_head(&server->wait);
	return server;
}

static void release(struct kref *ref)
{
	struct zuf_server *server = container_of(ref, struct zuf_server, ref);

	put_pid(server->process);
	kfree(server);
}

void zuf_server_put(struct zuf_server *server)
{
	kref_put(&server->ref, release);
}

/* A forked child that keeps the descriptor does not keep a server alive. */
bool zuf_server_is_alive(struct zuf_server *server)
{
	struct task_struct *task;
	bool alive;

	if (READ_ONCE(server->dead))
		return false;
	rcu_read_lock();
	task = pid_task(server->process, PIDTYPE_TGID);
	alive = task && !READ_ONCE(task->exit_state);
	rcu_read_unlock();
	return alive;
}

/* Its descriptor is closed: what it had mounted ends. */
void zuf_server_die(struct zuf_server *server)
{
	struct zuf_mount *mount;

	WRITE_ONCE(server->dead, true);
	zuf_fstype_forget(server);
	spin_lock(&server->lock);
	while (!list_empty(&server->mounts)) {
		mount = list_first_entry(&server->mounts, struct zuf_mount,
					 in_server);
		list_del_init(&mount->in_server);
		zuf_mount_get(mount);
		spin_unlock(&server->lock);
		zuf_mount_end(mount);
		zuf_mount_put(mount);
		spin_lock(&server->lock);
	}
	spin_unlock(&server->lock);
	zuf_server_put(server);
}

static struct zuf_mount *take_event(struct zuf_server *server)
{
	struct zuf_mount *mount = NULL;

	spin_lock(&server->lock);
	if (!list_empty(&server->events)) {
		mount = list_first_entry(&server->events, struct zuf_mount,
					 in_events);
		list_del_init(&mount->in_events);
	}
	spin_unlock(&server->lock);
	return mount;
}

int zuf_server_next(struct zuf_server *server, struct zuf_event *event)
{
	struct zuf_mount *mount;
	int err;

	err = wait_event_interruptible(server->wait,
				       (mount = take_event(server)));
	if (err)
		return -EINTR;
	event->kind = mount->event;
	event->mount = mount->id;
	event->flags = mount->flags;
	event->strategy = READ_ONCE(mount->strategy);
	event->spin_ns = READ_ONCE(mount->spin_ns);
	strscpy(event->fs, mount->fs, sizeof(event->fs));
	strscpy(event->source, mount->source, sizeof(event->source));
	zuf_mount_put(mount);
	return 0;
}

/* The mount named id, with a reference. */
struct zuf_mount *zuf_server_mount(struct zuf_server *server, u64 id)
{
	struct zuf_mount *mount, *found = NULL;

	spin_lock(&server->lock);
	list_for_each_entry(mount, &server->mounts, in_server) {
		if (mount->id == id) {
			zuf_mount_get(mount);
			found = mount;
			break;
		}
	}
	spin_unlock(&server->lock);
	return found;
}

int zuf_server_ready(struct zuf_server *server, const struct zuf_ready *ready)
{
	struct zuf_mount *mount;
	int err;

	if (ready->reserved)
		return -EINVAL;
	mount = zuf_server_mount(server, ready->mount);
	if (!mount)
		return -ENOENT;
	err = zuf_mount_set_ready(mount, ready->error);
	zuf_mount_put(mount);
	return err;
}
