/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "base/text.h"
#include "ipc/audit-journal.h"

static void journal_closep(sd_journal **j) {
        sd_journal_close(*j);
}

/* A field of the present entry; *ret is new. -ENOENT when it has none. */
static int get_field(sd_journal *j, const char *name, char **ret) {
        const void *data;
        size_t len, skip = strlen(name) + 1;
        int r;

        r = sd_journal_get_data(j, name, &data, &len);
        if (r < 0)
                return r;
        if (len < skip)
                return -ENOENT;
        *ret = strndup((const char *) data + skip, len - skip);
        return *ret ? 0 : -ENOMEM;
}

/* An entry that is not whole is passed over. */
static int add_head(sd_journal *j, json_object *array) {
        _cleanup_free_ char *store = NULL, *id = NULL, *head = NULL;
        json_object *o;
        int64_t number;
        char *end;

        if (get_field(j, AUDIT_FIELD_STORE, &store) < 0 || get_field(j, AUDIT_FIELD_ID, &id) < 0 ||
                        get_field(j, AUDIT_FIELD_HEAD, &head) < 0)
                return 0;
        errno = 0;
        number = strtoll(id, &end, 10);
        if (errno != 0 || *end || number < 0 || strlen(head) != 64 ||
                        strspn(head, "0123456789abcdef") != 64 || !utf8_valid(store, strlen(store)))
                return 0;
        o = json_object_new_object();
        if (!o || json_object_object_add(o, "store", json_object_new_string(store)) < 0 ||
                        json_object_object_add(o, "id", json_object_new_int64(number)) < 0 ||
                        json_object_object_add(o, "head", json_object_new_string(head)) < 0 ||
                        json_object_array_add(array, o) < 0) {
                json_object_put(o);
                return -ENOMEM;
        }
        return 0;
}

static int read_heads(sd_journal *j, json_object *array) {
        int r;

        r = sd_journal_seek_tail(j);
        while (r >= 0 && json_object_array_length(array) < JOURNAL_HEADS_MAX) {
                r = sd_journal_previous(j);
                if (r <= 0)
                        return r;
                r = add_head(j, array);
        }
        return r < 0 ? r : 0;
}

int journal_heads(uid_t uid, json_object **ret) {
        _cleanup_(journal_closep) sd_journal *j = NULL;
        json_object *array;
        char match[32];
        int r;

        r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY);
        if (r < 0)
                return r;
        (void) snprintf(match, sizeof(match), "_UID=%u", (unsigned) uid);
        r = sd_journal_add_match(j, match, 0);
        if (r >= 0)
                r = sd_journal_add_match(j, AUDIT_FIELD_EVENT "=" AUDIT_EVENT_HEAD, 0);
        if (r < 0)
                return r;
        array = json_object_new_array();
        if (!array)
                return -ENOMEM;
        r = read_heads(j, array);
        if (r < 0) {
                json_object_put(array);
                return r;
        }
        *ret = array;
        return 0;
}
