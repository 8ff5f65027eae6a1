/* Capability names and masks, by libcap's own table: see caps.h. */
#include "sandbox/caps.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <strings.h>
#include <sys/capability.h>

#include "base/str.h"

/* libcap also takes a number, any case, and a name with something after it; the specification does not. */
static bool is_name_of(cap_value_t value, const char *name)
{
	char *own = cap_to_name(value);
	bool is_same = own && strcasecmp(own, name) == 0;

	(void)cap_free(own); /* NULL is fine */
	return is_same;
}

int caps_from_name(const char *name, uint64_t *ret_mask, struct err *e)
{
	cap_value_t value;

	if (!str_has_prefix(name, "CAP_") || cap_from_name(name, &value) < 0 || value < 0 ||
	    value >= CAPS_MAX || !is_name_of(value, name))
		return err_set(e, EINVAL, "unknown capability '%s'", name);
	*ret_mask = UINT64_C(1) << value;
	return 0;
}

int caps_own(uint64_t *ret_mask, struct err *e)
{
	cap_t own = cap_get_proc();
	uint64_t mask = 0;

	if (!own)
		return err_errno(e, "read our own capabilities");
	for (cap_value_t c = 0; c < CAPS_MAX && CAP_IS_SUPPORTED(c); c++) {
		cap_flag_value_t is_set = CAP_CLEAR;

		if (cap_get_flag(own, c, CAP_PERMITTED, &is_set) == 0 && is_set == CAP_SET)
			mask |= UINT64_C(1) << c;
	}
	(void)cap_free(own);
	*ret_mask = mask;
	return 0;
}

void caps_print(uint64_t mask, struct buf *out)
{
	const char *between = "";

	for (int i = 0; i < CAPS_MAX; i++) {
		char *name = mask >> i & 1 ? cap_to_name(i) : NULL;

		if (!name)
			continue;
		buf_puts(out, between);
		for (const char *c = name; *c; c++)
			buf_putc(out, (char)toupper((unsigned char)*c));
		between = " ";
		(void)cap_free(name);
	}
}
