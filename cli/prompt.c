/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prompt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "cli/line.h"
#include "cli/link.h"
#include "cli/output.h"
#include "cli/screen.h"

#define RETRY_DELAY_MIN (250 * USEC_PER_MSEC)
#define RETRY_DELAY_MAX (5 * USEC_PER_SEC)
#define REFRESH_INTERVAL (10 * USEC_PER_SEC)

/* How a turn of the loop goes: signals first, for they may end it or put it into the background;
 * then what the daemon says; then what follows from that is drawn, and what was typed before is
 * dropped; only then is waited, and what is typed afterwards is about what is drawn. */
typedef struct Prompt {
        usec_t deadline;
        Terminal terminal;
        Screen screen;
        Link *link;
        Prompter *prompter;
        Line line;
        uint64_t drawn; /* the prompter's serial that stands there */
        bool inside;    /* the terminal's mode is ours, and what we drew is still there */
        bool taking;    /* input counts */
        bool listed;    /* the daemon has answered before */
        usec_t retry_at;
        usec_t retry_delay;
        usec_t refreshed_at;
        bool ended;
        int status;
        char *message; /* why, for the person */
} Prompt;

static void prompt_done(Prompt *p) {
        terminal_close(&p->terminal);
        screen_done(&p->screen);
        link_free(p->link);
        prompter_free(p->prompter);
        line_clear(&p->line);
        free(p->message);
}

/* message may be NULL, and is taken. */
static void end(Prompt *p, int status, char *message) {
        if (p->ended)
                free(message);
        else {
                p->status = status;
                p->message = message;
        }
        p->ended = true;
}

/* Of what is written: without a terminal there is nothing left to do. */
static void check(Prompt *p, int r) {
        if (r < 0)
                end(p, r == -ENOMEM ? EXIT_FAILURE : EXIT_SIGNALLED + SIGHUP, NULL);
}

/* The daemon. */

/* Each time later, until all is well again. */
static void retry_later(Prompt *p, usec_t now) {
        p->retry_at = usec_add(now, p->retry_delay);
        p->retry_delay =
                        p->retry_delay < RETRY_DELAY_MAX / 2 ? 2 * p->retry_delay : RETRY_DELAY_MAX;
}

static void connect_again(Prompt *p, usec_t now) {
        p->retry_at = USEC_INFINITY;
        prompter_list_begins(p->prompter);
        if (link_connect(p->link, NULL) < 0)
                retry_later(p, now);
}

static void take_gone(Prompt *p, const char *message, usec_t now) {
        if (!p->listed) {
                end(p, EXIT_NO_DAEMON, strdup(message ? message : "the daemon hung up"));
                return;
        }
        prompter_apart(p->prompter, message);
        retry_later(p, now);
}

/* The clock may have been set since the last challenge came. */
static void refresh(Prompt *p, usec_t now) {
        if (!p->listed || usec_sub(now, p->refreshed_at) < REFRESH_INTERVAL)
                return;
        p->refreshed_at = now;
        link_refresh(p->link);
}

static void take_news(Prompt *p, const LinkItem *i, usec_t now) {
        switch (i->news) {
        case LINK_STATUS:
                prompter_status(p->prompter, i->object, now, now_realtime());
                p->refreshed_at = now;
                break;
        case LINK_CHALLENGE:
                refresh(p, now);
                if (prompter_challenge(p->prompter, i->object, now) < 0)
                        check(p, -ENOMEM);
                break;
        case LINK_LISTED:
                prompter_list_ends(p->prompter);
                p->listed = true;
                p->retry_delay = RETRY_DELAY_MIN;
                break;
        case LINK_ANSWER:
                prompter_answered(p->prompter, i->object, i->error, i->message);
                break;
        case LINK_GONE:
                take_gone(p, i->message, now);
                break;
        case LINK_NOTHING:
                break;
        }
}

static void take_all_news(Prompt *p, usec_t now) {
        LinkNews news = LINK_STATUS;

        while (!p->ended && news != LINK_NOTHING && news != LINK_GONE) {
                _cleanup_(link_item_done) LinkItem i;

                link_next(p->link, &i);
                take_news(p, &i, now);
                news = i.news;
        }
        if (!p->ended && p->retry_at <= now)
                connect_again(p, now);
}

/* The person. */

static void decide(Prompt *p) {
        PrompterDecision d = prompter_decision(p->prompter);
        _cleanup_free_ char *msg = NULL;
        int r = link_decide(p->link, &d, &msg);

        if (r < 0)
                prompter_answered(p->prompter, NULL, "not sent", error_text(msg, r));
}

static void take_line(Prompt *p, usec_t now) {
        PrompterAct act;

        check(p, screen_entered(&p->screen, p->line.text));
        act = prompter_line(p->prompter, line_text(&p->line), now);
        line_clear(&p->line);
        if (act == PROMPTER_DECIDE)
                decide(p);
        else if (act == PROMPTER_QUIT)
                end(p, 0, NULL);
}

static void take_byte(Prompt *p, uint8_t byte, usec_t now) {
        switch (line_feed(&p->line, byte)) {
        case LINE_ENTERED:
                take_line(p, now);
                break;
        case LINE_ENDED:
                end(p, 0, NULL);
                break;
        case LINE_REDRAW:
                check(p, screen_draw(&p->screen, p->prompter, true, now));
                break;
        case LINE_EDITED:
        case LINE_SAME:
                break;
        }
}

/* What was typed about what is drawn; what comes with it for whatever is next is dropped. */
static void take_input(Prompt *p, usec_t now) {
        uint8_t bytes[256];
        ssize_t n = terminal_read(bytes, sizeof(bytes));

        if (n == -EAGAIN)
                return;
        if (n < 0 && !terminal_is_foreground()) {
                p->inside = false;
                return;
        }
        /* In lines Ctrl-D reads as an end, too. */
        if (n <= 0)
                end(p, n == 0 && p->terminal.dumb ? 0 : EXIT_SIGNALLED + SIGHUP, NULL);
        if (n > 0 && !p->taking)
                prompter_typed_early(p->prompter, now);
        for (ssize_t i = 0; i < n && !p->ended; i++)
                if (p->taking && prompter_takes_input(p->prompter, now) &&
                                prompter_serial(p->prompter) == p->drawn)
                        take_byte(p, bytes[i], now);
        explicit_bzero(bytes, sizeof(bytes));
}

/* The terminal. */

/* False: it stood still, and there may be other signals now. */
static bool take_signals(Prompt *p, usec_t now) {
        TerminalSignals s = terminal_take_signals(&p->terminal);

        if (s.ending)
                end(p, EXIT_SIGNALLED + s.ending, NULL);
        else if (s.stop) {
                check(p, screen_leave(&p->screen));
                (void) terminal_stop(&p->terminal, SIGTSTP);
                p->inside = false;
                return false;
        } else if (s.resumed)
                p->inside = false;
        else if (s.resized && p->inside)
                check(p, screen_draw(&p->screen, p->prompter, true, now));
        return true;
}

/* Back in the foreground, or there for the first time. In the background it stops again; what woke
 * it shows in the next turn's signals. */
static void come_inside(Prompt *p) {
        int r;

        if (!terminal_is_foreground()) {
                if (terminal_stop(&p->terminal, SIGTTOU) < 0)
                        end(p, EXIT_FAILURE,
                                        strdup("in the background, with no shell to bring it to "
                                               "the front"));
                return;
        }
        r = terminal_enter(&p->terminal);
        check(p, r);
        prompter_show_again(p->prompter);
        p->inside = r >= 0;
}

/* Draws what is new. Whether that took time that counts. */
static bool draw(Prompt *p, usec_t now) {
        _cleanup_free_ char *notices = prompter_take_notices(p->prompter);
        bool fresh = prompter_serial(p->prompter) != p->drawn, taking;

        if (notices)
                check(p, screen_say(&p->screen, notices));
        if (fresh) {
                check(p, screen_draw(&p->screen, p->prompter, false, now));
                p->drawn = prompter_serial(p->prompter);
                line_clear(&p->line);
                prompter_drawn(p->prompter, now_boottime());
        }
        /* Not yet, for what was drawn this moment. */
        taking = prompter_takes_input(p->prompter, now);
        if (taking && !p->taking) {
                line_clear(&p->line);
                terminal_drop_input();
        }
        p->taking = taking;
        check(p, screen_rows(&p->screen, p->prompter, p->line.text, now));
        return fresh;
}

/* Waits until something happens, or for wake. */
static void wait_for_more(Prompt *p, usec_t wake) {
        struct pollfd fds[LINK_FDS + 2];
        struct timespec left;
        usec_t span;

        link_poll(p->link, fds);
        fds[LINK_FDS] = (struct pollfd){.fd = p->terminal.signal_fd, .events = POLLIN};
        fds[LINK_FDS + 1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        wake = wake < p->retry_at ? wake : p->retry_at;
        wake = wake < p->deadline ? wake : p->deadline;
        span = usec_sub(wake, now_boottime());
        left.tv_sec = (time_t) (span / USEC_PER_SEC);
        left.tv_nsec = (long) (span % USEC_PER_SEC) * 1000;
        if (ppoll(fds, LINK_FDS + 2, wake == USEC_INFINITY ? NULL : &left, NULL) <= 0)
                return;
        if (fds[LINK_FDS + 1].revents)
                take_input(p, now_boottime());
}

static void run_out(Prompt *p) {
        bool answering = prompter_stage(p->prompter) == PROMPTER_ANSWERING;

        if (answering)
                end(p, EXIT_TIMED_OUT, NULL);
        else if (prompter_n_decided(p->prompter) > 0)
                end(p, 0, NULL);
        else
                end(p, EXIT_TIMED_OUT, strdup("no answer in time: nothing was decided"));
}

static void turn(Prompt *p) {
        usec_t now = now_boottime(), wake;

        if (!take_signals(p, now) || p->ended)
                return;
        if (!p->inside) {
                come_inside(p);
                return;
        }
        take_all_news(p, now);
        wake = prompter_tick(p->prompter, now);
        if (p->ended)
                return;
        if (draw(p, now))
                return;
        if (now >= p->deadline)
                run_out(p);
        if (!p->ended)
                wait_for_more(p, wake);
}

/* What is to be said once the terminal is as it was. */
static int conclude(Prompt *p) {
        if (prompter_stage(p->prompter) == PROMPTER_ANSWERING && p->status != 0)
                remark("the decision on %s was sent: it stays, and goes on without factorctl",
                                prompter_decision(p->prompter).sid);
        return p->message ? complain(p->status, "%s", p->message) : p->status;
}

int prompt_run(Session *s) {
        _cleanup_(prompt_done) Prompt p = {
                        .deadline = s->deadline,
                        .retry_at = USEC_INFINITY,
                        .retry_delay = RETRY_DELAY_MIN,
        };
        _cleanup_free_ char *path = NULL, *msg = NULL;
        int r;

        p.screen.terminal = &p.terminal;
        if (session_socket_path(s->arguments, &path) < 0 || link_new(&p.link, path) < 0 ||
                        prompter_new(&p.prompter) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        r = link_connect(p.link, &msg);
        if (r < 0)
                return complain(connection_exit_status(r), "%s", error_text(msg, r));
        r = terminal_open(&p.terminal, getenv("TERM"), getenv("NO_COLOR"));
        if (r < 0)
                return complain(EXIT_FAILURE, "cannot watch for signals: %s", strerror(-r));
        while (!p.ended)
                turn(&p);
        (void) screen_leave(&p.screen);
        terminal_close(&p.terminal);
        return conclude(&p);
}
