#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A strict, typed JSON reader over json-c.
 *
 * json-c alone accepts duplicate keys, U+0000, lone surrogates, NaN and malformed UTF-8; this
 * reader refuses them (RFC 8259, RFC 7493), and keeps the raw bytes of each top-level member, so
 * that what is shown, matched and signed is the same text. */

#include <json-c/json_types.h>

#include "base/error.h"
#include "base/time.h"

#define JSON_DEPTH_MAX 32

typedef struct JsonSlice {
        const char *data;
        size_t len;
} JsonSlice;

/* An object: its text, its members' raw bytes and parsed values. Freed with everything wiped. */
typedef struct JsonDoc JsonDoc;

/* Reads one object and nothing after it but white space. The text is copied.
 * Returns 0, -ENOMEM, or -EBADMSG with the reason and the byte's offset in *reterr_msg. */
int json_doc_parse(JsonDoc **ret, const char *text, size_t len, char **reterr_msg);
/* Takes NULL, returns NULL. Wipes the text and every string in it. */
JsonDoc *json_doc_free(JsonDoc *d);
DEFINE_CLEANUP(JsonDoc *, json_doc_free);

/* The raw bytes of a member's value, without white space round it; borrowed from the document.
 * Returns false when there is no such member. */
bool json_doc_raw(const JsonDoc *d, const char *key, JsonSlice *ret);
/* The whole document's bytes as received, from '{' to '}'; borrowed. */
JsonSlice json_doc_text(const JsonDoc *d);
/* The parsed value of a member, borrowed. NULL for JSON null and for no such member. */
json_object *json_doc_value(const JsonDoc *d, const char *key);
/* The whole document as a json-c object, borrowed. */
json_object *json_doc_object(const JsonDoc *d);
/* The number of top-level members, and the name of each in the order of the text; borrowed. */
size_t json_doc_n_members(const JsonDoc *d);
const char *json_doc_member_name(const JsonDoc *d, size_t i);

/* Splits an array that is part of a checked document into its elements' raw bytes. *ret is a new
 * array of borrowed slices. Returns 0, -EBADMSG when it is no array, or -ENOMEM. */
int json_array_split(JsonSlice array, JsonSlice **ret, size_t *ret_n);

/* Copies raw, leaving out white space outside strings. *ret is new and NUL-ended.
 * Returns 0 or -ENOMEM. */
int json_minify(JsonSlice raw, char **ret, size_t *ret_len);

typedef enum JsonType {
        JSON_STRING, /* char *: a copy */
        JSON_SECRET, /* Secret: a copy of a string's bytes */
        JSON_TIME,   /* usec_t: an RFC 3339 string */
        JSON_INT,    /* int64_t: an integer in range, no fraction, no string */
        JSON_BOOL,   /* bool */
        JSON_RAW,    /* char *: a copy of the value's raw bytes */
} JsonType;

typedef enum JsonFlags {
        JSON_MANDATORY = 1 << 0, /* absent is an error */
        JSON_NULLABLE = 1 << 1,  /* null counts as absent */
} JsonFlags;

/* One member to read into a struct. A field that is absent leaves the target as it was (zero). */
typedef struct JsonField {
        const char *key;
        JsonType type;
        size_t offset;
        unsigned flags;
} JsonField;

/* Reads members into target as the table says, with no conversions: a value of another type is an
 * error that names the key and what was expected. Members that the table lacks are passed over
 * unless strict. On error nothing is kept in target. target's fields must be zero before. Returns
 * 0, -EBADMSG with *reterr_msg, or -ENOMEM. */
int json_doc_read(const JsonDoc *d,
                const JsonField *fields,
                size_t n_fields,
                bool strict,
                void *target,
                char **reterr_msg);
/* Frees (and wipes secrets of) what json_doc_read() put into target, and zeroes those fields. */
void json_fields_done(const JsonField *fields, size_t n_fields, void *target);

/* Wipes every string in the value, then puts it (json_object_put). Takes NULL. */
void json_object_wipe_put(json_object *o);
