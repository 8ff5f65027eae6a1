/*
 * Reading a JSON document by typed getters whose errors say where: "config.json: process.user.uid: not a
 * number in 0..4294967294".
 *
 * A node is a place in the document, there or not; it lives on the stack and refers to the node above it.
 * Getters of a value leave *ret untouched when the place is empty (absent or null), so it holds the default;
 * node_need() refuses emptiness.
 */
#ifndef SANDBOX_JSON_PATH_H
#define SANDBOX_JSON_PATH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct node {
	const json_t *json; /* NULL: nothing there */
	const struct node *up;
	const char *key; /* member's name; of the root: the document's */
	size_t index;    /* of an element, key NULL */
};

/* The largest max of node_number(). */
#define NODE_NUMBER_MAX INT64_MAX

/*
 * Parse a document, with exact numbers of all 64 bits, which json_loadb() alone does not give. NULL and *why
 * on failure; json_decref() frees.
 */
json_t *node_load(const char *text, size_t n, json_error_t *why);

struct node node_root(const json_t *json, const char *name);
struct node node_get(const struct node *up, const char *key);
struct node node_at(const struct node *up, size_t index);

/* -EINVAL, with the place before the formatted text. */
int node_fail(const struct node *n, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Does it ask for nothing, being absent, null, false, "", [] or {}? */
bool node_is_empty(const struct node *n);

int node_need(const struct node *n, struct err *e);
int node_object(const struct node *n, struct err *e);
/* *ret_n is 0 when it is absent. */
int node_list(const struct node *n, size_t max, size_t *ret_n, struct err *e);
int node_bool(const struct node *n, bool *ret, struct err *e);
/* The text belongs to the document. */
int node_text(const struct node *n, const char **ret, struct err *e);
int node_number(const struct node *n, int64_t min, int64_t max, int64_t *ret, struct err *e);
int node_u32(const struct node *n, uint32_t min, uint32_t max, uint32_t *ret, struct err *e);
/* The whole range. */
int node_u64(const struct node *n, uint64_t *ret, struct err *e);

/* What is told of a member, or a word, that is known and not honoured; features.c looks for it. */
#define NODE_REFUSED "is not supported"

/* Refuse each of these members (NULL ends) that asks for something. */
int node_refuse(const struct node *n, const char *const *keys, struct err *e);

#endif
