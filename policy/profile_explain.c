/* A profile as a table for people: what its spans say, so what the program will say. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "policy/pol.h"
#include "policy/prof.h"

static const char *const signs[] = {
	[POL_CMP_NE] = "!=", [POL_CMP_LT] = "<", [POL_CMP_LE] = "<=",        [POL_CMP_EQ] = "==",
	[POL_CMP_GE] = ">=", [POL_CMP_GT] = ">", [POL_CMP_MASKED_EQ] = "==",
};

static void put_arg(const struct prof_arg *a, struct buf *out)
{
	buf_printf(out, "arg%u", a->arg.index);
	if (a->arg.op == POL_CMP_MASKED_EQ)
		buf_printf(out, " & 0x%" PRIx64, a->arg.mask);
	buf_printf(out, " %s 0x%" PRIx64, signs[a->arg.op], a->arg.value);
}

static void put_choice(const struct prof_choice *c, struct buf *out)
{
	char text[VERDICT_TEXT_MAX];

	buf_printf(out, "%s if ", pol_verdict_text(c->action, text));
	for (uint8_t i = 0; i < c->n_args; i++) {
		if (i > 0)
			buf_puts(out, " and ");
		put_arg(&c->args[i], out);
	}
	buf_puts(out, ", else ");
}

static void put_call(const struct prof_map *map, const struct prof_span *s, uint32_t number,
		     const char *name, struct buf *out)
{
	char text[VERDICT_TEXT_MAX];

	buf_printf(out, "%4u  %-26s ", number, name);
	for (uint16_t i = 0; i < s->n_choices; i++)
		put_choice(&map->choices[s->first_choice + i], out);
	buf_printf(out, "%s\n", pol_verdict_text(s->verdict, text));
}

static uint32_t end_of(const struct prof_map *map, size_t span)
{
	return span + 1 < map->n_spans ? map->spans[span + 1].first : UINT32_MAX;
}

/* Spans of x86-64 that differ from the fallback, but for the last: it is what is newer than all. */
static void put_calls(const struct pol_profile *p, const struct prof_map *map, struct buf *out)
{
	char text[VERDICT_TEXT_MAX];

	for (size_t i = 0; i < map->n_spans && map->spans[i].first < PROF_X32_BIT; i++) {
		const struct prof_span *s = &map->spans[i];

		if (end_of(map, i) >= PROF_X32_BIT) {
			if (s->verdict != p->fallback)
				buf_printf(out, "   *  %-26s %s\n", "every newer one",
					   pol_verdict_text(s->verdict, text));
			break;
		}
		for (uint32_t n = s->first; n < end_of(map, i); n++) {
			_cleanup_free_ char *name = pol_abi_name(PROF_X86_64, n);

			if (s->n_choices || s->verdict != p->fallback)
				put_call(map, s, n, name ? name : "-", out);
		}
	}
	buf_printf(out, "   *  %-26s %s\n", "every other", pol_verdict_text(p->fallback, text));
	buf_printf(out, "   *  %-26s %s\n", "i386",
		   p->has_abi[PROF_X86] ? "by its own numbers" : "kill");
	buf_printf(out, "   *  %-26s %s\n", "x32",
		   p->has_abi[PROF_X32] ? "by its own numbers" : "kill");
}

static int put_name(const struct prof_map *map, const char *name, struct buf *out, struct err *e)
{
	int number = pol_abi_number(PROF_X86_64, name);
	size_t i = 0;

	if (number < 0)
		return err_set(e, EINVAL, "unknown system call '%s'", name);
	while (end_of(map, i) <= (uint32_t)number)
		i++;
	put_call(map, &map->spans[i], (uint32_t)number, name, out);
	return 0;
}

int pol_profile_explain(const struct pol_profile *p, const char *name, struct buf *out,
			struct err *e)
{
	_cleanup_free_ struct prof_map *map = malloc(sizeof(*map));
	int r = map ? pol_map_profile(p, false, map, e)
		    : err_set(e, ENOMEM, "explain: out of memory");

	if (r == 0 && name)
		r = put_name(map, name, out, e);
	else if (r == 0)
		put_calls(p, map, out);
	if (r < 0)
		return r;
	return buf_failed(out) ? err_set(e, ENOBUFS, "explain: the buffer is too small") : 0;
}
