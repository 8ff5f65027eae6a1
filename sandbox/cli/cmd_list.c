/* sandbox list: the containers of a state directory, in runc's table and JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/cli/cli.h"
#include "sandbox/state.h"

#define SHOWN_BYTES (8u << 20) /* of one container: annotations may be many */

/* clang-format off */
const struct opt list_opts[] = {
	{"format", 'f', OPT_CHOICE, offsetof(struct cli, format),   "table|json", "how to print; default table"},
	{"quiet",  'q', OPT_FLAG,   offsetof(struct cli, is_quiet), NULL,         "print IDs alone"            },
	OPT_ROW_END,
};
/* clang-format on */

/* A container as `list` sees it; text is for JSON. */
struct row {
	struct state state;
	enum state_status status;
	struct buf text;
};

static void row_fini(struct row *row)
{
	buf_fini(&row->text);
	state_fini(&row->state);
}

/* STATE_E_GONE when it was deleted since its name was read. */
static int load(const struct cli *c, const char *id, struct row *row, struct err *e)
{
	struct state_view view = {.layout = STATE_LINE};
	int r = state_find(c->root, id, false, &row->state, e);

	if (r == -ENOENT)
		return STATE_E_GONE;
	if (r == 0)
		r = state_status(&row->state, &row->status, e);
	view.status = row->status;
	return r < 0 ? r : state_show(&row->state, &view, &row->text, e);
}

static void print_row(const struct row *row)
{
	const struct state *s = &row->state;
	bool has_process = row->status != STATE_STOPPED && row->status != STATE_CREATING;

	printf("%-11s %-11d %-11s %-19s %-31s %s\n", s->id, has_process ? (int)s->pid : 0,
	       state_status_name(row->status), s->bundle ?: "", s->created ?: "", s->owner ?: "");
}

/* One that cannot be read must not hide the others: it is told of, and the next one comes. */
static void print_all(const struct cli *c, char **ids, bool is_json)
{
	size_t n = 0;

	for (; *ids; ids++) {
		struct row row = {.state = STATE_INIT};
		struct err e = ERR_INIT;
		int r;

		buf_init(&row.text, SHOWN_BYTES);
		r = load(c, *ids, &row, &e);
		if (r < 0)
			cli_report(c, &e);
		else if (r == 0 && is_json)
			printf("%s%s", n ? "," : "", row.text.data);
		else if (r == 0)
			print_row(&row);
		n += r == 0;
		row_fini(&row);
	}
}

int cmd_list(struct cli *c, struct err *e)
{
	bool is_json = str_is(c->format, "json");
	char **ids = NULL;
	int r = state_list(c->root, &ids, e);

	if (r < 0)
		return r;
	if (c->is_quiet) {
		for (char **id = ids; *id; id++)
			puts(*id);
	} else if (is_json) {
		fputs("[", stdout);
		print_all(c, ids, true);
		puts("]");
	} else {
		printf("%-11s %-11s %-11s %-19s %-31s %s\n", "ID", "PID", "STATUS", "BUNDLE",
		       "CREATED", "OWNER");
		print_all(c, ids, false);
	}
	state_list_free(ids);
	return 0;
}
