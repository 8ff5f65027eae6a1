/*
 * The home directory of a user, from a root's own /etc/passwd, for a process whose config sets no HOME. The file
 * is a container's and may hold anything: what it can decide is one variable of a process inside.
 */
#ifndef SANDBOX_HOME_H
#define SANDBOX_HOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOME_MAX_BYTES 1024

/*
 * "/" if the user has none. root is the directory below which etc/passwd is looked up. Allocates nothing, reads
 * at most 1 MiB. May run right after clone3().
 */
void home_find(int root, uint32_t uid, char ret[HOME_MAX_BYTES]);

/* One line, "name:x:uid:gid:comment:home:shell". False, and ret as it was, if it is not this user's. */
bool home_from_line(const char *line, uint32_t uid, char ret[HOME_MAX_BYTES]);

#endif
