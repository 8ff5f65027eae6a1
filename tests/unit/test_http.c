/*
 * The HTTP parser: hostile requests, limits, pipelining. Every row is fed whole, then byte by byte, and
 * must mean the same both ways.
 */
#include "tests/lib/harness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "runtimed/http.h"

#define BODY_MAX 1000

/*
 * What a server would make of the bytes: "METHOD target body" and '|' for each request it takes, then "!status"
 * when it refuses, "?" when it waits for more.
 */
static void drive(const char *data, size_t n, size_t step, struct buf *out)
{
	struct err e = ERR_INIT;
	struct http h;
	size_t at = 0, used;
	int r = HTTP_WANTS_MORE;

	http_init(&h);
	do {
		r = http_feed(&h, data + at, n - at < step ? n - at : step, &used, &e);
		if (r < 0)
			break;
		at += used;
		if (r == HTTP_GOT_HEAD)
			h.body_max = BODY_MAX;
		if (r != HTTP_GOT_ALL)
			continue;
		buf_printf(out, "%s %s %s|", h.req.method, h.req.target,
			   h.req.body.len ? h.req.body.data : "");
		http_next(&h);
	} while (at < n || r == HTTP_GOT_HEAD);
	if (r < 0)
		buf_printf(out, "!%u", h.status);
	else if (http_is_started(&h))
		buf_puts(out, "?");
	http_fini(&h);
}

#define GET  "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /p HTTP/1.1\r\nHost: a\r\n"
#define ROW(name, text, means)                                                                     \
	{                                                                                          \
		name, text, sizeof(text) - 1, means                                                \
	}

/* clang-format off */
static const struct {
	const char *name, *data;
	size_t size;
	const char *means;
} rows[] = {
	/* What must work. */
	ROW("plain", GET "\r\n", "GET / |"),
	ROW("a body", POST "Content-Length: 3\r\n\r\nabc", "POST /p abc|"),
	ROW("an empty body", POST "Content-Length: 0\r\n\r\n", "POST /p |"),
	ROW("chunked", POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", "POST /p abcd|"),
	ROW("Chunked in capitals", POST "Transfer-Encoding: CHUNKED\r\n\r\n1\r\nd\r\n0\r\n\r\n", "POST /p d|"),
	ROW("a short chunk extension", POST "Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nd\r\n0\r\n\r\n", "POST /p d|"),
	ROW("pipelined", GET "\r\n" POST "Content-Length: 1\r\n\r\nx" GET "\r\n", "GET / |POST /p x|GET / |"),
	ROW("pipelined after chunks", POST "Transfer-Encoding: chunked\r\n\r\n1\r\nd\r\n0\r\n\r\n" GET "\r\n", "POST /p d|GET / |"),
	ROW("empty line before the request", "\r\n" GET "\r\n", "GET / |"),
	ROW("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "GET / |"),
	ROW("an empty value", GET "X:\r\n\r\n", "GET / |"),
	ROW("expects continue", POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "POST /p x|"),
	ROW("upgrade is offered and not taken", GET "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n" GET "\r\n", "GET / |GET / |"),
	ROW("query and escapes", "GET /a%20b?x=%2f&y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a%20b?x=%2f&y |"),
	ROW("a blank begins the body", POST "Content-Length: 1\r\n\r\n ", "POST /p  |"),
	/* Two readings of where the body ends. */
	ROW("Content-Length and Transfer-Encoding", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("Transfer-Encoding and Content-Length", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "!400"),
	ROW("two different Content-Length", POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "!400"),
	ROW("two equal Content-Length", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "!400"),
	ROW("a list of Content-Length", POST "Content-Length: 3, 3\r\n\r\nabc", "!400"),
	ROW("Content-Length +1", POST "Content-Length: +1\r\n\r\na", "!400"),
	ROW("Content-Length -1", POST "Content-Length: -1\r\n\r\na", "!400"),
	ROW("Content-Length 0x1", POST "Content-Length: 0x1\r\n\r\na", "!400"),
	ROW("Content-Length 1e1", POST "Content-Length: 1e1\r\n\r\na", "!400"),
	ROW("Content-Length 1 2", POST "Content-Length: 1 2\r\n\r\na", "!400"),
	ROW("empty Content-Length", POST "Content-Length:\r\n\r\n", "!400"),
	ROW("Content-Length over 2^64", POST "Content-Length: 18446744073709551617\r\n\r\na", "!400"),
	ROW("Transfer-Encoding xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("Transfer-Encoding chunkedx", POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", "!400"),
	ROW("Transfer-Encoding identity", POST "Transfer-Encoding: identity\r\n\r\n", "!400"),
	ROW("Transfer-Encoding list", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("chunked, chunked", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("empty Transfer-Encoding", POST "Transfer-Encoding:\r\n\r\n", "!400"),
	ROW("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("vertical tab before chunked", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", "!400"),
	/* Two readings of where a line ends. */
	ROW("bare CR in a value", GET "X: \rxTransfer-Encoding: chunked\r\n\r\n", "!400"),
	ROW("bare CR ends a line", GET "Dummy: x\rContent-Length: 5\r\n\r\n", "!400"),
	ROW("bare LF ends lines", "GET / HTTP/1.1\nHost: a\n\n", "!400"),
	ROW("bare LF ends a header", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "!400"),
	ROW("folded line", GET "X: a\r\n b\r\n\r\n", "!400"),
	ROW("folded Transfer-Encoding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "!400"),
	ROW("folded by a tab", GET "X: a\r\n\tb\r\n\r\n", "!400"),
	ROW("blank line that is not", GET " \r\n\r\n", "!400"),
	ROW("NUL in a value", GET "X: a\0b\r\n\r\n", "!400"),
	ROW("NUL in a name", GET "X\0Y: a\r\n\r\n", "!400"),
	ROW("DEL in a value", GET "X: a\177\r\n\r\n", "!400"),
	ROW("space before the colon", GET "X : a\r\n\r\n", "!400"),
	ROW("space before Content-Length's colon", POST "Content-Length : 1\r\n\r\na", "!400"),
	ROW("header without a name", GET ": a\r\n\r\n", "!400"),
	ROW("header without a colon", GET "abc\r\n\r\n", "!400"),
	ROW("a bracket in a name", GET "X[]: a\r\n\r\n", "!400"),
	/* Chunks. */
	ROW("chunk extension with bare LF", POST "Transfer-Encoding: chunked\r\n\r\n1;a\nd\r\n0\r\n\r\n", "!400"),
	ROW("chunk size ended by bare LF", POST "Transfer-Encoding: chunked\r\n\r\n1\nd\r\n0\r\n\r\n", "!400"),
	ROW("chunk not ended by CRLF", POST "Transfer-Encoding: chunked\r\n\r\n1\r\ndxx0\r\n\r\n", "!400"),
	ROW("chunk size 0x1", POST "Transfer-Encoding: chunked\r\n\r\n0x1\r\nd\r\n0\r\n\r\n", "!400"),
	ROW("chunk size -1", POST "Transfer-Encoding: chunked\r\n\r\n-1\r\nd\r\n0\r\n\r\n", "!400"),
	ROW("chunk size with a blank", POST "Transfer-Encoding: chunked\r\n\r\n1 \r\nd\r\n0\r\n\r\n", "!400"),
	ROW("chunk size over 2^64", POST "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\nd", "!400"),
	ROW("empty chunk size", POST "Transfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n", "!400"),
	ROW("trailers", POST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", "!400"),
	/* Request lines and Host. */
	ROW("no Host", "GET / HTTP/1.1\r\n\r\n", "!400"),
	ROW("two Hosts", GET "Host: b\r\n\r\n", "!400"),
	ROW("two spaces mislead nobody", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / |"),
	ROW("a tab between", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("a control byte in the target", "GET /\001 HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("eight bits in the target", "GET /\303\244 HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("absolute target", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("target *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("an unknown method", "HELO / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("a method in small letters", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"),
	ROW("HTTP/0.9", "GET /\r\n\r\n", "!505"),
	ROW("HTTP/0.9 by name", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", "!505"),
	ROW("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "!505"),
	ROW("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "!505"),
	ROW("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!400"),
	ROW("a TLS hello", "\026\003\001\002\000\001\000\001\374\003\003", "!400"),
	ROW("an expectation of another kind", POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx", "!417"),
	/* Not whole yet. */
	ROW("half a head", GET, "?"),
	ROW("half a body", POST "Content-Length: 3\r\n\r\nab", "?"),
	ROW("half a chunk", POST "Transfer-Encoding: chunked\r\n\r\n3\r\nab", "?"),
	ROW("the first is taken, the second refused", GET "\r\n" GET "Host: b\r\n\r\n", "GET / |!400"),
	ROW("after the body", POST "Content-Length: 1\r\n\r\nxGARBAGE\r\n\r\n", "POST /p x|!400"),
};
/* clang-format on */

static void check_both_ways(const char *name, const char *data, size_t n, const char *means)
{
	_cleanup_buf_ struct buf whole, bytes;

	buf_init(&whole, 1 << 20);
	buf_init(&bytes, 1 << 20);
	drive(data, n, SIZE_MAX, &whole);
	drive(data, n, 1, &bytes);
	ck_assert_msg(whole.data && strcmp(whole.data, means) == 0, "%s: '%s', not '%s'", name,
		      whole.data, means);
	ck_assert_msg(bytes.data && strcmp(bytes.data, means) == 0, "%s, bytewise: '%s', not '%s'",
		      name, bytes.data, means);
}

START_TEST(request_means_one_thing)
{
	check_both_ways(rows[_i].name, rows[_i].data, rows[_i].size, rows[_i].means);
}
END_TEST

/* before, n times fill, after */
static void check_filled(const char *before, const char *fill, size_t n, const char *after,
			 const char *means)
{
	_cleanup_buf_ struct buf b;

	buf_init(&b, 4 << 20);
	buf_puts(&b, before);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, fill);
	buf_puts(&b, after);
	check_both_ways(fill, b.data, b.len, means);
}

START_TEST(lengths_have_a_maximum)
{
	check_filled("GET /", "a", HTTP_TARGET_MAX, " HTTP/1.1\r\nHost: a\r\n\r\n", "!414");
	check_filled(GET "X: ", "a", HTTP_BLOCK_MAX, "\r\n\r\n", "!431");
	check_filled(GET "X: ", "a", HTTP_BLOCK_MAX - 100, "\r\n\r\n", "GET / |");
	check_filled(GET "X: ", " ", 10 * HTTP_BLOCK_MAX, "a\r\n\r\n", "!431");
	check_filled(GET, "X: y\r\n", HTTP_FIELDS_MAX - 1, "\r\n", "GET / |");
	check_filled(GET, "X: y\r\n", HTTP_FIELDS_MAX, "\r\n", "!431");
	check_filled("", "\r\n", 1 << 20, GET "\r\n", "!431");
	check_filled(POST "Transfer-Encoding: chunked\r\n\r\n1", ";a=b", 64 << 10,
		     "\r\nd\r\n0\r\n\r\n", "!400");
	check_filled(POST "Transfer-Encoding: chunked\r\n\r\n", "0", 64 << 10,
		     "1\r\nd\r\n0\r\n\r\n", "!400");
	check_filled(POST "Transfer-Encoding: chunked\r\n\r\n", "1\r\nd\r\n", BODY_MAX + 1,
		     "0\r\n\r\n", "!413");
	check_filled(POST "Content-Length: 1001\r\n\r\n", "d", BODY_MAX + 1, "", "!413");
}
END_TEST

START_TEST(longest_target_is_taken)
{
	_cleanup_buf_ struct buf b, out;

	buf_init(&b, 64 << 10);
	buf_init(&out, 64 << 10);
	buf_puts(&b, "GET /");
	for (size_t i = 1; i < HTTP_TARGET_MAX; i++)
		buf_puts(&b, "a");
	buf_puts(&b, " HTTP/1.1\r\nHost: a\r\nX: ");
	for (size_t i = 0; i < HTTP_BLOCK_MAX - 100; i++)
		buf_puts(&b, "a");
	buf_puts(&b, "\r\n\r\n");
	drive(b.data, b.len, 100, &out);
	ck_assert_uint_eq(out.len, strlen("GET  |") + HTTP_TARGET_MAX);
}
END_TEST

START_TEST(head_is_told_before_the_body)
{
	static const char text[] = "PUT //a/b?c=d%20e&f HTTP/1.1\r\nHOST:  x  \r\nX-Two: a b \t\r\n"
				   "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi";
	struct err e = ERR_INIT;
	struct http h;
	size_t used;

	http_init(&h);
	ck_assert_int_eq(http_feed(&h, text, sizeof(text) - 1, &used, &e), HTTP_GOT_HEAD);
	ck_assert_uint_eq(used, sizeof(text) - 3);
	ck_assert_str_eq(h.req.method, "PUT");
	ck_assert_str_eq(h.req.target, "//a/b?c=d%20e&f");
	ck_assert_str_eq(h.req.path, "//a/b");
	ck_assert_str_eq(h.req.query, "c=d%20e&f");
	ck_assert_str_eq(http_header(&h.req, "host"), "x");
	ck_assert_str_eq(http_header(&h.req, "x-two"), "a b");
	ck_assert_ptr_null(http_header(&h.req, "x"));
	ck_assert(h.req.expects_continue && h.req.is_keep_alive && !h.req.is_chunked);
	ck_assert_uint_eq(h.req.content_length, 2);
	h.body_max = 2;
	ck_assert_int_eq(http_feed(&h, text + used, 2, &used, &e), HTTP_GOT_ALL);
	ck_assert_str_eq(h.req.body.data, "hi");
	http_next(&h);
	ck_assert(!http_is_started(&h));
	http_fini(&h);
	http_fini(&h);
}
END_TEST

/* clang-format off */
static const struct {
	const char *data;
	bool is_keep_alive;
} keep_rows[] = {
	{GET "\r\n",                                  true },
	{GET "Connection: close\r\n\r\n",             false},
	{GET "Connection: keep-alive, Close\r\n\r\n", false},
	{"GET / HTTP/1.0\r\n\r\n",                    false},
	{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
};
/* clang-format on */

START_TEST(connection_is_kept_as_asked)
{
	struct err e = ERR_INIT;
	struct http h;
	size_t used;

	http_init(&h);
	ck_assert_int_eq(http_feed(&h, keep_rows[_i].data, strlen(keep_rows[_i].data), &used, &e),
			 HTTP_GOT_HEAD);
	ck_assert_int_eq(h.req.is_keep_alive, keep_rows[_i].is_keep_alive);
	http_fini(&h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("http");
	TCase *t = tcase_create("http");

	tcase_add_loop_test(t, request_means_one_thing, 0, ARRAY_SIZE(rows));
	tcase_add_test(t, lengths_have_a_maximum);
	tcase_add_test(t, longest_target_is_taken);
	tcase_add_test(t, head_is_told_before_the_body);
	tcase_add_loop_test(t, connection_is_kept_as_asked, 0, ARRAY_SIZE(keep_rows));
	suite_add_tcase(s, t);
	return s;
}

HARNESS_MAIN(suite)
