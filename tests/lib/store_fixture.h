/* What the tests of the store share: a fresh directory, a loop, one store, and calls that wait. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "runtimed/store.h"

extern char fx_dir[64];
extern uv_loop_t fx_loop;
extern struct store *fx_store;

/* Checked fixture; the test opens the store and closes it. */
void fx_set_up(void);
void fx_tear_down(void);
void fx_open(void);
void fx_reopen(void);

/* Record number i of a function: every field differs. */
struct record fx_record(const char *function, unsigned i);

/* What the callbacks below have seen last, and how often. */
struct fx_answer {
	int n;
	int code;
	struct usage usage;
	char text[ERR_TEXT_MAX];
};
void fx_on_done(void *answer, const struct err *e);
void fx_on_usage(void *answer, const struct usage *usage, const struct err *e);
void fx_await(struct fx_answer *a, int n);

/* Ask, wait, and assert success. */
struct usage fx_usage(const char *function, uint64_t since_us);
void fx_put(const char *name, const char *json);

/* All functions as "name=json;...", static memory. */
const char *fx_load(void);

#endif
