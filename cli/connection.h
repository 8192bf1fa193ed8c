#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A session with the daemon: finding its socket, calls, and what their failures mean. */

#include <json-c/json_types.h>

#include "base/json.h"
#include "cli/options.h"
#include "ipc/client.h"

#define EXIT_USAGE 2
#define EXIT_NOT_FOUND 3
#define EXIT_NO_DAEMON 69
#define EXIT_TIMED_OUT 124

typedef struct Session {
        const Arguments *arguments;
        bool json;
        usec_t deadline;       /* boot time */
        VarlinkClient *client; /* connected by the first call */
        const char *operation; /* the last one sent */
        IpcError quiet;        /* an error reply that is no news: it is not said */
        bool out_of_memory;    /* a parameter could not be kept: nothing is sent any more */
} Session;

/* Reads the common options. Returns 0, or an exit status when they make no sense (and has said so).
 */
int session_init(Session *ret, const Arguments *a);
void session_done(Session *s);
/* Where the daemon's socket is, or would be, by the options. *ret is new. Returns 0 or -ENOMEM. */
int session_socket_path(const Arguments *a, char **ret);

/* What a failure of the connection itself (-errno) ends with. */
int connection_exit_status(int r);

/* Put parameters of a call together; a NULL value is left out. */
json_object *parameters_new(Session *s);
void parameters_add(Session *s, json_object *o, const char *key, json_object *value);
void parameters_add_string(Session *s, json_object *o, const char *key, const char *value);
void parameters_add_int(Session *s, json_object *o, const char *key, int64_t value);
void parameters_add_true(Session *s, json_object *o, const char *key);
/* The value of an option, if it is given: as text, or as a whole number. The latter returns 0 or
 * an exit status. */
void parameters_add_option(Session *s, json_object *o, const char *key, Option option);
int parameters_add_integer_option(Session *s, json_object *o, const char *key, Option option);
/* --since as the parameter "since": a time, or a span before now. Returns likewise. */
int parameters_add_since(Session *s, json_object *o);

/* All of --field as "fields", if any is given. Returns 0 or an exit status. */
int parameters_add_fields(Session *s, json_object *o);

/* Sends a call (parameters is taken and wiped). Returns 0, or an exit status and has said why. */
int session_send(Session *s, const char *operation, json_object *parameters, bool more);
/* Waits for a reply; an error reply is a failure. ret_continues may be NULL.
 * Returns 0, or an exit status and has said why. */
int session_receive(Session *s, JsonDoc **ret, bool *ret_continues);
/* Both. */
int session_call(Session *s, const char *operation, json_object *parameters, JsonDoc **ret);

/* The uid of the daemon; connects if need be. Returns 0, or an exit status and has said why. */
int session_daemon_uid(Session *s, uid_t *ret);

/* The items of a list, however many replies they came in. */
typedef struct List {
        json_object *items; /* an array */
        JsonDoc **replies;  /* whose values the items are; the last has what else was said */
        size_t n_replies;
} List;

/* Calls an operation that streams a list and collects each reply's member key, an array.
 * parameters is taken and wiped. *ret is freed with list_done(). Returns 0, or an exit status and
 * has said why. */
int session_list(Session *s,
                const char *operation,
                json_object *parameters,
                const char *key,
                List *ret);
/* Frees and zeroes. */
void list_done(List *l);
