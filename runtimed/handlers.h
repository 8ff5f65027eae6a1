/* The handlers that the table of routes names; each answers its call exactly once (runtimed/api.h). */
#ifndef RUNTIMED_HANDLERS_H
#define RUNTIMED_HANDLERS_H

struct call;

/* api_function.c, api_change.c: Lambda's functions */
void api_create_function(struct call *c);
void api_update_code(struct call *c);
void api_update_configuration(struct call *c);
void api_delete_function(struct call *c);
void api_get_function(struct call *c);
void api_get_configuration(struct call *c);
void api_list_functions(struct call *c);

/* api_invoke.c */
void api_invoke(struct call *c);

/* api_bundle.c, api_native.c: our own */
void api_bundle(struct call *c);
void api_health(struct call *c);
void api_metrics(struct call *c);
void api_images(struct call *c);
void api_usage(struct call *c);
void api_logs(struct call *c);

#endif
