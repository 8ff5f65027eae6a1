/* The home directory of a user: see home.h. */
#include "sandbox/home.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sandbox/sys.h"
#include "sandbox/user.h"

#define LINE_BYTES   4096 /* a longer line is nobody's */
#define PASSWD_BYTES (1u << 20)
#define ID_BYTES     16

enum { FIELD_UID = 2, FIELD_HOME = 5 };

/* The start of field n of a line, its length in *ret_n; NULL if there are not so many. */
static const char *field(const char *line, int n, size_t *ret_n)
{
	for (; n > 0; n--) {
		line = strchr(line, ':');
		if (!line)
			return NULL;
		line++;
	}
	*ret_n = strcspn(line, ":");
	return line;
}

bool home_from_line(const char *line, uint32_t uid, char ret[HOME_MAX_BYTES])
{
	struct err lost = {.code = 0};
	char id[ID_BYTES] = "";
	size_t n = 0, n_home = 0;
	const char *text = field(line, FIELD_UID, &n), *home = field(line, FIELD_HOME, &n_home);
	uint32_t found = 0;

	if (!text || !home || n >= sizeof(id))
		return false;
	memcpy(id, text, n);
	if (user_parse_id(id, "uid", &found, &lost) < 0 || found != uid)
		return false;
	if (home[0] != '/' || n_home >= HOME_MAX_BYTES)
		return false;
	memcpy(ret, home, n_home);
	ret[n_home] = '\0';
	return true;
}

/* Cut the lines off the front of text[0..*n); a rest without end stays, unless it fills all of it. */
static bool search(char *text, size_t *n, uint32_t uid, bool *is_skipping, char ret[HOME_MAX_BYTES])
{
	char *line = text, *end;

	text[*n] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		if (!*is_skipping && home_from_line(line, uid, ret))
			return true;
		*is_skipping = false;
		line = end + 1;
	}
	/* A NUL byte hides what follows it in this block: no passwd has one. */
	*n = strlen(line);
	if (*n == LINE_BYTES - 1) {
		*is_skipping = true;
		*n = 0;
	}
	memmove(text, line, *n);
	return false;
}

void home_find(int root, uint32_t uid, char ret[HOME_MAX_BYTES])
{
	/* What is opened may be a pipe or a terminal of the container's: it must not hold us, nor we it. */
	_cleanup_fd_ int fd =
		sys_open_in_root(root, "etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	char text[LINE_BYTES];
	bool is_skipping = false;
	size_t n = 0, total = 0;
	struct stat st;

	(void)str_copy(ret, HOME_MAX_BYTES, "/");
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	while (total < PASSWD_BYTES) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);

		if (got <= 0)
			break;
		total += (size_t)got;
		n += (size_t)got;
		if (search(text, &n, uid, &is_skipping, ret))
			return;
	}
	/* The last line may end with the file. */
	text[n] = '\0';
	if (!is_skipping)
		(void)home_from_line(text, uid, ret);
}
