/*
 * The zygote's half of runtimed/zygote.h: fork children into sandboxes.
 *
 * Why clone3() and not fork(): the child must be born in its cgroup (a later move would leave pages
 * charged to the zygote) and be the launcher's child (CLONE_PARENT), which waits for it. What libc's
 * fork() would have done beside the system call is done here: the thread id that libc caches is written
 * by the kernel, the list of robust mutexes is registered again, and Python's own fork hooks are called
 * around it. Locks of libc cannot be held, since there is one thread.
 */
#include "images/python/guest.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/sock.h"
#include "sandbox/sys.h"

static int open_ns(const char *path, int *ret_fd, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, "open '%s'", path);
	*ret_fd = fd;
	return 0;
}

static int receive_setup(int *ret_memfd, struct err *e)
{
	union zygote_message m;
	size_t size, n_fds;
	int r = sock_recv(ZYGOTE_FD_CONTROL, &m, sizeof(m), &size, ret_memfd, 1, &n_fds, e);

	if (r < 0)
		return r;
	if (r != 0 || m.type != ZYGOTE_SETUP || size != sizeof(m.plain) || n_fds != 1)
		return err_set(e, EPROTO, "the first message is not SETUP");
	if (m.plain.version != ZYGOTE_VERSION)
		return err_set(
			e, EPROTONOSUPPORT,
			"the image's extension speaks version %d, the daemon %u: rebuild the image",
			ZYGOTE_VERSION, m.plain.version);
	return 0;
}

/*
 * Where libc caches the thread id. Kernels without CONFIG_CHECKPOINT_RESTORE do not tell; there, libc's description
 * of its thread structure for debuggers does (glibc's nptl_db: size in bits, count, offset).
 */
static int find_tid(int **ret, struct err *e)
{
	const uint32_t *field;
	int *tid;

	if (prctl(PR_GET_TID_ADDRESS, ret, 0, 0, 0) == 0)
		return 0;
	err_errno(e, "prctl: address of the thread id");
	field = dlsym(RTLD_DEFAULT, "_thread_db_pthread_tid");
	if (!field || field[0] != 8 * sizeof(*tid))
		return -e->code;
	tid = (int *)((char *)pthread_self() + field[2]);
	if (*tid != gettid())
		return -e->code;
	*ret = tid;
	return 0;
}

/* The namespaces are opened first and take the numbers 4 and 5, so nothing later gets those. */
int zygote_setup(struct zygote *z, struct err *e)
{
	_cleanup_fd_ int memfd = -1;

	if (fcntl(ZYGOTE_FD_CONTROL, F_SETFD, FD_CLOEXEC) < 0)
		return err_errno(e, "control socket");
	if (open_ns("/proc/self/ns/net", &z->net_ns, e) < 0 ||
	    open_ns("/proc/self/ns/pid", &z->pid_ns, e) < 0)
		return -e->code;
	if (find_tid(&z->tid, e) < 0)
		return -e->code;
	if (syscall(SYS_get_robust_list, 0, &z->robust_list, &z->robust_list_size) < 0)
		return err_errno(e, "get_robust_list");
	if (receive_setup(&memfd, e) < 0)
		return -e->code;
	return child_map_drop(memfd, &z->drop, e);
}

int zygote_ready(const struct err *failure, struct err *e)
{
	struct zygote_broken broken = {.type = CHILD_BROKEN, .err = *failure};
	struct zygote_plain ready = {
		.type = ZYGOTE_READY, .version = ZYGOTE_VERSION, .at_us = clk_now_us()};

	if (failure->code != 0)
		return sock_send(ZYGOTE_FD_CONTROL, &broken, sizeof(broken), NULL, 0, e);
	return sock_send(ZYGOTE_FD_CONTROL, &ready, sizeof(ready), NULL, 0, e);
}

void zygote_break(const struct err *e)
{
	struct err ignored = ERR_INIT; /* the launcher sees the end of the process in any case */

	(void)zygote_ready(e, &ignored);
	_exit(1);
}

/* Back to the zygote's own namespaces: it must not keep those of a sandbox alive. */
static int leave(const struct zygote *z, struct err *e)
{
	if (setns(z->net_ns, CLONE_NEWNET) < 0 || setns(z->pid_ns, CLONE_NEWPID) < 0)
		return err_errno(e, "leave the sandbox");
	return 0;
}

static pid_t fork_into(const struct zygote *z, int cgroup, int *ret_pidfd, struct err *e)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PARENT | CLONE_INTO_CGROUP | CLONE_PIDFD | CLONE_CHILD_SETTID |
			 CLONE_CHILD_CLEARTID,
		.pidfd = (uintptr_t)&pidfd,
		.child_tid = (uintptr_t)z->tid,
		.cgroup = (uint64_t)cgroup,
	};
	pid_t pid = sys_clone3(&args, sizeof(args));

	if (pid < 0)
		return err_errno(e, "clone3"); /* pidfd may hold a number that is no descriptor */
	if (pid > 0)
		*ret_pidfd = pidfd;
	return pid;
}

/* One message of the launcher. */
struct request {
	union zygote_message m;
	size_t size;
	int fds[SPAWN_FDS_MAX];
	size_t n_fds;
};

/* Whatever can be done before somebody waits for it. A Python error becomes the child's error. */
static int prepare_to_park(PyObject *prepare, bool is_wanted, struct err *e)
{
	PyObject *type, *value, *trace,
		*done = PyObject_CallOneArg(prepare, is_wanted ? Py_True : Py_False);
	PyObject *text = NULL;

	if (done) {
		Py_DECREF(done);
		return 0;
	}
	PyErr_Fetch(&type, &value, &trace);
	if (value)
		text = PyObject_Str(value);
	/* The process ends with this error: nothing is given back. */
	return err_set(e, EINVAL, "prepare: %s", text ? PyUnicode_AsUTF8(text) : "unknown error");
}

/*
 * Python's hooks and the preparation run once the child is in all its groups: the pages they write are the
 * instance's. What is before them uses no Python.
 */
static void become_child(const struct zygote *z, const struct request *q, PyObject *prepare,
			 struct child_times *t)
{
	struct err e = ERR_INIT;

	t->forked_us = clk_now_us();
	(void)syscall(SYS_set_robust_list, z->robust_list,
		      z->robust_list_size); /* same size: cannot fail */
	if (child_arrive(q->fds, q->n_fds, &e) < 0)
		child_break(&e);
	PyOS_AfterFork_Child();
	if (prepare_to_park(prepare, q->m.spawn.is_wanted, &e) < 0 ||
	    child_park(z->drop, t, &e) < 0)
		child_break(&e);
}

/* Returns 0 in the zygote, ZYGOTE_E_CHILD in the child. */
static int spawn(const struct zygote *z, const int fds[SPAWN_FDS], struct zygote_spawned *ret,
		 int *ret_pidfd)
{
	pid_t pid;

	/* Both namespaces of the sandbox's pid 1. */
	if (setns(fds[SPAWN_FD_INIT], CLONE_NEWNET | CLONE_NEWPID) < 0) {
		err_errno(&ret->err, "enter the sandbox");
		return 0;
	}
	PyOS_BeforeFork();
	pid = fork_into(z, fds[SPAWN_FD_CGROUP], ret_pidfd, &ret->err);
	if (pid == 0)
		return ZYGOTE_E_CHILD;
	PyOS_AfterFork_Parent();
	ret->pid = pid > 0 ? pid : 0;
	return 0;
}

static int answer(const struct zygote *z, const struct zygote_spawned *spawned, int pidfd,
		  struct err *e)
{
	if (leave(z, e) < 0)
		return -e->code;
	return sock_send(ZYGOTE_FD_CONTROL, spawned, sizeof(*spawned), &pidfd, pidfd >= 0, e);
}

static bool is_spawn(const struct request *q)
{
	if (q->size != sizeof(q->m.spawn) || q->m.type != ZYGOTE_SPAWN || q->n_fds < SPAWN_FDS)
		return false;
	/* dup3() in the child must not overwrite what it has yet to place. */
	for (size_t i = 0; i < q->n_fds; i++)
		if (q->fds[i] <= GUEST_FD_CONTROL + 1)
			return false;
	return true;
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fd_close(&fds[i]);
}

static int serve_one(const struct zygote *z, PyObject *prepare, struct child_times *t,
		     struct err *e)
{
	struct zygote_spawned spawned = {.type = ZYGOTE_SPAWNED};
	struct request q;
	_cleanup_fd_ int pidfd = -1;
	int r = sock_recv(ZYGOTE_FD_CONTROL, &q.m, sizeof(q.m), &q.size, q.fds, SPAWN_FDS_MAX,
			  &q.n_fds, e);

	if (r == SOCK_E_EOF)
		return ZYGOTE_E_EOF;
	if (r < 0)
		return r;
	if (!is_spawn(&q))
		return err_set(e, EPROTO, "message %u of %zu bytes with %zu descriptors, not SPAWN",
			       q.m.type, q.size, q.n_fds);
	spawned.slot = q.m.spawn.slot;
	if (spawn(z, q.fds, &spawned, &pidfd) == ZYGOTE_E_CHILD) {
		become_child(z, &q, prepare, t);
		return ZYGOTE_E_CHILD;
	}
	close_all(q.fds, q.n_fds);
	return answer(z, &spawned, pidfd, e);
}

int zygote_serve(const struct zygote *z, PyObject *prepare, struct child_times *ret_times,
		 struct err *e)
{
	struct child_times t = {0};
	int r;

	do
		r = serve_one(z, prepare, &t, e);
	while (r == 0);
	if (r == ZYGOTE_E_CHILD)
		*ret_times = t;
	return r;
}
