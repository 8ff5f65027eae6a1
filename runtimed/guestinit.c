#include "runtimed/guestinit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "runtimed/guest.h"

#define VERSION "$LATEST"

static void member(struct buf *b, const char *key, const char *value)
{
	if (buf_failed(b))
		return;
	if (b->data[b->len - 1] != '{')
		buf_putc(b, ',');
	buf_json_string(b, key, strlen(key));
	buf_putc(b, ':');
	buf_json_string(b, value, strlen(value));
}

/* "2026/11/21/[$LATEST]0000000000000007", one stream an instance, as Lambda names them. */
static void stream_name(uint64_t id, char *out, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;
	size_t n;

	(void)gmtime_r(&now, &tm);
	n = strftime(out, size, "%Y/%m/%d/", &tm);
	(void)snprintf(out + n, size - n, "[" VERSION "]%032" PRIx64, id);
}

/* The variables Lambda sets, then the user's; user names cannot be among these (func_env_add). */
static void environment(const struct core *core, const struct func *fn, const char *group,
			const char *stream, struct buf *b)
{
	char memory[16], execution[FUNC_IMAGE_MAX + 16];
	/* clang-format off */
	const struct {
		const char *key, *value;
	} own[] = {
		{"_HANDLER",                        fn->handler                            },
		{"AWS_EXECUTION_ENV",               execution                              },
		{"AWS_LAMBDA_FUNCTION_NAME",        fn->name                               },
		{"AWS_LAMBDA_FUNCTION_VERSION",     VERSION                                },
		{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory                                 },
		{"AWS_LAMBDA_INITIALIZATION_TYPE",  "on-demand"                            },
		{"AWS_LAMBDA_LOG_GROUP_NAME",       group                                  },
		{"AWS_LAMBDA_LOG_STREAM_NAME",      stream                                 },
		{"AWS_REGION",                      core->cfg.region                       },
		{"AWS_DEFAULT_REGION",              core->cfg.region                       },
		{"LAMBDA_TASK_ROOT",                "/var/task"                            },
		{"LAMBDA_RUNTIME_DIR",              "/usr/lib/runtimed"                    },
		{"TZ",                              ":UTC"                                 },
		{"LANG",                            "C.UTF-8"                              },
		{"PATH",                            "/usr/local/bin:/usr/bin:/bin:/opt/bin"},
		{"HOME",                            "/tmp"                                 },
		{"LD_LIBRARY_PATH",                 "/var/task:/var/task/lib:/opt/lib"     },
	};
	/* clang-format on */

	(void)snprintf(memory, sizeof(memory), "%" PRIu32, fn->memory_mb);
	(void)snprintf(execution, sizeof(execution), "AWS_Lambda_%s", fn->image);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		member(b, own[i].key, own[i].value);
	for (const char *p = fn->env; p < fn->env + fn->env_size; p += strlen(p) + 1) {
		const char *value = strchr(p, '=');
		char key[FUNC_ENV_BYTES_MAX + 1];

		memcpy(key, p, (size_t)(value - p));
		key[value - p] = '\0';
		member(b, key, value + 1);
	}
}

void guestinit_object(const struct core *core, const struct func *fn, uint64_t id, struct buf *b)
{
	char group[FUNC_NAME_MAX + 16], stream[64], arn[256];

	(void)snprintf(group, sizeof(group), "/aws/lambda/%s", fn->name);
	(void)snprintf(arn, sizeof(arn), "arn:aws:lambda:%s:%s:function:%s", core->cfg.region,
		       core->cfg.account, fn->name);
	stream_name(id, stream, sizeof(stream));
	buf_puts(b, "{");
	member(b, "handler", fn->handler);
	member(b, "function_name", fn->name);
	member(b, "function_version", VERSION);
	member(b, "arn", arn);
	member(b, "log_group", group);
	member(b, "log_stream", stream);
	buf_printf(b, ",\"memory_mb\":%" PRIu32 ",\"timeout_ms\":%" PRIu32 ",\"env\":{",
		   fn->memory_mb, fn->timeout_ms);
	environment(core, fn, group, stream, b);
	buf_puts(b, "}}");
}

void guestinit_write(const struct core *core, const struct func *fn, uint64_t id, struct buf *out)
{
	struct guest_frame frame = {.type = GUEST_INIT};
	size_t at = out->len;

	buf_append(out, &frame, sizeof(frame));
	if (buf_failed(out))
		return;
	guestinit_object(core, fn, id, out);
	if (buf_failed(out))
		return;
	frame.size = (uint32_t)(out->len - at - sizeof(frame));
	memcpy(out->data + at, &frame, sizeof(frame));
}
