/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/operations-audit.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/parameters.h"

#define LIMIT_MAX 1000000000

typedef struct ReadParameters {
        AuditFilter filter;
        int64_t after, limit;
        bool follow;
} ReadParameters;

static const JsonField read_fields[] = {
                {"after", JSON_INT, offsetof(ReadParameters, after), JSON_NULLABLE},
                {"factor", JSON_STRING, offsetof(ReadParameters, filter.factor), JSON_NULLABLE},
                {"challenge", JSON_STRING, offsetof(ReadParameters, filter.challenge),
                                JSON_NULLABLE},
                {"event", JSON_STRING, offsetof(ReadParameters, filter.event), JSON_NULLABLE},
                {"since", JSON_TIME, offsetof(ReadParameters, filter.since), JSON_NULLABLE},
                {"limit", JSON_INT, offsetof(ReadParameters, limit), JSON_NULLABLE},
                {"follow", JSON_BOOL, offsetof(ReadParameters, follow), JSON_NULLABLE},
};

/* Records have names; one that is removed is not found by its SID any more. */
static int resolve_factor(const Manager *m, AuditFilter *filter) {
        const Factor *f = filter->factor ? registry_factor(&m->registry, filter->factor) : NULL;

        return f ? text_set(&filter->factor, f->record.name) : 0;
}

void operation_read_audit(Manager *m, Call *call) {
        ReadParameters p = {0};
        int r;

        if (!parameters_read(call, read_fields, ELEMENTSOF(read_fields), &p))
                return;
        bool limited = parameter_given(call, "limit");
        if (limited && (p.limit < 0 || p.limit > LIMIT_MAX))
                (void) call_invalid(call, "limit", "limit is a number of records, 0 or more");
        else if (p.after < 0)
                (void) call_invalid(call, "after", "after is a record's id, 0 or more");
        else if (p.filter.challenge && strlen(p.filter.challenge) < SID_PREFIX_MIN)
                (void) call_invalid(call, "challenge",
                                "%s is too short; give at least %i characters of the SID",
                                p.filter.challenge, SID_PREFIX_MIN);
        else {
                r = resolve_factor(m, &p.filter);
                if (r >= 0)
                        r = audit_reader_new(m->audit, call, &p.filter, p.after,
                                        limited ? p.limit : -1, p.follow);
                if (r < 0)
                        (void) call_error(call, IPC_STORE_ERROR, NULL, "%s", strerror(-r));
        }
        json_fields_done(read_fields, ELEMENTSOF(read_fields), &p);
}

typedef struct WitnessParameters {
        char *store, *head;
        int64_t id;
} WitnessParameters;

static bool hex_read(const char *text, uint8_t ret[static SHA256_SIZE]) {
        if (strlen(text) != 2 * SHA256_SIZE || strspn(text, "0123456789abcdef") != 2 * SHA256_SIZE)
                return false;
        for (size_t i = 0; i < SHA256_SIZE; i++)
                (void) sscanf(text + 2 * i, "%2hhx", ret + i);
        return true;
}

/* Adds a witness if it is of this store. */
static int read_witness(const Manager *m, JsonSlice raw, AuditWitness *array, size_t *n) {
        static const JsonField fields[] = {
                        {"store", JSON_STRING, offsetof(WitnessParameters, store), JSON_MANDATORY},
                        {"id", JSON_INT, offsetof(WitnessParameters, id), JSON_MANDATORY},
                        {"head", JSON_STRING, offsetof(WitnessParameters, head), JSON_MANDATORY},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        WitnessParameters p = {0};
        int r;

        r = json_doc_parse(&doc, raw.data, raw.len, NULL);
        if (r >= 0)
                r = json_doc_read(doc, fields, ELEMENTSOF(fields), true, &p, NULL);
        if (r < 0)
                return r;
        if (p.id < 0 || !hex_read(p.head, array[*n].mac))
                r = -EINVAL;
        else if (streq(p.store, store_name(m->store)))
                array[(*n)++].id = p.id;
        json_fields_done(fields, ELEMENTSOF(fields), &p);
        return r;
}

/* *ret is new. Returns 0 or -errno. */
static int read_witnesses(const Manager *m, const char *raw, AuditWitness **ret, size_t *ret_n) {
        _cleanup_free_ AuditWitness *array = NULL;
        _cleanup_free_ JsonSlice *items = NULL;
        size_t n_items = 0, n = 0;
        int r = 0;

        if (raw)
                r = json_array_split((JsonSlice){raw, strlen(raw)}, &items, &n_items);
        if (r >= 0 && n_items > AUDIT_WITNESSES_MAX)
                r = -E2BIG;
        if (r < 0)
                return r;
        array = calloc(n_items + 1, sizeof(AuditWitness));
        if (!array)
                return -ENOMEM;
        for (size_t i = 0; i < n_items && r >= 0; i++)
                r = read_witness(m, items[i], array, &n);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(array);
        *ret_n = n;
        return 0;
}

void operation_verify_audit(Manager *m, Call *call) {
        static const JsonField fields[] = {{"witnesses", JSON_RAW, 0, JSON_NULLABLE}};
        _cleanup_free_ AuditWitness *witnesses = NULL;
        _cleanup_free_ char *raw = NULL, *why = NULL;
        size_t n = 0;
        int r;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &raw))
                return;
        r = read_witnesses(m, raw, &witnesses, &n);
        if (r < 0) {
                (void) call_invalid(call, "witnesses",
                                "witnesses is a list of at most %i heads: store, id and head, 64 "
                                "hexadecimal digits",
                                AUDIT_WITNESSES_MAX);
                return;
        }
        r = audit_verifier_new(m->audit, call, witnesses, n, &why);
        if (r < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "%s", error_text(why, r));
}
