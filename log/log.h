#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A program's log: to the journal with its fields when stderr is the journal, else lines on stderr.
 * Provider text and secrets never go in. Libraries do not log: only programs may include this. */

#include <syslog.h>

#include "base/macros.h"

/* Chooses whose lines they are (a string that lasts), where they go (JOURNAL_STREAM), and from
 * which priority on (LOG_ERR … LOG_DEBUG). */
void log_open(const char *name, int max_priority);
/* Whether they go to the journal. */
bool log_goes_to_journal(void);
/* "error", "warning", "notice", "info", "debug" to a priority, or -EINVAL. */
int log_priority_from_string(const char *s);

/* Writes a line. source is file:line for the journal's CODE_FILE and CODE_LINE. */
void log_write(int priority, const char *file, int line, const char *format, ...) _printf_(4, 5);

/* Likewise, with fields in the journal: id is one of daemon/message-ids.h, and factor (a name) is
 * FACTORD_FACTOR=. */
void log_message(int priority,
                const char *file,
                int line,
                const char *id,
                const char *factor,
                const char *format,
                ...) _printf_(6, 7);

#define log_error(...) log_write(LOG_ERR, __FILE__, __LINE__, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __FILE__, __LINE__, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __FILE__, __LINE__, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __FILE__, __LINE__, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __FILE__, __LINE__, __VA_ARGS__)
