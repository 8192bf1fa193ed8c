/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/connection.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"
#include "ipc/socket-path.h"
#include "ipc/socket.h"

int session_socket_path(const Arguments *a, char **ret) {
        if (argument_given(a, OPTION_SOCKET)) {
                *ret = strdup(a->values[OPTION_SOCKET]);
                return *ret ? 0 : -ENOMEM;
        }
        return socket_path(argument_given(a, OPTION_SYSTEM) ? SOCKET_SYSTEM
                           : argument_given(a, OPTION_USER) ? SOCKET_USER
                                                            : SOCKET_NEAREST,
                        ret);
}

int session_init(Session *ret, const Arguments *a) {
        _cleanup_free_ char *msg = NULL;
        usec_t timeout;

        *ret = (Session){
                        .arguments = a,
                        .json = argument_given(a, OPTION_JSON),
                        .deadline = USEC_INFINITY,
                        .quiet = _IPC_ERROR_MAX,
        };
        if (argument_given(a, OPTION_SYSTEM) + argument_given(a, OPTION_USER) +
                                        argument_given(a, OPTION_SOCKET) >
                        1)
                return complain(EXIT_USAGE, "choose one of --system, --user and --socket");
        if (!argument_given(a, OPTION_TIMEOUT))
                return 0;
        if (argument_span(a, OPTION_TIMEOUT, &timeout, &msg) < 0)
                return complain(EXIT_USAGE, "%s", error_text(msg, -EINVAL));
        ret->deadline = usec_add(now_boottime(), timeout);
        return 0;
}

void session_done(Session *s) {
        s->client = varlink_client_free(s->client);
}

json_object *parameters_new(Session *s) {
        json_object *o = json_object_new_object();

        s->out_of_memory = s->out_of_memory || !o;
        return o;
}

void parameters_add(Session *s, json_object *o, const char *key, json_object *value) {
        if (o && value && json_object_object_add(o, key, value) >= 0)
                return;
        json_object_wipe_put(value);
        s->out_of_memory = true;
}

void parameters_add_string(Session *s, json_object *o, const char *key, const char *value) {
        if (value)
                parameters_add(s, o, key, json_object_new_string(value));
}

void parameters_add_int(Session *s, json_object *o, const char *key, int64_t value) {
        parameters_add(s, o, key, json_object_new_int64(value));
}

void parameters_add_true(Session *s, json_object *o, const char *key) {
        parameters_add(s, o, key, json_object_new_boolean(true));
}

void parameters_add_option(Session *s, json_object *o, const char *key, Option option) {
        parameters_add_string(s, o, key, s->arguments->values[option]);
}

int parameters_add_integer_option(Session *s, json_object *o, const char *key, Option option) {
        _cleanup_free_ char *msg = NULL;
        int64_t value;

        if (!argument_given(s->arguments, option))
                return 0;
        if (argument_integer(s->arguments, option, &value, &msg) < 0)
                return complain(EXIT_USAGE, "%s", error_text(msg, -EINVAL));
        parameters_add_int(s, o, key, value);
        return 0;
}

int parameters_add_since(Session *s, json_object *o) {
        const char *text = s->arguments->values[OPTION_SINCE];
        char date[RFC3339_SIZE];
        usec_t t;

        if (!text)
                return 0;
        if (rfc3339_parse(text, &t) < 0) {
                if (timespan_parse(text, &t) < 0)
                        return complain(EXIT_USAGE,
                                        "--since wants a date like 2026-01-02T03:04:05Z or a span "
                                        "like 2h, not \"%s\"",
                                        text);
                text = rfc3339_format(usec_sub(now_realtime(), t), date);
        }
        parameters_add_string(s, o, "since", text);
        return 0;
}

int parameters_add_fields(Session *s, json_object *parameters) {
        const Arguments *a = s->arguments;
        json_object *fields;

        if (a->n_fields == 0)
                return 0;
        fields = json_object_new_array();
        for (size_t i = 0; i < a->n_fields; i++) {
                const char *equals = strchr(a->fields[i], '=');
                json_object *field;

                if (!equals) {
                        json_object_put(fields);
                        return complain(EXIT_USAGE, "--field wants LABEL=VALUE, not \"%s\"",
                                        a->fields[i]);
                }
                field = parameters_new(s);
                parameters_add(s, field, "label",
                                json_object_new_string_len(
                                                a->fields[i], (int) (equals - a->fields[i])));
                parameters_add_string(s, field, "value", equals + 1);
                if (!fields || json_object_array_add(fields, field) < 0) {
                        json_object_put(field);
                        s->out_of_memory = true;
                }
        }
        parameters_add(s, parameters, "fields", fields);
        return 0;
}

int connection_exit_status(int r) {
        switch (r) {
        case -ENOENT:
        case -ECONNREFUSED:
        case -ECONNRESET:
        case -EPERM:
        case -EACCES:
        case -ENOTDIR:
                return EXIT_NO_DAEMON;
        case -ETIMEDOUT:
                return EXIT_TIMED_OUT;
        case -E2BIG:
        case -ENAMETOOLONG:
                return EXIT_USAGE;
        default:
                return EXIT_FAILURE;
        }
}

static int session_connect(Session *s) {
        _cleanup_free_ char *path = NULL, *msg = NULL;
        int r;

        if (s->client)
                return 0;
        r = session_socket_path(s->arguments, &path);
        if (r >= 0)
                r = varlink_client_connect(&s->client, path, &msg);
        if (r < 0)
                return complain(connection_exit_status(r), "%s", error_text(msg, r));
        return 0;
}

int session_daemon_uid(Session *s, uid_t *ret) {
        int r = session_connect(s);

        if (r != 0)
                return r;
        r = socket_peer_uid(varlink_client_fd(s->client), ret);
        return r < 0 ? complain(EXIT_FAILURE, "whose daemon it is cannot be told: %s", strerror(-r))
                     : 0;
}

int session_send(Session *s, const char *operation, json_object *parameters, bool more) {
        _cleanup_free_ char *msg = NULL;
        int r;

        r = s->out_of_memory ? complain(EXIT_FAILURE, "out of memory") : session_connect(s);
        if (r == 0) {
                r = varlink_client_send(s->client, operation, parameters, more, &msg);
                if (r < 0)
                        r = complain(connection_exit_status(r), "%s", error_text(msg, r));
        }
        json_object_wipe_put(parameters);
        s->operation = operation;
        return r;
}

/* Whether an operation may have changed something although no answer came. */
static bool operation_changes(const char *operation) {
        static const char *const reads[] = {"Get", "List", "Monitor", "ChallengeFetch",
                        "ChallengeList", "ReadAudit", "VerifyAudit", "ExplainPolicy",
                        "ReplayPolicy"};

        for (size_t i = 0; i < ELEMENTSOF(reads); i++)
                if (strncmp(operation, reads[i], strlen(reads[i])) == 0)
                        return false;
        return true;
}

/* Says what an error reply says. Returns the exit status for it. */
static int report_error(const Session *s, const VarlinkMessage *m) {
        json_object *o = json_doc_object(m->parameters);
        const char *message = get_string(o, "message");
        IpcError e = _IPC_ERROR_MAX;

        if (strncmp(m->error, IPC_INTERFACE ".", STRLEN(IPC_INTERFACE ".")) == 0)
                e = ipc_error_from_string(m->error + STRLEN(IPC_INTERFACE "."));
        if (streq(m->error, "org.varlink.service.InvalidParameter"))
                e = IPC_INVALID_PARAMETER;
        if (e < _IPC_ERROR_MAX && e == s->quiet)
                return ipc_error_exit_status(e);
        if (!message)
                return complain(ipc_error_exit_status(e), "the daemon answered %s", m->error);
        return complain(ipc_error_exit_status(e), "%s", message);
}

int session_receive(Session *s, JsonDoc **ret, bool *ret_continues) {
        _cleanup_(varlink_message_done) VarlinkMessage m = {0};
        _cleanup_free_ char *msg = NULL;
        int r;

        r = varlink_client_receive(s->client, s->deadline, &m, &msg);
        if ((r == -ECONNRESET || r == -ETIMEDOUT) && operation_changes(s->operation))
                return complain(EXIT_TIMED_OUT,
                                "%s; what was asked may be done all the same: look before you ask "
                                "again",
                                error_text(msg, r));
        if (r < 0)
                return complain(connection_exit_status(r), "%s", error_text(msg, r));
        if (m.error)
                return report_error(s, &m);
        if (ret_continues)
                *ret_continues = m.continues;
        *ret = TAKE_PTR(m.parameters);
        return 0;
}

int session_call(Session *s, const char *operation, json_object *parameters, JsonDoc **ret) {
        int r = session_send(s, operation, parameters, false);

        return r == 0 ? session_receive(s, ret, NULL) : r;
}

/* Takes reply. Returns 0 or an exit status. */
static int list_add(List *l, JsonDoc *reply, const char *key) {
        json_object *items = json_doc_value(reply, key);
        JsonDoc **replies = reallocarray(l->replies, l->n_replies + 1, sizeof(*replies));

        if (!replies) {
                json_doc_free(reply);
                return complain(EXIT_FAILURE, "out of memory");
        }
        l->replies = replies;
        l->replies[l->n_replies++] = reply;
        if (!json_object_is_type(items, json_type_array))
                return complain(EXIT_FAILURE, "the daemon's answer has no %s", key);
        for (size_t i = 0; i < json_object_array_length(items); i++) {
                json_object *item = json_object_array_get_idx(items, i);

                if (!json_object_is_type(item, json_type_object))
                        return complain(EXIT_FAILURE, "the daemon's %s are malformed", key);
                if (json_object_array_add(l->items, json_object_get(item)) < 0) {
                        json_object_put(item);
                        return complain(EXIT_FAILURE, "out of memory");
                }
        }
        return 0;
}

int session_list(Session *s,
                const char *operation,
                json_object *parameters,
                const char *key,
                List *ret) {
        _cleanup_(list_done) List l = {.items = json_object_new_array()};
        bool continues = true;
        int r;

        r = session_send(s, operation, parameters, true);
        while (r == 0 && continues) {
                JsonDoc *reply = NULL;

                r = session_receive(s, &reply, &continues);
                if (r == 0)
                        r = list_add(&l, reply, key);
        }
        if (r != 0)
                return r;
        *ret = l;
        l = (List){0};
        return 0;
}

void list_done(List *l) {
        json_object_put(l->items);
        for (size_t i = 0; i < l->n_replies; i++)
                json_doc_free(l->replies[i]);
        free(l->replies);
        *l = (List){0};
}
