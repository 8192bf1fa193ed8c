/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/regex.h"

#include <errno.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define COMPILE_OPTIONS                                                                            \
        (PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |                   \
                        PCRE2_NEVER_BACKSLASH_C)

struct Regex {
        pcre2_code *code;
};

struct RegexScratch {
        pcre2_match_context *limits;
        pcre2_match_data *data;
};

int regex_new(Regex **ret, const char *pattern, char **reterr_msg) {
        PCRE2_UCHAR reason[256];
        PCRE2_SIZE at;
        int error;

        _cleanup_(regex_freep) Regex *r = calloc(1, sizeof(Regex));
        if (!r)
                return -ENOMEM;

        r->code = pcre2_compile(
                        (PCRE2_SPTR) pattern, strlen(pattern), COMPILE_OPTIONS, &error, &at, NULL);
        if (!r->code && error == PCRE2_ERROR_HEAP_FAILED)
                return -ENOMEM;
        if (!r->code) {
                if (pcre2_get_error_message(error, reason, sizeof(reason)) < 0)
                        reason[0] = '\0';
                return error_set(reterr_msg, -EINVAL,
                                "the regular expression has a fault at byte %zu: %s; mend it (its "
                                "rules are those of PCRE2)",
                                (size_t) at, (const char *) reason);
        }
        *ret = TAKE_PTR(r);
        return 0;
}

Regex *regex_free(Regex *r) {
        if (r)
                pcre2_code_free(r->code);
        free(r);
        return NULL;
}

int regex_scratch_new(RegexScratch **ret) {
        _cleanup_(regex_scratch_freep) RegexScratch *s = calloc(1, sizeof(RegexScratch));
        if (!s)
                return -ENOMEM;

        s->limits = pcre2_match_context_create(NULL);
        s->data = pcre2_match_data_create(1, NULL);
        if (!s->limits || !s->data)
                return -ENOMEM;
        (void) pcre2_set_match_limit(s->limits, REGEX_MATCH_MAX);
        (void) pcre2_set_depth_limit(s->limits, REGEX_DEPTH_MAX);
        (void) pcre2_set_heap_limit(s->limits, REGEX_HEAP_MAX_KIB);

        *ret = TAKE_PTR(s);
        return 0;
}

RegexScratch *regex_scratch_free(RegexScratch *s) {
        if (!s)
                return NULL;
        pcre2_match_context_free(s->limits);
        pcre2_match_data_free(s->data);
        free(s);
        return NULL;
}

RegexResult regex_match(const Regex *r, RegexScratch *scratch, const char *text) {
        int n = pcre2_match(r->code, (PCRE2_SPTR) text, strlen(text), 0, PCRE2_NO_JIT,
                        scratch->data, scratch->limits);

        /* 0: it matched, and has more groups than there is room for. */
        if (n >= 0)
                return REGEX_YES;
        return n == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}
