/* The API's pure parts: routes and names, settings, documents and errors, heads of answers, metrics. */
#include "tests/lib/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "runtimed/api.h"
#include "runtimed/metrics.h"
#include "runtimed/reply.h"
#include "runtimed/route.h"
#include "runtimed/settings.h"

/* ---- routes ---- */

#define F "/2015-03-31/functions"

/* clang-format off */
static const struct {
	const char *method, *path;
	int outcome;
	const char *pattern, *name;
} paths[] = {
	{"GET",   F,                                  0,                  F,                         ""      },
	{"GET",   F "/",                              0,                  F,                         ""      },
	{"GET",   "//2015-03-31/functions/",          0,                  F,                         ""      },
	{"POST",  F "/hello/invocations",             0,                  F "/{f}/invocations",      "hello" },
	{"POST",  F "/hello/invocations/",            0,                  F "/{f}/invocations",      "hello" },
	{"POST",  F "/hello%3A%24LATEST/invocations", 0,                  F "/{f}/invocations",      "hello" },
	{"GET",   F "/arn%3Aaws%3Alambda%3Ar%3A1%3Afunction%3Ahello", 0,                  F "/{f}",
	 "hello"},
	{"GET",   F "/1:function:hello:$LATEST",      0,                  F "/{f}",                  "hello" },
	{"GET",   "/v1/functions/a-b_C1/usage",       0,                  "/v1/functions/{f}/usage", "a-b_C1"},
	{"GET",   "/healthz",                         0,                  "/healthz",                ""      },
	{"PATCH", F,                                  ROUTE_E_METHOD,     NULL,                      NULL    },
	{"GET",   F "/hello/invocations",             ROUTE_E_METHOD,     NULL,                      NULL    },
	{"GET",   "/",                                ROUTE_E_NOT_FOUND,  NULL,                      NULL    },
	{"GET",   F "x",                              ROUTE_E_NOT_FOUND,  NULL,                      NULL    },
	{"GET",   F "/hello/nothing",                 ROUTE_E_NOT_FOUND,  NULL,                      NULL    },
	{"GET",   F "/hello/configuration/more",      ROUTE_E_NOT_FOUND,  NULL,                      NULL    },
	{"GET",   F "//",                             ROUTE_E_NOT_FOUND,  NULL,                      NULL    },
	{"GET",   F "/..",                            ROUTE_E_BAD_NAME,   NULL,                      NULL    },
	{"GET",   F "/a%2Fb",                         ROUTE_E_BAD_NAME,   NULL,                      NULL    },
	{"GET",   F "/a%00b",                         ROUTE_E_BAD_NAME,   NULL,                      NULL    },
	{"GET",   F "/a%zz",                          ROUTE_E_BAD_NAME,   NULL,                      NULL    },
	{"GET",   F "/a%4",                           ROUTE_E_BAD_NAME,   NULL,                      NULL    },
	{"GET",   F "/arn:aws:lambda:r:1:layer:l",    ROUTE_E_BAD_NAME,   NULL,                      NULL    },
	{"GET",   F "/hello:7",                       ROUTE_E_NO_VERSION, NULL,                      NULL    },
	{"GET",   F "/hello:prod",                    ROUTE_E_NO_VERSION, NULL,                      NULL    },
	{"GET",   F "/aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg", ROUTE_E_BAD_NAME,   NULL,
	 NULL},
};
/* clang-format on */

START_TEST(path_leads_to_its_handler)
{
	const struct route *route = NULL;
	char name[FUNC_NAME_MAX + 1];
	struct err e = ERR_INIT;
	int r = route_find(paths[_i].method, paths[_i].path, &route, name, &e);

	ck_assert_msg(r == paths[_i].outcome, "%s %s: %d", paths[_i].method, paths[_i].path, r);
	if (r)
		return;
	ck_assert_str_eq(route->pattern, paths[_i].pattern);
	ck_assert_str_eq(name, paths[_i].name);
}
END_TEST

START_TEST(query_is_found_and_decoded)
{
	char out[8];

	ck_assert(route_query("a=1&bb=%24x&c", "bb", out, sizeof(out)));
	ck_assert_str_eq(out, "$x");
	ck_assert(route_query("a=1&bb=%24x&c", "c", out, sizeof(out)));
	ck_assert_str_eq(out, "");
	ck_assert(!route_query("a=1&bb=2", "b", out, sizeof(out)));
	ck_assert(!route_query("", "b", out, sizeof(out)));
	ck_assert(!route_query("b=12345678", "b", out, sizeof(out)));
	ck_assert(route_query("b=1234567", "b", out, sizeof(out)));
	ck_assert(!route_query("b=%", "b", out, sizeof(out)));
	ck_assert(!route_query("b=%4", "b", out, sizeof(out)));
	ck_assert(!route_query("b=%00", "b", out, sizeof(out)));
	ck_assert(route_is_latest("") && route_is_latest("x&Qualifier=%24LATEST"));
	ck_assert(!route_is_latest("Qualifier=7") && !route_is_latest("Qualifier"));
	ck_assert(!route_is_latest("Qualifier=$LATEST$LATEST$LATEST"));
}
END_TEST

/* ---- settings ---- */

/* clang-format off */
static const struct {
	const char *body, *error; /* error NULL = taken */
} bodies[] = {
	{"{}",                                          NULL                     },
	{"{\"Unknown\":1,\"Tags\":{\"a\":\"b\"}}",      NULL                     },
	{"{\"Layers\":null,\"VpcConfig\":null,\"Publish\":null}", NULL                     },
	{"{\"Layers\":[],\"VpcConfig\":{\"SubnetIds\":[],\"Ipv6\":false},\"Publish\":false}", NULL},
	{"{\"SnapStart\":{\"ApplyOn\":\"None\"},\"PackageType\":\"Zip\"}", NULL                     },
	{"{\"Architectures\":[\"x86_64\"],\"KMSKeyArn\":\"\"}", NULL                     },
	{"{\"Layers\":[\"a\"]}",                        "Layers: "               },
	{"{\"VpcConfig\":{\"SubnetIds\":[\"s\"]}}",     "VpcConfig: "            },
	{"{\"Publish\":true}",                          "Publish: "              },
	{"{\"Publish\":1}",                             "Publish: "              },
	{"{\"PackageType\":\"Image\"}",                 "PackageType: "          },
	{"{\"Architectures\":[\"arm64\"]}",             "Architectures: "        },
	{"{\"Architectures\":[\"x86_64\",\"arm64\"]}",  "Architectures: "        },
	{"{\"SnapStart\":{\"ApplyOn\":\"PublishedVersions\"}}", "SnapStart: "            },
	{"{\"ImageUri\":\"x\"}",                        "ImageUri: "             },
	{"{\"S3Bucket\":\"x\"}",                        "S3Bucket: "             },
	{"{\"FileSystemConfigs\":[{}]}",                "FileSystemConfigs: "    },
	{"{\"Handler\":1}",                             "Handler: "              },
	{"{\"MemorySize\":\"128\"}",                    "MemorySize: "           },
	{"{\"MemorySize\":-1}",                         "MemorySize: "           },
	{"{\"MemorySize\":1.5}",                        "MemorySize: "           },
	{"{\"Timeout\":4294968}",                       "Timeout: "              },
	{"{\"EphemeralStorage\":{\"Size\":99999999999}}", "EphemeralStorage.Size: "},
	{"{\"Environment\":[]}",                        "Environment: "          },
	{"{\"Environment\":{\"Variables\":{\"A\":1}}}", "Environment: 'A'"       },
	{"{\"Environment\":{\"Variables\":{\"TZ\":\"x\"}}}", "reserved"               },
};
/* clang-format on */

START_TEST(setting_is_taken_or_refused_by_name)
{
	json_auto_t *body = json_loads(bodies[_i].body, 0, NULL);
	struct func *f = func_new();
	struct err e = ERR_INIT;
	int r = settings_check(body, &e);

	ck_assert_ptr_nonnull(body);
	if (r == 0)
		r = settings_read(body, f, &e);
	ck_assert_msg((r == 0) == !bodies[_i].error, "%s: %s", bodies[_i].body, e.text);
	if (bodies[_i].error)
		ck_assert_msg(strstr(e.text, bodies[_i].error), "%s: %s", bodies[_i].body, e.text);
	func_unref(f);
}
END_TEST

START_TEST(absent_settings_leave_the_function_as_it_is)
{
	json_auto_t *body = json_loads("{\"Timeout\":2,\"Handler\":null}", 0, NULL);
	struct func *f = func_new();
	struct err e = ERR_INIT;

	str_copy(f->handler, sizeof(f->handler), "a.b");
	ck_ok(func_env_add(f, "K", "v", &e), &e);
	ck_ok(settings_read(body, f, &e), &e);
	ck_assert_uint_eq(f->timeout_ms, 2000);
	ck_assert_str_eq(f->handler, "a.b");
	ck_assert_uint_eq(f->n_env, 1);
	json_decref(body);
	body = json_loads("{\"Environment\":{\"Variables\":{\"L\":\"w\"}}}", 0, NULL);
	ck_ok(settings_read(body, f, &e), &e);
	ck_assert_uint_eq(f->n_env, 1);
	ck_assert_str_eq(f->env, "L=w");
	func_unref(f);
}
END_TEST

/* ---- documents ---- */

START_TEST(configuration_has_what_clients_wait_for)
{
	static struct config cfg;
	struct func *f = func_new();
	json_auto_t *doc = NULL;
	_cleanup_free_ char *text = NULL;
	struct err e = ERR_INIT;

	config_init(&cfg);
	str_copy(f->name, sizeof(f->name), "hello");
	f->timeout_ms = 3000;
	f->memory_mb = 128;
	f->tmp_mb = 512;
	f->modified_wall_us = UINT64_C(1704067200123456);
	ck_ok(func_env_add(f, "A", "b", &e), &e);
	doc = api_function(&cfg, f);
	text = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS);
	ck_assert_str_eq(
		text,
		"{\"Architectures\":[\"x86_64\"],\"CodeSha256\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"CodeSize\":0,\"Description\":"
		"\"\",\"Environment\":{\"Variables\":{\"A\":\"b\"}},\"EphemeralStorage\":{\"Size\":"
		"512},\"FunctionArn\":\"arn:aws:lambda:local-1:000000000000:function:hello\","
		"\"FunctionName\":\"hello\",\"Handler\":\"\",\"LastModified\":"
		"\"2024-01-01T00:00:00.123+0000\",\"LastUpdateStatus\":\"Successful\","
		"\"MemorySize\":128,\"PackageType\":\"Zip\",\"RevisionId\":\"\",\"Role\":\"\","
		"\"Runtime\":\"\",\"State\":\"Active\",\"Timeout\":3,\"TracingConfig\":{\"Mode\":"
		"\"PassThrough\"},\"Version\":\"$LATEST\"}");
	func_unref(f);
}
END_TEST

START_TEST(error_names_its_class_and_says_why)
{
	_cleanup_buf_ struct buf text;
	struct reply r;

	buf_init(&text, 4096);
	api_error_reply(&(struct failure){.kind = API_TOO_MANY,
					  .message = "too \"many\"",
					  .reason = "ConcurrentInvocationLimitExceeded",
					  .headers = "Retry-After: 1\r\n"},
			&text, &r);
	ck_assert_uint_eq(r.status, 429);
	ck_assert_str_eq(r.headers,
			 "X-Amzn-ErrorType: TooManyRequestsException\r\nRetry-After: 1\r\n");
	ck_assert_str_eq(r.body, "{\"Type\":\"User\",\"Message\":\"too \\\"many\\\"\","
				 "\"message\":\"too \\\"many\\\"\","
				 "\"Reason\":\"ConcurrentInvocationLimitExceeded\"}");
	ck_assert_uint_eq(r.body_size, strlen(r.body));
}
END_TEST

START_TEST(status_of_the_parser_has_its_error)
{
	static const unsigned statuses[] = {413, 414, 417, 431, 500, 505, 400};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		_cleanup_buf_ struct buf text;
		struct reply r;

		buf_init(&text, 4096);
		api_error_reply(
			&(struct failure){.kind = api_error_of_status(statuses[i]), .message = "x"},
			&text, &r);
		ck_assert_uint_eq(r.status, statuses[i]);
	}
}
END_TEST

START_TEST(head_of_an_answer)
{
	char head[REPLY_HEAD_MAX];
	size_t n = reply_head(&(struct reply){.status = 200, .type = "t/x", .body_size = 7}, "ID",
			      "DATE", true, head);

	ck_assert_uint_eq(n, strlen(head));
	ck_assert_str_eq(head, "HTTP/1.1 200 OK\r\nDate: DATE\r\nx-amzn-RequestId: ID\r\n"
			       "Content-Type: t/x\r\nContent-Length: 7\r\nConnection: close\r\n");
	reply_head(&(struct reply){.status = 204}, "ID", "DATE", false, head);
	ck_assert_str_eq(head, "HTTP/1.1 204 No Content\r\nDate: DATE\r\nx-amzn-RequestId: ID\r\n");
}
END_TEST

/* ---- metrics ---- */

START_TEST(metrics_count_what_was_recorded)
{
	static struct metrics m;
	_cleanup_buf_ struct buf text;
	struct record rec = {.outcome = OUTCOME_OK, .total_us = 50, .handler_us = 51};
	static const char *const lines[] = {
		"\nruntimed_invocations_total{outcome=\"ok\"} 2\n",
		"\nruntimed_invocations_total{outcome=\"throttled\"} 1\n",
		"\nruntimed_invocation_seconds_bucket{outcome=\"ok\",le=\"0.000050\"} 1\n",
		"\nruntimed_invocation_seconds_bucket{outcome=\"ok\",le=\"0.000100\"} 1\n",
		"\nruntimed_invocation_seconds_bucket{outcome=\"ok\",le=\"+Inf\"} 2\n",
		"\nruntimed_invocation_seconds_sum{outcome=\"ok\"} 3600.000050\n",
		"\nruntimed_handler_seconds_bucket{le=\"0.000100\"} 2\n",
		"\nruntimed_handler_seconds_count{} 2\n",
		"\nruntimed_cold_start_seconds_count{way=\"forked\"} 1\n",
		"\nruntimed_instances{state=\"idle\"} 3\n",
		"\nruntimed_queue_length 4\n",
		"\n# TYPE runtimed_queue_length gauge\n",
	};

	metrics_record(&m, &rec);
	rec.total_us = UINT64_C(3600000000);
	rec.is_cold = true;
	rec.way = LAUNCH_FORKED;
	metrics_record(&m, &rec);
	rec.outcome = OUTCOME_THROTTLED;
	metrics_record(&m, &rec);
	m.instances[METRICS_IDLE] = 3;
	m.queue_length = 4;
	buf_init(&text, 1 << 20);
	metrics_write(&m, &text);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		ck_assert_msg(strstr(text.data, lines[i]), "%s", lines[i]);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("api");
	TCase *t = tcase_create("api");

	tcase_add_loop_test(t, path_leads_to_its_handler, 0, ARRAY_SIZE(paths));
	tcase_add_test(t, query_is_found_and_decoded);
	tcase_add_loop_test(t, setting_is_taken_or_refused_by_name, 0, ARRAY_SIZE(bodies));
	tcase_add_test(t, absent_settings_leave_the_function_as_it_is);
	tcase_add_test(t, configuration_has_what_clients_wait_for);
	tcase_add_test(t, error_names_its_class_and_says_why);
	tcase_add_test(t, status_of_the_parser_has_its_error);
	tcase_add_test(t, head_of_an_answer);
	tcase_add_test(t, metrics_count_what_was_recorded);
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)
