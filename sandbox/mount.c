/* Mounts by descriptors only: see mount.h. */
#include "sandbox/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sys.h"

#define DATA_MAX 4096

/* The kernel explains a refused mount in the context's log, one message a read: "e overlay: ...". */
static void append_log(int fs, struct err *e)
{
	char msg[256];
	ssize_t n = read(fs, msg, sizeof(msg) - 1);
	size_t used = strlen(e->text);

	if (n <= 2)
		return;
	msg[n] = '\0';
	msg[strcspn(msg, "\n")] = '\0';
	(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s", msg + 2);
}

/* One option of "k=v,flag". */
static int configure(int fs, char *option, struct err *e)
{
	char *value = strchr(option, '=');
	int r;

	if (value) {
		*value++ = '\0';
		r = sys_fsconfig(fs, FSCONFIG_SET_STRING, option, value, 0);
	} else {
		r = sys_fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
	}
	return r < 0 ? err_errno(e, "option '%s'", option) : 0;
}

static int configure_all(int fs, const char *source, const char *data, struct err *e)
{
	char copy[DATA_MAX], *save = NULL;
	int r = 0;

	if (source && sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return err_errno(e, "source '%s'", source);
	if (!data)
		return 0;
	if (strlen(data) >= sizeof(copy))
		return err_set(e, E2BIG, "options of %zu bytes, at most %d", strlen(data),
			       DATA_MAX);
	strcpy(copy, data); /* fits: checked above */
	for (char *o = strtok_r(copy, ",", &save); r == 0 && o; o = strtok_r(NULL, ",", &save))
		r = configure(fs, o, e);
	return r;
}

int mnt_new(const char *type, const char *source, const char *data, uint64_t attrs, int *ret_mount,
	    struct err *e)
{
	_cleanup_fd_ int fs = sys_fsopen(type, 1 /* FSOPEN_CLOEXEC */);
	int mount, r;

	if (fs < 0)
		return err_errno(e, "%s: open file system", type);
	r = configure_all(fs, source, data, e);
	if (r == 0 && sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		r = err_errno(e, "create");
	if (r < 0) {
		append_log(fs, e);
		return err_wrap(e, "%s", type);
	}
	mount = sys_fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)attrs);
	if (mount < 0)
		return err_errno(e, "%s: mount", type);
	*ret_mount = mount;
	return 0;
}

int mnt_clone(int dirfd, const char *path, bool is_recursive, int *ret_mount, struct err *e)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			     (is_recursive ? AT_RECURSIVE : 0);
	int mount = sys_open_tree(dirfd, path, flags);

	if (mount < 0)
		return err_errno(e, "bind '%s'", path);
	*ret_mount = mount;
	return 0;
}

int mnt_set(int mount, uint64_t attr_set, uint64_t attr_clr, uint64_t propagation,
	    bool is_recursive, struct err *e)
{
	struct mount_attr attr = {
		.attr_set = attr_set, .attr_clr = attr_clr, .propagation = propagation};

	/* Access time is a field of three bits, not a set of flags: name it in clr to replace it. */
	if (attr_set & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	if (!attr.attr_set && !attr.attr_clr && !propagation)
		return 0; /* the kernel answers EINVAL to an empty change */
	if (sys_mount_setattr(mount, "", AT_EMPTY_PATH | (is_recursive ? AT_RECURSIVE : 0), &attr) <
	    0)
		return err_errno(e, "mount attributes +0x%llx -0x%llx",
				 (unsigned long long)attr_set, (unsigned long long)attr_clr);
	return 0;
}

int mnt_attach(int mount, int target, const char *name, struct err *e)
{
	if (sys_move_mount(mount, "", target, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_errno(e, "attach at '%s'", name);
	return 0;
}

/* Make the last part of path beneath parent; somebody may have been faster. */
static int make_last(int parent, const char *name, bool is_dir, const char *path, struct err *e)
{
	_cleanup_fd_ int file = -1;

	if (is_dir) {
		if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST)
			return err_errno(e, "mkdir '%s'", path);
		return 0;
	}
	file = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
	if (file < 0 && errno != EEXIST)
		return err_errno(e, "create '%s'", path);
	return 0;
}

/* path is relative, without leading slash, and may be cut: it is our copy. */
static int open_or_make(int root, char *path, bool is_dir, int *ret_fd, struct err *e)
{
	_cleanup_fd_ int parent = -1;
	char *slash, *name;
	int fd = sys_open_in_root(root, path[0] ? path : ".", O_PATH), r;

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno != ENOENT)
		return err_errno(e, "open '/%s' in the root", path);
	slash = strrchr(path, '/');
	name = slash ? slash + 1 : path;
	if (slash)
		*slash = '\0';
	/* Depth is bounded by PATH_MAX / 2; every level returns before the next is opened. */
	r = open_or_make(root, slash ? path : path + strlen(path), true, &parent, e);
	if (slash)
		*slash = '/';
	if (r == 0)
		r = make_last(parent, name, is_dir, path, e);
	if (r < 0)
		return r;
	fd = sys_open_in_root(parent, name, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(e, "open new '/%s' in the root", path);
	*ret_fd = fd;
	return 0;
}

int mnt_target(int root, const char *target, bool is_dir, int *ret_fd, struct err *e)
{
	char path[PATH_MAX];
	size_t n;

	while (*target == '/')
		target++;
	n = strlen(target);
	while (n > 0 && target[n - 1] == '/')
		n--;
	if (n >= sizeof(path))
		return err_set(e, ENAMETOOLONG, "mount target of %zu bytes", n);
	memcpy(path, target, n);
	path[n] = '\0';
	return open_or_make(root, path, is_dir, ret_fd, e);
}
