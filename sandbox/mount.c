/* Mounts by descriptors only: see mount.h. */
#include "sandbox/mount.h"

#include <errno.h>
#include <fcntl.h>
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

/* The next of "k=v,flag", ended and without the quotes that a value with commas stands in; NULL at the end. */
static char *next_option(char **rest)
{
	char *option = *rest, *to = option, *at = option;
	bool is_quoted = false;

	if (!*at)
		return NULL;
	for (; *at && (is_quoted || *at != ','); at++) {
		if (*at == '"')
			is_quoted = !is_quoted;
		else
			*to++ = *at;
	}
	*rest = at + (*at == ',');
	*to = '\0';
	return option;
}

static int configure_all(int fs, const char *source, const char *data, struct err *e)
{
	char copy[DATA_MAX], *rest = copy;
	int r = 0;

	if (source && sys_fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return err_errno(e, "source '%s'", source);
	if (!data)
		return 0;
	if (strlen(data) >= sizeof(copy))
		return err_set(e, E2BIG, "options of %zu bytes, at most %d", strlen(data),
			       DATA_MAX);
	strcpy(copy, data); /* fits: checked above */
	for (char *o = next_option(&rest); r == 0 && o; o = next_option(&rest))
		if (*o)
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

int mnt_change(int mount, const char *data, bool is_readonly, struct err *e)
{
	_cleanup_fd_ int fs = sys_fspick(mount, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
	int r;

	if (fs < 0)
		return err_errno(e, "open file system");
	r = configure_all(fs, NULL, data, e);
	if (r == 0 && sys_fsconfig(fs, FSCONFIG_SET_FLAG, is_readonly ? "ro" : "rw", NULL, 0) < 0)
		r = err_errno(e, "option '%s'", is_readonly ? "ro" : "rw");
	if (r == 0 && sys_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		r = err_errno(e, "reconfigure");
	if (r < 0)
		append_log(fs, e);
	return r;
}

int mnt_clone(int dirfd, const char *path, bool is_recursive, int *ret_mount, struct err *e)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			     (is_recursive ? AT_RECURSIVE : 0);
	int mount = sys_open_tree(dirfd, path, flags);

	if (mount < 0 && errno == EINVAL && !is_recursive)
		return err_set(e, EINVAL,
			       "bind '%s': it is unbindable, or, in a user namespace, what is "
			       "mounted below must come along: use rbind",
			       path);
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
	    0) {
		err_errno(e, "mount attributes +0x%llx -0x%llx", (unsigned long long)attr_set,
			  (unsigned long long)attr_clr);
		return e->code == EPERM ? err_wrap(e, "a flag is locked by whoever mounted it")
					: -e->code;
	}
	return 0;
}

int mnt_attach(int mount, int target, const char *name, struct err *e)
{
	if (sys_move_mount(mount, "", target, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_errno(e, "attach at '%s'", name);
	return 0;
}

static int mount_id(int fd, uint64_t *ret, struct err *e)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) < 0)
		return err_errno(e, "look at a mount");
	*ret = st.stx_mnt_id;
	return 0;
}

int mnt_attach_in(int root, int mount, int target, const char *path, struct err *e)
{
	_cleanup_fd_ int seen = -1;
	uint64_t ours = 0, theirs = 0;
	int r = mnt_attach(mount, target, path, e);

	if (r < 0)
		return r;
	seen = sys_open_in_root(root, path, O_PATH);
	if (seen < 0)
		return err_errno(e, "open '%s' again", path);
	r = mount_id(mount, &ours, e);
	if (r == 0)
		r = mount_id(seen, &theirs, e);
	if (r == 0 && ours != theirs)
		r = err_set(e, EBUSY, "'%s' was moved meanwhile", path);
	return r;
}
