#include "runtimed/reply.h"

#include <stdio.h>

#include "base/mem.h"

/* clang-format off */
static const struct {
	unsigned status;
	const char *text;
} texts[] = {
	{200, "OK"                             },
	{201, "Created"                        },
	{202, "Accepted"                       },
	{204, "No Content"                     },
	{400, "Bad Request"                    },
	{403, "Forbidden"                      },
	{404, "Not Found"                      },
	{405, "Method Not Allowed"             },
	{408, "Request Timeout"                },
	{409, "Conflict"                       },
	{412, "Precondition Failed"            },
	{413, "Content Too Large"              },
	{414, "URI Too Long"                   },
	{417, "Expectation Failed"             },
	{429, "Too Many Requests"              },
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"          },
	{501, "Not Implemented"                },
	{502, "Bad Gateway"                    },
	{503, "Service Unavailable"            },
	{505, "HTTP Version Not Supported"     },
};
/* clang-format on */

static const char *text_of(unsigned status)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "";
}

size_t reply_head(const struct reply *r, const char *request_id, const char *date, bool is_last,
		  char out[REPLY_HEAD_MAX])
{
	char length[48] = "", type[128] = "";
	int n;

	/* A 204 has no body by definition, and a length there confuses some clients. */
	if (r->status != 204)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", r->body_size);
	if (r->type)
		snprintf(type, sizeof(type), "Content-Type: %s\r\n", r->type);
	n = snprintf(out, REPLY_HEAD_MAX,
		     "HTTP/1.1 %u %s\r\nDate: %s\r\nx-amzn-RequestId: %s\r\n%s%s%s", r->status,
		     text_of(r->status), date, request_id, type, length,
		     is_last ? "Connection: close\r\n" : "");
	return n < REPLY_HEAD_MAX ? (size_t)n : REPLY_HEAD_MAX - 1;
}
