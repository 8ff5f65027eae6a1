/* Labels of security modules: see lsm.h. */
#include "sandbox/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "sandbox/proc.h"

#define LABEL_BYTES 4096

static bool has_apparmor(void)
{
	struct err lost = ERR_INIT;
	char text[8];

	return file_read(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", text, sizeof(text),
			 &lost) == 0 &&
	       text[0] == 'Y';
}

static bool has_selinux(void)
{
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 && fs.f_type == SELINUX_MAGIC;
}

/* Without AppArmor everything is unconfined: that much can be promised. */
static const char *apparmor_of(const struct sbx_plan *p)
{
	return p->apparmor && !str_is(p->apparmor, "unconfined") ? p->apparmor : NULL;
}

int lsm_check(const struct sbx_plan *p, struct err *e)
{
	if (apparmor_of(p) && !has_apparmor())
		return err_set(e, ENOTSUP,
			       "apparmorProfile '%s': AppArmor is not active on this host",
			       p->apparmor);
	if (p->selinux && !has_selinux())
		return err_set(e, ENOTSUP, "selinuxLabel '%s': SELinux is not active on this host",
			       p->selinux);
	return 0;
}

int lsm_open(const struct sbx_plan *p, struct lsm_state *s, struct err *e)
{
	const char *const labels[LSM_LABELS] = {p->apparmor, p->selinux};
	static const char *const files[LSM_LABELS] = {"attr/apparmor/exec", "attr/exec"};
	_cleanup_fd_ int proc = -1;
	bool wants_apparmor = labels[0] && (apparmor_of(p) || has_apparmor());
	int r = wants_apparmor || labels[1] ? proc_open(&proc, e) : 0;

	if (r == 0 && wants_apparmor)
		r = proc_open_self(proc, files[0], O_WRONLY, &s->fds[0], e);
	if (r == 0 && labels[1])
		r = proc_open_self(proc, files[1], O_WRONLY, &s->fds[1], e);
	return r;
}

int lsm_apply(const struct sbx_plan *p, struct lsm_state *s, struct err *e)
{
	char text[LABEL_BYTES];
	int r = 0;

	if (s->fds[0] >= 0) {
		int n = snprintf(text, sizeof(text), "exec %s", p->apparmor);

		r = n < 0 || (size_t)n >= sizeof(text)
			    ? err_set(e, ENAMETOOLONG, "apparmorProfile")
			    : proc_write(s->fds[0], "self/attr/apparmor/exec", text, e);
	}
	if (r == 0 && s->fds[1] >= 0)
		r = proc_write(s->fds[1], "self/attr/exec", p->selinux, e);
	fd_close(&s->fds[0]);
	fd_close(&s->fds[1]);
	return r;
}
