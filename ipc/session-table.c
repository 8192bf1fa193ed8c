/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/session-table.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"

#define CALL_TIMEOUT (10 * USEC_PER_SEC)
#define CALLS_MAX 32 /* sessions asked about at a time; a bus allows 128 */

typedef struct Watched {
        SessionTable *table;
        char *path;
        sd_bus_slot *call; /* its properties are asked for */
        bool wanted;       /* … or have to be, again */
        bool listed;       /* the last list names it */
        bool known;        /* they came; is says what they are */
        LoginSession is;
} Watched;

struct SessionTable {
        void (*published)(bool changed, void *userdata);
        void *userdata;
        sd_bus *bus;
        char *owner;
        sd_bus_slot *list_call;
        bool listed;
        bool failed;
        Watched **watched;
        size_t n_watched;
        unsigned n_calls;
        LoginSession *facts; /* of those that are known: what the rule sees */
        size_t n_facts;
};

/* What is known. */

static bool facts_equal(const SessionTable *t, const LoginSession *facts, size_t n) {
        if (n != t->n_facts)
                return false;
        for (size_t i = 0; i < n; i++)
                if (!login_session_equal(&facts[i], &t->facts[i]))
                        return false;
        return true;
}

/* Makes what came of the sessions what is answered from now on. */
static void table_publish(SessionTable *t) {
        LoginSession *facts = calloc(t->n_watched + 1, sizeof(LoginSession));
        bool changed = false;
        size_t n = 0;

        for (size_t i = 0; facts && i < t->n_watched; i++)
                if (t->watched[i]->known)
                        facts[n++] = t->watched[i]->is;
        if (!facts)
                t->failed = true;
        else if (facts_equal(t, facts, n))
                free(facts);
        else {
                free(t->facts);
                t->facts = facts;
                t->n_facts = n;
                changed = true;
        }
        t->published(changed, t->userdata);
}

static Watched *table_find(SessionTable *t, const char *path) {
        for (size_t i = 0; i < t->n_watched; i++)
                if (streq(t->watched[i]->path, path))
                        return t->watched[i];
        return NULL;
}

static Watched *table_add(SessionTable *t, const char *path) {
        Watched *w, **array;

        if (t->n_watched == SESSION_TABLE_MAX)
                return NULL;
        array = array_grow(t->watched, t->n_watched, sizeof(Watched *));
        if (array)
                t->watched = array;
        w = array ? calloc(1, sizeof(Watched)) : NULL;
        if (!w || text_set(&w->path, path) < 0) {
                free(w);
                t->failed = true;
                return NULL;
        }
        w->table = t;
        t->watched[t->n_watched++] = w;
        return w;
}

static void watched_cancel(Watched *w) {
        if (!w->call)
                return;
        w->call = sd_bus_slot_unref(w->call);
        w->table->n_calls--;
}

static void table_forget(SessionTable *t, Watched *w) {
        for (size_t i = 0; i < t->n_watched; i++)
                if (t->watched[i] == w) {
                        t->watched[i] = t->watched[--t->n_watched];
                        break;
                }
        watched_cancel(w);
        free(w->path);
        free(w);
}

/* What a session is. */

/* One property into the facts; others are passed over. */
static int session_read_property(LoginSession *s, const char *name, sd_bus_message *m) {
        const char *text = NULL;
        uint32_t uid = 0;
        int flag = 0, r;

        if (streq(name, "User")) {
                r = sd_bus_message_read(m, "v", "(uo)", &uid, NULL);
                s->uid = uid;
                return r;
        }
        if (streq(name, "Active") || streq(name, "LockedHint")) {
                r = sd_bus_message_read(m, "v", "b", &flag);
                *(streq(name, "Active") ? &s->active : &s->locked) = flag != 0;
                return r;
        }
        if (!streq(name, "Class") && !streq(name, "Type") && !streq(name, "State"))
                return sd_bus_message_skip(m, "v");
        r = sd_bus_message_read(m, "v", "s", &text);
        if (r < 0)
                return r;
        if (streq(name, "Class"))
                s->user = login_class_is_user(text);
        else if (streq(name, "Type"))
                s->graphical = login_type_is_graphical(text);
        else
                s->closing = streq(text, "closing");
        return 0;
}

static int session_read(LoginSession *ret, sd_bus_message *m) {
        LoginSession s = {.uid = (uid_t) -1};
        const char *name;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &name);
                if (r >= 0)
                        r = session_read_property(&s, name, m);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r < 0)
                return r;
        *ret = s;
        return 0;
}

/* Asking. */

static int table_call(SessionTable *t,
                sd_bus_slot **slot,
                const char *path,
                const char *interface,
                const char *member,
                const char *argument,
                sd_bus_message_handler_t handler,
                void *userdata) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(t->bus, &m, t->owner, path, interface, member);
        if (r >= 0 && argument)
                r = sd_bus_message_append(m, "s", argument);
        if (r >= 0)
                r = sd_bus_call_async(t->bus, slot, m, handler, userdata, CALL_TIMEOUT);
        sd_bus_message_unref(m);
        return r;
}

static void table_ask_wanted(SessionTable *t);

/* That the session is not there any more. Anything else may pass: what was known of it stays. */
static bool error_means_gone(sd_bus_message *m) {
        return sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
               sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_METHOD) ||
               sd_bus_message_is_method_error(m, SD_BUS_ERROR_UNKNOWN_INTERFACE) ||
               sd_bus_message_is_method_error(m, LOGIN_NAME ".NoSuchSession");
}

static int table_on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Watched *w = userdata;
        SessionTable *t = w->table;

        watched_cancel(w);
        if (sd_bus_message_is_method_error(m, NULL)) {
                if (error_means_gone(m))
                        table_forget(t, w);
                else
                        t->failed = true;
        } else if (session_read(&w->is, m) < 0)
                t->failed = true;
        else
                w->known = true;
        table_ask_wanted(t);
        table_publish(t);
        return 0;
}

static void table_ask_wanted(SessionTable *t) {
        for (size_t i = 0; t->owner && i < t->n_watched && t->n_calls < CALLS_MAX; i++) {
                Watched *w = t->watched[i];
                if (!w->wanted || w->call)
                        continue;
                w->wanted = false;
                if (table_call(t, &w->call, w->path, "org.freedesktop.DBus.Properties", "GetAll",
                                    LOGIN_NAME ".Session", table_on_properties, w) < 0)
                        t->failed = true;
                else
                        t->n_calls++;
        }
}

static int table_read_list(SessionTable *t, sd_bus_message *m) {
        const char *path;
        int r;

        for (size_t i = 0; i < t->n_watched; i++)
                t->watched[i]->listed = false;
        r = sd_bus_message_enter_container(m, 'a', "(susso)");
        while (r >= 0 && (r = sd_bus_message_read(m, "(susso)", NULL, NULL, NULL, NULL, &path)) >
                                         0) {
                Watched *w = table_find(t, path);
                if (!w)
                        w = table_add(t, path);
                if (w)
                        w->listed = w->wanted = true;
        }
        if (r < 0)
                return r;
        for (size_t i = t->n_watched; i-- > 0;)
                if (!t->watched[i]->listed)
                        table_forget(t, t->watched[i]);
        t->listed = true;
        return 0;
}

static int table_on_list(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SessionTable *t = userdata;

        t->list_call = sd_bus_slot_unref(t->list_call);
        if (sd_bus_message_is_method_error(m, NULL) || table_read_list(t, m) < 0)
                t->failed = true;
        table_ask_wanted(t);
        table_publish(t);
        return 0;
}

void session_table_list(SessionTable *t) {
        if (!t->owner)
                return;
        t->failed = false;
        t->list_call = sd_bus_slot_unref(t->list_call);
        if (table_call(t, &t->list_call, LOGIN_PATH, LOGIN_NAME ".Manager", "ListSessions", NULL,
                            table_on_list, t) < 0) {
                t->failed = true;
                table_publish(t);
        }
}

void session_table_ask(SessionTable *t, const char *path, bool create) {
        Watched *w = table_find(t, path);

        if (!w && create)
                w = table_add(t, path);
        if (!w)
                return;
        w->listed = w->wanted = true;
        table_ask_wanted(t);
}

void session_table_remove(SessionTable *t, const char *path) {
        Watched *w = table_find(t, path);

        if (!w)
                return;
        table_forget(t, w);
        table_ask_wanted(t);
        table_publish(t);
}

static void table_drop_all(SessionTable *t) {
        while (t->n_watched > 0)
                table_forget(t, t->watched[t->n_watched - 1]);
}

void session_table_clear(SessionTable *t) {
        table_drop_all(t);
        table_publish(t);
}

void session_table_set_owner(SessionTable *t, sd_bus *bus, const char *owner) {
        t->list_call = sd_bus_slot_unref(t->list_call);
        for (size_t i = 0; i < t->n_watched; i++)
                watched_cancel(t->watched[i]);
        free(t->owner);
        t->owner = owner ? strdup(owner) : NULL;
        t->bus = bus;
        t->listed = false;
        session_table_list(t);
}

int session_table_new(SessionTable **ret,
                void (*published)(bool changed, void *userdata),
                void *userdata) {
        SessionTable *t = calloc(1, sizeof(SessionTable));

        if (!t)
                return -ENOMEM;
        t->published = published;
        t->userdata = userdata;
        *ret = t;
        return 0;
}

SessionTable *session_table_free(SessionTable *t) {
        if (!t)
                return NULL;
        sd_bus_slot_unref(t->list_call);
        table_drop_all(t);
        free(t->owner);
        free(t->watched);
        free(t->facts);
        free(t);
        return NULL;
}

const char *session_table_owner(const SessionTable *t) {
        return t->owner;
}

bool session_table_is_listed(const SessionTable *t) {
        return t->listed;
}

bool session_table_failed(const SessionTable *t) {
        return t->failed;
}

const LoginSession *session_table_facts(const SessionTable *t, size_t *ret_n) {
        *ret_n = t->n_facts;
        return t->facts;
}
