/* SPDX-License-Identifier: Apache-2.0 */
/* A document of cases. */

#include <errno.h>
#include <json-c/json.h>

#include "policy/case.h"

typedef struct RawDocument {
        char *policy, *cases, *factor, *otherwise;
        usec_t now;
} RawDocument;

static const JsonField document_fields[] = {
                {"policy", JSON_RAW, offsetof(RawDocument, policy), 0},
                {"factor", JSON_STRING, offsetof(RawDocument, factor), 0},
                {"now", JSON_TIME, offsetof(RawDocument, now), 0},
                {"default", JSON_STRING, offsetof(RawDocument, otherwise), 0},
                {"cases", JSON_RAW, offsetof(RawDocument, cases), JSON_MANDATORY},
};

static void raw_document_done(RawDocument *raw) {
        json_fields_done(document_fields, ELEMENTSOF(document_fields), raw);
}

static int read_policies(PolicyCases *c, json_object *list, char **reterr_msg) {
        if (!json_object_is_type(list, json_type_array))
                return error_set(reterr_msg, -EBADMSG, "'policy' must be an array of paths");
        size_t n = json_object_array_length(list);
        c->policies = calloc(n + 1, sizeof(char *));
        if (!c->policies)
                return -ENOMEM;
        for (; c->n_policies < n; c->n_policies++) {
                json_object *path = json_object_array_get_idx(list, c->n_policies);

                if (!json_object_is_type(path, json_type_string))
                        return error_set(
                                        reterr_msg, -EBADMSG, "'policy' must be an array of paths");
                int r = text_set(&c->policies[c->n_policies], json_object_get_string(path));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int
read_cases(PolicyCases *c, JsonSlice text, const PolicyCaseDefaults *defaults, char **reterr_msg) {
        _cleanup_free_ JsonSlice *items = NULL;
        size_t n;

        int r = json_array_split(text, &items, &n);
        if (r == -EBADMSG)
                return error_set(reterr_msg, r, "'cases' must be an array of cases");
        if (r < 0)
                return r;
        c->cases = calloc(n + 1, sizeof(PolicyCase));
        if (!c->cases)
                return -ENOMEM;
        for (; c->n_cases < n; c->n_cases++) {
                PolicyCase *one = &c->cases[c->n_cases];

                r = policy_case_read(one, items[c->n_cases], defaults, &c->notes, reterr_msg);
                if (r == 0 && !one->expected) {
                        policy_case_done(one);
                        r = error_set(reterr_msg, -EBADMSG,
                                        "it expects nothing; write \"challenge\": {…} and "
                                        "\"expect\": \"DECISION\"");
                }
                if (r < 0)
                        return r == -EBADMSG ? error_wrap(reterr_msg, r, "case %zu", c->n_cases + 1)
                                             : r;
        }
        return 0;
}

int policy_cases_read(PolicyCases *ret, const char *text, size_t len, char **reterr_msg) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(raw_document_done) RawDocument raw = {0};
        _cleanup_(policy_cases_done) PolicyCases c = {0};
        PolicyCaseDefaults defaults = {.otherwise = VERB_ASK};
        JsonSlice cases = {0};

        int r = json_doc_parse(&doc, text, len, reterr_msg);
        if (r == 0)
                r = json_doc_read(doc, document_fields, ELEMENTSOF(document_fields), true, &raw,
                                reterr_msg);
        if (r == 0 && raw.policy)
                r = read_policies(&c, json_doc_value(doc, "policy"), reterr_msg);
        if (r < 0)
                return r;

        r = policy_otherwise_read(raw.otherwise, &defaults.otherwise, reterr_msg);
        if (r < 0)
                return r;
        defaults.factor = raw.factor;
        defaults.now = raw.now;
        (void) json_doc_raw(doc, "cases", &cases);
        r = read_cases(&c, cases, &defaults, reterr_msg);
        if (r < 0)
                return r;
        *ret = c;
        c = (PolicyCases){0};
        return 0;
}

void policy_cases_done(PolicyCases *c) {
        for (size_t i = 0; i < c->n_cases; i++)
                policy_case_done(&c->cases[i]);
        for (size_t i = 0; c->policies && i < c->n_policies; i++)
                free(c->policies[i]);
        free(c->cases);
        free(c->policies);
        error_list_done(&c->notes);
        *c = (PolicyCases){0};
}
