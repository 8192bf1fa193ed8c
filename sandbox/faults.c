/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/faults.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "sandbox/json-build.h"

static const char *const cut_names[_CUT_MAX] = {NULL, "before", "after"};

const char *fault_cut_to_string(FaultCut c) {
        return cut_names[c];
}

Fault *fault_unref(Fault *f) {
        if (!f || --f->n_refs > 0)
                return NULL;
        if (f->regex) {
                regfree(f->regex);
                free(f->regex);
        }
        free(f->match);
        free(f->body);
        json_object_put(f->headers);
        free(f);
        return NULL;
}
DEFINE_CLEANUP(Fault *, fault_unref);

void faults_clear(Faults *f) {
        for (size_t i = 0; i < f->n; i++)
                fault_unref(f->items[i]);
        free(f->items);
        f->items = NULL;
        f->n = 0;
}

void faults_done(Faults *f) {
        faults_clear(f);
}

/* What a simulator call holds, by name. */
typedef struct FaultText {
        char *match;
        int64_t times;
        int64_t status;
        char *headers;
        char *body;
        int64_t delay_ms;
        char *cut;
} FaultText;

static const JsonField fault_fields[] = {
                {"match", JSON_STRING, offsetof(FaultText, match), JSON_MANDATORY},
                {"times", JSON_INT, offsetof(FaultText, times), 0},
                {"status", JSON_INT, offsetof(FaultText, status), 0},
                {"headers", JSON_RAW, offsetof(FaultText, headers), JSON_NULLABLE},
                {"body", JSON_STRING, offsetof(FaultText, body), JSON_NULLABLE},
                {"delay_ms", JSON_INT, offsetof(FaultText, delay_ms), 0},
                {"cut", JSON_STRING, offsetof(FaultText, cut), JSON_NULLABLE},
};

static void fault_text_done(FaultText *t) {
        json_fields_done(fault_fields, ELEMENTSOF(fault_fields), t);
}

/* The expression has to match the whole path. */
static int compile(Fault *f, char **reterr_msg) {
        const char *space = strchr(f->match, ' ');
        _cleanup_free_ char *whole = NULL;
        _cleanup_free_ regex_t *regex = NULL;
        char text[128];
        int r;

        if (!space || space == f->match || space[1] == '\0')
                return error_set(reterr_msg, -EINVAL,
                                "match must be a method, a space and an expression for the path");
        if (asprintf(&whole, "^(%s)$", space + 1) < 0) {
                whole = NULL;
                return -ENOMEM;
        }
        regex = calloc(1, sizeof(*regex));
        if (!regex)
                return -ENOMEM;
        r = regcomp(regex, whole, REG_EXTENDED | REG_NOSUB);
        if (r == REG_ESPACE)
                return -ENOMEM;
        if (r != 0) {
                regerror(r, regex, text, sizeof(text));
                return error_set(reterr_msg, -EINVAL, "match: %s", text);
        }
        f->regex = TAKE_PTR(regex);
        return 0;
}

static int check_headers(json_object *headers, char **reterr_msg) {
        if (!json_object_is_type(headers, json_type_object))
                return error_set(reterr_msg, -EINVAL, "headers must be an object");
        json_object_object_foreach(headers, name, value) {
                if (*name == '\0' || (value && !json_object_is_type(value, json_type_string)))
                        return error_set(reterr_msg, -EINVAL,
                                        "headers: %s must be a string, or null to remove it", name);
        }
        return 0;
}

static int read_numbers(Fault *f, const FaultText *t, const JsonDoc *doc, char **reterr_msg) {
        JsonSlice raw;

        f->times = json_doc_raw(doc, "times", &raw) ? t->times : 1;
        if (f->times < 1)
                return error_set(reterr_msg, -EINVAL, "times must be 1 or more");
        if (json_doc_raw(doc, "status", &raw) && (t->status < 200 || t->status > 599))
                return error_set(reterr_msg, -EINVAL, "status must be from 200 to 599");
        if (t->delay_ms < 0 || t->delay_ms > FAULT_DELAY_MAX_MSEC)
                return error_set(reterr_msg, -EINVAL, "delay_ms must be from 0 to %d",
                                FAULT_DELAY_MAX_MSEC);
        f->status = (unsigned) t->status;
        f->delay = (usec_t) t->delay_ms * USEC_PER_MSEC;
        return 0;
}

static int fault_new(Fault **ret, const JsonDoc *doc, char **reterr_msg) {
        _cleanup_(fault_text_done) FaultText t = {0};
        _cleanup_(fault_unrefp) Fault *f = NULL;
        json_object *headers;
        int r;

        r = json_doc_read(doc, fault_fields, ELEMENTSOF(fault_fields), true, &t, reterr_msg);
        if (r < 0)
                return r == -EBADMSG ? -EINVAL : r;
        f = calloc(1, sizeof(*f));
        if (!f)
                return -ENOMEM;
        f->n_refs = 1;
        f->match = TAKE_PTR(t.match);
        f->body = TAKE_PTR(t.body);
        if (t.cut && streq(t.cut, "before"))
                f->cut = CUT_BEFORE;
        else if (t.cut && streq(t.cut, "after"))
                f->cut = CUT_AFTER;
        else if (t.cut)
                return error_set(reterr_msg, -EINVAL, "cut must be before or after");
        headers = json_doc_value(doc, "headers");
        if (headers) {
                r = check_headers(headers, reterr_msg);
                if (r < 0)
                        return r;
                if (json_object_deep_copy(headers, &f->headers, NULL) < 0)
                        return -ENOMEM;
        }
        r = read_numbers(f, &t, doc, reterr_msg);
        if (r >= 0)
                r = compile(f, reterr_msg);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(f);
        return 0;
}

int faults_add(Faults *f, const JsonDoc *doc, char **reterr_msg) {
        _cleanup_(fault_unrefp) Fault *fault = NULL;
        Fault **items;
        int r;

        if (f->n == FAULTS_MAX)
                return error_set(reterr_msg, -EINVAL, "at most %d faults", FAULTS_MAX);
        r = fault_new(&fault, doc, reterr_msg);
        if (r < 0)
                return r;
        items = reallocarray(f->items, f->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        fault->id = ++f->last_id;
        f->items = items;
        f->items[f->n++] = TAKE_PTR(fault);
        return 0;
}

static bool strikes(const Fault *f, const char *method, const char *path) {
        const char *space = strchr(f->match, ' ');
        size_t len = (size_t) (space - f->match);

        return ((strlen(method) == len && memcmp(f->match, method, len) == 0) ||
                               (len == 1 && f->match[0] == '*')) &&
               regexec(f->regex, path, 0, NULL, 0) == 0;
}

Fault *faults_take(Faults *f, const char *method, const char *path) {
        for (size_t i = 0; i < f->n; i++) {
                Fault *fault = f->items[i];

                if (!strikes(fault, method, path))
                        continue;
                if (--fault->times > 0) {
                        fault->n_refs++;
                        return fault;
                }
                memmove(f->items + i, f->items + i + 1, (f->n - i - 1) * sizeof(*f->items));
                f->n--;
                return fault;
        }
        return NULL;
}

static json_object *fault_to_json(const Fault *f) {
        JsonBuilder b = {0};

        json_build_int(&b, "id", f->id);
        json_build_string(&b, "match", f->match);
        json_build_int(&b, "times", f->times);
        if (f->status > 0)
                json_build_int(&b, "status", f->status);
        if (f->headers)
                json_build_borrow(&b, "headers", f->headers);
        if (f->body)
                json_build_string(&b, "body", f->body);
        if (f->delay > 0)
                json_build_int(&b, "delay_ms", (int64_t) (f->delay / USEC_PER_MSEC));
        if (f->cut != CUT_NONE)
                json_build_string(&b, "cut", fault_cut_to_string(f->cut));
        return json_build_end(&b);
}

json_object *faults_to_json(const Faults *f) {
        _cleanup_json_ json_object *array = json_object_new_array();

        for (size_t i = 0; array && i < f->n; i++)
                if (json_array_take(array, fault_to_json(f->items[i])) < 0)
                        return NULL;
        return TAKE_PTR(array);
}
