/* Names inside a package: see unpack_name.h. */
#include "runtimed/unpack_name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

/* Bytes of the UTF-8 sequence at s and its code point; 0 if it is not one (RFC 3629). */
static size_t utf8_next(const char *s, uint32_t *ret_cp)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t min;
	} forms[] = {
		{0x80, 0x00, 0      },
                {0xe0, 0xc0, 0x80   },
                {0xf0, 0xe0, 0x800  },
                {0xf8, 0xf0, 0x10000}
        };
	uint8_t c = (uint8_t)s[0];

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		uint32_t cp = c & (uint8_t)~forms[i].mask;

		if ((c & forms[i].mask) != forms[i].lead)
			continue;
		for (size_t k = 1; k <= i; k++) {
			if (((uint8_t)s[k] & 0xc0) != 0x80) /* stops at the NUL too */
				return 0;
			cp = cp << 6 | ((uint8_t)s[k] & 0x3f);
		}
		if (cp < forms[i].min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
			return 0;
		*ret_cp = cp;
		return i + 1;
	}
	return 0;
}

static bool is_control(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0);
}

static int check_characters(const char *s, struct err *e)
{
	uint32_t cp = 0;
	size_t n;

	for (; *s; s += n) {
		n = utf8_next(s, &cp);
		if (n == 0)
			return err_set(e, EINVAL, "is not UTF-8");
		if (is_control(cp))
			return err_set(e, EINVAL, "contains a control character");
		if (cp == '\\')
			return err_set(e, EINVAL, "contains a backslash");
	}
	return 0;
}

static int add_part(struct unpack_name *name, size_t *len, const char *part, size_t n,
		    struct err *e)
{
	if (n == 0 || (n == 1 && part[0] == '.'))
		return 0;
	if (n == 2 && part[0] == '.' && part[1] == '.')
		return err_set(e, EINVAL, "would leave the package ('..')");
	if (n > UNPACK_NAME_MAX)
		return err_set(e, E2BIG, "a name of %zu bytes, %u are allowed", n, UNPACK_NAME_MAX);
	if (*len + 1 + n > UNPACK_PATH_MAX)
		return err_set(e, E2BIG, "a path of more than %u bytes", UNPACK_PATH_MAX);
	if (++name->depth > UNPACK_DEPTH_MAX)
		return err_set(e, E2BIG, "more than %u directories deep", UNPACK_DEPTH_MAX);
	if (*len > 0)
		name->path[(*len)++] = '/';
	memcpy(name->path + *len, part, n);
	*len += n;
	name->path[*len] = '\0';
	return 0;
}

int unpack_name(const char *raw, struct unpack_name *ret, struct err *e)
{
	struct unpack_name name = {.depth = 0};
	size_t len = 0;
	int r = check_characters(raw, e);

	if (r < 0)
		return r;
	if (raw[0] == '\0')
		return err_set(e, EINVAL, "has no name");
	if (raw[0] == '/')
		return err_set(e, EINVAL, "is an absolute path");
	for (const char *p = raw; *p;) {
		size_t n = strcspn(p, "/");

		r = add_part(&name, &len, p, n, e);
		if (r < 0)
			return r;
		p += n + (p[n] == '/');
	}
	*ret = name;
	return 0;
}

int unpack_symlink(const struct unpack_name *name, const char *target, struct err *e)
{
	unsigned up = 0;
	bool has_part = false;
	int r = check_characters(target, e);

	if (r < 0)
		return err_wrap(e, "target of the symlink");
	if (target[0] == '\0' || strlen(target) > UNPACK_PATH_MAX)
		return err_set(e, EINVAL, "symlink to a path of %zu bytes", strlen(target));
	if (target[0] == '/')
		return err_set(e, EINVAL, "symlink to an absolute path");
	for (const char *p = target; *p;) {
		size_t n = strcspn(p, "/");
		bool is_up = n == 2 && p[0] == '.' && p[1] == '.';

		if (is_up && has_part)
			return err_set(e, EINVAL, "symlink with '..' after a name");
		up += is_up;
		has_part |= !is_up && n > 0 && !(n == 1 && p[0] == '.');
		p += n + (p[n] == '/');
	}
	if (up >= name->depth)
		return err_set(e, EINVAL, "symlink that leaves the package");
	return 0;
}

void unpack_show(const char *raw, char out[UNPACK_SHOWN_MAX])
{
	static const size_t room = UNPACK_SHOWN_MAX - sizeof("...");
	uint32_t cp = 0;
	size_t len = 0, n;

	for (const char *p = raw; *p; p += n ? n : 1) {
		n = utf8_next(p, &cp);
		if (len + 4 > room) { /* the longest: a code point of 4 bytes, or \xNN */
			memcpy(out + len, "...", 3);
			len += 3;
			break;
		}
		if (n > 0 && !is_control(cp)) {
			memcpy(out + len, p, n);
			len += n;
		} else {
			n = 1; /* a control character of two bytes: the second is shown next */
			len += (size_t)snprintf(out + len, 5, "\\x%02x", (uint8_t)*p);
		}
	}
	out[len] = '\0';
}
