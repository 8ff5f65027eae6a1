/*
 * A table for people: columns as wide as their widest cell, numbers on the right.
 *
 *	struct table t = TABLE("NAME", "MEMORY");
 *	table_row(&t, "hello", "128 MB");
 *	table_print(&t, stdout);	// and frees
 *
 * A cell is copied. Out of memory is remembered and told by table_print().
 */
#ifndef FNCTL_TABLE_H
#define FNCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define TABLE_COLUMNS_MAX 8
#define TABLE_CELL_MAX    48

struct table {
	const char *head[TABLE_COLUMNS_MAX + 1]; /* NULL after the last one */
	char *cells; /* n_rows * columns, TABLE_CELL_MAX + 1 bytes each */
	size_t n_rows;
	bool failed;
};

#define TABLE(...)                                                                                 \
	{                                                                                          \
		.head = { __VA_ARGS__, NULL }                                                      \
	}

/* As many strings as there are columns; longer cells are cut. */
void table_add(struct table *t, const char *const *cells);
#define table_row(t, ...) table_add(t, (const char *const[]){__VA_ARGS__})

int table_print(struct table *t, FILE *out, struct err *e);

/* One number with its unit, in a buffer of the caller's: "1.5 MB", "3.25 ms", "2.1 s". Returns out. */
#define TABLE_NUMBER_MAX 32
char *table_bytes(uint64_t bytes, char out[TABLE_NUMBER_MAX]);
char *table_us(uint64_t us, char out[TABLE_NUMBER_MAX]);

#endif
