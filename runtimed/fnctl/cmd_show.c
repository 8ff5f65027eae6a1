/* list, show, image list: what is there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "runtimed/fnctl/fnctl.h"
#include "runtimed/fnctl/table.h"

const struct opt no_opts[] = {OPT_ROW_END};

static const char *text(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void add_function(struct table *t, const json_t *f)
{
	char memory[32], timeout[32], size[TABLE_NUMBER_MAX], modified[20];

	snprintf(memory, sizeof(memory), "%lld MB", number(f, "MemorySize"));
	snprintf(timeout, sizeof(timeout), "%lld s", number(f, "Timeout"));
	table_bytes((uint64_t)number(f, "CodeSize"), size);
	snprintf(modified, sizeof(modified), "%s", text(f, "LastModified")); /* without fractions */
	table_row(t, text(f, "FunctionName"), text(f, "Runtime"), text(f, "Handler"), memory,
		  timeout, size, modified, text(f, "State"));
}

/* One page of the list into the table. *ret_marker: where the next begins, "" at the end. */
static int list_page(struct app *a, struct table *t, char marker[128], struct err *e)
{
	struct request rq = {.method = "GET"};
	json_auto_t *doc = NULL;
	json_t *f;
	size_t i;
	int r;

	snprintf(rq.path, sizeof(rq.path), API_FUNCTIONS "/%s%s", *marker ? "?Marker=" : "",
		 marker);
	r = fetch(a, &rq, &doc, e);
	*marker = '\0';
	if (r < 0 || !doc)
		return r;
	json_array_foreach(json_object_get(doc, "Functions"), i, f) add_function(t, f);
	snprintf(marker, 128, "%s", text(doc, "NextMarker"));
	return 0;
}

int cmd_list(struct app *a, struct err *e)
{
	struct table t =
		TABLE("NAME", "IMAGE", "HANDLER", "MEMORY", "TIMEOUT", "CODE", "MODIFIED", "STATE");
	char marker[128] = "";
	int r;

	do
		r = list_page(a, &t, marker, e);
	while (r == 0 && *marker);
	if (r < 0)
		return err_wrap(e, "list");
	return a->o.json ? 0 : table_print(&t, stdout, e);
}

static void print_env(const json_t *configuration)
{
	const json_t *value;
	const char *key;

	json_object_foreach(
		json_object_get(json_object_get(configuration, "Environment"), "Variables"), key,
		value) printf("%-12s %s=%s\n", "env", key, json_string_value(value));
}

static void print_function(const json_t *f)
{
	static const struct {
		const char *label, *key, *unit;
	} rows[] = {
		{"name",        "FunctionName", ""      },
                {"arn",         "FunctionArn",  ""      },
		{"image",       "Runtime",      ""      },
                {"handler",     "Handler",      ""      },
		{"description", "Description",  ""      },
                {"memory",      "MemorySize",   " MB"   },
		{"timeout",     "Timeout",      " s"    },
                {"code",        "CodeSize",     " bytes"},
		{"sha256",      "CodeSha256",   ""      },
                {"revision",    "RevisionId",   ""      },
		{"modified",    "LastModified", ""      },
                {"state",       "State",        ""      },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const json_t *value = json_object_get(f, rows[i].key);

		if (json_is_integer(value))
			printf("%-12s %lld%s\n", rows[i].label, json_integer_value(value),
			       rows[i].unit);
		else if (*text(f, rows[i].key))
			printf("%-12s %s\n", rows[i].label, json_string_value(value));
	}
	printf("%-12s %lld MB\n", "tmp", number(json_object_get(f, "EphemeralStorage"), "Size"));
	print_env(f);
}

int cmd_show(struct app *a, struct err *e)
{
	json_auto_t *doc = NULL;
	struct request rq;
	int r = function_request(&rq, "GET", API_FUNCTIONS, a->o.name, "/configuration", e);

	if (r == 0)
		r = fetch(a, &rq, &doc, e);
	if (r < 0)
		return err_wrap(e, "show '%s'", a->o.name);
	if (doc)
		print_function(doc);
	return 0;
}

int cmd_images(struct app *a, struct err *e)
{
	const struct request rq = {.method = "GET", .path = "/v1/images"};
	struct table t = TABLE("NAME", "DIGEST", "PACKED", "UNPACKED", "SHARED");
	json_auto_t *doc = NULL;
	const json_t *image;
	size_t i;

	if (!str_is(a->o.name, "list"))
		return err_set(e, EINVAL, "image: only 'list' is there, not '%s'", a->o.name);
	if (fetch(a, &rq, &doc, e) < 0)
		return err_wrap(e, "image list");
	if (!doc)
		return 0;
	json_array_foreach(json_object_get(doc, "images"), i, image)
	{
		char packed[TABLE_NUMBER_MAX], unpacked[TABLE_NUMBER_MAX];
		char shared[TABLE_NUMBER_MAX], digest[21];

		snprintf(digest, sizeof(digest), "%s", text(image, "digest"));
		table_bytes((uint64_t)number(image, "packed_bytes"), packed);
		table_bytes((uint64_t)number(image, "unpacked_bytes"), unpacked);
		table_bytes((uint64_t)number(image, "base_bytes"), shared);
		table_row(&t, text(image, "name"), digest, packed, unpacked, shared);
	}
	return table_print(&t, stdout, e);
}
