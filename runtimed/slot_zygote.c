/* What a zygote answers for a slot, and what becomes of the slots of one that died. See slot.h. */
#include "runtimed/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "runtimed/proc.h"

bool slot_waits(const struct launcher *l, uint64_t index, const struct zygote *z)
{
	return index < l->slots->n_slots && l->slots->slot[index].spawner == z;
}

void slot_spawned(struct launcher *l, uint32_t index, pid_t pid, int *pidfd)
{
	struct slot *s = &l->slots->slot[index]; /* zygotes.c checked it with slot_waits() */
	struct err e = ERR_INIT;
	int r;

	s->spawner = NULL;
	s->child = (struct sbx_proc){.pid = pid, .pidfd = fd_steal(pidfd)};
	r = proc_watch(l->watches, &s->child_watch, &s->child, slot_on_child_exit, s, &e);
	if (s->state == ENDING) { /* stopped meanwhile; the group's kill may have come too early */
		if (r == 0)
			(void)kill(pid, SIGKILL);
		slot_end(s);
		return;
	}
	if (r < 0) {
		slot_give_up(s, &e);
		return;
	}
	slot_set_state(s, JOINING);
	if (s->has_parked)
		slot_park(s);
}

void slot_failed(struct launcher *l, uint32_t index, const struct err *e)
{
	struct slot *s = &l->slots->slot[index];

	s->spawner = NULL;
	if (s->state == ENDING)
		slot_end(s);
	else
		slot_give_up(s, e);
}

/* ---- a zygote that died ---- */

/* By the last line of /proc/PID/cgroup, the v2 group: a zombie has it as well. */
static bool is_in_group(const struct slot *s, pid_t pid)
{
	char path[32], groups[4096], tail[HOST_GROUP_MAX + sizeof(s->group_name) + 2];
	struct err e = ERR_INIT;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	(void)snprintf(tail, sizeof(tail), "/%s/%s", s->l->host.group_name, s->group_name);
	return file_read(AT_FDCWD, path, groups, sizeof(groups), &e) == 0 &&
	       str_has_suffix(groups, tail);
}

/* Our child in the slot's group that is not its pid 1; -1 if there is none. */
static pid_t find_child(const struct slot *s)
{
	FILE *children = fopen("/proc/thread-self/children", "re");
	int pid, found = -1;

	while (children && found < 0 && fscanf(children, "%d", &pid) == 1)
		if (pid != s->init.pid && is_in_group(s, pid))
			found = pid;
	if (children)
		(void)fclose(children);
	return found;
}

/*
 * A zygote may die after it forked and before it told the pid. The child is ours all the same; unreaped, it
 * would keep the sandbox's pid 1 waiting for it.
 */
static void adopt_child(struct slot *s)
{
	pid_t pid = find_child(s);
	struct err e = ERR_INIT;

	if (pid < 0)
		return;
	s->child = (struct sbx_proc){.pid = pid, .pidfd = pidfd_open(pid, 0)};
	if (proc_watch(s->l->watches, &s->child_watch, &s->child, slot_on_child_exit, s, &e) < 0)
		log_err(&e); /* and it was reaped, which is all that matters */
	else if (s->state == ENDING)
		(void)kill(pid, SIGKILL);
}

void slots_zygote_gone(struct launcher *l, const struct zygote *z)
{
	struct err e = ERR_INIT;

	err_set(&e, ECHILD, "the zygote died");
	for (uint32_t i = 0; i < l->slots->n_slots; i++) {
		struct slot *s = &l->slots->slot[i];

		if (s->spawner != z)
			continue;
		adopt_child(s);
		s->is_lost = s->state != ENDING;
		slot_failed(l, i, &e);
	}
}
