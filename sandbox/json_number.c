/*
 * Numbers of a document, exactly: see json_path.h.
 *
 * jansson knows integers up to 2^63 - 1. The others of 64 bits (masks, AT_FDCWD as an unsigned number) are
 * given to it as an object with the digits, {"u64": "18446744073709551516"}: where a number is wanted that is
 * one, and everywhere else it is as wrong as the number would have been.
 */
#include "sandbox/json_path.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/str.h"

#define BIG_KEY    "u64"
#define BIG_MAX    256 /* such numbers in one document: each costs another parse */
#define DIGITS_MAX 20  /* of 2^64 - 1 */
#define BIG_BYTES  (DIGITS_MAX + sizeof("{\"" BIG_KEY "\":\"\"}"))
#define EXACT_MAX  9007199254740992.0 /* 2^53 */
#define TEXT_MAX   (16u << 20)
#define LOAD_FLAGS JSON_REJECT_DUPLICATES

/* Digits that end at byte `end` of the text; 0 unless they are a whole number of 64 bits. */
static size_t big_digits(const char *text, size_t end)
{
	char digits[DIGITS_MAX + 1];
	struct err ignored = ERR_INIT;
	uint64_t value;
	size_t n = 0;

	while (n < end && n <= DIGITS_MAX && text[end - n - 1] >= '0' && text[end - n - 1] <= '9')
		n++;
	if (n == 0 || n > DIGITS_MAX || (n < end && strchr("-+.eE", text[end - n - 1])))
		return 0;
	memcpy(digits, text + end - n, n);
	digits[n] = '\0';
	return str_to_u64(digits, 0, UINT64_MAX, "number", &value, &ignored) == 0 ? n : 0;
}

/* The same text with the number that ends at `end` as an object. */
static bool spell_out(struct buf *b, const char *text, size_t n, size_t end)
{
	size_t digits = end <= n ? big_digits(text, end) : 0;

	if (digits == 0)
		return false;
	buf_append(b, text, end - digits);
	buf_printf(b, "{\"" BIG_KEY "\":\"%.*s\"}", (int)digits, text + end - digits);
	buf_append(b, text + end, n - end);
	return !buf_failed(b);
}

json_t *node_load(const char *text, size_t n, json_error_t *why)
{
	struct buf kept, next;
	json_t *json = json_loadb(text, n, LOAD_FLAGS, why);

	buf_init(&kept, TEXT_MAX);
	for (int i = 0; !json && i < BIG_MAX; i++) {
		buf_init(&next, TEXT_MAX);
		if (json_error_code(why) != json_error_numeric_overflow ||
		    !spell_out(&next, text, n, (size_t)why->position)) {
			buf_fini(&next);
			break;
		}
		buf_fini(&kept);
		kept = next;
		text = kept.data;
		n = kept.len;
		json = json_loadb(text, n, LOAD_FLAGS, why);
	}
	buf_fini(&kept);
	return json;
}

/* A number that was too large for jansson. */
static bool big_value(const json_t *json, uint64_t *ret)
{
	const char *digits = json_string_value(json_object_get(json, BIG_KEY));
	struct err ignored = ERR_INIT;

	return digits && json_object_size(json) == 1 &&
	       str_to_u64(digits, 0, UINT64_MAX, "number", ret, &ignored) == 0;
}

int node_number(const struct node *n, int64_t min, int64_t max, int64_t *ret, struct err *e)
{
	double real = json_real_value(n->json); /* 0 of an integer */
	int64_t value = json_integer_value(n->json);

	if (!n->json)
		return 0;
	/* 1e3 is a number too; the doubles that are whole and in this range are exact */
	if (json_is_real(n->json) && real >= -EXACT_MAX && real <= EXACT_MAX &&
	    (double)(int64_t)real == real)
		value = (int64_t)real;
	else if (!json_is_integer(n->json))
		return node_fail(n, e, "not a number in %" PRId64 "..%" PRId64, min, max);
	if (value < min || value > max)
		return node_fail(n, e, "not a number in %" PRId64 "..%" PRId64, min, max);
	*ret = value;
	return 0;
}

int node_u32(const struct node *n, uint32_t min, uint32_t max, uint32_t *ret, struct err *e)
{
	int64_t value = *ret;
	int r = node_number(n, min, max, &value, e);

	if (r == 0)
		*ret = (uint32_t)value;
	return r;
}

int node_u64(const struct node *n, uint64_t *ret, struct err *e)
{
	int64_t value = 0;
	int r;

	if (!n->json || big_value(n->json, ret))
		return 0;
	r = node_number(n, 0, INT64_MAX, &value, e);
	if (r < 0)
		return node_fail(n, e, "not a number in 0..%" PRIu64, UINT64_MAX);
	*ret = (uint64_t)value;
	return 0;
}
