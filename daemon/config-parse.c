/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config-parse.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/nearest.h"
#include "base/text.h"
#include "daemon/metadata.h"
#include "verify/http.h"

/* Texts. */

/* An absolute path that names the same thing whoever reads it. */
static int check_path(const char *path, char **reterr_msg) {
        if (path[0] != '/')
                return error_set(reterr_msg, -EINVAL,
                                "this is not an absolute path; write it from the root on, as in "
                                "/some/file");
        if (strlen(path) >= PATH_MAX)
                return error_set(reterr_msg, -EINVAL, "the path is too long; use a shorter one");

        for (const char *p = path; *p;) {
                size_t len = strcspn(++p, "/");
                if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
                        return error_set(reterr_msg, -EINVAL,
                                        "the path goes over '.' or '..'; write it without");
                p += len;
        }
        return 0;
}

static int parse_file(const char *value, void *target, char **reterr_msg) {
        int r = text_set(target, value);
        if (r < 0)
                return r;
        r = check_path(value, reterr_msg);
        if (r < 0)
                return r;
        if (value[strlen(value) - 1] == '/')
                return error_set(reterr_msg, -EINVAL,
                                "this names a folder; write the path of a file");
        return 0;
}

static int parse_directory(const char *value, void *target, char **reterr_msg) {
        char **path = target;

        int r = text_set(path, value);
        if (r < 0)
                return r;
        for (size_t n = strlen(*path); n > 1 && (*path)[n - 1] == '/'; n--)
                (*path)[n - 1] = '\0';
        return check_path(*path, reterr_msg);
}

static int parse_socket(const char *value, void *target, char **reterr_msg) {
        int r = parse_file(value, target, reterr_msg);
        if (r < 0)
                return r;
        if (strlen(value) > CONFIG_SOCKET_MAX)
                return error_set(reterr_msg, -EINVAL,
                                "a socket's path has %d bytes at most; use a shorter one",
                                CONFIG_SOCKET_MAX);
        return 0;
}

static int parse_base_url(const char *value, void *target, char **reterr_msg) {
        char **url = target;

        int r = text_set(url, value);
        if (r < 0)
                return r;
        for (size_t n = strlen(*url); n > 0 && (*url)[n - 1] == '/'; n--)
                (*url)[n - 1] = '\0';
        return http_check_base_url(*url, reterr_msg);
}

static bool port_valid(const char *text) {
        unsigned long port = 0;

        for (; isdigit((unsigned char) *text) && port <= UINT16_MAX; text++)
                port = 10 * port + (unsigned) (*text - '0');
        return *text == '\0' && port >= 1 && port <= UINT16_MAX;
}

/* "host", "host:port" or "[address]:port", with "user:password@" before it. */
static bool authority_valid(char *authority) {
        char *at = strrchr(authority, '@'), *host = at ? at + 1 : authority;
        const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
        size_t n;

        if (host[0] == '[') {
                n = 1 + strspn(host + 1, "0123456789abcdefABCDEF:.");
                if (n < 3 || host[n] != ']')
                        return false;
                n++;
        } else {
                n = strspn(host, letters);
                if (n == 0)
                        return false;
        }
        return host[n] == '\0' || (host[n] == ':' && port_valid(host + n + 1));
}

static int parse_proxy(const char *value, void *target, char **reterr_msg) {
        static const char *const schemes[] = {"http://", "https://", "socks5h://"};
        const char *rest = NULL;

        for (size_t i = 0; i < ELEMENTSOF(schemes); i++)
                if (strncasecmp(value, schemes[i], strlen(schemes[i])) == 0)
                        rest = value + strlen(schemes[i]);
        if (!rest)
                return error_set(reterr_msg, -EINVAL,
                                "this is not the URL of a proxy; write http://, https:// or "
                                "socks5h:// and host:port");

        _cleanup_free_ char *authority = strdup(rest);
        if (!authority)
                return -ENOMEM;
        size_t n = strlen(authority);
        if (n > 0 && authority[n - 1] == '/')
                authority[n - 1] = '\0';
        if (authority[strcspn(authority, "/?# \t\\")] != '\0' || !authority_valid(authority))
                return error_set(reterr_msg, -EINVAL,
                                "the proxy's URL has no host and port that can be used; write it "
                                "as in http://proxy.example:3128");
        return text_set(target, value);
}

static int parse_group(const char *value, void *target, char **reterr_msg) {
        int r = text_set(target, value);
        if (r < 0)
                return r;
        if (value[strcspn(value, ":/ \t")] != '\0')
                return error_set(reterr_msg, -EINVAL,
                                "this is not a group's name; write one, as getent group shows it");
        return 0;
}

/* Numbers. */

static int parse_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret) {
        uint64_t n = 0;

        if (!*value)
                return -EINVAL;
        for (; *value; value++) {
                if (!isdigit((unsigned char) *value))
                        return -EINVAL;
                if (__builtin_mul_overflow(n, (uint64_t) 10, &n) ||
                                __builtin_add_overflow(n, (uint64_t) (*value - '0'), &n))
                        return -ERANGE;
        }
        if (n < min || n > max)
                return -ERANGE;

        *ret = n;
        return 0;
}

static int parse_unsigned(const char *value, unsigned max, unsigned *target, char **reterr_msg) {
        uint64_t n;

        if (parse_number(value, 1, max, &n) < 0)
                return error_set(reterr_msg, -EINVAL, "write a whole number from 1 to %u", max);
        *target = (unsigned) n;
        return 0;
}

static int parse_rate(const char *value, void *target, char **reterr_msg) {
        return parse_unsigned(value, CONFIG_REQUESTS_PER_SECOND_MAX, target, reterr_msg);
}

static int parse_concurrency(const char *value, void *target, char **reterr_msg) {
        return parse_unsigned(value, CONFIG_CONCURRENT_REQUESTS_MAX, target, reterr_msg);
}

static int parse_span(const char *value, void *target, char **reterr_msg) {
        usec_t span;

        int r = timespan_parse(value, &span);
        if (r == -ERANGE || (r == 0 && span > CONFIG_SPAN_MAX))
                return error_set(reterr_msg, -EINVAL, "the span is too long; write 36500d or less");
        if (r < 0)
                return error_set(reterr_msg, -EINVAL,
                                "this is not a span of time; write a number with its unit, as in "
                                "500ms, 5s or 10min");
        if (span < CONFIG_SPAN_MIN)
                return error_set(reterr_msg, -EINVAL, "the span is too short; write 100ms or more");
        *(usec_t *) target = span;
        return 0;
}

/* No delay at all is a choice too. */
static int parse_delay(const char *value, void *target, char **reterr_msg) {
        usec_t span;

        if (streq(value, "0") || (timespan_parse(value, &span) == 0 && span == 0)) {
                *(usec_t *) target = 0;
                return 0;
        }
        return parse_span(value, target, reterr_msg);
}

/* "5/10min" fills two fields: its target is the whole Config. */
static int parse_budget(const char *value, void *target, char **reterr_msg) {
        Config *c = target;
        const char *slash = strchr(value, '/');
        uint64_t n;

        _cleanup_free_ char *count = strndup(value, slash ? (size_t) (slash - value) : 0);
        if (!count)
                return -ENOMEM;
        if (parse_number(count, 1, CONFIG_BUDGET_MAX, &n) < 0)
                return error_set(reterr_msg, -EINVAL,
                                "this is not a budget; write NUMBER/SPAN, as in 5/10min, with a "
                                "number from 1 to %d",
                                CONFIG_BUDGET_MAX);
        int r = parse_span(slash + 1, &c->budget_span, reterr_msg);
        if (r < 0)
                return r;
        c->budget = (unsigned) n;
        return 0;
}

static int parse_size(const char *value, void *target, char **reterr_msg) {
        static const char units[] = "KMG";
        size_t len = strlen(value);
        const char *unit = len > 0 ? strchr(units, value[len - 1]) : NULL;
        unsigned shift = unit ? 10 * (unsigned) (unit - units + 1) : 0;
        uint64_t n;

        _cleanup_free_ char *digits = strndup(value, unit ? len - 1 : len);
        if (!digits)
                return -ENOMEM;
        if (parse_number(digits, 1, (uint64_t) INT64_MAX >> shift, &n) < 0 ||
                        n << shift < CONFIG_AUDIT_SIZE_MIN)
                return error_set(reterr_msg, -EINVAL,
                                "this is not a size that can be used; write a whole number of K, M "
                                "or G, as in 256M, from 4K up");
        *(uint64_t *) target = n << shift;
        return 0;
}

/* Words. */

/* *ret is the word's place in the list. */
static int
parse_word(const char *value, const char *const *words, size_t n, int *ret, char **reterr_msg) {
        _cleanup_free_ char *list = NULL;

        for (size_t i = 0; i < n; i++) {
                if (streq(value, words[i])) {
                        *ret = (int) i;
                        return 0;
                }

                const char *before = i == 0 ? "" : i + 1 < n ? ", " : " or ";
                char *longer = NULL;
                if (asprintf(&longer, "%s%s%s", strempty(list), before, words[i]) < 0)
                        return -ENOMEM;
                free(list);
                list = longer;
        }
        return error_set(reterr_msg, -EINVAL, "this word is not known here; write %s", list);
}

static int parse_bus(const char *value, void *target, char **reterr_msg) {
        static const char *const words[] = {
                        [CONFIG_BUS_AUTO] = "auto",
                        [CONFIG_BUS_SYSTEM] = "system",
                        [CONFIG_BUS_SESSION] = "session",
                        [CONFIG_BUS_NONE] = "none",
        };
        int i;

        int r = parse_word(value, words, ELEMENTSOF(words), &i, reterr_msg);
        if (r == 0)
                *(ConfigBus *) target = (ConfigBus) i;
        return r;
}

static int parse_default(const char *value, void *target, char **reterr_msg) {
        static const char *const words[] = {
                        [CONFIG_DEFAULT_ASK] = "ask",
                        [CONFIG_DEFAULT_IGNORE] = "ignore",
        };
        int i;

        int r = parse_word(value, words, ELEMENTSOF(words), &i, reterr_msg);
        if (r == 0)
                *(ConfigDefault *) target = (ConfigDefault) i;
        return r;
}

static int parse_locked(const char *value, void *target, char **reterr_msg) {
        static const char *const words[] = {"hold", "show"};
        int i;

        int r = parse_word(value, words, ELEMENTSOF(words), &i, reterr_msg);
        if (r == 0)
                *(bool *) target = i == 1;
        return r;
}

static bool strv_contains(char *const *list, const char *word) {
        for (; *list; list++)
                if (streq(*list, word))
                        return true;
        return false;
}

static int check_fact(char *const *list, const char *word, char **reterr_msg) {
        const char *known[METADATA_KNOWN_MAX];
        size_t n = 0;

        for (; n < ELEMENTSOF(known) && metadata_known_fact(n); n++)
                known[n] = metadata_known_fact(n);
        if (strv_contains(list, word))
                return error_set(reterr_msg, -EINVAL, "'%s' is named twice; name it once", word);
        if (metadata_fact_known(word))
                return 0;

        _cleanup_free_ char *shown = NULL;
        int r = text_shown(word, &shown);
        if (r < 0)
                return r;
        const char *nearest = nearest_word(word, known, n);
        if (nearest)
                return error_set(reterr_msg, -EINVAL,
                                "the fact '%s' is not known; did you mean '%s'?", shown, nearest);
        return error_set(reterr_msg, -EINVAL,
                        "the fact '%s' is not known; factord knows os, hostname, kernel, version, "
                        "architecture and machine-type, others are written as Custom.NAME=VALUE",
                        shown);
}

static void strv_done(char ***list) {
        for (char **s = *list; s && *s; s++)
                free(*s);
        free(*list);
        *list = NULL;
}

static int parse_facts(const char *value, void *target, char **reterr_msg) {
        char ***facts = target;
        size_t n = 0;

        /* Each known fact once, and the NULL. */
        _cleanup_(strv_done) char **list = calloc(METADATA_KNOWN_MAX + 1, sizeof(char *));
        if (!list)
                return -ENOMEM;

        for (const char *p = value + strspn(value, " \t"); *p; p += strspn(p, " \t")) {
                size_t len = strcspn(p, " \t");

                _cleanup_free_ char *word = strndup(p, len);
                if (!word)
                        return -ENOMEM;
                int r = check_fact(list, word, reterr_msg);
                if (r < 0)
                        return r;
                list[n++] = TAKE_PTR(word);
                p += len;
        }

        strv_done(facts);
        *facts = TAKE_PTR(list);
        return 0;
}

/* Accounts. */

static int parse_account_sid(const char *value, void *target, char **reterr_msg) {
        int r = text_set(target, value);
        if (r < 0)
                return r;
        if (!sid_valid(value, "AC"))
                return error_set(reterr_msg, -EINVAL,
                                "this is not an account SID; write AC and 32 hexadecimal digits");
        return 0;
}

static int parse_user(const char *value, void *target, char **reterr_msg) {
        int r = text_set(target, value);
        if (r < 0)
                return r;
        if (!sid_valid(value, "AC") && !sid_valid(value, "SK"))
                return error_set(reterr_msg, -EINVAL,
                                "this is neither an account SID nor an API key SID; write AC or SK "
                                "and 32 hexadecimal digits");
        return 0;
}

static int parse_credential(const char *value, void *target, char **reterr_msg) {
        int r = text_set(target, value);
        if (r < 0)
                return r;

        bool good = strlen(value) <= CONFIG_CREDENTIAL_NAME_MAX && !streq(value, ".") &&
                    !streq(value, "..");
        for (const char *p = value; *p; p++)
                good = good && *p > ' ' && *p < 0x7f && *p != '/' && *p != ':';
        if (!good)
                return error_set(reterr_msg, -EINVAL,
                                "this is not the name of a systemd credential; write the ID that "
                                "LoadCredential= or SetCredential= gives it");
        return 0;
}

/* The table. Paths whose default hangs on the service and the user have none here: config-check.c.
 */

#define IN_CONFIG(field) offsetof(Config, field)
#define IN_ACCOUNT(field) offsetof(ConfigAccount, field)

/* clang-format off */
static const ConfigItem items[] = {
        { "Daemon", "Socket",         parse_socket,    IN_CONFIG(socket),           NULL,      0 },
        { "Daemon", "StateDirectory", parse_directory, IN_CONFIG(state_directory),  NULL,      0 },
        { "Daemon", "Bus",            parse_bus,       IN_CONFIG(bus),              "auto",    0 },
        { "Daemon", "Default",        parse_default,   IN_CONFIG(default_decision), "ask",     0 },
        { "Daemon", "Group",          parse_group,     IN_CONFIG(group),            "factord", 0 },

        { "Api", "BaseUrl",               parse_base_url,    IN_CONFIG(base_url),
          "https://verify.twilio.com", CONFIG_ITEM_QUIET },
        { "Api", "CertificateAuthority",  parse_file,        IN_CONFIG(certificate_authority),
          NULL, 0 },
        { "Api", "Proxy",                 parse_proxy,       IN_CONFIG(proxy),
          NULL, CONFIG_ITEM_QUIET },
        { "Api", "ConnectTimeout",        parse_span,        IN_CONFIG(connect_timeout), "5s", 0 },
        { "Api", "RequestTimeout",        parse_span,        IN_CONFIG(request_timeout), "15s", 0 },
        { "Api", "MaxConcurrentRequests", parse_concurrency, IN_CONFIG(max_concurrent_requests),
          "32", 0 },
        { "Api", "RequestsPerSecond",     parse_rate,        IN_CONFIG(requests_per_second),
          "50", 0 },

        { "Account", "AccountSid", parse_account_sid, IN_ACCOUNT(account_sid),
          NULL, CONFIG_ITEM_QUIET },
        { "Account", "User",       parse_user,        IN_ACCOUNT(user),
          NULL, CONFIG_ITEM_QUIET },
        { "Account", "PasswordFile", parse_file,      IN_ACCOUNT(password_file),
          NULL, CONFIG_ITEM_QUIET },
        { "Account", "PasswordCredential", parse_credential, IN_ACCOUNT(password_credential),
          NULL, CONFIG_ITEM_QUIET },

        { "Poll", "Interval",     parse_span, IN_CONFIG(poll_interval),      "3s",  0 },
        { "Poll", "IdleInterval", parse_span, IN_CONFIG(poll_idle_interval), "15s", 0 },

        { "Device", "Metadata", parse_facts, IN_CONFIG(metadata),
          "os hostname kernel version", CONFIG_ITEM_EMPTY },

        { "Prompt", "ArmDelay",    parse_delay,  IN_CONFIG(arm_delay),         "500ms", 0 },
        { "Prompt", "Budget",      parse_budget, 0,                            "5/10min", 0 },
        { "Prompt", "WhileLocked", parse_locked, IN_CONFIG(show_while_locked), "hold", 0 },
        { "Prompt", "Helper",      parse_file,   IN_CONFIG(helper),            NULL, 0 },

        { "Policy", "Directory", parse_directory, IN_CONFIG(policy_directory), NULL, 0 },

        { "Audit", "Retain",  parse_span, IN_CONFIG(audit_retain),   "400d", 0 },
        { "Audit", "MaxSize", parse_size, IN_CONFIG(audit_max_size), "256M", 0 },
};
/* clang-format on */

const ConfigItem *config_items(size_t *ret_n) {
        *ret_n = ELEMENTSOF(items);
        return items;
}

const ConfigItem *config_item_find(const char *section, const char *key) {
        for (size_t i = 0; i < ELEMENTSOF(items); i++)
                if (streq(items[i].section, section) && streq(items[i].key, key))
                        return &items[i];
        return NULL;
}

int config_item_set(const ConfigItem *item, void *object, const char *value, char **reterr_msg) {
        void *target = (char *) object + item->offset;

        if (*value || item->flags & CONFIG_ITEM_EMPTY)
                return item->parse(value, target, reterr_msg);
        if (item->fallback)
                return item->parse(item->fallback, target, reterr_msg);

        char **text = target;
        free(*text);
        *text = NULL;
        return 0;
}

int config_set_defaults(Config *c) {
        for (size_t i = 0; i < ELEMENTSOF(items); i++) {
                if (!items[i].fallback)
                        continue;

                _cleanup_free_ char *msg = NULL;
                int r = items[i].parse(items[i].fallback, (char *) c + items[i].offset, &msg);
                if (r < 0)
                        return r;
        }
        return 0;
}

const char *config_custom_fault(const char *key, const char *value) {
        size_t len = strlen(key);

        if (len == 0 || len > CONFIG_CUSTOM_KEY_MAX ||
                        strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "._-") != len)
                return "this is not a name for a fact; write Custom. and 1 to 64 of the letters, "
                       "digits, '.', '_' and '-'";
        if (streq(key, METADATA_DECISION))
                return "factord puts a fact of that name into every answer itself; choose another "
                       "name";
        if (utf8_length(value) > VERIFY_METADATA_MAX)
                return "the fact is longer than all metadata may be; write 1024 characters or less";
        return NULL;
}
