/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/world.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/json-member.h"
#include "base/text.h"

static void request_done(Request *r) {
        free(r->factor);
        free(r->service_sid);
        free(r->identity);
        free(r->message);
        free(r->confirm_field);
        detail_fields_done(r->fields, r->n_fields);
        *r = (Request){0};
}

static void names_done(char **names, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(names[i]);
        free(names);
}

void world_done(World *w) {
        for (size_t i = 0; i < w->n_requests; i++)
                request_done(&w->requests[i]);
        free(w->requests);
        names_done(w->cooling, w->n_cooling);
        names_done(w->foreign, w->n_foreign);
        *w = (World){0};
}

/* A number of milliseconds from 0 to a day, or the other. */
static usec_t get_span(json_object *o, const char *key, usec_t otherwise) {
        int64_t ms = get_int(o, key, -1);

        return ms >= 0 && ms <= (int64_t) (USEC_PER_DAY / USEC_PER_MSEC)
                               ? (usec_t) ms * USEC_PER_MSEC
                               : otherwise;
}

void world_read_status(World *w, json_object *status) {
        json_object *prompt = get_object(status, "prompt");
        int64_t offset = get_int(get_object(status, "clock"), "offset_ms", 0);
        int64_t budget = get_int(prompt, "budget", 0);

        w->arm_delay = get_span(prompt, "arm_delay_ms", WORLD_ARM_DELAY_DEFAULT);
        w->show_locked = streq_ptr(get_string(prompt, "while_locked"), "show");
        w->budget = budget > 0 && budget <= UINT16_MAX ? (unsigned) budget : WORLD_BUDGET_DEFAULT;
        w->budget_span = get_span(prompt, "budget_span_ms", 0);
        /* A century either way is no clock's. */
        if (offset > -INT64_C(3155760000000) && offset < INT64_C(3155760000000))
                w->clock_offset = offset * (int64_t) USEC_PER_MSEC;
}

static int add_name(char ***names, size_t *n, const char *name) {
        char **grown = array_grow(*names, *n, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        *names = grown;
        grown[*n] = strdup(name);
        if (!grown[*n])
                return -ENOMEM;
        (*n)++;
        return 0;
}

int world_read_factor(World *w, json_object *factor, uid_t uid) {
        const char *name = get_string(factor, "name");

        if (!name || !name_valid(name))
                return 0;
        if (get_int(factor, "owner", uid) != uid)
                return add_name(&w->foreign, &w->n_foreign, name);
        if (get_string(factor, "cooling_until"))
                return add_name(&w->cooling, &w->n_cooling, name);
        return 0;
}

static Confirm read_confirm(const char *word) {
        if (!word || streq(word, "none"))
                return CONFIRM_NONE;
        if (streq(word, "field"))
                return CONFIRM_FIELD;
        if (streq(word, "never"))
                return CONFIRM_NEVER;
        return CONFIRM_SID;
}

static int read_fields(Request *r, json_object *fields) {
        size_t n = count_items(fields);

        if (n == 0)
                return 0;
        r->fields = calloc(n, sizeof(*r->fields));
        if (!r->fields)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_object *field = json_object_array_get_idx(fields, i);
                DetailField *f = &r->fields[r->n_fields++];

                if (text_set(&f->label, strempty(get_string(field, "label"))) < 0 ||
                                text_set(&f->value, get_string(field, "value")) < 0)
                        return -ENOMEM;
        }
        return 0;
}

static bool is_digest(const char *text) {
        return strlen(text) == SHA256_HEX_SIZE - 1 &&
               strspn(text, "0123456789abcdef") == SHA256_HEX_SIZE - 1;
}

/* Whether it can be shown, decided and named in a command. */
static bool read_identity(Request *r, json_object *o) {
        const char *sid = get_string(o, "sid"), *digest = get_string(o, "digest");
        const char *repeat_of = get_string(o, "repeat_of"), *expires = get_string(o, "expires");

        const char *factor = get_string(o, "factor");

        if (!sid || !sid_valid(sid, "YC") || !digest || !is_digest(digest) || !factor ||
                        !name_valid(factor) || !expires || rfc3339_parse(expires, &r->expires) < 0)
                return false;
        if (count_items(get_array(o, "fields")) > WORLD_FIELDS_MAX)
                return false;
        (void) stpcpy(r->sid, sid);
        (void) stpcpy(r->digest, digest);
        if (repeat_of && sid_valid(repeat_of, "YC"))
                (void) stpcpy(r->repeat_of, repeat_of);
        return true;
}

static int request_read(Request *r, json_object *o) {
        const char *created = get_string(o, "created");
        int64_t repeats = get_int(o, "repeats", 0);

        if (created)
                (void) rfc3339_parse(created, &r->created);
        r->repeats = repeats > 0 && repeats < UINT16_MAX ? (unsigned) repeats : 0;
        r->quiet = get_bool(o, "quiet");
        r->confirm = read_confirm(get_string(o, "confirm"));
        r->totp = streq_ptr(get_string(o, "factor_type"), "totp");
        if (text_set(&r->factor, get_string(o, "factor")) < 0 ||
                        text_set(&r->service_sid, strempty(get_string(o, "service_sid"))) < 0 ||
                        text_set(&r->identity, strempty(get_string(o, "identity"))) < 0 ||
                        text_set(&r->message, get_string(o, "message")) < 0 ||
                        text_set(&r->confirm_field, get_string(o, "confirm_field")) < 0)
                return -ENOMEM;
        return read_fields(r, get_array(o, "fields"));
}

int world_read_challenge(World *w, json_object *challenge) {
        Request r = {0}, *grown;

        if (!streq_ptr(get_string(challenge, "state"), "asking") || !read_identity(&r, challenge))
                return 0;
        grown = array_grow(w->requests, w->n_requests, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        w->requests = grown;
        if (request_read(&r, challenge) < 0) {
                request_done(&r);
                return -ENOMEM;
        }
        w->requests[w->n_requests++] = r;
        return 0;
}

static int request_compare(const void *a, const void *b) {
        const Request *x = a, *y = b;

        return x->created != y->created ? CMP(x->created, y->created) : strcmp(x->sid, y->sid);
}

static int name_compare(const void *a, const void *b) {
        return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static bool has_name(char *const *names, size_t n, const char *name) {
        return n > 0 && bsearch(&name, names, n, sizeof(*names), name_compare);
}

void world_finish(World *w) {
        size_t n = 0;

        if (w->n_cooling > 1)
                qsort(w->cooling, w->n_cooling, sizeof(*w->cooling), name_compare);
        if (w->n_foreign > 1)
                qsort(w->foreign, w->n_foreign, sizeof(*w->foreign), name_compare);
        for (size_t i = 0; i < w->n_requests; i++)
                if (has_name(w->foreign, w->n_foreign, w->requests[i].factor))
                        request_done(&w->requests[i]);
                else
                        w->requests[n++] = w->requests[i];
        w->n_requests = n;
        if (n > 1)
                qsort(w->requests, n, sizeof(*w->requests), request_compare);
}

const Request *world_find(const World *w, const char *sid) {
        for (size_t i = 0; i < w->n_requests; i++)
                if (streq(w->requests[i].sid, sid))
                        return &w->requests[i];
        return NULL;
}

bool world_is_cooling(const World *w, const char *factor) {
        return has_name(w->cooling, w->n_cooling, factor);
}
