/* The working directory: see cwd.h. */
#include "sandbox/cwd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/mount.h"
#include "sandbox/sys.h"

int cwd_make(int root, const char *cwd, struct err *e)
{
	_cleanup_fd_ int at = -1, made = -1;

	if (!cwd)
		return 0;
	at = sys_open_in_root(root, cwd, O_PATH);
	/* What else is wrong with it is said when it is entered. */
	return at >= 0 || errno != ENOENT ? 0 : mnt_target(root, cwd, true, &made, e);
}

/* "(unreachable)/..." is what the kernel says of a directory outside of the root (CVE-2024-21626). */
static int check(const char *cwd, struct err *e)
{
	char now[PATH_MAX];

	if (!getcwd(now, sizeof(now)) || now[0] != '/')
		return err_set(e, EACCES, "'%s' is outside of the root", cwd);
	return 0;
}

int cwd_enter(const char *cwd, bool *ret_is_in, struct err *e)
{
	if (!cwd || chdir(cwd) == 0) {
		*ret_is_in = true;
		return cwd ? check(cwd, e) : 0;
	}
	if (errno != EACCES && errno != EPERM)
		return err_errno(e, "'%s'", cwd);
	*ret_is_in = false;
	return 0;
}

int cwd_enter_dropped(const char *cwd, struct err *e)
{
	return chdir(cwd) == 0 ? check(cwd, e) : err_errno(e, "'%s'", cwd);
}
