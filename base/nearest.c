/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define PREFIX_MIN 4

static size_t min_size(size_t a, size_t b) {
        return a < b ? a : b;
}

static bool same_letter(char a, char b) {
        return tolower((unsigned char) a) == tolower((unsigned char) b);
}

/* Optimal string alignment: letters added, lost, changed, or two neighbours swapped. */
static size_t distance(const char *a, size_t len_a, const char *b, size_t len_b) {
        uint8_t d[NEAREST_WORD_MAX + 1][NEAREST_WORD_MAX + 1];

        for (size_t i = 0; i <= len_a; i++)
                d[i][0] = (uint8_t) i;
        for (size_t j = 0; j <= len_b; j++)
                d[0][j] = (uint8_t) j;

        for (size_t i = 1; i <= len_a; i++)
                for (size_t j = 1; j <= len_b; j++) {
                        bool same = same_letter(a[i - 1], b[j - 1]);
                        size_t best = min_size(d[i - 1][j] + 1U, d[i][j - 1] + 1U);

                        best = min_size(best, d[i - 1][j - 1] + (same ? 0U : 1U));
                        if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                                        same_letter(a[i - 2], b[j - 1]))
                                best = min_size(best, d[i - 2][j - 2] + 1U);
                        d[i][j] = (uint8_t) best;
                }
        return d[len_a][len_b];
}

/* How far the words are apart, or SIZE_MAX when that is no slip. */
static size_t slip(const char *word, const char *known) {
        size_t len = strlen(word), len_known = strlen(known);
        size_t limit = len_known < 6 ? 1 : len_known / 3;

        if (len > NEAREST_WORD_MAX || len_known > NEAREST_WORD_MAX)
                return SIZE_MAX;

        size_t d = distance(word, len, known, len_known);
        if (d <= limit)
                return d;

        size_t shorter = min_size(len, len_known);
        if (shorter >= PREFIX_MIN && strncasecmp(word, known, shorter) == 0)
                return d;
        return SIZE_MAX;
}

const char *nearest_word(const char *word, const char *const *words, size_t n) {
        const char *nearest = NULL;
        size_t best = SIZE_MAX;

        for (size_t i = 0; i < n; i++) {
                size_t d = slip(word, words[i]);

                if (d < best) {
                        best = d;
                        nearest = words[i];
                }
        }
        return nearest;
}
