#include "runtimed/fnctl/table.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define CELL_SIZE (TABLE_CELL_MAX + 1)

static size_t columns(const struct table *t)
{
	size_t n = 0;

	while (t->head[n])
		n++;
	return n;
}

static char *cell(const struct table *t, size_t row, size_t column)
{
	return t->cells + (row * columns(t) + column) * CELL_SIZE;
}

void table_add(struct table *t, const char *const *cells)
{
	char *more = reallocarray(t->cells, (t->n_rows + 1) * columns(t), CELL_SIZE);

	if (!more) {
		t->failed = true;
		return;
	}
	t->cells = more;
	for (size_t i = 0; i < columns(t); i++)
		snprintf(cell(t, t->n_rows, i), CELL_SIZE, "%s", cells[i] ? cells[i] : "");
	t->n_rows++;
}

static int width(const struct table *t, size_t column)
{
	size_t widest = strlen(t->head[column]);

	for (size_t row = 0; row < t->n_rows; row++) {
		size_t n = strlen(cell(t, row, column));

		widest = n > widest ? n : widest;
	}
	return (int)widest;
}

/* A column of numbers is one whose every cell begins with a digit. */
static bool is_numeric(const struct table *t, size_t column)
{
	for (size_t row = 0; row < t->n_rows; row++)
		if (!isdigit((unsigned char)*cell(t, row, column)))
			return false;
	return t->n_rows > 0;
}

/* row: -1 is the head. The last column is not padded, so that no line ends in blanks. */
static void print_row(const struct table *t, ssize_t row, FILE *out)
{
	for (size_t i = 0; i < columns(t); i++) {
		const char *text = row < 0 ? t->head[i] : cell(t, (size_t)row, i);
		int w = width(t, i);

		if (i > 0)
			fputs("  ", out);
		if (is_numeric(t, i))
			fprintf(out, "%*s", w, text);
		else
			fprintf(out, "%-*s", t->head[i + 1] ? w : 0, text);
	}
	putc('\n', out);
}

int table_print(struct table *t, FILE *out, struct err *e)
{
	bool failed = t->failed;

	for (ssize_t row = -1; !failed && row < (ssize_t)t->n_rows; row++)
		print_row(t, row, out);
	free(t->cells);
	t->cells = NULL;
	t->n_rows = 0;
	return failed ? err_set(e, ENOMEM, "table: out of memory") : 0;
}

struct unit {
	uint64_t size;
	const char *name;
};

static char *scaled(uint64_t value, const struct unit *units, char *out)
{
	while (units[1].name && value < units->size)
		units++;
	if (units->size == 1)
		snprintf(out, TABLE_NUMBER_MAX, "%llu %s", (unsigned long long)value, units->name);
	else
		snprintf(out, TABLE_NUMBER_MAX, "%.*f %s", value < 10 * units->size ? 2 : 1,
			 (double)value / (double)units->size, units->name);
	return out;
}

char *table_bytes(uint64_t bytes, char out[TABLE_NUMBER_MAX])
{
	static const struct unit units[] = {
		{1 << 30, "GB"},
                {1 << 20, "MB"},
                {1 << 10, "KB"},
                {1,       "B" },
                {0,       NULL}
        };

	return scaled(bytes, units, out);
}

char *table_us(uint64_t us, char out[TABLE_NUMBER_MAX])
{
	static const struct unit units[] = {
		{3600000000, "h"  },
                {60000000,   "min"},
                {1000000,    "s"  },
		{1000,       "ms" },
                {1,          "us" },
                {0,          NULL }
        };

	return scaled(us, units, out);
}
