/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "daemon/life.h"

#define DOCUMENT "docs/challenge-life.md"

/* What the document says. */
typedef struct Shown {
        bool row[_CHALLENGE_STATE_MAX];
        bool move[_CHALLENGE_STATE_MAX][_CHALLENGE_STATE_MAX];
} Shown;

static char *read_document(void) {
        const char *root = getenv("FACTORD_SOURCE_ROOT");
        _cleanup_(secret_done) Secret text = {0};
        _cleanup_free_ char *path = NULL;

        assert_non_null(root);
        assert_true(asprintf(&path, "%s/" DOCUMENT, root) > 0);
        assert_int_equal(file_read_named(&text, path, 1024 * 1024, NULL), 0);
        char *copy = strdup(secret_string(&text));
        assert_non_null(copy);
        return copy;
}

/* The next `word` in a cell, as a state. False at the cell's end. */
static bool next_state(char **cell, ChallengeState *ret) {
        char *open = strchr(*cell, '`');
        if (!open)
                return false;

        char *close = strchr(open + 1, '`');
        assert_non_null(close);
        *close = '\0';
        int state = challenge_state_from_string(open + 1);
        if (state < 0)
                fail_msg("'%s' is no state", open + 1);
        *ret = (ChallengeState) state;
        *cell = close + 1;
        return true;
}

/* "| `from` | when | `to`, `to` |", or "| final |" in the last cell. */
static void read_row(Shown *shown, char *line) {
        char *save = NULL;
        char *state = strtok_r(line, "|", &save);
        char *when = strtok_r(NULL, "|", &save);
        char *to = strtok_r(NULL, "|", &save);
        ChallengeState from, next;
        bool any = false;

        assert_non_null(to);
        assert_true(strlen(when) > 2);
        bool final = streq(to, " final ");
        assert_true(next_state(&state, &from));
        assert_false(shown->row[from]);
        shown->row[from] = true;
        while (next_state(&to, &next)) {
                assert_false(shown->move[from][next]);
                shown->move[from][next] = true;
                any = true;
        }
        assert_int_equal(final, !any);
}

static void read_table(Shown *shown, char *text) {
        char *save = NULL, *line = strtok_r(text, "\n", &save);

        while (line && !streq(line, "| state | enters when | leaves to |"))
                line = strtok_r(NULL, "\n", &save);
        assert_non_null(line);
        line = strtok_r(NULL, "\n", &save);
        assert_string_equal(line, "|---|---|---|");
        while ((line = strtok_r(NULL, "\n", &save)) && line[0] == '|')
                read_row(shown, line);
}

static void test_document(void **state) {
        _cleanup_free_ char *text = read_document();
        Shown shown = {0};

        read_table(&shown, text);
        for (ChallengeState from = 0; from < _CHALLENGE_STATE_MAX; from++) {
                if (!shown.row[from])
                        fail_msg(DOCUMENT " lacks '%s'", challenge_state_to_string(from));
                for (ChallengeState to = 0; to < _CHALLENGE_STATE_MAX; to++)
                        if (shown.move[from][to] != life_may_move(from, to))
                                fail_msg("'%s' to '%s' is %s in " DOCUMENT ", not in daemon/life.c",
                                                challenge_state_to_string(from),
                                                challenge_state_to_string(to),
                                                shown.move[from][to] ? "legal" : "illegal");
        }
}

static void test_final(void **state) {
        static const bool final[_CHALLENGE_STATE_MAX] = {
                        [CHALLENGE_APPROVED] = true,
                        [CHALLENGE_DENIED] = true,
                        [CHALLENGE_EXPIRED] = true,
                        [CHALLENGE_IGNORED] = true,
                        [CHALLENGE_SUPERSEDED] = true,
                        [CHALLENGE_FAILED] = true,
        };

        for (ChallengeState s = 0; s < _CHALLENGE_STATE_MAX; s++) {
                assert_int_equal(life_is_final(s), final[s]);
                assert_false(life_may_move(s, s));
                for (ChallengeState to = 0; final[s] && to < _CHALLENGE_STATE_MAX; to++)
                        assert_false(life_may_move(s, to));
        }
        assert_false(life_is_final(_CHALLENGE_STATE_MAX));
        assert_false(life_may_move(_CHALLENGE_STATE_MAX, CHALLENGE_FAILED));
        assert_false(life_may_move(CHALLENGE_DISCOVERED, _CHALLENGE_STATE_MAX));
        assert_false(life_may_move((ChallengeState) -1, CHALLENGE_FAILED));
}

/* What no change of the table may bring about. */
static void test_never(void **state) {
        for (ChallengeState from = 0; from < _CHALLENGE_STATE_MAX; from++) {
                /* Nothing is answered that was not decided, and sent only from a durable decision.
                 */
                if (from != CHALLENGE_ANSWERING && from != CHALLENGE_SUBMITTED) {
                        assert_false(life_may_move(from, CHALLENGE_APPROVED));
                        assert_false(life_may_move(from, CHALLENGE_DENIED));
                }
                if (from != CHALLENGE_ANSWERING)
                        assert_false(life_may_move(from, CHALLENGE_SUBMITTED));
                assert_false(life_may_move(from, CHALLENGE_DISCOVERED));
                /* Time and others may end whatever is not over. */
                if (!life_is_final(from)) {
                        assert_true(life_may_move(from, CHALLENGE_EXPIRED));
                        assert_true(life_may_move(from, CHALLENGE_SUPERSEDED));
                }
        }
        assert_false(life_may_move(CHALLENGE_SUBMITTED, CHALLENGE_IGNORED));
        assert_false(life_may_move(CHALLENGE_SUBMITTED, CHALLENGE_DECIDING));
        assert_false(life_may_move(CHALLENGE_ANSWERING, CHALLENGE_ASKING));
        assert_true(life_may_move(CHALLENGE_SUBMITTED, CHALLENGE_ANSWERING));
}

static void test_outcome(void **state) {
        assert_int_equal(life_outcome(PROVIDER_APPROVED, true), CHALLENGE_APPROVED);
        assert_int_equal(life_outcome(PROVIDER_APPROVED, false), CHALLENGE_SUPERSEDED);
        assert_int_equal(life_outcome(PROVIDER_DENIED, true), CHALLENGE_DENIED);
        assert_int_equal(life_outcome(PROVIDER_DENIED, false), CHALLENGE_SUPERSEDED);
        for (int ours = 0; ours < 2; ours++) {
                assert_int_equal(life_outcome(PROVIDER_EXPIRED, ours), CHALLENGE_EXPIRED);
                assert_int_equal(life_outcome(PROVIDER_PENDING, ours), _CHALLENGE_STATE_MAX);
                assert_int_equal(life_outcome(PROVIDER_UNKNOWN, ours), _CHALLENGE_STATE_MAX);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_document),
                        cmocka_unit_test(test_final),
                        cmocka_unit_test(test_never),
                        cmocka_unit_test(test_outcome),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
