/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The nouns of the module's core, each with its file.
 *
 * server	a process that serves; lives as long as its descriptor or a
 *		mount of its (server.c, fstype.c)
 * mount	one mounted file system: its channels, its policy. Its kobject
 *		counts its users: superblock, descriptor, event (mount.c)
 * channel	slot, window and server thread (channel.c); waiting on one:
 *		await.c; a CPU's channels: pool.c
 * op		one operation, on its caller's stack (call.c); when its caller
 *		is killed, what is left of it is an orphan (orphan.c)
 *
 * docs/protocol/ownership.md says who owns what and when.
 */
#ifndef ZUF_H
#define ZUF_H

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/fuse.h>

#include "relay.h"
#include "stats.h"
#include "../uapi/zuf.h"

#define ZUF_PAGES_PER_CHANNEL \
	((ZUF_WINDOW_OFFSET + ZUF_WINDOW) / PAGE_SIZE)
#define ZUF_OP_INODES 3	/* that an operation can name */
#define ZUF_SPIN_NS_DEFAULT 20000
#define ZUF_SPIN_NS_MAX 1000000

/* server.c */
struct zuf_server {
	struct kref ref;
	struct pid *process;	/* who registered */
	bool dead;		/* its descriptor is closed */
	spinlock_t lock;	/* events, mounts */
	struct list_head events; /* mounts that have something to say */
	struct list_head mounts;
	wait_queue_head_t wait;
};

struct zuf_server *zuf_server_new(void);
void zuf_server_put(struct zuf_server *server);
void zuf_server_die(struct zuf_server *server);
bool zuf_server_is_alive(struct zuf_server *server);
int zuf_server_next(struct zuf_server *server, struct zuf_event *event);
int zuf_server_ready(struct zuf_server *server, const struct zuf_ready *ready);
struct zuf_mount *zuf_server_mount(struct zuf_server *server, u64 id);

/* fstype.c */
int zuf_fstype_add(struct zuf_server *server, const char *name);
void zuf_fstype_forget(struct zuf_server *server);
struct zuf_server *zuf_fstype_server(struct file_system_type *type);
void zuf_fstype_exit(void);

/* pool.c: the channels of a CPU */
struct zuf_pool {
	spinlock_t lock;
	struct list_head free;
	struct list_head waiters; /* in order */
	struct zuf_chan *reserve;
	unsigned int live;	/* channels that work, free or not */
};

/* What an orphan keeps until the late reply; see orphan.c */
struct zuf_orphan {
	bool here;
	bool entry;		/* a late entry is to be forgotten */
	struct super_block *sb;
	struct inode *inodes[ZUF_OP_INODES];
	struct work_struct work;
};

/* channel.c */
struct zuf_chan {
	struct zuf_mount *mount;
	struct zuf_pool *pool;
	struct list_head free;
	struct zuf_relay_slot *slot;
	void *window;
	struct zuf_end end;
	struct task_struct *server; /* set once, by the first ZUF_WAIT */
	u64 unique;
	u32 presence;		/* last published */
	u32 index;
	bool reserve;
	bool broken;
	wait_queue_head_t request_wait; /* the server sleeps here */
	wait_queue_head_t reply_wait;	/* the caller sleeps here */
	struct zuf_orphan orphan;
	void *memory;
	struct page **pages;
};

/* mount.c */
struct zuf_mount {
	struct kobject kobj;
	u64 id;
	struct zuf_server *server;
	struct list_head in_server;
	struct list_head in_events; /* empty: nothing to say */
	enum zuf_event_kind event;
	u32 flags;
	char fs[ZUF_NAME_MAX];
	char source[ZUF_SOURCE_MAX];

	struct completion ready;
	int error;		/* why it is not ready, once completed */
	bool attached;
	bool ended;		/* nothing more will be sent or answered */
	bool aborted;		/* and somebody wanted it so */
	atomic_t mappings;

	struct mutex setup;	/* making channels */
	struct zuf_chan **chans;
	unsigned int chan_count;
	struct zuf_pool **pools; /* by CPU; NULL: has none of its own */
	struct zuf_pool **home;	 /* by CPU; set when ready */

	u32 strategy;		/* enum zuf_strategy; changed live */
	u64 spin_ns;
	struct delayed_work guardian;

	u32 max_write;
	u32 minor;
	atomic64_t attr_version;
	spinlock_t forget_lock;
	struct list_head forgets;
	struct work_struct forget_work;
	struct zuf_stats __percpu *stats;
};

#define kobj_to_mount(k) container_of(k, struct zuf_mount, kobj)

struct zuf_mount *zuf_mount_new(struct zuf_server *server, const char *fs,
				const char *source, u32 flags);
static inline void zuf_mount_get(struct zuf_mount *mount)
{
	kobject_get(&mount->kobj);
}

static inline void zuf_mount_put(struct zuf_mount *mount)
{
	kobject_put(&mount->kobj);
}

void zuf_mount_event(struct zuf_mount *mount, enum zuf_event_kind kind);
int zuf_mount_await_ready(struct zuf_mount *mount);
int zuf_mount_set_ready(struct zuf_mount *mount, int error);
void zuf_mount_end(struct zuf_mount *mount);
void zuf_mount_close(struct zuf_mount *mount);

/* channel.c */
int zuf_chan_new(struct zuf_mount *mount, struct zuf_channel *what);
void zuf_chan_free(struct zuf_chan *chan);
void zuf_chan_break(struct zuf_chan *chan);
int zuf_chan_mmap(struct zuf_mount *mount, struct vm_area_struct *vma);
int zuf_chan_wait(struct zuf_mount *mount, const struct zuf_wait *what);
/* Wakes the server if it announced itself, or if the strategy always does. */
void zuf_chan_wake(struct zuf_chan *chan, bool announced);

struct zuf_chan *zuf_pool_acquire(struct zuf_mount *mount);
void zuf_pool_release(struct zuf_chan *chan);
void zuf_pool_settle(struct zuf_mount *mount);
void zuf_pool_wake_all(struct zuf_mount *mount);
struct zuf_pool *zuf_pool_new(void);

/* await.c: ZUF_NOTHING means killed */
enum zuf_look zuf_await(struct zuf_chan *chan);

/* call.c */
struct zuf_arg {
	const void *data;
	u32 len;
};

struct zuf_op {
	u32 opcode;
	u64 nodeid;
	struct zuf_arg in[3];
	struct iov_iter *from;	/* the data of a WRITE */
	u32 from_len;
	void *out;		/* the body of the reply, of just this length */
	u32 out_len;
	struct iov_iter *to;	/* the data of a READ, */
	void *to_buffer;	/* or of a READDIR */
	u32 to_max;
	bool unanswered;	/* the reply is empty */
	bool entry;		/* the reply takes a reference */
	struct super_block *sb;
	struct inode *inodes[ZUF_OP_INODES];
};

/* 0 or the number of bytes of data; errno, negative */
int zuf_call(struct zuf_mount *mount, struct zuf_op *op);

/* orphan.c */
int zuf_orphan_init(void);
void zuf_orphan_exit(void);
int zuf_fence_wait(struct zuf_mount *mount, const struct zuf_op *op);
void zuf_orphan_leave(struct zuf_chan *chan, const struct zuf_op *op);
void zuf_orphan_look(struct zuf_chan *chan);
void zuf_orphan_work(struct work_struct *work);
void zuf_orphan_end_all(struct zuf_mount *mount);
/* Has a worker do something that may call the server. */
void zuf_work(struct work_struct *work);

int zuf_door_init(void);
void zuf_door_exit(void);

int zuf_sysfs_init(void);
void zuf_sysfs_exit(void);
int zuf_sysfs_add(struct zuf_mount *mount);
void zuf_mount_release(struct kobject *kobj);

extern const char *const zuf_strategy_names[];

#endif
