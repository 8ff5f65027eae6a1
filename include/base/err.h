/*
 * Errors as plain data.
 *
 * Convention of the whole tree, stated here and nowhere else:
 *
 *   0         done
 *   negative  failure: -errno, and *e holds one line a user can act on. Callers forward it
 *             unchanged, or add context with err_wrap() where that helps.
 *   positive  a documented outcome of that one function; the caller handles it, never forwards it.
 *
 * Outputs (ret_*) are untouched on failure. Libraries never log, print or exit.
 *
 * struct err has a fixed size and no pointers, so it can be filled in a child after clone3() and
 * sent over a socket as it is. Nothing here allocates.
 *
 *	struct err e = ERR_INIT;
 *	if (cg_open(&cg, "x", &e) < 0)
 *		return err_wrap(&e, "start '%s'", name);      // "start 'hello': cgroup x: ENOENT ..."
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#define ERR_TEXT_MAX 480

struct err {
	int code;                /* positive errno value, 0 = no error */
	char text[ERR_TEXT_MAX]; /* NUL-terminated, no newline */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		.code = 0, .text = ""                                                              \
	}

/* Set *e to the formatted text. code is a positive errno value. Returns -code. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * As err_set() with the current errno, whose name and text are appended:
 * err_errno(e, "mkdir '%s'", p) -> "mkdir '/x': EACCES (Permission denied)". Returns -errno.
 */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Put "context: " before the text. Truncates the tail if it no longer fits. Returns -e->code. */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "ENOENT" for 2; "E<number>" (from a static table of the last resort) for unknown values. */
const char *err_name(int code);

#endif
