/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "policy/rule.h"
#include "policy/zone-file.h"

#define SECTION "Rule"
#define TIMEOUT (5 * USEC_PER_SEC)

typedef struct Loader {
        Policy *policy;
        RegexScratch *scratch;
        unsigned flags;
        ErrorList *errors;
        const char *path; /* of the file at hand */
        bool full;        /* that there are too many rules is said */
} Loader;

/* Adds "path:line: what" and goes on. */
#define FAULT(l, line, format, ...)                                                                \
        error_list_add((l)->errors, "%s:%u: " format, (l)->path, line __VA_OPT__(, ) __VA_ARGS__)

static void loader_done(Loader *l) {
        policy_free(l->policy);
        regex_scratch_free(l->scratch);
}

void rule_init(Rule *r) {
        *r = (Rule){
                        .verb = VERB_ASK,
                        .decider.timeout = TIMEOUT,
                        .decider.on_error = VERB_IGNORE,
        };
}

void rule_done(Rule *r) {
        for (size_t i = 0; i < r->n_conditions; i++) {
                Condition *c = &r->conditions[i];

                free(c->key);
                free(c->value);
                free(c->hours);
                pattern_done(&c->pattern);
        }
        free(r->conditions);
        free(r->name);
        free(r->decision);
        free(r->timezone);
        *r = (Rule){0};
}

/* Keys. */

static int unknown_key(Loader *l, const IniEntry *e) {
        _cleanup_free_ char *shown = NULL, *hint = NULL;

        int r = text_shown(e->key, &shown);
        if (r == 0)
                r = rule_key_hint(e->key, &hint);
        if (r < 0)
                return r;
        return FAULT(l, e->line, "unknown key '%s'; %s", shown, hint);
}

static int faulty_value(Loader *l, const IniEntry *e, const char *msg) {
        _cleanup_free_ char *key = NULL, *value = NULL;

        int r = text_shown(e->key, &key);
        if (r == 0)
                r = text_shown(e->value, &value);
        if (r < 0)
                return r;
        return FAULT(l, e->line, "%s=%s: %s", key, value, error_text(msg, -EINVAL));
}

/* Who reviews a rule sees what it says. */
static const char *disguise(const IniEntry *e) {
        return text_is_unsafe(e->key) || text_is_unsafe(e->value)
                               ? "there are characters that can't be seen or change the order of "
                                 "others (a tab is one); write \\x{…} in a regular expression for "
                                 "what is meant"
                               : NULL;
}

static int read_entries(Loader *l, Rule *rule, const IniSection *s) {
        for (size_t i = 0; i < s->n_entries; i++) {
                const IniEntry *e = &s->entries[i];
                _cleanup_free_ char *msg = NULL;

                int r = rule_read_key(rule, e->key, e->value, &msg);
                if (r == 0 && disguise(e))
                        r = faulty_value(l, e, disguise(e));
                else if (r == -ENOENT)
                        r = unknown_key(l, e);
                else if (r == -EINVAL)
                        r = faulty_value(l, e, msg);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Zones. */

/* The zone of that name, read once however many rules are in it. */
static int find_zone(Policy *p, const char *name, const Zone **ret, char **reterr_msg) {
        for (size_t i = 0; i < p->n_zones; i++)
                if (streq_ptr(p->zone_names[i], name)) {
                        *ret = p->zones[i];
                        return 0;
                }

        char **names = array_grow(p->zone_names, p->n_zones, sizeof(char *));
        if (!names)
                return -ENOMEM;
        p->zone_names = names;
        Zone **zones = array_grow(p->zones, p->n_zones, sizeof(Zone *));
        if (!zones)
                return -ENOMEM;
        p->zones = zones;

        _cleanup_free_ char *copy = NULL;
        int r = text_set(&copy, name);
        if (r == 0)
                r = zone_read(&p->zones[p->n_zones], name, reterr_msg);
        if (r < 0)
                return r;
        p->zone_names[p->n_zones] = TAKE_PTR(copy);
        *ret = p->zones[p->n_zones++];
        return 0;
}

static unsigned line_of(const IniSection *s, const char *key) {
        for (size_t i = 0; i < s->n_entries; i++)
                if (streq(s->entries[i].key, key))
                        return s->entries[i].line;
        return s->line;
}

/* Timezone= may stand before or after Hours=. */
static int read_zone(Loader *l, Rule *rule, const IniSection *s) {
        Condition *c = rule_condition(rule, CONDITION_HOURS);
        _cleanup_free_ char *msg = NULL, *shown = NULL;
        const Zone *zone = NULL;

        if (!c && !rule->timezone)
                return 0;
        int r = find_zone(l->policy, rule->timezone, &zone, &msg);
        if (c)
                c->zone = zone;
        if (r != -EINVAL)
                return r;

        r = text_shown(strempty(rule->timezone), &shown);
        if (r < 0)
                return r;
        return FAULT(l, line_of(s, rule->timezone ? "Timezone" : "Hours"), "Timezone=%s: %s", shown,
                        error_text(msg, -EINVAL));
}

/* Sections. */

/* Why a rule can't have this name, or NULL. *ret_other is the rule that has it already. */
static const char *name_fault(const Loader *l, const char *name, const Rule **ret_other) {
        *ret_other = NULL;
        if (!name_valid(name))
                return "this is not a rule's name; write letters, digits, '.', '_' and '-', 64 at "
                       "most, a letter or digit first, and no SID";
        if (streq(name, POLICY_RULE_DEFAULT))
                return "this name stands for what no rule decides; choose another";
        for (size_t i = 0; i < l->policy->n_rules; i++)
                if (streq(l->policy->rules[i].name, name)) {
                        *ret_other = &l->policy->rules[i];
                        return "another rule has this name; choose another";
                }
        return NULL;
}

static int check_name(Loader *l, const IniSection *s, const char *name) {
        _cleanup_free_ char *shown = NULL;
        const Rule *other;

        const char *fault = name_fault(l, name, &other);
        if (!fault)
                return 0;
        int r = text_shown(name, &shown);
        if (r < 0)
                return r;
        if (other)
                return FAULT(l, s->line, "[" SECTION " %s]: %s (%s:%u)", shown, fault, other->path,
                                other->line);
        return FAULT(l, s->line, "[" SECTION " %s]: %s", shown, fault);
}

/* The faults of a rule's keys are reported also when its name is at fault. */
static int read_rule(Loader *l, const IniSection *s, const char *name) {
        Policy *p = l->policy;

        int r = check_name(l, s, name);
        if (r < 0)
                return r;
        Rule *rules = array_grow(p->rules, p->n_rules, sizeof(Rule));
        if (!rules)
                return -ENOMEM;
        p->rules = rules;

        Rule *rule = &p->rules[p->n_rules];
        rule_init(rule);
        rule->path = l->path;
        rule->line = s->line;
        p->n_rules++;

        /* A good name stays as it is; one that can't be stands in messages. */
        r = text_shown(name, &rule->name);
        if (r == 0)
                r = read_entries(l, rule, s);
        if (r == 0)
                r = read_zone(l, rule, s);
        return r < 0 ? r : rule_check(rule, l->flags, l->scratch, l->errors);
}

static int read_section(Loader *l, const IniSection *s) {
        _cleanup_free_ char *shown = NULL;
        size_t word = STRLEN(SECTION " ");

        if (strncmp(s->name, SECTION " ", word) != 0) {
                int r = text_shown(s->name, &shown);
                if (r < 0)
                        return r;
                return FAULT(l, s->line, "[%s] is no section of a policy; write [" SECTION " NAME]",
                                shown);
        }
        if (l->policy->n_rules < POLICY_RULES_MAX)
                return read_rule(l, s, s->name + word);
        if (l->full)
                return 0;
        l->full = true;
        return FAULT(l, s->line, "there are over %d rules; write fewer, and wider ones",
                        POLICY_RULES_MAX);
}

/* Files. */

static const char *file_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

static int compare_files(const void *a, const void *b) {
        const PolicyFile *x = a, *y = b;
        int order = strcmp(file_name(x->path), file_name(y->path));

        return order != 0 ? order : strcmp(x->path, y->path);
}

static int read_file(Loader *l, const PolicyFile *file) {
        _cleanup_(ini_freep) IniFile *ini = NULL;
        Policy *p = l->policy;

        p->paths[p->n_paths] = strdup(file->path);
        if (!p->paths[p->n_paths])
                return -ENOMEM;
        l->path = p->paths[p->n_paths++];

        int r = ini_parse(&ini, l->path, file->text, file->len, l->errors);
        for (size_t i = 0; r == 0 && i < ini->n_sections; i++)
                r = read_section(l, &ini->sections[i]);
        return r;
}

static int hash_files(Policy *p, const PolicyFile *files, size_t n) {
        _cleanup_(digest_freep) Digest *d = NULL;
        uint8_t hash[SHA256_SIZE];

        int r = digest_new(&d);
        for (size_t i = 0; r == 0 && i < n; i++) {
                const char *name = file_name(files[i].path);

                r = digest_add_part(d, name, strlen(name));
                if (r == 0)
                        r = digest_add_part(d, files[i].text, files[i].len);
        }
        if (r == 0)
                r = digest_finish(d, hash);
        if (r == 0)
                hex_encode(hash, sizeof(hash), p->hash);
        return r == -EIO ? -ENOMEM : r;
}

/* A file of noise has a fault a line: past a number of them, how many more there are is enough. */
static int cut_errors(ErrorList *errors, size_t before) {
        size_t last = before + POLICY_ERRORS_MAX, more = errors->n > last ? errors->n - last : 0;

        if (more == 0)
                return 0;
        while (errors->n > last)
                free(errors->messages[--errors->n]);
        return error_list_add(errors, "… and %zu faults more", more);
}

static int read_files(Loader *l, const PolicyFile *files, size_t n) {
        if (n > POLICY_FILES_MAX)
                return error_list_add(l->errors,
                                "there are %zu files; put the rules into %d or "
                                "fewer",
                                n, POLICY_FILES_MAX);
        for (size_t i = 0; i < n; i++) {
                int r = read_file(l, &files[i]);
                if (r < 0)
                        return r;
        }
        return hash_files(l->policy, files, n);
}

int policy_load(Policy **ret,
                const PolicyFile *files,
                size_t n_files,
                unsigned flags,
                ErrorList *errors) {
        _cleanup_(loader_done) Loader l = {.flags = flags, .errors = errors};
        size_t before = errors->n;

        l.policy = calloc(1, sizeof(Policy));
        _cleanup_free_ PolicyFile *sorted = calloc(n_files + 1, sizeof(PolicyFile));
        if (!l.policy || !sorted || regex_scratch_new(&l.scratch) < 0)
                return -ENOMEM;
        l.policy->paths = calloc(n_files + 1, sizeof(char *));
        if (!l.policy->paths)
                return -ENOMEM;
        if (n_files > 0)
                memcpy(sorted, files, n_files * sizeof(PolicyFile));
        qsort(sorted, n_files, sizeof(PolicyFile), compare_files);

        int r = read_files(&l, sorted, n_files);
        if (r < 0)
                return r;
        if (errors->n > before) {
                r = cut_errors(errors, before);
                return r < 0 ? r : -EINVAL;
        }
        *ret = TAKE_PTR(l.policy);
        return 0;
}

Policy *policy_free(Policy *p) {
        if (!p)
                return NULL;

        for (size_t i = 0; i < p->n_rules; i++)
                rule_done(&p->rules[i]);
        for (size_t i = 0; i < p->n_zones; i++) {
                zone_free(p->zones[i]);
                free(p->zone_names[i]);
        }
        for (size_t i = 0; i < p->n_paths; i++)
                free(p->paths[i]);
        free(p->rules);
        free(p->zones);
        free(p->zone_names);
        free(p->paths);
        free(p);
        return NULL;
}

const char *policy_hash(const Policy *p) {
        return p->hash;
}

size_t policy_n_rules(const Policy *p) {
        return p->n_rules;
}

PolicyRule policy_rule(const Policy *p, size_t i) {
        const Rule *r = &p->rules[i];

        return (PolicyRule){
                        .name = r->name,
                        .path = r->path,
                        .line = r->line,
                        .decision = r->decision,
                        .limit = r->limit,
                        .limit_span = r->limit_span,
                        .dangerous = r->dangerous,
        };
}
