/* sandbox delete: remove what create made. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/cli/ctr.h"

const struct opt delete_opts[] = {
	{"force", 'f', OPT_FLAG, offsetof(struct cli, is_forced), NULL,
	 "kill it if it runs; one that does not exist is no error"},
	OPT_ROW_ID,
	OPT_ROW_END,
};

/*
 * A created container is killed without being asked to, as runc and crun do: engines count on it. One that is
 * incomplete has lost its creator, for we have the lock.
 */
static int check(const struct ctr *c, struct err *e)
{
	enum state_status status = STATE_STOPPED;
	int r = state_status(&c->state, &status, e);

	if (r < 0 || c->cli->is_forced || status == STATE_STOPPED || status == STATE_CREATED ||
	    status == STATE_CREATING)
		return r;
	return err_set(e, EBUSY, "cannot delete container %s that is not stopped: %s", c->cli->id,
		       state_status_name(status));
}

/* A create that was killed before its first word: a directory and nothing else. */
static int remove_empty(const struct cli *cli, struct err *e)
{
	_cleanup_fd_ int root = open(cli->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_state_ struct state s = STATE_INIT;
	int r;

	if (root < 0 || faccessat(root, cli->id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	r = state_claim(cli->root, cli->id, &s, e);
	return r < 0 ? r : state_remove(cli->root, &s, e);
}

int cmd_delete(struct cli *cli, struct err *e)
{
	_cleanup_ctr_ struct ctr c = CTR_INIT;
	int r = ctr_find(&c, cli, e);

	if (r == -ENOENT && cli->is_forced)
		return remove_empty(cli, e);
	if (r == 0)
		r = check(&c, e);
	return r < 0 ? r : ctr_destroy(&c, e);
}
