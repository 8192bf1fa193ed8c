/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/pattern.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "policy/glob.h"

static int parse_plain(Pattern *p, const char *text, char **reterr_msg) {
        int r = address_range_parse(&p->range, text, reterr_msg);
        if (r == 0)
                p->kind = PATTERN_RANGE;
        if (r != -ENOENT)
                return r;

        const char *fault = glob_fault(text);
        if (fault)
                return error_set(reterr_msg, -EINVAL, "%s", fault);
        p->kind = PATTERN_GLOB;
        return text_set(&p->glob, text);
}

static int parse_regex(Pattern *p, const char *text, char **reterr_msg) {
        if (*text == '\0')
                return error_set(reterr_msg, -EINVAL,
                                "there is no regular expression after '~'; write ~^$ for an empty "
                                "text, or \\~ for the character itself");
        p->kind = PATTERN_REGEX;
        return regex_new(&p->regex, text, reterr_msg);
}

int pattern_parse(Pattern *ret, const char *text, char **reterr_msg) {
        _cleanup_(pattern_done) Pattern p = {.negated = *text == '!'};

        if (strlen(text) > PATTERN_MAX)
                return error_set(reterr_msg, -EINVAL, "the pattern is over %d bytes; shorten it",
                                PATTERN_MAX);
        text += p.negated;
        if (*text == '\0')
                return error_set(reterr_msg, -EINVAL,
                                "the pattern is empty; write what the value must be, or ~^$ for an "
                                "empty one");
        if (p.negated && *text == '!')
                return error_set(reterr_msg, -EINVAL,
                                "'!' stands twice; write !\\! for the character itself");

        int r = *text == '~' ? parse_regex(&p, text + 1, reterr_msg)
                             : parse_plain(&p, text, reterr_msg);
        if (r < 0)
                return r;

        *ret = p;
        p = (Pattern){0};
        return 0;
}

void pattern_done(Pattern *p) {
        free(p->glob);
        regex_free(p->regex);
        *p = (Pattern){0};
}

static PatternResult match_range(const Pattern *p, const char *value) {
        Address a;

        if (address_parse(&a, value) < 0)
                return p->negated ? PATTERN_NO_ADDRESS : PATTERN_NO;
        return address_range_contains(&p->range, &a) != p->negated ? PATTERN_YES : PATTERN_NO;
}

PatternResult pattern_match(const Pattern *p, RegexScratch *scratch, const char *value) {
        RegexResult result;

        switch (p->kind) {
        case PATTERN_GLOB:
                return glob_match(p->glob, value) != p->negated ? PATTERN_YES : PATTERN_NO;
        case PATTERN_REGEX:
                result = regex_match(p->regex, scratch, value);
                if (result == REGEX_LIMIT)
                        return PATTERN_LIMIT;
                return (result == REGEX_YES) != p->negated ? PATTERN_YES : PATTERN_NO;
        case PATTERN_RANGE:
                return match_range(p, value);
        }
        return PATTERN_NO;
}

/* Breadth. */

#define PROBE_MAX 256 /* characters: as long as a message can be */

/* Texts of each length are made by going round these. */
static const char *const alphabets[] = {"vexQUIJzp", "90817263", "-_ ./:#", "Ωжあé"};

/* Writes n characters of an alphabet. */
static void write_probe(const char *alphabet, size_t n, char ret[static 4 * PROBE_MAX + 1]) {
        const char *from = alphabet;
        char *out = ret;

        for (; n > 0; n--) {
                uint32_t c;
                size_t len = utf8_decode(from, strlen(from), &c);

                out = mempcpy(out, from, len);
                from += len;
                if (*from == '\0')
                        from = alphabet;
        }
        *out = '\0';
}

static bool matches(const Pattern *p, RegexScratch *scratch, const char *value) {
        return pattern_match(p, scratch, value) == PATTERN_YES;
}

/* Whether it takes texts of that length from all alphabets. */
static bool takes_all(const Pattern *p, RegexScratch *scratch, size_t length) {
        char probe[4 * PROBE_MAX + 1];

        for (size_t i = 0; i < ELEMENTSOF(alphabets); i++) {
                write_probe(alphabets[i], length, probe);
                if (!matches(p, scratch, probe))
                        return false;
        }
        return true;
}

bool pattern_is_broad(const Pattern *p, RegexScratch *scratch) {
        if (p->negated)
                return true;
        if (p->kind == PATTERN_RANGE)
                return p->range.prefix == (p->range.first.v4 ? 96 : 0);

        for (size_t length = 1; length <= PROBE_MAX; length += length < 32 ? 1 : 16)
                if (takes_all(p, scratch, length))
                        return true;
        return matches(p, scratch, "{\"k\":\"v\"}") &&
               matches(p, scratch, "{\"ip\":10,\"n\":[true,null]}");
}
