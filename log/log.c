/* SPDX-License-Identifier: Apache-2.0 */
#include "log/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* sd_journal_send() would otherwise add this file's own place. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/text.h"

#define LOG_LINE_MAX 2048

static const char *log_name = "factord";
static int log_max_priority = LOG_INFO;
static bool log_to_journal = false;

/* JOURNAL_STREAM holds "device:inode" of the stream that systemd connected (systemd.exec(5)); it
 * may have been redirected since. */
static bool stderr_is_journal(void) {
        unsigned long long device, inode;
        struct stat st;

        const char *stream = getenv("JOURNAL_STREAM");
        if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
                return false;
        return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *name, int max_priority) {
        log_name = name;
        log_max_priority = max_priority;
        log_to_journal = stderr_is_journal();
}

bool log_goes_to_journal(void) {
        return log_to_journal;
}

int log_priority_from_string(const char *s) {
        static const struct {
                const char *name;
                int priority;
        } names[] = {
                        {"error", LOG_ERR},
                        {"warning", LOG_WARNING},
                        {"notice", LOG_NOTICE},
                        {"info", LOG_INFO},
                        {"debug", LOG_DEBUG},
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (streq(names[i].name, s))
                        return names[i].priority;
        return -EINVAL;
}

/* A line on its way to where lines go. id is NULL for an ordinary one, and factor with it. */
typedef struct Line {
        int priority;
        const char *file;
        int line;
        const char *id, *factor;
} Line;

_printf_(2, 0) static void line_write(const Line *l, const char *format, va_list ap) {
        char text[LOG_LINE_MAX];

        if (l->priority > log_max_priority)
                return;
        vsnprintf(text, sizeof(text), format, ap);
        if (!log_to_journal) {
                fprintf(stderr, "%s: %s\n", log_name, text);
                return;
        }
        /* The first NULL ends the fields. */
        (void) sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", l->priority,
                        "SYSLOG_IDENTIFIER=%s", log_name, "CODE_FILE=%s", l->file, "CODE_LINE=%i",
                        l->line, l->id ? "MESSAGE_ID=%s" : NULL, l->id, "FACTORD_FACTOR=%s",
                        l->factor, NULL);
}

void log_write(int priority, const char *file, int line, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        line_write(&(Line){.priority = priority, .file = file, .line = line}, format, ap);
        va_end(ap);
}

void log_message(int priority,
                const char *file,
                int line,
                const char *id,
                const char *factor,
                const char *format,
                ...) {
        va_list ap;

        va_start(ap, format);
        line_write(&(Line){priority, file, line, id, factor}, format, ap);
        va_end(ap);
}
