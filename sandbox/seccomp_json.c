/* linux.seccomp: actions, architectures, rules. See seccomp_json.h. */
#include "sandbox/seccomp_json.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

#define RULES_MAX  4096 /* elements of syscalls */
#define NAMES_MAX  2048 /* of one element */
#define ARCHS_MAX  64
#define ERRNO_MAX  4095 /* MAX_ERRNO: the kernel turns larger ones into it */
#define ERRNO_NONE (-1)

/* One element of syscalls, understood. */
struct element {
	uint32_t action;
	struct pol_arg args[POL_CALL_ARGS];
	size_t n_args;
	bool any_arg; /* one index twice: each comparison is a rule of its own */
};

struct reader {
	struct pol_profile *profile;
	const struct seccomp_docker *docker;
	struct buf *skipped;
};

/* Docker's "errno": "EPERM", which must agree with a number beside it. */
static int errno_by_name(const struct node *n, int64_t *value, struct err *e)
{
	const char *name = NULL;
	int r = node_text(n, &name, e);

	if (r < 0 || !name || !*name)
		return r;
	for (int code = 1; code <= ERRNO_MAX; code++) {
		if (!str_is(err_name(code), name))
			continue;
		if (*value != ERRNO_NONE && *value != code)
			return node_fail(n, e, "'%s' is not %d", name, (int)*value);
		*value = code;
		return 0;
	}
	return node_fail(n, e, "'%s' is no errno", name);
}

/* The action at `action` of an object, with its data: EPERM unless another is given. */
static int verdict(const struct node *up, const char *action, const char *ret_key,
		   const char *name_key, const struct reader *x, uint32_t *ret, struct err *e)
{
	struct node n = node_get(up, action), number = node_get(up, ret_key),
		    named = node_get(up, name_key);
	const char *name = NULL;
	int64_t data = ERRNO_NONE;
	bool takes_data;
	uint32_t value;
	int r = node_need(&n, e);

	if (r == 0)
		r = node_text(&n, &name, e);
	if (r < 0)
		return r;
	if (!pol_profile_action(name, &value))
		return node_fail(&n, e, "'%s' is no action", name);
	takes_data = value == SECCOMP_RET_ERRNO || value == SECCOMP_RET_TRACE;
	if (number.json && !takes_data)
		return node_fail(&number, e, "%s takes none", name);
	r = node_number(&number, 0, value == SECCOMP_RET_ERRNO ? ERRNO_MAX : UINT16_MAX, &data, e);
	if (r == 0 && x->docker && takes_data)
		r = errno_by_name(&named, &data, e);
	if (r == 0)
		*ret = !takes_data ? value : value | (data == ERRNO_NONE ? EPERM : (uint32_t)data);
	return r;
}

int seccomp_json_arch(struct pol_profile *p, const struct node *n, struct err *e)
{
	const char *name = NULL;
	int r = node_need(n, e);

	if (r == 0)
		r = node_text(n, &name, e);
	if (r == 0)
		r = pol_profile_arch(p, name, e);
	return r == POL_E_UNKNOWN ? node_fail(n, e, "'%s' is no architecture", name) : r;
}

static int architectures(const struct reader *x, const struct node *section, struct err *e)
{
	struct node list = node_get(section, "architectures"), map = node_get(section, "archMap");
	size_t n;
	int r = node_list(&list, ARCHS_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i);

		r = seccomp_json_arch(x->profile, &item, e);
	}
	if (r < 0 || !x->docker)
		return r;
	if (n > 0 && !node_is_empty(&map))
		return node_fail(&map, e, "beside architectures: one of them only");
	return seccomp_docker_archs(x->profile, section, e);
}

static int one_arg(const struct node *n, struct pol_arg *ret, struct err *e)
{
	struct node index = node_get(n, "index"), op = node_get(n, "op"),
		    value = node_get(n, "value"), two = node_get(n, "valueTwo");
	const char *name = NULL;
	uint64_t first = 0, second = 0;
	uint32_t number = 0;
	int r = node_need(n, e);

	if (r == 0)
		r = node_object(n, e);
	if (r == 0)
		r = node_u32(&index, 0, POL_CALL_ARGS - 1, &number, e);
	if (r == 0)
		r = node_need(&op, e);
	if (r == 0)
		r = node_text(&op, &name, e);
	if (r == 0 && !pol_profile_cmp(name, &ret->op))
		r = node_fail(&op, e, "'%s' is no comparison", name);
	if (r == 0)
		r = node_u64(&value, &first, e);
	if (r == 0)
		r = node_u64(&two, &second, e);
	if (r < 0)
		return r;
	ret->index = (uint8_t)number;
	ret->value = ret->op == POL_CMP_MASKED_EQ ? second : first;
	ret->mask = first;
	return 0;
}

static int args(const struct node *rule, struct element *el, struct err *e)
{
	struct node list = node_get(rule, "args");
	unsigned seen = 0;
	int r = node_list(&list, POL_CALL_ARGS, &el->n_args, e);

	for (size_t i = 0; r == 0 && i < el->n_args; i++) {
		struct node item = node_at(&list, i);

		r = one_arg(&item, &el->args[i], e);
		if (r < 0)
			return r;
		el->any_arg |= seen >> el->args[i].index & 1;
		seen |= 1u << el->args[i].index;
	}
	return r;
}

/*
 * What would hang: the child tells by write(2) where the listener is, when nobody can answer yet (runc
 * refuses the same).
 */
static int check_notify(const struct node *n, const char *name, uint32_t action, struct err *e)
{
	if (action == SECCOMP_RET_USER_NOTIF && str_is(name, "write"))
		return node_fail(n, e,
				 "SCMP_ACT_NOTIFY: the start itself would wait for an answer");
	return 0;
}

static int add_name(struct reader *x, const struct node *n, const struct element *el, struct err *e)
{
	struct pol_profile_rule rule = {
		.action = el->action, .args = el->args, .n_args = (uint8_t)el->n_args};
	size_t rules = el->any_arg ? el->n_args : 1;
	int r = node_need(n, e);

	if (r == 0)
		r = node_text(n, &rule.name, e);
	if (r == 0 && !*rule.name)
		r = node_fail(n, e, "an empty name");
	if (r == 0)
		r = check_notify(n, rule.name, el->action, e);
	for (size_t i = 0; r == 0 && i < rules; i++) {
		if (el->any_arg) {
			rule.args = &el->args[i];
			rule.n_args = 1;
		}
		r = pol_profile_rule(x->profile, &rule, e);
	}
	if (r == POL_E_UNKNOWN && x->skipped)
		buf_printf(x->skipped, " %s", rule.name);
	return r == POL_E_UNKNOWN ? 0 : r < 0 && r != -EINVAL ? err_wrap(e, "seccomp") : r;
}

/* Docker once had one name instead of a list. */
static int add_names(struct reader *x, const struct node *rule, const struct element *el,
		     struct err *e)
{
	struct node list = node_get(rule, "names"), one = node_get(rule, "name");
	size_t n;
	int r = node_list(&list, NAMES_MAX, &n, e);

	if (r < 0)
		return r;
	if (n == 0 && x->docker && !node_is_empty(&one))
		return add_name(x, &one, el, e);
	if (n == 0)
		return node_fail(&list, e, "no system call is named");
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i);

		r = add_name(x, &item, el, e);
	}
	return r;
}

static int one_rule(struct reader *x, const struct node *n, struct err *e)
{
	struct element el = {.n_args = 0};
	bool applies = true;
	int r = node_need(n, e);

	if (r == 0)
		r = node_object(n, e);
	if (r == 0)
		r = verdict(n, "action", "errnoRet", "errno", x, &el.action, e);
	if (r == 0)
		r = args(n, &el, e);
	if (r == 0 && x->docker)
		r = seccomp_docker_applies(n, x->docker, &applies, e);
	return r < 0 || !applies ? r : add_names(x, n, &el, e);
}

static int rules(struct reader *x, const struct node *section, struct err *e)
{
	struct node list = node_get(section, "syscalls");
	size_t n;
	int r = node_list(&list, RULES_MAX, &n, e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct node item = node_at(&list, i);

		r = one_rule(x, &item, e);
	}
	return r;
}

int seccomp_json_profile(const struct node *section, const struct seccomp_docker *docker,
			 struct buf *skipped, struct pol_profile **ret, struct err *e)
{
	_cleanup_profile_ struct pol_profile *p = NULL;
	struct reader x = {.docker = docker, .skipped = skipped};
	struct node action = node_get(section, "defaultAction");
	uint32_t fallback = 0;
	int r = node_object(section, e);

	if (r == 0)
		r = verdict(section, "defaultAction", "defaultErrnoRet", "defaultErrno", &x,
			    &fallback, e);
	if (r == 0 && fallback == SECCOMP_RET_USER_NOTIF)
		r = node_fail(&action, e,
			      "SCMP_ACT_NOTIFY: the start itself would wait for an answer");
	if (r == 0)
		r = pol_profile_new(fallback, &p, e);
	x.profile = p;
	if (r == 0)
		r = architectures(&x, section, e);
	if (r == 0)
		r = rules(&x, section, e);
	if (r == 0)
		*ret = mem_steal(&p);
	return r;
}
