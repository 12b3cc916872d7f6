/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR MIT */
/*
 * The door between the kernel and a zufs server: /dev/zuf.
 *
 * OVERVIEW
 *
 * A server opens the door and *registers*, then names the file system types
 * that it serves. From then on mount(2) of such a type becomes an *event* that
 * the server takes (ZUF_NEXT). It opens the door a second time and *attaches*
 * that descriptor to the mount, makes *channels* on it, at least one, starts a
 * thread for each, and reports the mount *ready*. The kernel then speaks the
 * FUSE protocol over the channels (docs/protocol/zuf-profile.md), first INIT,
 * last DESTROY.
 *
 * A descriptor's role is fixed by its first ioctl. Only a process with
 * CAP_SYS_ADMIN in the initial user namespace can open the door.
 *
 * CHANNELS
 *
 * A channel is memory, mapped from the mount's descriptor at the offset that
 * ZUF_CHANNEL returned: one page with the slot (zuf_relay.h) at its start,
 * then the window of ZUF_WINDOW bytes. The kernel is the client, the server
 * the server of the relay. A message longer than ZUF_RELAY_INLINE goes on at
 * the start of the window; the data of WRITE, READ and READDIR stand at the
 * start of the window whatever the length of the message. Window and slot are
 * the kernel's from a reply to the next request.
 *
 * The server waits by looking at the request word. To sleep it announces
 * itself there and calls ZUF_WAIT, which returns when the word may have
 * changed. If the exchange that published a reply shows that the kernel has
 * announced itself in the reply word, the server must call ZUF_WAIT with
 * ZUF_WAIT_RING; sleeping and ringing are one call.
 *
 * THE END
 *
 * A mount ends with umount, with abort, or with its server: when the last
 * mapping of its channels goes (fork does not copy them), or its descriptor,
 * or when a thread that serves one of its channels exits. After that ZUF_WAIT
 * answers ENOTCONN. Registered types stay known without a server (mount then
 * answers ENOTCONN) and pass to the next server that names them.
 *
 * VERSIONS
 *
 * ZUF_REGISTER takes the version that the server was built for. The major
 * version must be the kernel's; a minor version adds to what was. Reserved
 * fields must be zero: anything else is EINVAL.
 *
 * 1.0	the first
 */
#ifndef _UAPI_ZUF_H
#define _UAPI_ZUF_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define ZUF_ABI_MAJOR 1
#define ZUF_ABI_MINOR 0

#define ZUF_DEVICE "/dev/zuf"

#define ZUF_NAME_MAX 16		/* a type's name, with its NUL */
#define ZUF_SOURCE_MAX 256	/* what is mounted, with its NUL */
#define ZUF_WINDOW (1u << 20)	/* bytes of a channel's window */
#define ZUF_WINDOW_OFFSET 4096u	/* of the window in the channel's memory */
#define ZUF_CHANNELS_MAX 4096	/* of one mount */

/* How both sides wait. The order and the names are those of the relay crate. */
enum zuf_strategy {
	ZUF_WAITQUEUE = 0,
	ZUF_PARK = 1,
	ZUF_YIELD = 2,
	ZUF_SPIN = 3,
	ZUF_HYBRID = 4,
};

/* ZUF_REGISTER. in: version built for; out: version of the kernel */
struct zuf_register {
	__u32 major;
	__u32 minor;
	__u32 flags;	/* 0 */
	__u32 reserved; /* 0 */
};

/* ZUF_ADD_FS. EEXIST: another server that lives has it, or the kernel */
struct zuf_add_fs {
	char name[ZUF_NAME_MAX]; /* letters, digits, "_", "-"; ends in NUL */
	__u32 flags;		 /* 0 */
	__u32 reserved;		 /* 0 */
};

enum zuf_event_kind {
	ZUF_EVENT_MOUNT = 1,	/* make the mount ready, or refuse it */
	ZUF_EVENT_POLICY = 2,	/* strategy or spin window have changed */
};

/* ZUF_NEXT: waits for an event. EINTR on a signal. All fields out. */
struct zuf_event {
	__u32 kind;	/* enum zuf_event_kind */
	__u32 strategy; /* enum zuf_strategy: how the server is to wait */
	__u64 mount;	/* names the mount; never used twice */
	__u64 spin_ns;	/* how long it may spin; 0: as calibrated */
	__u32 flags;	/* ZUF_MOUNT_* */
	__u32 reserved; /* 0 */
	char fs[ZUF_NAME_MAX];
	char source[ZUF_SOURCE_MAX];
};

#define ZUF_MOUNT_READ_ONLY (1u << 0)

/* ZUF_ATTACH, on a fresh descriptor */
struct zuf_attach {
	__u64 mount;	 /* from the event */
	__s32 server;	 /* descriptor of the server that took it */
	__u32 reserved;	 /* 0 */
};

/* ZUF_CHANNEL, on a mount's descriptor, before ZUF_READY */
struct zuf_channel {
	__u32 cpu;	/* in: whose applications it serves first */
	__u32 flags;	/* in: ZUF_CHANNEL_* */
	__u32 index;	/* out: names it in ZUF_WAIT */
	__u32 reserved; /* 0 */
	__u64 offset;	/* out: of its memory, for mmap */
	__u64 size;	/* out: of its memory */
};

/* Kept for operations that must make progress under memory reclaim */
#define ZUF_CHANNEL_RESERVE (1u << 0)

/* ZUF_READY, on the server's descriptor: the answer to ZUF_EVENT_MOUNT */
struct zuf_ready {
	__u64 mount;	/* from the event */
	__s32 error;	/* 0, or an errno, positive: mount(2) fails with it */
	__u32 reserved; /* 0 */
};

/*
 * ZUF_WAIT, on a mount's descriptor. The first thread to call it for a channel
 * is from then on the one that serves it, and no other can while it lives
 * (EBUSY). EINTR on a signal, ENOTCONN when the mount has ended.
 */
struct zuf_wait {
	__u32 channel;	/* its index */
	__u32 flags;	/* ZUF_WAIT_*, or 0: just to be the one that serves */
	__u32 expected; /* sleep only while the request word is this */
	__u32 reserved; /* 0 */
};

#define ZUF_WAIT_RING (1u << 0)	 /* the kernel was announced: wake it */
#define ZUF_WAIT_SLEEP (1u << 1) /* sleep, after ringing */

#define ZUF_MAGIC 0xe5
#define ZUF_REGISTER _IOWR(ZUF_MAGIC, 1, struct zuf_register)
#define ZUF_ADD_FS _IOW(ZUF_MAGIC, 2, struct zuf_add_fs)
#define ZUF_NEXT _IOR(ZUF_MAGIC, 3, struct zuf_event)
#define ZUF_ATTACH _IOW(ZUF_MAGIC, 4, struct zuf_attach)
#define ZUF_CHANNEL _IOWR(ZUF_MAGIC, 5, struct zuf_channel)
#define ZUF_READY _IOW(ZUF_MAGIC, 6, struct zuf_ready)
#define ZUF_WAIT _IOW(ZUF_MAGIC, 7, struct zuf_wait)

#endif
