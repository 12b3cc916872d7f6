// SPDX-License-Identifier: GPL-2.0
/* Mounting: options, the handshake with the server, and the end. */
#include <linux/slab.h>
#include <linux/statfs.h>

#include "vfs.h"

#define INIT_FLAGS \
	(FUSE_ASYNC_READ | FUSE_EXPORT_SUPPORT | FUSE_BIG_WRITES | \
	 FUSE_NO_OPEN_SUPPORT | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | \
	 FUSE_CACHE_SYMLINKS | FUSE_NO_OPENDIR_SUPPORT | \
	 FUSE_EXPLICIT_INVAL_DATA | FUSE_HANDLE_KILLPRIV_V2 | FUSE_INIT_EXT)
/* Without these a server cannot be mounted: opening is not told. */
#define INIT_MUST (FUSE_NO_OPEN_SUPPORT | FUSE_NO_OPENDIR_SUPPORT)
#define MINOR_SPOKEN 39
#define MINOR_OLDEST 31

enum { OPT_RELAY, OPT_SPIN_NS, OPT_SOURCE };

static const struct constant_table strategies[] = {
	{ "waitqueue", ZUF_WAITQUEUE },
	{ "park", ZUF_PARK },
	{ "yield", ZUF_YIELD },
	{ "spin", ZUF_SPIN },
	{ "hybrid", ZUF_HYBRID },
	{}
};

const struct fs_parameter_spec zuf_parameters[] = {
	fsparam_string("relay", OPT_RELAY),
	fsparam_u64("spin_ns", OPT_SPIN_NS),
	fsparam_string("source", OPT_SOURCE),
	{}
};

/* What a mount or remount asks for. */
struct options {
	u32 strategy;
	u64 spin_ns;
	bool has_strategy;
	bool has_spin_ns;
};

static int parse_strategy(struct fs_context *fc, const char *name)
{
	const struct constant_table *it;
	struct options *options = fc->fs_private;

	for (it = strategies; it->name; it++) {
		if (strcmp(it->name, name))
			continue;
		options->strategy = it->value;
		options->has_strategy = true;
		return 0;
	}
	return invalf(fc, "%s: unknown relay strategy '%s' (there are waitqueue, park, yield, spin, hybrid)",
		      fc->fs_type->name, name);
}

static int zuf_parse_param(struct fs_context *fc, struct fs_parameter *param)
{
	struct options *options = fc->fs_private;
	struct fs_parse_result result;
	int opt = fs_parse(fc, zuf_parameters, param, &result);

	switch (opt) {
	case OPT_RELAY:
		return parse_strategy(fc, param->string);
	case OPT_SPIN_NS:
		if (result.uint_64 > ZUF_SPIN_NS_MAX)
			return invalf(fc, "%s: spin_ns=%llu is above %d",
				      fc->fs_type->name, result.uint_64,
				      ZUF_SPIN_NS_MAX);
		options->spin_ns = result.uint_64;
		options->has_spin_ns = true;
		return 0;
	case OPT_SOURCE:
		if (fc->source)
			return invalf(fc, "%s: two sources", fc->fs_type->name);
		fc->source = param->string;
		param->string = NULL;
		return 0;
	case -ENOPARAM:
		return invalf(fc, "%s: unknown option '%s'", fc->fs_type->name,
			      param->key);
	default:
		return opt;
	}
}

static void apply(struct zuf_mount *mount, const struct options *options)
{
	if (options->has_strategy)
		WRITE_ONCE(mount->strategy, options->strategy);
	if (options->has_spin_ns)
		WRITE_ONCE(mount->spin_ns, options->spin_ns);
}

static int handshake(struct super_block *sb)
{
	struct zuf_mount *mount = zuf_mount_of(sb);
	struct fuse_init_in in = {
		.major = FUSE_KERNEL_VERSION,
		.minor = MINOR_SPOKEN,
		.max_readahead = ZUF_WINDOW,
		.flags = INIT_FLAGS,
	};
	struct fuse_init_out out;
	struct zuf_op op = {
		.opcode = FUSE_INIT,
		.in = { { &in, sizeof(in) } },
		.out = &out,
		.out_len = sizeof(out),
	};
	int err = zuf_call(mount, &op);

	if (err)
		return err;
	if (out.major != FUSE_KERNEL_VERSION || out.minor < MINOR_OLDEST ||
	    out.flags & ~INIT_FLAGS || (out.flags & INIT_MUST) != INIT_MUST)
		return -EPROTO;
	mount->minor = min_t(u32, out.minor, MINOR_SPOKEN);
	mount->max_write = clamp_t(u32, out.max_write, PAGE_SIZE, ZUF_WINDOW);
	sb->s_time_gran = clamp_t(u32, out.time_gran, 1, NSEC_PER_SEC);
	return 0;
}

static int make_root(struct super_block *sb)
{
	struct fuse_entry_out entry = {
		.nodeid = FUSE_ROOT_ID,
		.attr.mode = S_IFDIR | 0755,
		.attr.nlink = 2,
	};
	struct inode *root = zuf_iget(sb, &entry, 0);
	int err;

	if (IS_ERR(root))
		return PTR_ERR(root);
	/* The root's reference is nobody's to give back. */
	ZUF_I(root)->nlookup = 0;
	err = zuf_attr_fetch(root);
	if (err) {
		iput(root);
		return err;
	}
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static int zuf_statfs(struct dentry *dentry, struct kstatfs *buf)
{
	struct inode *inode = d_inode(dentry);
	struct fuse_statfs_out out;
	struct zuf_op op = ZUF_OP(inode, FUSE_STATFS, .out = &out,
				  .out_len = sizeof(out));
	int err = zuf_inode_call(inode, &op);

	if (err)
		return err;
	buf->f_type = FUSE_SUPER_MAGIC;
	buf->f_bsize = out.st.bsize;
	buf->f_frsize = out.st.frsize;
	buf->f_blocks = out.st.blocks;
	buf->f_bfree = out.st.bfree;
	buf->f_bavail = out.st.bavail;
	buf->f_files = out.st.files;
	buf->f_ffree = out.st.ffree;
	buf->f_namelen = out.st.namelen;
	return 0;
}

static int zuf_sync_fs(struct super_block *sb, int wait)
{
	struct zuf_mount *mount = zuf_mount_of(sb);
	struct fuse_syncfs_in in = {};
	struct zuf_op op = {
		.opcode = FUSE_SYNCFS,
		.nodeid = FUSE_ROOT_ID,
		.in = { { &in, sizeof(in) } },
		.sb = sb,
	};
	int err;

	if (!wait || !sb->s_root)
		return 0;
	/* umount syncs too, when the superblock is not to be held any more. */
	if (!atomic_read(&sb->s_active))
		op.sb = NULL;
	err = zuf_call(mount, &op);
	return err == -ENOSYS ? 0 : err;
}

static int zuf_show_options(struct seq_file *seq, struct dentry *root)
{
	struct zuf_mount *mount = zuf_mount_of(root->d_sb);

	seq_printf(seq, ",relay=%s",
		   zuf_strategy_names[READ_ONCE(mount->strategy)]);
	if (READ_ONCE(mount->spin_ns))
		seq_printf(seq, ",spin_ns=%llu", READ_ONCE(mount->spin_ns));
	return 0;
}

/* umount -f */
static void zuf_umount_begin(struct super_block *sb)
{
	struct zuf_mount *mount = zuf_mount_of(sb);

	mount->aborted = true;
	zuf_mount_end(mount);
}

static const struct super_operations super_operations = {
	.alloc_inode = zuf_alloc_inode,
	.free_inode = zuf_free_inode,
	.evict_inode = zuf_evict_inode,
	.statfs = zuf_statfs,
	.sync_fs = zuf_sync_fs,
	.show_options = zuf_show_options,
	.umount_begin = zuf_umount_begin,
};

static int begin(struct super_block *sb, struct fs_context *fc)
{
	struct zuf_server *server = zuf_fstype_server(fc->fs_type);
	u32 flags = fc->sb_flags & SB_RDONLY ? ZUF_MOUNT_READ_ONLY : 0;
	struct zuf_mount *mount;
	int err;

	if (!server) {
		errorf(fc, "%s: no server", fc->fs_type->name);
		return -ENOTCONN;
	}
	mount = zuf_mount_new(server, fc->fs_type->name, fc->source, flags);
	zuf_server_put(server);
	if (IS_ERR(mount))
		return PTR_ERR(mount);
	sb->s_fs_info = mount;
	apply(mount, fc->fs_private);
	zuf_mount_event(mount, ZUF_EVENT_MOUNT);
	err = zuf_mount_await_ready(mount);
	if (err)
		errorf(fc, "%s: the server does not serve '%s'",
		       fc->fs_type->name, mount->source);
	return err;
}

static int zuf_fill_super(struct super_block *sb, struct fs_context *fc)
{
	int err = begin(sb, fc);

	if (err)
		return err;
	sb->s_op = &super_operations;
	zuf_set_dentry_operations(sb, &zuf_dentry_operations);
	sb->s_magic = FUSE_SUPER_MAGIC;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_time_gran = 1;
	err = handshake(sb);
	if (err == -EPROTO)
		errorf(fc, "%s: the server does not keep to the zuf profile",
		       fc->fs_type->name);
	return err ?: make_root(sb);
}

static int zuf_get_tree(struct fs_context *fc)
{
	return get_tree_nodev(fc, zuf_fill_super);
}

static int zuf_reconfigure(struct fs_context *fc)
{
	struct zuf_mount *mount = zuf_mount_of(fc->root->d_sb);

	apply(mount, fc->fs_private);
	zuf_mount_event(mount, ZUF_EVENT_POLICY);
	return 0;
}

static void zuf_free_fc(struct fs_context *fc)
{
	kfree(fc->fs_private);
}

static const struct fs_context_operations context_operations = {
	.parse_param = zuf_parse_param,
	.get_tree = zuf_get_tree,
	.reconfigure = zuf_reconfigure,
	.free = zuf_free_fc,
};

int zuf_init_fs_context(struct fs_context *fc)
{
	fc->fs_private = kzalloc(sizeof(struct options), GFP_KERNEL);
	if (!fc->fs_private)
		return -ENOMEM;
	fc->ops = &context_operations;
	return 0;
}

void zuf_kill_sb(struct super_block *sb)
{
	struct zuf_mount *mount = zuf_mount_of(sb);
	bool was_up = sb->s_root;

	kill_anon_super(sb);
	if (!mount)
		return;
	if (was_up && !READ_ONCE(mount->ended)) {
		struct zuf_op op = { .opcode = FUSE_DESTROY };

		/* Killed while it waits, umount goes on without an answer. */
		zuf_call(mount, &op);
	}
	zuf_mount_close(mount);
}
