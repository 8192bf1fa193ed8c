#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The prompter's mind: which challenge is shown, what a typed line means, what is said. Pure: time
 * is an argument (boot time unless said otherwise), and nothing is read or written here.
 *
 * What the caller draws and sends:
 * 1. After every call prompter_take_notices() may have lines to print.
 * 2. When prompter_serial() is another than at the last drawing, what was typed is dropped and the
 *    challenge of prompter_shown() is drawn, if there is one; then prompter_drawn() is called.
 * 3. Only while prompter_takes_input() may a line be read, and what came before is dropped. */

#include <json-c/json_types.h>

#include "base/time.h"

typedef enum PrompterStage {
        PROMPTER_APART,      /* there is no daemon */
        PROMPTER_IDLE,       /* nothing is shown */
        PROMPTER_ASKING,     /* for a word about what is shown */
        PROMPTER_CONFIRMING, /* for what Approve wants typed */
        PROMPTER_ANSWERING,  /* an answer is under way */
} PrompterStage;

typedef enum PrompterAct {
        PROMPTER_GO_ON,
        PROMPTER_DECIDE, /* what prompter_decision() says; prompter_answered() is told the reply */
        PROMPTER_QUIT,
} PrompterAct;

/* Text that lives until the next call of the prompter. */
typedef struct PrompterDecision {
        const char *operation; /* Approve, Deny, Ignore */
        const char *sid;
        const char *digest;  /* NULL for Ignore */
        const char *confirm; /* or NULL */
} PrompterDecision;

typedef struct Prompter Prompter;

/* Returns 0 or -ENOMEM. */
int prompter_new(Prompter **ret);
/* Takes NULL, returns NULL. */
Prompter *prompter_free(Prompter *p);
DEFINE_CLEANUP(Prompter *, prompter_free);

/* What comes from the daemon. Objects are borrowed. */

/* Its status: the provider's clock and the arm delay. real: the wall clock at the same moment. */
void prompter_status(Prompter *p, json_object *status, usec_t now, usec_t real);
/* A challenge, from a list or an event; malformed ones are passed over. Returns 0 or -ENOMEM. */
int prompter_challenge(Prompter *p, json_object *view, usec_t now);
/* A list of all that is pending begins; at its end what was not on it is not pending any more, and
 * the daemon is there. */
void prompter_list_begins(Prompter *p);
void prompter_list_ends(Prompter *p);
/* The daemon is gone; why may be NULL. */
void prompter_apart(Prompter *p, const char *why);
/* The reply to the decision: the challenge as it is now, or an error's name and its message. */
void prompter_answered(Prompter *p, json_object *view, const char *error, const char *message);

/* What comes from the person. */

/* A whole line; NULL for one that is too long. */
PrompterAct prompter_line(Prompter *p, const char *text, usec_t now);
/* After PROMPTER_DECIDE. */
PrompterDecision prompter_decision(const Prompter *p);
/* How many decisions were answered without an error. */
unsigned prompter_n_decided(const Prompter *p);

/* What the time does: ends what is over, chooses what is shown. Returns when to call it again. */
usec_t prompter_tick(Prompter *p, usec_t now);

/* What is shown. */

uint64_t prompter_serial(const Prompter *p);
/* Has the challenge that is shown drawn again, as if it were new. */
void prompter_show_again(Prompter *p);
void prompter_drawn(Prompter *p, usec_t now);
/* Something was typed that does not count yet: what is in full flow was not meant for what has just
 * been drawn, and the arm delay begins anew. */
void prompter_typed_early(Prompter *p, usec_t now);
bool prompter_takes_input(const Prompter *p, usec_t now);
PrompterStage prompter_stage(const Prompter *p);
/* The challenge, NULL in stages without one. Borrowed until the next call. */
json_object *prompter_shown(const Prompter *p);
/* How long it has. */
usec_t prompter_left(const Prompter *p, usec_t now);
/* How many others wait. */
size_t prompter_n_others(const Prompter *p, usec_t now);
/* Since when the answer is under way. */
usec_t prompter_answering_since(const Prompter *p);
/* What can be typed about what is shown: "approve, deny, … or help". */
const char *prompter_words(const Prompter *p);
/* Lines to print, each with its newline, or NULL. Safe on any terminal. The caller frees it. */
char *prompter_take_notices(Prompter *p);
