/*
 * Mapping ids: see userns.h.
 *
 * newuidmap and newgidmap are setuid programs that others wrote; they are taken from one place, with nothing but
 * numbers of ours as arguments, no environment, and no descriptors but their output, which is quoted when they fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "sandbox/idmap.h"
#include "sandbox/userns.h"

#define NUMBER_BYTES 12
#define WORDS_MAX    (2 + 3 * SBX_IDMAPS_MAX)
#define SAID_BYTES   200
#define ID_MAP_BYTES                                                                               \
	(340 * 33 + 1) /* 340 ranges, the most there can be, as the kernel shows them */

const struct userns_helper userns_helpers[] = {
	[USERNS_UIDS] = {"uid_map", "/usr/bin/newuidmap", "/etc/subuid"},
	[USERNS_GIDS] = {"gid_map", "/usr/bin/newgidmap", "/etc/subgid"},
};

int userns_helper_check(const struct userns_helper *h, struct err *e)
{
	struct stat st;

	if (stat(h->program, &st) < 0)
		return err_errno(e,
				 "'%s' is needed for more than one's own id (Debian: package "
				 "uidmap)",
				 h->program);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(e, EPERM, "'%s' is not root's alone", h->program);
	if (!(st.st_mode & S_ISUID) && getxattr(h->program, "security.capability", NULL, 0) <= 0)
		return err_set(e, EPERM, "'%s' is neither setuid nor has it capabilities",
			       h->program);
	return 0;
}

/* Its words: the program, the process, three numbers a range. */
static void write_words(const struct userns_helper *h, pid_t pid, const struct sbx_idmap *maps,
			uint32_t n, char numbers[][NUMBER_BYTES], char *words[])
{
	size_t used = 0;

	words[used++] = (char *)h->program;
	(void)snprintf(numbers[used], NUMBER_BYTES, "%d", (int)pid);
	used++;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t row[] = {maps[i].inside, maps[i].outside, maps[i].count};

		for (size_t k = 0; k < 3; k++)
			(void)snprintf(numbers[used++], NUMBER_BYTES, "%u", row[k]);
	}
	for (size_t i = 1; i < used; i++)
		words[i] = numbers[i];
	words[used] = NULL;
}

static int spawn(const struct userns_helper *h, char *words[], int out, pid_t *ret, struct err *e)
{
	static char *const no_environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn(ret, h->program, &actions, NULL, words, no_environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r ? err_set(e, r, "'%s': %s", h->program, err_name(r)) : 0;
}

/* The first line of what it said. What is over the pipe's size makes it fail, and it says one line. */
static void listen(int from, char said[SAID_BYTES])
{
	size_t used = 0;
	ssize_t n;

	while (used < SAID_BYTES - 1 && ((n = read(from, said + used, SAID_BYTES - 1 - used)) > 0 ||
					 (n < 0 && errno == EINTR)))
		used += n > 0 ? (size_t)n : 0;
	said[used] = '\0';
	said[strcspn(said, "\n")] = '\0';
}

static int run(const struct userns_helper *h, char *words[], struct err *e)
{
	char said[SAID_BYTES];
	int fds[2], status = 0, r;
	pid_t pid = -1;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, "pipe");
	r = spawn(h, words, fds[1], &pid, e);
	fd_close(&fds[1]);
	if (r == 0)
		listen(fds[0], said);
	fd_close(&fds[0]);
	if (r < 0)
		return r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(e, "wait for '%s'", h->program);
	if (status != 0)
		return err_set(e, EPERM, "'%s' refused (%s); the user's ranges are in %s",
			       h->program, said, h->list);
	return 0;
}

/* The ranges of this user that root has listed. */
static int map_ranges(pid_t pid, const struct userns_helper *h, const struct sbx_idmap *maps,
		      uint32_t n, struct err *e)
{
	char numbers[WORDS_MAX][NUMBER_BYTES], *words[WORDS_MAX + 1];
	int r = userns_helper_check(h, e);

	if (r < 0)
		return r;
	if (n > SBX_IDMAPS_MAX)
		return err_set(e, E2BIG, "more than %d ranges", SBX_IDMAPS_MAX);
	write_words(h, pid, maps, n, numbers, words);
	return run(h, words, e);
}

/* Without a helper a user may give up only groups that nobody could use to keep him out (user_namespaces(7)). */
static int deny_setgroups(pid_t pid, struct err *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	return file_write(AT_FDCWD, path, "deny", e);
}

int userns_map(pid_t pid, enum userns_map which, const struct sbx_idmap *maps, uint32_t n,
	       struct err *e)
{
	const struct userns_helper *h = &userns_helpers[which];
	uint32_t own = which == USERNS_UIDS ? geteuid() : getegid();
	bool is_own = n == 1 && maps[0].count == 1 && maps[0].outside == own;
	int r = 0;

	if (geteuid() != 0 && !is_own)
		return map_ranges(pid, h, maps, n, e);
	if (geteuid() != 0 && which == USERNS_GIDS)
		r = deny_setgroups(pid, e);
	if (r == 0)
		r = idmap_write(pid, h->file, maps, n, e);
	if (r == -EPERM && geteuid() == 0 && !userns_is_initial())
		return err_wrap(e, "ids that the user namespace we are in does not have");
	return r == -EPERM || r == -EACCES ? userns_explain(e) : r;
}

int userns_check_map(pid_t pid, enum userns_map which, const struct sbx_idmap *maps, uint32_t n,
		     struct err *e)
{
	const char *file = userns_helpers[which].file;
	char path[64], text[ID_MAP_BYTES], *at = text;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	r = file_read(AT_FDCWD, path, text, sizeof(text), e);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		struct sbx_idmap has = {0};
		int used = 0;

		if (sscanf(at, "%u %u %u%n", &has.inside, &has.outside, &has.count, &used) != 3 ||
		    memcmp(&has, &maps[i], sizeof(has)) != 0)
			return err_set(e, EINVAL,
				       "%s of the user namespace that is joined is another", file);
		at += used;
	}
	return r;
}
