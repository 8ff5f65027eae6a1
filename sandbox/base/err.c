/* Errors as plain data: see include/base/err.h for the convention. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Newlines would break "one line a user can act on"; whatever got in from outside is flattened. */
static void flatten(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20)
			*s = ' ';
}

const char *err_name(int code)
{
	/* glibc >= 2.32; reads a constant table, so it is safe after clone3(). */
	const char *name = strerrorname_np(code);

	return name ? name : "E?";
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap); /* truncation is acceptable */
	va_end(ap);
	flatten(e->text);
	e->code = code;
	return -code;
}

int err_errno(struct err *e, const char *fmt, ...)
{
	int code = errno;
	size_t used;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	flatten(e->text);
	used = strlen(e->text);
	(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s (%s)", err_name(code),
		       strerrordesc_np(code) ? strerrordesc_np(code) : "unknown error");
	e->code = code;
	return -code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	size_t used;
	va_list ap;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	flatten(e->text);
	used = strlen(e->text);
	(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s", old);
	return -e->code;
}
