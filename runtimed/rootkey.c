#include "runtimed/rootkey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/fd.h"
#include "base/file.h"

/* 20 and 40 characters, as AWS's own; 32 letters, so that 5 random bits make one without bias. */
static void letters(const unsigned char *random, size_t n, char *out)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

	for (size_t i = 0; i < n; i++)
		out[i] = set[random[i] & 31];
	out[n] = '\0';
}

static int make(int state, struct err *e)
{
	unsigned char random[16 + 40];
	char id[17], secret[41], text[64 + 8];
	int n;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_errno(e, "random bytes");
	letters(random, 16, id);
	letters(random + 16, 40, secret);
	n = snprintf(text, sizeof(text), "AKID%s\n%s\n", id, secret);
	return file_replace(state, "root-key", text, (size_t)n, 0600, e);
}

int rootkey_open(int state, int *ret, struct err *e)
{
	_cleanup_fd_ int fd = openat(state, "root-key", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		if (make(state, e) < 0)
			return err_wrap(e, "root key");
		fd = openat(state, "root-key", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return err_errno(e, "open root key");
	*ret = fd_steal(&fd);
	return 0;
}
