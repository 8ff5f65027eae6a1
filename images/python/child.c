/*
 * A child's half of runtimed/zygote.h: arrive in the sandbox, park, take the code, seal.
 *
 * The order is the protocol's. Whatever fails is sent as BROKEN by child_break(); a launcher that went
 * away (end of file) ends the process without a word, since there is nobody to hear it.
 */
#include "images/python/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/fd.h"
#include "base/sock.h"

#define CODE_TARGET "/var/task"
#define FD_INIT     (GUEST_FD_CONTROL + 1) /* pidfd of the sandbox's pid 1, until it is joined */

/* clang-format off */
static const struct {
	int spawn; /* index in fds */
	int place;
	int flags;
} places[] = {
	{SPAWN_FD_LOG,     GUEST_FD_OUT,     0        },
	{SPAWN_FD_LOG,     GUEST_FD_ERR,     0        },
	{SPAWN_FD_DATA,    GUEST_FD_DATA,    O_CLOEXEC},
	{SPAWN_FD_CONTROL, GUEST_FD_CONTROL, O_CLOEXEC},
	{SPAWN_FD_INIT,    FD_INIT,          O_CLOEXEC},
};
/* clang-format on */

static int place_fds(const int *fds, struct err *e)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (dup3(fds[places[i].spawn], places[i].place, places[i].flags) < 0)
			return err_errno(e, "place descriptor %d", places[i].place);
	return sbx_close_above(FD_INIT, e);
}

static int say(enum zygote_type type, uint64_t *ret_at_us, struct err *e)
{
	struct zygote_plain m = {.type = type, .version = ZYGOTE_VERSION, .at_us = clk_now_us()};

	if (sock_send(GUEST_FD_CONTROL, &m, sizeof(m), NULL, 0, e) < 0)
		return -e->code;
	*ret_at_us = m.at_us;
	return 0;
}

/* Wait for one plain message with exactly n_fds descriptors. */
static int expect(enum zygote_type type, int *fds, size_t n_fds, struct err *e)
{
	struct zygote_plain m = {0};
	size_t size = 0, got = 0;
	int r = sock_recv(GUEST_FD_CONTROL, &m, sizeof(m), &size, fds, n_fds, &got, e);

	if (r < 0)
		return r;
	if (r == SOCK_E_EOF)
		_exit(0);
	if (r != 0 || size != sizeof(m) || m.type != type || got != n_fds)
		return err_set(e, EPROTO, "message %u of %zu bytes with %zu descriptors, not %u",
			       m.type, size, got, type);
	return 0;
}

int child_arrive(const int *fds, size_t n_fds, struct err *e)
{
	int r = sbx_join_groups(fds + SPAWN_FDS, (int)(n_fds - SPAWN_FDS), e);

	if (r == 0)
		r = place_fds(fds, e);
	if (r < 0)
		return r;
	/* Out of the zygote's process group: all its children, of all tenants, would be in it. */
	if (setsid() < 0)
		return err_errno(e, "setsid");
	r = sbx_join(FD_INIT, e);
	(void)close(FD_INIT);
	return r;
}

/*
 * A change of ids makes the kernel hide the process from itself, as a set-uid program: /proc/self/ns, maps,
 * /dev/stdout. Nothing of the zygote needs hiding, and user code expects to see itself.
 */
static int show_self(struct err *e)
{
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return err_errno(e, "prctl: set dumpable");
	return 0;
}

int child_park(const struct sbx_drop *drop, struct child_times *t, struct err *e)
{
	_cleanup_fd_ int code = -1;
	uint64_t parked_us;
	int control = GUEST_FD_CONTROL;

	if (say(CHILD_PARKED, &parked_us, e) < 0 || expect(CHILD_TAKE, &code, 1, e) < 0)
		return -e->code;
	t->taken_us = clk_now_us();
	if (sbx_attach(code, CODE_TARGET, e) < 0 || sbx_drop(drop, e) < 0 || show_self(e) < 0 ||
	    say(CHILD_SEALED, &t->sealed_us, e) < 0)
		return -e->code;
	fd_close(&control);
	return 0;
}

void child_break(const struct err *e)
{
	struct zygote_broken m = {.type = CHILD_BROKEN, .err = *e};
	struct err ignored = ERR_INIT; /* the launcher sees the end of the process in any case */

	(void)sock_send(GUEST_FD_CONTROL, &m, sizeof(m), NULL, 0, &ignored);
	_exit(1);
}

int child_map_drop(int memfd, const struct sbx_drop **ret, struct err *e)
{
	struct stat st;
	void *p;

	if (fstat(memfd, &st) < 0)
		return err_errno(e, "stat drop");
	if (st.st_size != sizeof(struct sbx_drop))
		return err_set(
			e, EPROTONOSUPPORT,
			"the image's extension wants a drop of %zu bytes, the daemon's has %lld: "
			"rebuild the image",
			sizeof(struct sbx_drop), (long long)st.st_size);
	p = mmap(NULL, sizeof(struct sbx_drop), PROT_READ, MAP_PRIVATE, memfd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, "map drop");
	*ret = p;
	return 0;
}
