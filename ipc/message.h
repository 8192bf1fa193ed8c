#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Varlink messages: bytes in, messages out, and back. Pure. */

#include <json-c/json_types.h>

#include "base/json.h"
#include "base/secret.h"

/* A call as it comes in. */
typedef struct VarlinkMessage {
        char *method;        /* of a call, or NULL */
        char *error;         /* of an error reply, or NULL */
        JsonDoc *parameters; /* {} when absent */
        bool more, oneway, upgrade, continues;
} VarlinkMessage;

void varlink_message_done(VarlinkMessage *m);
/* Reads one message without its NUL: a call (has "method") or a reply. Returns 0, -EBADMSG with a
 * reason, -ENOMEM. */
int varlink_message_read(VarlinkMessage *ret, const char *text, size_t len, char **reterr_msg);

/* Appends a value as JSON text, strings exact, malformed UTF-8 as U+FFFD. NULL is null. Unlike
 * json-c's writer it leaves no copy behind. Returns 0 or -ENOMEM. */
int varlink_json_append(Secret *out, json_object *value);

/* Append one message with its NUL to out. parameters is borrowed; NULL is {}. 0, -ENOMEM, or -E2BIG
 * past IPC_MESSAGE_MAX. */
int varlink_message_write_call(Secret *out, const char *method, json_object *parameters, bool more);
int varlink_message_write_reply(
                Secret *out, const char *error, json_object *parameters, bool continues);
