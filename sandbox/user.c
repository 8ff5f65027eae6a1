/* User and group ids from a command line: see user.h. */
#include "sandbox/user.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define ID_DIGITS 10 /* of USER_ID_MAX */

int user_parse_id(const char *text, const char *what, uint32_t *ret, struct err *e)
{
	struct err why = ERR_INIT;
	uint64_t id = 0;

	/* "010" is ten to some and eight to others. */
	if ((text[0] == '0' && text[1]) || str_to_u64(text, 0, USER_ID_MAX, what, &id, &why) < 0)
		return err_set(e, EINVAL, "%s '%.64s': not a number in 0..%u", what, text,
			       USER_ID_MAX);
	*ret = (uint32_t)id;
	return 0;
}

int user_parse(const char *text, struct user_ids *ret, struct err *e)
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);
	struct user_ids u = {.gid = ret->gid, .has_gid = colon != NULL};
	char uid[ID_DIGITS + 1] = "";
	int r;

	if (n > ID_DIGITS)
		return err_set(e, EINVAL, "uid '%.64s': not a number in 0..%u", text, USER_ID_MAX);
	memcpy(uid, text, n);
	r = user_parse_id(uid, "uid", &u.uid, e);
	if (r == 0 && colon)
		r = user_parse_id(colon + 1, "gid", &u.gid, e);
	if (r == 0)
		*ret = u;
	return r;
}
