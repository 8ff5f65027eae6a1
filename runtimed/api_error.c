/* Errors as the Lambda API says them: status, X-Amzn-ErrorType, and a body that all clients read. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "runtimed/api.h"

#define ERROR_BODY_MAX (4u << 10)

static const struct {
	const char *type;
	unsigned status;
} errors[] = {
	[API_INVALID_PARAMETER] = {"InvalidParameterValueException",       400},
	[API_INVALID_JSON] = {"InvalidRequestContentException",       400},
	[API_ACCESS_DENIED] = {"AccessDeniedException",                403},
	[API_MISSING_TOKEN] = {"MissingAuthenticationTokenException",  403},
	[API_INCOMPLETE_SIGNATURE] = {"IncompleteSignatureException",         403},
	[API_UNKNOWN_KEY] = {"UnrecognizedClientException",          403},
	[API_BAD_SIGNATURE] = {"InvalidSignatureException",            403},
	[API_NOT_FOUND] = {"ResourceNotFoundException",            404},
	[API_UNKNOWN_OPERATION] = {"UnknownOperationException",            404},
	[API_METHOD_NOT_ALLOWED] = {"MethodNotAllowedException",            405},
	[API_TIMEOUT] = {"RequestTimeoutException",              408},
	[API_CONFLICT] = {"ResourceConflictException",            409},
	[API_PRECONDITION] = {"PreconditionFailedException",          412},
	[API_TOO_LARGE] = {"RequestTooLargeException",             413},
	[API_URI_TOO_LONG] = {"RequestUriTooLongException",           414},
	[API_EXPECTATION] = {"ExpectationFailedException",           417},
	[API_HEAD_TOO_LARGE] = {"RequestHeaderFieldsTooLargeException", 431},
	[API_BAD_REQUEST] = {"BadRequestException",                  400},
	[API_TOO_MANY] = {"TooManyRequestsException",             429},
	[API_SERVICE] = {"ServiceException",                     500},
	[API_UNAVAILABLE] = {"ServiceUnavailableException",          503},
	[API_HTTP_VERSION] = {"HttpVersionNotSupportedException",     505},
};
_Static_assert(ARRAY_SIZE(errors) == API_ERRORS, "one row per error");

static void put_member(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, ",\"%s\":", name);
	buf_json_string(out, value, strlen(value));
}

void api_error_reply(const struct failure *f, struct buf *out, struct reply *ret)
{
	unsigned status = errors[f->kind].status;
	size_t n_body;

	/* The body first, then the header fields after its NUL: one buffer for both. */
	buf_printf(out, "{\"Type\":\"%s\"", status >= 500 ? "Service" : "User");
	put_member(out, "Message", f->message);
	put_member(out, "message", f->message);
	if (f->reason)
		put_member(out, "Reason", f->reason);
	buf_putc(out, '}');
	n_body = out->len;
	buf_putc(out, '\0');
	buf_printf(out, "X-Amzn-ErrorType: %s\r\n%s", errors[f->kind].type,
		   f->headers ? f->headers : "");
	*ret = (struct reply){.status = status, .type = "application/json"};
	if (buf_failed(out))
		return; /* the status says enough */
	ret->headers = out->data + n_body + 1;
	ret->body = out->data;
	ret->body_size = n_body;
}

enum api_error api_error_of_status(unsigned status)
{
	enum api_error kind = API_BAD_REQUEST;

	for (size_t i = 0; i < API_ERRORS; i++)
		if (errors[i].status == status && status != 400)
			kind = (enum api_error)i;
	return kind;
}

void api_fail(struct call *c, enum api_error kind, const char *fmt, ...)
{
	_cleanup_buf_ struct buf text;
	char message[ERR_TEXT_MAX];
	struct reply r;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	buf_init(&text, ERROR_BODY_MAX);
	api_error_reply(&(struct failure){.kind = kind, .message = message}, &text, &r);
	call_reply(c, &r);
}
