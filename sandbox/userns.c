/* Which user namespace we are in, and why no other can be made: see userns.h. */
#include "sandbox/userns.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

#define INITIAL_INO 0xEFFFFFFDu /* the kernel's own constant since 3.8 (PROC_USER_INIT_INO) */

/* clang-format off */
const struct userns_switch userns_switches[] = {
	{"/proc/sys/user/max_user_namespaces",         "0",  "sysctl user.max_user_namespaces=15000"    },
	{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
	 "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for sandbox"},
	{"/proc/sys/kernel/unprivileged_userns_clone", "0",  "sysctl kernel.unprivileged_userns_clone=1"},
	{NULL,                                         NULL, NULL                                       },
};
/* clang-format on */

bool userns_is_initial(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == INITIAL_INO;
}

bool userns_is_host_root(void)
{
	return geteuid() == 0 && userns_is_initial();
}

int userns_explain(struct err *e)
{
	for (const struct userns_switch *s = userns_switches; s->path; s++) {
		struct err lost = ERR_INIT;
		char value[32];

		if (file_read(AT_FDCWD, s->path, value, sizeof(value), &lost) < 0 ||
		    !str_is(value, s->forbids))
			continue;
		return err_wrap(e, "user namespaces are forbidden by %s (%s)", s->path, s->advice);
	}
	return -e->code;
}
