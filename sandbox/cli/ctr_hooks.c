/* Hooks of a container, with its state on stdin: see ctr.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "sandbox/cli/ctr.h"
#include "sandbox/hook.h"

/* Nobody who reads it can change what the next one reads. */
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static int open_file(int *ret, struct err *e)
{
	int fd = memfd_create("state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_errno(e, "memfd_create");
	*ret = fd;
	return 0;
}

static int fill(const struct ctr *c, enum state_status status, int fd, struct err *e)
{
	struct state_view view = {.status = status, .layout = STATE_FOR_HOOK};
	_cleanup_buf_ struct buf text;
	int r;

	buf_init(&text, STATE_BYTES);
	r = state_show(&c->state, &view, &text, e);
	if (r == 0)
		r = file_write_all(fd, text.data, text.len, e);
	if (r == 0 && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		r = err_errno(e, "seal the state");
	return r;
}

int ctr_open_hook_states(struct ctr *c, struct err *e)
{
	uint32_t n = 0;
	int r;

	for (int k = 0; k < SBX_HOOK_KINDS; k++)
		n += c->plan->hooks[k].n;
	if (n == 0)
		return 0;
	r = open_file(&c->gate.creating, e);
	return r < 0 ? r : open_file(&c->gate.created, e);
}

int ctr_fill_hook_states(struct ctr *c, struct err *e)
{
	int r = fill(c, STATE_CREATING, c->gate.creating, e);

	return r < 0 ? r : fill(c, STATE_CREATED, c->gate.created, e);
}

int ctr_run_hooks(struct ctr *c, enum sbx_hook_kind kind, enum state_status status, struct err *e)
{
	_cleanup_fd_ int fd = -1;
	int r;

	if (c->plan->hooks[kind].n == 0)
		return 0;
	r = open_file(&fd, e);
	if (r == 0)
		r = fill(c, status, fd, e);
	return r < 0 ? r : hook_run_all(c->plan, kind, fd, c->state.bundle, e);
}

void ctr_run_poststop(struct ctr *c)
{
	_cleanup_fd_ int fd = -1;
	struct err e = ERR_INIT;
	int r;

	if (c->plan->hooks[SBX_HOOK_POSTSTOP].n == 0)
		return;
	r = open_file(&fd, &e);
	if (r == 0)
		r = fill(c, STATE_STOPPED, fd, &e);
	if (r < 0)
		cli_report(c->cli, &e);
	for (uint32_t i = 0; r == 0 && i < c->plan->hooks[SBX_HOOK_POSTSTOP].n; i++)
		if (hook_run(c->plan, SBX_HOOK_POSTSTOP, i, fd, c->state.bundle, &e) < 0)
			cli_report(c->cli, &e);
}
