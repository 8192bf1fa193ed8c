/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <string.h>

#include "base/text.h"
#include "cli/output.h"

#define BIT(o) OPTION_BIT(OPTION_##o)
#define TARGET (BIT(FACTOR) | BIT(ACCOUNT) | BIT(SERVICE) | BIT(IDENTITY))

const Command commands[] = {
                {"status", "", "What the daemon is at", 0, 0, BIT(STRICT_CLOCK), 0, run_status},
                {"doctor", "", "What is wrong, and what to do about it", 0, 0, BIT(STRICT_CLOCK), 0,
                                run_doctor},
                {"list", "", "All factors", 0, 0, 0, 0, run_list},
                {"show", "NAME|SID", "All about a factor or a challenge", 1, 1, 0, 0, run_show},
                {"enroll push", "", "Make a key and a push factor", 0, 0,
                                BIT(NAME) | BIT(SERVICE) | BIT(IDENTITY) | BIT(ACCOUNT) |
                                                BIT(ACCESS_TOKEN_FILE) | BIT(FRIENDLY_NAME) |
                                                BIT(OWNER),
                                BIT(NAME) | BIT(SERVICE) | BIT(IDENTITY), run_enroll_push},
                {"enroll totp", "", "Make a secret and a TOTP factor", 0, 0,
                                BIT(NAME) | BIT(ACCOUNT) | BIT(SERVICE) | BIT(IDENTITY) |
                                                BIT(ALGORITHM) | BIT(DIGITS) | BIT(PERIOD) |
                                                BIT(FRIENDLY_NAME) | BIT(OWNER),
                                BIT(NAME) | BIT(ACCOUNT) | BIT(SERVICE) | BIT(IDENTITY),
                                run_enroll_totp},
                {"import", "FILE|-", "Take secrets from otpauth and migration URIs", 1, 1,
                                BIT(NAME) | BIT(OWNER) | BIT(LINK) | BIT(SERVICE) | BIT(IDENTITY) |
                                                BIT(ACCOUNT),
                                0, run_import},
                {"remove", "NAME", "Delete a factor, here and at the provider", 1, 1, BIT(LOCAL), 0,
                                run_remove},
                {"chown", "NAME USER", "Give a factor to another user", 2, 2, 0, 0, run_chown},
                {"set", "NAME", "Change what approving a factor's challenges takes", 1, 1,
                                BIT(MATCH_FIELD) | BIT(NO_MATCH_FIELD), 0, run_set},
                {"code", "NAME", "The present code", 1, 1,
                                BIT(NEXT) | BIT(WAIT) | BIT(STRICT_CLOCK), 0, run_code},
                {"pending", "", "Challenges that are not over", 0, 0, 0, 0, run_pending},
                {"approve", "[SID]", "Approve a challenge", 0, 1, BIT(DIGEST) | BIT(CONFIRM), 0,
                                run_approve},
                {"deny", "[SID]", "Deny a challenge", 0, 1, BIT(DIGEST), 0, run_deny},
                {"ignore", "SID", "Let a challenge expire", 1, 1, 0, 0, run_ignore},
                {"expect", "FACTOR [-- COMMAND…]", "Announce a challenge that is about to come", 1,
                                SIZE_MAX, BIT(WITHIN) | BIT(MESSAGE) | BIT(FIELD), 0, run_expect},
                {"ticket list", "", "What is announced and has not come yet", 0, 0, 0, 0,
                                run_ticket_list},
                {"ticket revoke", "ID", "Take back what was announced", 1, 1, 0, 0,
                                run_ticket_revoke},
                {"watch", "", "Answer challenges as they come; else print changes", 0, 0,
                                BIT(SINCE), 0, run_watch},
                {"log", "", "What was done, and by whom", 0, 0,
                                BIT(FACTOR) | BIT(CHALLENGE) | BIT(EVENT) | BIT(SINCE) |
                                                BIT(LINES) | BIT(FOLLOW) | BIT(VERIFY),
                                0, run_log},
                {"reload", "", "Read configuration and rules again", 0, 0, 0, 0, run_reload},
                {"poll", "", "Ask the provider now", 0, 0, 0, 0, run_poll},
                {"challenge create", "[FACTOR]", "Create a challenge", 0, 1,
                                TARGET | BIT(FACTOR_SID) | BIT(MESSAGE) | BIT(FIELD) |
                                                BIT(HIDDEN_DETAILS) | BIT(EXPIRES) |
                                                BIT(AUTH_PAYLOAD_FILE),
                                0, run_challenge_create},
                {"challenge fetch", "SID", "A challenge as the provider has it", 1, 1, TARGET, 0,
                                run_challenge_fetch},
                {"challenge list", "[FACTOR]", "Challenges as the provider has them", 0, 1,
                                TARGET | BIT(FACTOR_SID) | BIT(STATUS) | BIT(ORDER) |
                                                BIT(PAGE_SIZE) | BIT(PAGE) | BIT(PAGE_TOKEN),
                                0, run_challenge_list},
                {"challenge update", "SID", "Answer a challenge with a payload of your own", 1, 1,
                                TARGET | BIT(AUTH_PAYLOAD_FILE) | BIT(METADATA), 0,
                                run_challenge_update},
                {"access-token create", "", "Mint a token that enrols one push factor", 0, 0,
                                BIT(ACCOUNT) | BIT(SERVICE) | BIT(IDENTITY) | BIT(FRIENDLY_NAME) |
                                                BIT(TTL),
                                BIT(ACCOUNT) | BIT(SERVICE) | BIT(IDENTITY),
                                run_access_token_create},
                {"policy check", "[DIR|FILE…]", "Whether rules would load", 0, SIZE_MAX, 0, 0,
                                run_policy_check},
                {"policy test", "FILE…", "Try rules on cases and what is expected of them", 1,
                                SIZE_MAX, BIT(POLICY), 0, run_policy_test},
                {"policy explain", "SID|FILE", "What each rule says of a challenge, and why", 1, 1,
                                BIT(POLICY) | BIT(FACTOR), 0, run_policy_explain},
                {"policy replay", "", "What rules would have decided of what there was", 0, 0,
                                BIT(SINCE), 0, run_policy_replay},
};
const size_t n_commands = ELEMENTSOF(commands);

/* How many of the words are the command's name; 0 when they are not. */
static size_t match(const Command *c, const Arguments *a) {
        const char *space = strchr(c->name, ' ');
        size_t first = space ? (size_t) (space - c->name) : strlen(c->name);

        if (a->n_words < 1 || strlen(a->words[0]) != first ||
                        strncmp(c->name, a->words[0], first) != 0)
                return 0;
        if (!space)
                return 1;
        return a->n_words >= 2 && streq(space + 1, a->words[1]) ? 2 : 0;
}

static bool is_group(const char *word) {
        size_t len = strlen(word);

        for (size_t i = 0; i < n_commands; i++)
                if (strncmp(commands[i].name, word, len) == 0 && commands[i].name[len] == ' ')
                        return true;
        return false;
}

int command_find(const Command **ret, size_t *ret_words, const Arguments *a) {
        *ret = NULL;
        for (size_t i = 0; i < n_commands; i++) {
                size_t n = match(&commands[i], a);

                if (n == 0)
                        continue;
                *ret = &commands[i];
                *ret_words = n;
                return 0;
        }
        if (!is_group(a->words[0]))
                return complain(EXIT_USAGE, "unknown verb %s: see factorctl --help", a->words[0]);
        if (a->n_words >= 2)
                return complain(EXIT_USAGE, "unknown verb %s %s: see factorctl %s --help",
                                a->words[0], a->words[1], a->words[0]);
        if (argument_given(a, OPTION_HELP))
                return 0;
        return complain(EXIT_USAGE, "%s wants another word: see factorctl %s --help", a->words[0],
                        a->words[0]);
}

/* The arguments of a program that is run are bytes. */
static int check_text(const Command *c, const Arguments *a) {
        bool program = c->run == run_expect && a->n_after <= a->n_words;
        size_t n = a->n_words - (program ? a->n_after : 0);

        for (size_t i = 0; i < n; i++)
                if (!utf8_valid(a->words[i], strlen(a->words[i])))
                        return complain(EXIT_USAGE, "\"%s\" is no text in UTF-8", a->words[i]);
        for (size_t i = 0; i < _OPTION_MAX; i++)
                if (a->values[i] && !utf8_valid(a->values[i], strlen(a->values[i])))
                        return complain(EXIT_USAGE, "--%s is no text in UTF-8",
                                        option_specs[i].name);
        for (size_t i = 0; i < a->n_fields; i++)
                if (!utf8_valid(a->fields[i], strlen(a->fields[i])))
                        return complain(EXIT_USAGE, "--field is no text in UTF-8");
        return 0;
}

int command_check(const Command *c, const Arguments *a) {
        uint64_t surplus = a->given & ~(c->options | OPTIONS_COMMON);
        uint64_t missing = c->required & ~a->given;

        if (surplus)
                return complain(EXIT_USAGE, "--%s is no option of %s: see factorctl %s --help",
                                option_specs[__builtin_ctzll(surplus)].name, c->name, c->name);
        if (a->n_words > c->max)
                return complain(EXIT_USAGE,
                                "%s takes no more arguments at \"%s\": see factorctl %s --help",
                                c->name, a->words[c->max], c->name);
        if (a->n_words < c->min)
                return complain(EXIT_USAGE, "an argument is missing: factorctl %s %s", c->name,
                                c->arguments);
        if (missing)
                return complain(EXIT_USAGE, "%s wants --%s %s", c->name,
                                option_specs[__builtin_ctzll(missing)].name,
                                option_specs[__builtin_ctzll(missing)].argument);
        return check_text(c, a);
}
