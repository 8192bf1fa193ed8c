#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A world as the daemon would describe it, and the plan for it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "agent/plan.h"
#include "base/macros.h"
#include "base/text.h"

/* 2026-01-02T03:04:05Z */
#define NOW (UINT64_C(1767323045) * USEC_PER_SEC)
#define UID 1000

typedef struct Scene {
        World world;
        PlanInput in;
        Plan plan;
} Scene;

static inline const char *sid_of(char c) {
        static char sids[256][SID_SIZE];
        char *sid = sids[(uint8_t) c];

        (void) strcpy(sid, "YC");
        memset(sid + 2, c, SID_LEN - 2);
        return sid;
}

static inline json_object *parse(const char *text) {
        json_object *o = json_tokener_parse(text);

        assert_non_null(o);
        return o;
}

static inline void set(json_object *o, const char *key, json_object *value) {
        assert_true(json_object_object_add(o, key, value) >= 0);
}

/* A challenge that is asked, with the digit c for its SID and digest, 4 minutes and a half from its
 * end. more: members to add or replace, as JSON without the braces, or NULL. */
static inline json_object *challenge(char c, const char *more) {
        char text[8192], digest[SHA256_HEX_SIZE] = {0};
        json_object *o, *extra;

        memset(digest, c, SHA256_HEX_SIZE - 1);
        snprintf(text, sizeof(text),
                        "{\"sid\":\"%s\",\"digest\":\"%s\",\"factor\":\"laptop\",\"factor_type\":"
                        "\"push\",\"state\":\"asking\",\"service_sid\":\"VA%032d\",\"identity\":"
                        "\"alice-001\",\"message\":\"Sign in?\",\"fields\":[],\"created\":"
                        "\"2026-01-02T03:03:0%cZ\",\"expires\":\"2026-01-02T03:08:35Z\"}",
                        sid_of(c), digest, 0, c);
        o = parse(text);
        snprintf(text, sizeof(text), "{%s}", more ? more : "");
        extra = parse(text);
        json_object_object_foreach(extra, key, value) set(o, key, json_object_get(value));
        json_object_put(extra);
        return o;
}

static inline int scene_setup(void **state) {
        Scene *s = calloc(1, sizeof(*s));

        assert_non_null(s);
        s->world.connected = true;
        s->world.arm_delay = WORLD_ARM_DELAY_DEFAULT;
        s->in = (PlanInput){
                        .world = &s->world,
                        .actions = true,
                        .buttons = true,
                        .opened = "",
                        .options = "",
                        .now = NOW,
        };
        *state = s;
        return 0;
}

static inline int scene_teardown(void **state) {
        Scene *s = *state;

        plan_done(&s->plan);
        world_done(&s->world);
        free(s);
        return 0;
}

/* Takes o. */
static inline void scene_add(Scene *s, json_object *o) {
        assert_int_equal(world_read_challenge(&s->world, o), 0);
        json_object_put(o);
}

static inline void scene_factor(Scene *s, const char *text) {
        json_object *o = parse(text);

        assert_int_equal(world_read_factor(&s->world, o, UID), 0);
        json_object_put(o);
}

static inline void scene_cool(Scene *s, const char *name) {
        char text[256];

        snprintf(text, sizeof(text),
                        "{\"name\":\"%s\",\"owner\":1000,\"cooling_until\":\"2026-01-02T03:14:"
                        "05Z\"}",
                        name);
        scene_factor(s, text);
}

static inline void scene_status(Scene *s, const char *text) {
        json_object *o = parse(text);

        world_read_status(&s->world, o);
        json_object_put(o);
}

static inline const Plan *scene_plan(Scene *s) {
        plan_done(&s->plan);
        world_finish(&s->world);
        assert_int_equal(plan_make(&s->plan, &s->in), 0);
        return &s->plan;
}

static inline const Notice *find_notice(const Plan *p, const char *key) {
        for (size_t i = 0; i < p->n; i++)
                if (streq(p->notices[i].key, key))
                        return &p->notices[i];
        return NULL;
}

/* The plan's only notice, about requests. */
static inline const Notice *scene_prompt(Scene *s) {
        const Plan *p = scene_plan(s);

        assert_int_equal(p->n, 1);
        assert_string_equal(p->notices[0].key, "prompt ");
        return &p->notices[0];
}

/* By its key, or by its key without what it is about. */
static inline const NoticeAction *find_action(const Notice *n, const char *key) {
        size_t len = strlen(key);

        for (size_t i = 0; i < n->n_actions; i++) {
                const char *k = n->actions[i].key;

                if (strncmp(k, key, len) == 0 && (!k[len] || k[len] == '-'))
                        return &n->actions[i];
        }
        return NULL;
}

/* The keys in order, without what they are about, with a blank after each. */
static inline const char *action_keys(const Notice *n) {
        static char text[256];

        text[0] = '\0';
        for (size_t i = 0; i < n->n_actions; i++) {
                const char *key = n->actions[i].key, *dash = strrchr(key, '-');
                bool bound = dash && strncmp(dash + 1, n->actions[i].digest, 16) == 0;

                strncat(text, key, bound ? (size_t) (dash - key) : strlen(key));
                strcat(text, " ");
        }
        return text;
}

static inline size_t count_lines(const char *text, const char *begin) {
        size_t n = 0;

        for (; text; text = strchr(text, '\n')) {
                text += *text == '\n';
                n += strncmp(text, begin, strlen(begin)) == 0;
        }
        return n;
}

#define assert_contains(text, part)                                                                \
        do {                                                                                       \
                if (!strstr(text, part))                                                           \
                        fail_msg("\"%s\" is not in:\n%s", part, text);                             \
        } while (0)
#define assert_lacks(text, part)                                                                   \
        do {                                                                                       \
                if (strstr(text, part))                                                            \
                        fail_msg("\"%s\" is in:\n%s", part, text);                                 \
        } while (0)
