/* What several commands ask the daemon. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtimed/fnctl/fnctl.h"

#define NAME_MAX_BYTES 64

static const char name_letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

int function_request(struct request *rq, const char *method, const char *prefix, const char *name,
		     const char *suffix, struct err *e)
{
	size_t n = strlen(name);

	if (n == 0 || n > NAME_MAX_BYTES || strspn(name, name_letters) != n)
		return err_set(e, EINVAL,
			       "'%s' is no function name: 1 to %d letters, digits, - or _", name,
			       NAME_MAX_BYTES);
	*rq = (struct request){.method = method};
	snprintf(rq->path, sizeof(rq->path), "%s/%s%s", prefix, name, suffix);
	return 0;
}

int fetch(struct app *a, const struct request *rq, json_t **ret_doc, struct err *e)
{
	_cleanup_reply_ struct reply reply;
	int r = client_must(&a->client, rq, &reply, e);

	if (r < 0)
		return r;
	if (!a->o.json)
		return reply_json(&reply, ret_doc, e);
	fwrite(reply.body.data, 1, reply.body.len, stdout);
	putchar('\n');
	return 0;
}
